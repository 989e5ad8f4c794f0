// An error about one place of a text: the message, the text and carets under the place.

import { PolicyError } from "../errors.js";

const SHOWN = 60;

/** Throw a PolicyError with `message` and the part of `line` around the characters `start` to `end`. */
export function fail(message, line, start, end) {
  const first = Math.max(0, start - SHOWN);
  const shown = (first ? "..." : "") + line.slice(first, start + SHOWN).join("");
  const carets = "^".repeat(Math.max(1, Math.min(end, start + SHOWN) - start));
  const mark = " ".repeat(start - first + (first ? 3 : 0)) + carets;
  throw new PolicyError(message, start, end, `\n    ${shown}\n    ${mark}`);
}
