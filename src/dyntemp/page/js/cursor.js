// A place in a row of tokens, and what is asked of it.

import { SyntaxFault } from "./tokens.js";

/** What stops a reading without a fault of its own: no Error, since it is thrown often and needs no stack. */
export class Mismatch {}

/** Reads tokens from left to right; `explains` where faults are to have words of their own. */
export class Cursor {
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

  /** A fault with words of its own; without them where it is first met. */
  told(message, start) {
    throw this.explains ? new SyntaxFault(message, start) : new Mismatch();
  }
}
