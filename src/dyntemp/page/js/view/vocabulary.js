/** The signals and functions of the language as people meet them: in the help, in completion, and in colour. */

import { scanned } from "../language/lexer.js";

/**
 * All signals and functions of `table`: `{name, spelling, piece, meaning, formula, range}`.
 *
 * `piece` is what is inserted for it; a function has no formula, and a word in place of its range.
 */
export function vocabularyOf(table) {
  return [
    ...table.signals.map((one) => ({ ...one, piece: one.spelling })),
    ...table.functions.map(({ name, spelling, meaning, remembers }) => ({
      name,
      spelling,
      piece: spelling.replace(", ...", ""),
      meaning,
      formula: null,
      range: remembers ? "remembers" : "function",
    })),
  ];
}

/** `colours(text)`: the tokens of a text that have a colour of their own, each `{start, end, colour}`. */
export function makeColours(table) {
  const words = new Map([
    ...table.signals.map(({ name }) => [name, "signal"]),
    ...[...table.functions, { name: "param" }].map(({ name }) => [name, "function"]),
    ...table.levels.flat().map((symbol) => [symbol, "operator"]),
  ]);
  const colourOf = ({ kind, text }) => (kind === "number" || kind === "text" ? kind : words.get(text));
  return (text) =>
    scanned(text)
      .map((token) => ({ ...token, colour: colourOf(token) }))
      .filter(({ colour }) => colour);
}
