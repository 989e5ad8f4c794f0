// Text -> expression, by operator precedence (a Pratt parser); the levels and refusals come with the table.

import { PolicyError } from "../errors.js";
import { fail } from "./fault.js";
import { numberOf, tokensOf } from "./lexer.js";
import { quotedText } from "../numbers.js";
import { suggestion } from "./suggest.js";

const ARITHMETIC = new Set(["+", "-", "*", "/", "**"]);
const COMPARISONS = new Set(["<", "<=", ">", ">="]);
const NAME = /^[A-Za-z_][A-Za-z_0-9]*$/;
const EMPTY = "the policy is empty: write a temperature such as `0.7` or `0.1 + 0.8*entropy`";
const TOO_DEEP = "this is nested too deeply: write it with fewer operations";
const COMMA = "a comma outside a function's parentheses: write the decimal point as `.`";
const CHAIN = "a chain of comparisons is not part of the policy language: nest `where(...)`";
const COMPARED = "a comparison stands only as the first argument of `where(condition, x, y)`";
const QUOTED = 'text in quotes stands only as a name in `param("name", ...)`, `given("name", ...)` or `inside("name")`';
const CALLED = "`(` right behind a value is not part of the policy language: write `*` between them";
const VALUE = "write a number, a signal, a function or `(...)` there";
const HAS = "it has numbers, names, `+ - * / **`, `< <= > >=`, commas and parentheses";

/** `parse(text)` for the language of a table: the expression that `text` spells; it throws PolicyError. */
export function makeParse(table, builder, signals) {
  const levels = new Map(table.levels.flatMap((symbols, level) => symbols.map((symbol) => [symbol, level])));
  return (text) => {
    const { length: limit } = table.limits;
    const line = Array.from(text.replace(/[\n\r\t]/g, " "));
    if (line.length > limit) {
      throw new PolicyError(`this policy has ${line.length} characters; at most ${limit} are allowed`, limit, line.length);
    }
    const tokens = tokensOf(line, table);
    if (tokens.length === 1) throw new PolicyError(EMPTY, 0);
    return new Parser({ table, builder, signals, levels, line, tokens }).whole();
  };
}

/**
 * Reads the tokens of one line, each once. What it reads are parts, `{value, start, end}`: a node, or the name that
 * stood in quotes, and where it stands.
 */
class Parser {
  constructor(given) {
    Object.assign(this, given, { at: 0, nesting: 0 });
  }

  /** The next token. */
  get token() {
    return this.tokens[this.at];
  }

  /** The next token, which is then read. */
  take() {
    this.at += 1;
    return this.tokens[this.at - 1];
  }

  fail(message, start, end) {
    fail(message, this.line, start, end);
  }

  /** The part from `start` to the last token read, with the value of `build()`; errors of `build` are shown there. */
  make(start, build) {
    const { end } = this.tokens[this.at - 1];
    try {
      return { value: build(), start, end };
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      return this.fail(error.message, start, end);
    }
  }

  /** The expression that all tokens spell. */
  whole() {
    const { start } = this.token;
    const found = this.operation(0);
    if (this.token.text === ",") this.fail(COMMA, start, this.token.end);
    if (this.token.kind !== "end") this.misplaced();
    return this.expression(found);
  }

  /** A value, and the operators behind it that bind at least as tightly as level `loosest`. */
  operation(loosest) {
    if (this.nesting > this.table.limits.nesting) this.fail(TOO_DEEP, 0, 1);
    this.nesting += 1;
    const { start } = this.token;
    let left = this.operand();
    while (this.level() >= loosest) left = this.operated(left, start, this.take());
    this.nesting -= 1;
    return left;
  }

  /** The level of the next token, -1 where it is no operator. */
  level() {
    return this.levels.get(this.token.text) ?? -1;
  }

  /** `left`, which begins at `start`, with `operator` and the value behind it. */
  operated(left, start, operator) {
    const symbol = operator.text;
    const level = this.levels.get(symbol);
    if (!ARITHMETIC.has(symbol) && !COMPARISONS.has(symbol)) this.refuse(operator, start);
    const first = this.expression(left);
    const second = this.expression(this.operation(symbol === "**" ? level : level + 1)); // 2**3**2 is 2**(3**2)
    if (ARITHMETIC.has(symbol)) return this.make(start, () => this.builder.binary(symbol, first, second));
    if (this.level() === level) this.fail(CHAIN, start, this.token.end);
    return this.make(start, () => this.builder.comparison(symbol, first, second));
  }

  /** A value without an operator behind it: a number, a name, a call, parentheses, or a sign and its value. */
  operand() {
    const { kind, text, start, end } = this.token;
    if (text === "+" || text === "-") {
      this.take();
      const value = this.expression(this.operation(this.levels.get("**")));
      return this.make(start, () => (text === "-" ? this.builder.negate(value) : value));
    }
    let found = null;
    if (kind === "number") {
      this.take();
      found = this.make(start, () => this.builder.number(numberOf(text)));
    } else if (kind === "text") {
      this.take();
      found = { value: text.slice(1, -1), start, end };
    } else if (kind === "word") {
      found = this.word(this.take());
    } else if (text === "(") {
      found = this.parentheses(this.take());
    } else {
      this.missing();
    }
    if (this.token.text === "(") this.fail(CALLED, start, this.token.end);
    if (this.token.text === "[" || this.token.text === ".") this.refuse(this.token, start);
    return found;
  }

  /** The part between `opening` and its `)`. */
  parentheses(opening) {
    if (this.token.text === ")") {
      this.fail(`nothing stands between \`(\` and \`)\`: ${VALUE}`, opening.start, this.token.end);
    }
    if (this.token.kind === "end") this.unclosed(opening);
    const found = this.operation(0);
    if (this.token.text === ",") this.fail(COMMA, opening.start, this.token.end);
    if (this.token.kind === "end") this.unclosed(opening);
    if (this.token.text !== ")") this.misplaced();
    this.take();
    return found;
  }

