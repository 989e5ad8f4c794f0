/** Zones between delimiters, found in a stream of bytes that is cut anywhere, as in Python. */

import { bytesOf } from "./bytes.js";

/** Several texts that are looked for at once. */
export class Delimiters {
  constructor(texts) {
    const given = [...new Set(texts)].map(bytesOf);
    // one that holds another is never complete first; without it, the first to begin is the first to end
    const needed = given.filter((one) => !given.some((other) => other !== one && one.includes(other)));
    this.pattern = new RegExp(needed.map((one) => one.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|"), "g");
    this.prefixes = new Set(needed.flatMap((one) => Array.from(one, (_, at) => one.slice(0, at)).slice(1)));
    this.longest = Math.max(...needed.map((one) => one.length)) - 1;
  }

  /** The first delimiter that is complete in `text` from `start` on, as a match; null if there is none. */
  first(text, start) {
    this.pattern.lastIndex = start;
    return this.pattern.exec(text);
  }

  /** The end of the last delimiter that is complete in `text`; 0 if there is none. */
  lastEnd(text) {
    let end = 0;
    for (const found of text.matchAll(this.pattern)) end = found.index + found[0].length;
    return end;
  }

  /** The longest end of `text`, from `start` on, that begins a delimiter without completing it. */
  begun(text, start) {
    for (let at = Math.max(start, text.length - this.longest); at < text.length; at++) {
      if (this.prefixes.has(text.slice(at))) return text.slice(at);
    }
    return "";
  }
}

/**
 * The automaton of a zone between an opening and a closing delimiter; `pairs` are [opening, closing].
 *
 * A state is the delimiter that opened the zone, empty outside, and the end of the text as far as it begins the next.
 */
export class DelimitedZone {
  constructor(pairs, ends) {
    this.start = { opened: "", begun: "" };
    this.opens = new Delimiters(pairs.map(([opening]) => opening));
    this.closes = new Map(
      pairs.map(([opening, closing]) => [bytesOf(opening), new Delimiters([closing, ...ends])]),
    );
  }

  advance({ opened, begun }, data) {
    const text = begun + data;
    const wanted = () => (opened ? this.closes.get(opened) : this.opens);
    let at = 0;
    for (let found = wanted().first(text, at); found; found = wanted().first(text, at)) {
      at = found.index + found[0].length;
      opened = opened ? "" : found[0];
    }
    return { opened, begun: wanted().begun(text, at) };
  }

  inside({ opened }) {
    return opened !== "";
  }
}
