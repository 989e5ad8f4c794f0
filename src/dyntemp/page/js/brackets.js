// What stands in brackets, in Python's grammar: groups, tuples, lists, dicts, sets, comprehensions.

import { Cursor, Mismatch } from "./cursor.js";
import { SyntaxFault } from "./tokens.js";

/** Reads what brackets hold; `expression`, `disjunction` and `binary` come from what extends it. */
export class Brackets extends Cursor {
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
