// Tokens -> syntax tree, by the grammar of Python's expressions: also what no policy holds, so that it can be named.
//
// A node is `{kind, start, end, ...}`; kinds and operators have the names that Python's `ast` gives them.

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
const SINGULAR = ["True", "False", "None"];
const SOFT_KEYWORDS = ["_", "case", "match"];
const STATEMENTS = ["print", "exec"];

/** What stops a reading without a fault of its own: the first token that fits nowhere is the fault. */
class Mismatch extends Error {}

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

class Parser {
  constructor(tokens, explains) {
    this.tokens = tokens;
    this.explains = explains;
    this.at = 0;
    this.furthest = 0;
    this.tried = new Set();
    this.known = new Map();
  }

  /** The next token, or the one `ahead` of it; brackets that are never closed are a fault as soon as it is missed. */
  peek(ahead = 0) {
    const at = Math.min(this.at + ahead, this.tokens.length - 1);
    this.furthest = Math.max(this.furthest, at);
    const token = this.tokens[at];
    if (token.type === "unclosed") {
      throw new SyntaxFault(`'${token.bracket.text}' was never closed`, token.bracket.start);
    }
    if (token.type === "stray") {
      const start = token.start + (token.text.length > 1 ? 1 : 0);
      throw new SyntaxFault("unexpected character after line continuation character", start);
    }
    return token;
  }

  is(text, ahead = 0) {
    const token = this.peek(ahead);
    return token.text === text && (token.type === "symbol" || token.type === "keyword");
  }

  take(text) {
    if (!this.is(text)) return false;
    this.at += 1;
    return true;
  }

  expect(text) {
    if (!this.take(text)) throw new Mismatch();
  }

  name() {
    const token = this.peek();
    if (token.type !== "name") throw new Mismatch();
    this.at += 1;
    return token;
  }

