// Text -> nodes: an allow-list over the syntax tree, with faults that show their place.

import { PolicyError } from "./errors.js";
import { quotedText, shortest } from "./numbers.js";
import { suggestion } from "./suggest.js";
import { syntaxOf } from "./syntax.js";
import { SyntaxFault } from "./tokens.js";

const OPERATORS = { Add: "+", Sub: "-", Mult: "*", Div: "/", Pow: "**" };
const COMPARISONS = { Lt: "<", LtE: "<=", Gt: ">", GtE: ">=" };
const MAX_NESTING = 300;
const NAME = /^[A-Za-z_][A-Za-z_0-9]*$/;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}]/u;
const TOO_DEEP = "this is nested too deeply: write it with fewer operations";
const EMPTY = "the policy is empty: write a temperature such as `0.7` or `0.1 + 0.8*entropy`";
const SHOWN = 60;

/** Raise `message` with the part of `line`, an array of characters, that it is about. */
function failAt(message, line, start, stop) {
  const first = Math.max(0, start - SHOWN);
  const shown = (first ? "..." : "") + line.slice(first, start + SHOWN).join("");
  const carets = "^".repeat(Math.max(1, Math.min(stop, start + SHOWN) - start));
  const mark = " ".repeat(start - first + (first ? 3 : 0)) + carets;
  throw new PolicyError(`${message}\n    ${shown}\n    ${mark}`, start);
}

/** Reads policies with a table's words. */
export class Reader {
  constructor(table, builder, signals) {
    this.table = table;
    this.builder = builder;
    this.signals = signals;
  }

  /** The expression that `text` spells; throws PolicyError. */
  read(text) {
    const { length: limit } = this.table.limits;
    const line = Array.from(text.replace(/[\n\r\t]/g, " "));
    if (line.length > limit) {
      throw new PolicyError(`this policy has ${line.length} characters; at most ${limit} are allowed`, limit);
    }
    const foreign = line.findIndex((character) => !/^[\x20-\x7e]$/.test(character) || character === "#");
    if (foreign >= 0) this.refuseCharacter(line, foreign);
    const whole = line.join("");
    const body = whole.trim();
    if (!body) throw new PolicyError(EMPTY, 0);
    return new Reading(this, line, whole.length - whole.trimStart().length).read(body);
  }

  refuseCharacter(line, at) {
    const character = line[at];
    const instead = Object.hasOwn(this.table.instead, character) ? `: write \`${this.table.instead[character]}\`` : "";
    const shown = quotedText(character, (one) => !UNSEEN.test(one));
    failAt(`the character ${shown} is not part of the policy language${instead}`, line, at, at + 1);
  }
}

/** The reading of one line. */
class Reading {
  constructor({ table, builder, signals }, line, offset) {
    Object.assign(this, { table, builder, signals, line, offset, nesting: 0 });
  }

  read(body) {
    try {
      return this.expression(syntaxOf(body));
    } catch (error) {
      if (error instanceof RangeError) failAt(TOO_DEEP, this.line, 0, 1);
      if (!(error instanceof SyntaxFault)) throw error;
      if (error.message === "Exceeds the limit") {
        failAt("a number too long to read: write it as 1e300", this.line, this.offset, this.offset + 1);
      }
      const at = this.offset + error.start;
      return failAt(`cannot read this: ${error.message}`, this.line, at, at + 1);
    }
  }

  fail(message, node) {
    failAt(message, this.line, this.offset + node.start, this.offset + node.end);
  }

  expression(node) {
    const found = this.node(node);
    if (found.kind !== "comparison") return found;
    return this.fail("a comparison stands only as the first argument of `where(condition, x, y)`", node);
  }

  /** What `node` means; faults that belong to no place are shown at its own. */
  node(node) {
    this.nesting += 1;
    if (this.nesting > MAX_NESTING) failAt(TOO_DEEP, this.line, 0, 1);
    try {
      return this.meaning(node);
    } catch (error) {
      if (!(error instanceof PolicyError) || error.position !== null) throw error;
      return this.fail(error.message, node);
    } finally {
      this.nesting -= 1;
    }
  }

