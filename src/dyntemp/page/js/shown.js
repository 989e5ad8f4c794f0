/** How a token stands in a text: letters as they are, everything without a glyph made visible. */

import { visible } from "./words.js";

const LETTERS = /^[^\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\u2028\u2029\uFFFD]+$/u;

/** {text, breaks, mark}: what to show, how many lines end behind it, and whether it stands for what has no glyph. */
export function shownOf(token) {
  const { text } = token;
  if (text === "") return { text: nameOf(token), breaks: 0, mark: true };
  if (LETTERS.test(text)) return { text, breaks: 0, mark: false };
  const breaks = text.split("\n").length - 1;
  const bare = text.replaceAll("\n", "");
  const marks = visible(text.replaceAll(" ", "\u00a0")).replaceAll("\u00a0", " ").replaceAll("\\xa0", " ");
  return { text: marks, breaks, mark: !LETTERS.test(bare) || bare === "" };
}

/** A token without text of its own: part of a character by its bytes, a control token by its name. */
function nameOf(token) {
  if (token.bytes) return `‹${token.bytes}›`;
  const named = token.alternatives.find((alternative) => alternative.token === token.token);
  return named ? visible(named.text) : `‹${token.token}›`;
}
