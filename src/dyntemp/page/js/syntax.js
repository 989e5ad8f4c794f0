// Tokens -> syntax tree, by the grammar of Python's expressions: also what no policy holds, so that it can be named.
//
// A node is `{kind, start, end, ...}`; kinds and operators have the names that Python's `ast` gives them.

import { Mismatch } from "./cursor.js";
import { Primaries } from "./primaries.js";
import { SyntaxFault, tokensOf } from "./tokens.js";

const COMPARISONS = { "<": "Lt", "<=": "LtE", ">": "Gt", ">=": "GtE", "==": "Eq", "!=": "NotEq", in: "In", is: "Is" };
const BINARY = [
  { "|": "BitOr" },
  { "^": "BitXor" },
  { "&": "BitAnd" },
  { "<<": "LShift", ">>": "RShift" },
  { "+": "Add", "-": "Sub" },
  { "*": "Mult", "/": "Div", "//": "FloorDiv", "%": "Mod", "@": "MatMult" },
];
const UNARY = { "+": "UAdd", "-": "USub", "~": "Invert" };
const SOFT_KEYWORDS = ["_", "case", "match"];
const STATEMENTS = ["print", "exec"];

/** The tree of `text`, one expression on one line. */
export function syntaxOf(text) {
  const tokens = tokensOf(text);
  const first = new Parser(tokens, false);
  try {
    return first.whole();
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
  }
  try {
    new Parser(tokens, true).whole(); // again, for faults that have words of their own
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
  }
  throw new SyntaxFault("invalid syntax", tokens[first.furthest].start);
}

/** Reads whole expressions. */
class Parser extends Primaries {
  whole() {
    const start = this.peek().start;
    let found = this.expression();
    if (this.is(",")) {
      while (this.take(",") && this.peek().type !== "end") this.expression();
      found = this.node("Tuple", start);
    }
    if (this.peek().type !== "end") throw new Mismatch();
    return found;
  }

  expression() {
    if (this.is("lambda")) return this.lambda();
    const { start, type, text } = this.peek();
    const at = this.at;
    const soft = type === "name" && SOFT_KEYWORDS.some((keyword) => keyword.startsWith(text));
    const beforeText = type === "name" && this.explains && this.peek(1).type === "string";
    const value = this.attempt(() => this.disjunction());
    if (this.explains) {
      if (value && !soft && !beforeText) this.explainComma(value);
      if (value && this.is("if")) this.explainElse(value);
      if (type === "name") this.explainStatement(at, text, start);
    }
    if (!value) throw new Mismatch();
    const conditional = this.behind("if", () => {
      this.disjunction();
      this.expect("else");
      this.expression();
      return this.node("IfExp", start);
    });
    return conditional ?? value;
  }

  /** A fault where another expression follows inside brackets. */
  explainComma(value) {
    const before = this.at;
    this.explains = false;
    const second = this.attempt(() => this.expression());
    this.explains = true;
    const inside = this.tokens[this.at - 1].level > 0;
    this.at = before;
    if (second && inside && !STATEMENTS.includes(value.name)) {
      throw new SyntaxFault("invalid syntax. Perhaps you forgot a comma?", value.start);
    }
  }

  explainElse(value) {
    const before = this.at;
    this.expect("if");
    if (this.attempt(() => this.disjunction()) && !this.is("else") && !this.is(":")) {
      throw new SyntaxFault("expected 'else' after 'if' expression", value.start);
    }
    this.at = before;
  }

  /** A fault for a statement of old, a name and what it is to do; each place is tried once. */
  explainStatement(at, name, start) {
    if (this.tried.has(at)) return;
    this.tried.add(at);
    const before = this.at;
    this.at = at + 1;
    const rest = this.is("(") ? null : this.attempt(() => this.expression());
    this.at = before;
    if (rest && STATEMENTS.includes(name)) {
      throw new SyntaxFault(`Missing parentheses in call to '${name}'. Did you mean ${name}(...)?`, start);
    }
  }

  lambda() {
    const { start } = this.peek();
    this.expect("lambda");
    while (!this.is(":")) {
      if (!this.take("/") && (!this.take("*") || !this.is(","))) {
        this.take("**");
        this.name();
        if (this.take("=")) this.expression();
      }
      if (!this.take(",")) break;
    }
    this.expect(":");
    this.expression();
    return this.node("Lambda", start);
  }

  /** Read once from each place, as Python does, whose second reading therefore finds some faults and not others. */
  disjunction() {
    const at = this.at;
    if (!this.known.has(at)) {
      const value = this.attempt(() => this.chain("or", () => this.chain("and", () => this.inversion())));
      this.known.set(at, { value, end: this.at });
    }
    const { value, end } = this.known.get(at);
    if (!value) throw new Mismatch();
    this.at = end;
    return value;
  }

  chain(word, next) {
    const { start } = this.peek();
    const first = next();
    let more = false;
    while (this.behind(word, next)) more = true;
    return more ? this.node("BoolOp", start) : first;
  }

  inversion() {
    const { start } = this.peek();
    if (!this.take("not")) return this.comparison();
    this.inversion();
    return this.node("UnaryOp", start, { operator: "Not" });
  }

  comparison() {
    const { start } = this.peek();
    const left = this.binary(0);
    const operators = [];
    let right = null;
    const next = () => {
      const operator = this.comparing();
      right = this.binary(0);
      operators.push(operator);
      return right;
    };
    while (this.comparing(true) && this.attempt(next));
    return operators.length ? this.node("Compare", start, { operators, left, right }) : left;
  }

  /** The comparison that stands next, taken unless `only` looked at; null where there is none. */
  comparing(only = false) {
    const { type, text } = this.peek();
    if (type === "name") return null;
    const double = this.is("not") ? this.is("in", 1) && "NotIn" : this.is("is") && this.is("not", 1) && "IsNot";
    const single = Object.hasOwn(COMPARISONS, text) ? COMPARISONS[text] : null;
    const found = double || single;
    if (found && !only) this.at += double ? 2 : 1;
    return found;
  }

  binary(level) {
    if (level === BINARY.length) return this.factor();
    const { start } = this.peek();
    let left = this.binary(level + 1);
    for (;;) {
      const { type, text } = this.peek();
      if (type !== "symbol" || !Object.hasOwn(BINARY[level], text)) return left;
      const right = this.behind(text, () => this.binary(level + 1));
      if (!right) return left;
      left = this.node("BinOp", start, { operator: BINARY[level][text], left, right });
    }
  }

  factor() {
    const { start, type, text } = this.peek();
    if (type !== "symbol" || !Object.hasOwn(UNARY, text)) return this.power();
    this.at += 1;
    const operand = this.factor();
    return this.node("UnaryOp", start, { operator: UNARY[text], operand });
  }

  power() {
    const { start } = this.peek();
    const left = this.awaited();
    const right = this.behind("**", () => this.factor());
    return right ? this.node("BinOp", start, { operator: "Pow", left, right }) : left;
  }

  awaited() {
    const { start } = this.peek();
    if (!this.take("await")) return this.primary();
    this.primary();
    return this.node("Await", start);
  }
}