  meaning(node) {
    const { kind, operator } = node;
    if (kind === "Constant") return this.constant(node);
    if (kind === "Name") return this.name(node);
    if (kind === "UnaryOp" && operator === "USub") return this.builder.negate(this.expression(node.operand));
    if (kind === "UnaryOp" && operator === "UAdd") return this.expression(node.operand);
    if (kind === "BinOp" && Object.hasOwn(OPERATORS, operator)) {
      const left = this.expression(node.left);
      return this.builder.binary(OPERATORS[operator], left, this.expression(node.right));
    }
    if (kind === "Compare") return this.comparison(node);
    if (kind === "Call" && node.callee.kind === "Name") return this.call(node, node.callee.name);
    return this.refuse(node);
  }

  constant(node) {
    const { number, singular, text, bytes } = node;
    const strange = singular ?? (number?.imaginary ? imaginary(number.value) : null) ?? byteText(bytes);
    if (strange) this.fail(`\`${strange}\` is not a number of the policy language`, node);
    if (text !== undefined) {
      this.fail('text in quotes stands only as a name in `param("name", ...)` or `given("name", ...)`', node);
    }
    if (!number) return this.refuse(node);
    const value = number.whole ? wholeNumber(number.value) : Number(number.value);
    if (number.whole && !Number.isFinite(value)) {
      this.fail("a number beyond the range of float64 was given; write one below 1.8e308", node);
    }
    return this.builder.number(value);
  }

  comparison(node) {
    const [operator, ...others] = node.operators;
    if (others.length) this.fail("a chain of comparisons is not part of the policy language: nest `where(...)`", node);
    if (!Object.hasOwn(COMPARISONS, operator)) return this.refuse({ ...node, operator });
    const left = this.expression(node.left);
    return this.builder.comparison(COMPARISONS[operator], left, this.expression(node.right));
  }

  name(node) {
    const { name } = node;
    const signal = this.signals.records.get(name);
    if (signal?.arguments.length) this.fail(`\`${name}\` needs its arguments: write \`${signal.spelling}\``, node);
    if (signal) return this.signals.make(name, []);
    const record = this.builder.functions.get(name);
    if (record) this.fail(`\`${name}\` is a function: write \`${name}(${record.arguments.join(", ")})\``, node);
    return this.builder.letter(name) ?? this.unknown(name, node);
  }

  call(node, name) {
    if (node.keywords.length) this.fail(`\`${name}\` takes its arguments by place, not by name`, node.keywords[0]);
    if (name === "param") {
      if (node.positional.length !== 3) {
        this.fail('`param` takes a name in quotes and a range: param("theta", 0.1, 2)', node);
      }
      return this.parameter(node.positional.map((argument) => this.argument(argument)));
    }
    if (this.builder.functions.has(name)) {
      return this.builder.call(name, node.positional.map((argument) => this.node(argument)));
    }
    const signal = this.signals.records.get(name);
    if (!signal) return this.unknown(name, node.callee);
    if (!signal.arguments.length) {
      this.fail(`\`${name}\` is a signal, not a function: write it without parentheses`, node);
    }
    return this.signals.make(name, node.positional.map((argument) => this.argument(argument)));
  }

  /** An argument that may be a name in quotes. */
  argument(node) {
    return node.kind === "Constant" && node.text !== undefined ? node.text : this.expression(node);
  }

  parameter([name, ...ends]) {
    if (typeof name !== "string" || !NAME.test(name)) {
      const shown = typeof name === "string" ? quotedText(name, (one) => !UNSEEN.test(one)) : `\`${name.text}\``;
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

  unknown(name, node) {
    const known = [...this.signals.records.keys(), ...this.builder.functions.keys(), "param"];
    const hint =
      suggestion(name, known) ||
      `; known are ${known.join(", ")}. A parameter is one letter, or param("${name.slice(0, 30)}", low, high)`;
    return this.fail(`unknown name \`${name.slice(0, 60)}\`${hint}`, node);
  }

  refuse(node) {
    const { refusals } = this.table;
    const kind = node.operator ?? node.kind;
    this.fail(Object.hasOwn(refusals, kind) ? refusals[kind] : "this is not part of the policy language", node);
  }
}

/** A whole number in any base as float64, rounded once. */
function wholeNumber(text) {
  return Number(/^0[xXoObB]/.test(text) ? BigInt(text.toLowerCase()) : text);
}

function imaginary(text) {
  return `${shortest(Number(text.slice(0, -1)))}j`;
}

function byteText(value) {
  return value === undefined ? null : `b${quotedText(value, (one) => /^[\x20-\x7e]$/.test(one))}`;
}
