// The smallest expressions of Python's grammar, and the calls, attributes and subscripts behind them.

import { Brackets } from "./brackets.js";
import { Mismatch } from "./cursor.js";
import { SyntaxFault } from "./tokens.js";

const SINGULAR = ["True", "False", "None"];

/** Reads atoms and what trails them. */
export class Primaries extends Brackets {
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
}