  /** What `read` returns, or null where it finds no match, and then nothing was read. */
  attempt(read) {
    const before = this.at;
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      this.at = before;
      return null;
    }
  }

  /** What `read` returns behind the symbol or word `text`, or null where there is no such thing. */
  behind(text, read) {
    return this.is(text) ? this.attempt(() => (this.expect(text), read())) : null;
  }

  node(kind, start, fields = {}) {
    return { kind, start, end: this.tokens[this.at - 1].end, ...fields };
  }

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

  primary() {
    const { start } = this.peek();
    let found = this.atom();
    for (;;) {
      const more = this.attempt(() => this.trailer(start, found));
      if (!more) return found;
      found = more;
    }
  }

  trailer(start, before) {
    if (this.is("(")) return this.call(start, before);
    if (this.take(".")) {
      this.name();
      return this.node("Attribute", start);
    }
    this.expect("[");
    this.slices();
    this.expect("]");
    return this.node("Subscript", start);
  }

  slices() {
    do {
      if (!this.take("*")) {
        if (!this.is(":")) this.named();
        else this.slice();
        if (this.is(":")) this.slice();
      } else this.binary(0);
    } while (this.take(",") && !this.is("]"));
  }

  slice() {
    for (let colons = 0; colons < 2 && this.take(":"); colons++) {
      if (!this.is(":") && !this.is(",") && !this.is("]")) this.expression();
    }
  }

  call(start, callee) {
    this.expect("(");
    const positional = [];
    const keywords = [];
    let [unpacks, misplaced] = [false, false];
    while (!this.is(")")) {
      const place = this.peek().start;
      if (this.take("**")) {
        this.expression();
        keywords.push(this.node("keyword", place));
        unpacks = true;
      } else if (this.take("*")) {
        this.expression();
        if (unpacks) this.told("iterable argument unpacking follows keyword argument unpacking", place);
        positional.push(this.node("Starred", place));
      } else if (this.peek().type === "name" && this.is("=", 1)) {
        this.at += 2;
        this.expression();
        if (this.comprehends()) this.told("invalid syntax. Maybe you meant '==' or ':=' instead of '='?", place);
        keywords.push(this.node("keyword", place));
      } else {
        const lone = positional.length + keywords.length === 0;
        const value = this.argument(place, lone);
        misplaced ||= keywords.length > 0;
        positional.push(value);
      }
      if (!this.take(",")) break;
    }
    if (misplaced) {
      this.told(`positional argument follows keyword argument${unpacks ? " unpacking" : ""}`, this.peek().start);
    }
    this.expect(")");
    return this.node("Call", start, { callee, positional, keywords });
  }

  argument(place, lone) {
    const token = this.peek();
    const value = this.walrus(false);
    if (this.is("=")) {
      if (SINGULAR.includes(token.text)) this.told(`cannot assign to ${token.text}`, place);
      this.told('expression cannot contain assignment, perhaps you meant "=="?', place);
    }
    if (!this.comprehends()) return value;
    this.comprehension();
    if (!lone || this.is(",")) this.told("Generator expression must be parenthesized", place);
    const inside = this.node("GeneratorExp", place);
    return { ...inside, start: inside.start - 1, end: inside.end + 1 }; // the call's parentheses are its own
  }

  /** A fault with words of its own; without them where it is first met. */
  told(message, start) {
    throw this.explains ? new SyntaxFault(message, start) : new Mismatch();
  }

  walrus(tells = true) {
    const { start, type } = this.peek();
    if (type === "name" && this.is(":=", 1)) {
      this.at += 2;
      this.expression();
      return this.node("NamedExpr", start);
    }
    const value = this.expression();
    if (tells && this.explains && this.behind(":=", () => this.expression())) {
      throw new SyntaxFault(`cannot use assignment expressions with ${describe(value)}`, start);
    }
    return value;
  }

  named() {
    const { start } = this.peek();
    const value = this.walrus();
    if (this.explains && this.is("=")) this.explainAssignment(start, value);
    return value;
  }

  explainAssignment(start, value) {
    this.at += 1;
    this.binary(0);
    if (this.is("=") || this.is(":=")) throw new Mismatch();
    if (value.kind === "Name") this.told("invalid syntax. Maybe you meant '==' or ':=' instead of '='?", start);
    if (["List", "Tuple", "GeneratorExp"].includes(value.kind)) throw new Mismatch();
    this.told(`cannot assign to ${describe(value)} here. Maybe you meant '==' instead of '='?`, start);
  }

  starred() {
    const { start } = this.peek();
    if (!this.take("*")) return this.named();
    this.binary(0);
    return this.node("Starred", start);
  }

  comprehends() {
    return this.is("for") || (this.is("async") && this.is("for", 1));
  }

  comprehension() {
    do {
      this.take("async");
      this.expect("for");
      do this.binary(0);
      while (this.take(",") && !this.is("in"));
      this.expect("in");
      this.disjunction();
      while (this.take("if")) this.disjunction();
    } while (this.comprehends());
  }

  atom() {
    const token = this.peek();
    const { start, type, text } = token;
    if (type === "name") {
      this.at += 1;
      return this.node("Name", start, { name: text });
    }
    if (type === "number") {
      this.at += 1;
      return this.node("Constant", start, { number: token });
    }
    if (type === "string") return this.strings(start);
    if (SINGULAR.includes(text)) {
      this.at += 1;
      return this.node("Constant", start, { singular: text });
    }
    if (this.take("...")) return this.node("Constant", start);
    if (this.take("(")) return this.group(start);
    if (this.take("[")) return this.list(start);
    if (this.take("{")) return this.braces(start);
    throw new Mismatch();
  }

  strings(start) {
    const parts = [];
    while (this.peek().type === "string") {
      parts.push(this.peek());
      this.at += 1;
    }
    const { bytes } = parts[0];
    if (parts.some((part) => part.bytes !== bytes)) {
      throw new SyntaxFault("cannot mix bytes and nonbytes literals", this.peek().start);
    }
    if (parts.some((part) => part.formatted)) return this.node("JoinedStr", start);
    const value = parts.map((part) => part.value).join("");
    return this.node("Constant", start, bytes ? { bytes: value } : { text: value });
  }

  group(start) {
    if (this.take(")")) return this.node("Tuple", start);
    if (this.take("yield")) {
      if (this.take("from")) this.expression();
      else if (!this.is(")")) this.items(")");
      const found = this.node("Yield", start + 1);
      this.expect(")");
      return found;
    }
    const inner = this.starred();
    if (this.comprehends() && inner.kind !== "Starred") {
      this.comprehension();
      this.expect(")");
      return this.node("GeneratorExp", start);
    }
    if (this.take(",")) {
      this.items(")");
      this.expect(")");
      return this.node("Tuple", start);
    }
    if (inner.kind === "Starred" && this.is(")")) this.told("cannot use starred expression here", inner.start);
    this.expect(")");
    return inner;
  }

  items(closing) {
    while (!this.is(closing)) {
      this.starred();
      if (!this.take(",")) return;
    }
  }

  list(start) {
    if (!this.is("]")) {
      this.starred();
      if (this.comprehends()) this.comprehension();
      else if (this.take(",")) this.items("]");
    }
    this.expect("]");
    return this.node("List", start);
  }

  braces(start) {
    if (this.take("}")) return this.node("Dict", start);
    let pairs = this.take("**");
    if (pairs) this.binary(0);
    else {
      this.starred();
      pairs = this.take(":");
      if (pairs) this.expression();
    }
    if (this.comprehends()) this.comprehension();
    else if (this.take(",")) this.members(pairs);
    this.expect("}");
    return this.node(pairs ? "Dict" : "Set", start);
  }

  members(pairs) {
    while (!this.is("}")) {
      if (!pairs) this.starred();
      else if (this.take("**")) this.binary(0);
      else {
        this.expression();
        this.expect(":");
        this.expression();
      }
      if (!this.take(",")) return;
    }
  }
}

const DESCRIPTIONS = {
  BinOp: "expression", UnaryOp: "expression", BoolOp: "expression", Compare: "comparison", Call: "function call",
  Attribute: "attribute", Subscript: "subscript", Lambda: "lambda", IfExp: "conditional expression", Tuple: "tuple",
  List: "list", Dict: "dict literal", Set: "set display", GeneratorExp: "generator expression", Name: "name",
  JoinedStr: "f-string expression", Await: "await expression", Yield: "yield expression",
};

function describe(node) {
  return node.singular ?? DESCRIPTIONS[node.kind] ?? "literal";
}