  /** The signal, parameter or call that begins with the token `name`. */
  word({ text: name, start, end }) {
    if (this.token.text === "=" || this.token.text === ":=") this.refuse(this.token, start);
    if (Object.hasOwn(this.table.refusals, name)) this.fail(this.table.refusals[name], start, end);
    if (this.token.text === "(") return this.call(name, start, end);
    const signal = this.signals.records.get(name);
    if (signal?.arguments.length) {
      this.fail(`\`${name}\` needs its arguments: write \`${signal.spelling}\``, start, end);
    }
    if (signal) return this.make(start, () => this.signals.make(name, []));
    const record = this.builder.functions.get(name);
    if (record) {
      this.fail(`\`${name}\` is a function: write \`${name}(${record.arguments.join(", ")})\``, start, end);
    }
    const letter = this.builder.letter(name);
    return letter ? { value: letter, start, end } : this.unknown(name, start, end);
  }

  /** The call of the function or signal `name`, whose `(` comes next. */
  call(name, start, end) {
    const isFunction = this.builder.functions.has(name);
    const signal = this.signals.records.get(name);
    if (name !== "param" && !isFunction && !signal) this.unknown(name, start, end);
    if (signal && !signal.arguments.length) {
      this.fail(`\`${name}\` is a signal, not a function: write it without parentheses`, start, this.token.end);
    }
    const found = this.arguments(name, this.take());
    if (isFunction) {
      const nodes = found.map((part) => this.node(part));
      return this.make(start, () => this.builder.call(name, nodes));
    }
    const values = found.map((part) => (typeof part.value === "string" ? part.value : this.expression(part)));
    if (signal) return this.make(start, () => this.signals.make(name, values));
    if (values.length !== 3) {
      const message = '`param` takes a name in quotes and a range: param("theta", 0.1, 2)';
      this.fail(message, start, this.tokens[this.at - 1].end);
    }
    return this.make(start, () => this.parameter(values));
  }

  /** The arguments of the function `name` between `opening` and its `)`; a comma may follow the last. */
  arguments(name, opening) {
    const found = [];
    while (this.token.text !== ")") {
      if (this.token.kind === "end") this.unclosed(opening);
      const next = this.tokens[this.at + 1];
      if ((this.token.kind === "word" && next.text === "=") || this.token.text === "**") {
        this.fail(`\`${name}\` takes its arguments by place, not by name`, this.token.start, next.end);
      }
      found.push(this.operation(0));
      if (this.token.text === ",") this.take();
      else if (this.token.kind !== "end" && this.token.text !== ")") this.misplaced();
    }
    this.take();
    return found;
  }

  parameter([name, ...ends]) {
    if (typeof name !== "string" || !NAME.test(name)) {
      const shown = typeof name === "string" ? quotedText(name, () => true) : `\`${name.text}\``;
      throw new PolicyError(`a parameter's name is letters, digits and _, but ${shown} was given`);
    }
    const [low, high] = ends.map((end) => this.signals.expression(end));
    if (!low.isConst || !high.isConst) throw new PolicyError(`the range of parameter '${name}' must be two numbers`);
    if (!(low.value < high.value)) {
      throw new PolicyError(
        `parameter '${name}' has the empty range ${low.text} to ${high.text}: low must be below high`,
      );
    }
    return this.builder.node("parameter", { name, low: low.value, high: high.value });
  }

  /** The number or comparison of a part. */
  node({ value, start, end }) {
    if (typeof value === "string") this.fail(QUOTED, start, end);
    return value;
  }

  /** The number of a part. */
  expression(found) {
    const value = this.node(found);
    if (value.kind === "comparison") this.fail(COMPARED, found.start, found.end);
    return value;
  }

  /** Refuse the next token, which stands where a value has to. */
  missing() {
    const { kind, text, start, end } = this.token;
    const before = this.tokens[this.at - 1];
    if (before && (kind === "end" || text === ")" || text === ",")) {
      this.fail(`a value is missing behind \`${before.text}\`: ${VALUE}`, start, end);
    }
    if (ARITHMETIC.has(text) || COMPARISONS.has(text) || text === ",") {
      this.fail(`a value is missing before \`${text}\`: ${VALUE}`, start, end);
    }
    this.misplaced();
  }

  /** Refuse the next token, which cannot stand behind what was read. */
  misplaced() {
    const { kind, text, start, end } = this.token;
    if (text === ")") this.fail("this `)` closes nothing: remove it, or write `(` before it", start, end);
    if (kind === "number" || kind === "word" || kind === "text") {
      this.fail("two values stand beside one another: write an operator between them, such as `*`", start, end);
    }
    this.refuse(this.token, start);
  }

  /** Refuse the sign or word of a token, which the language lacks, with all that stands from `start` on. */
  refuse({ text, end }, start) {
    const { refusals } = this.table;
    const message = `\`${text}\` is not part of the policy language: ${HAS}`;
    this.fail(Object.hasOwn(refusals, text) ? refusals[text] : message, start, end);
  }

  unclosed({ start, end }) {
    this.fail("this `(` is not closed: write `)` behind what belongs inside", start, end);
  }

  unknown(name, start, end) {
    const known = [...this.signals.records.keys(), ...this.builder.functions.keys(), "param"];
    const hint =
      suggestion(name, known) ||
      `; known are ${known.join(", ")}. A parameter is one letter, or param("${name.slice(0, 30)}", low, high)`;
    this.fail(`unknown name \`${name.slice(0, 60)}\`${hint}`, start, end);
  }
}
