/** The lines above a text: its origin, and its outcome under another policy. */

import { element } from "./dom.js";
import { changesOf } from "./jumps.js";
import { percent } from "../show/words.js";

const AGAIN = "Change the policy, and the same text is replayed.";

/** The settings in a header, for people. */
export function factsOf(header) {
  const { settings = {} } = header;
  const filters = [
    settings.top_k ? `top-k ${settings.top_k}` : null,
    settings.top_p < 1 ? `top-p ${settings.top_p}` : null,
    settings.min_p ? `min-p ${settings.min_p}` : null,
    settings.filters || null,
  ].filter(Boolean);
  return [
    "Written by ",
    element("b", {}, header.model),
    " under ",
    element("code", { class: "effective" }, header.policy),
    `, ${header.host ? `drawn by ${header.host}` : `seed ${header.seed}`}${filters.length ? `, ${filters.join(", ")}` : ""}`,
  ];
}

/** How many tokens of a replayed column stay, and how many would be others. */
export function outcomeOf({ tokens, nows }) {
  const changes = changesOf(nows);
  const unnamed = changes.filter((at) => nows[at].instead === null).length;
  const error = nows.reduce((most, now) => Math.max(most, now.error), 0);
  const count = (number) => number.toLocaleString("en");
  return [
    element("b", {}, `${count(tokens.length - changes.length)} of ${count(tokens.length)} tokens stay`),
    changes.length
      ? `; ${count(changes.length)} would be another (${changes.length - unnamed} named, ${unnamed} other)`
      : "",
    ". Each place is judged given the recorded text before it",
    error > 1e-9 ? `; probabilities are off by ${percent(error)} at most.` : ".",
  ];
}

/** The line for texts that are shown under their own policy. */
export function unchangedOf(columns) {
  const begun = columns.map(({ before }, at) => begunOf(before, columns.length > 1 ? ` of text ${"AB"[at]}` : ""));
  return [...begun, begun.some(Boolean) && columns.length < 2 ? AGAIN : drawnOf(columns)].filter(Boolean).join(" ");
}

/** The line about tokens that another policy drew before. */
function begunOf(count, of) {
  if (!count) return "";
  const tokens = count === 1 ? `token${of} was` : `${count.toLocaleString("en")} tokens${of} were`;
  return `The first ${tokens} written before, under another policy.`;
}

/** The line about the policies that drew the text, or the pair of texts. */
function drawnOf(columns) {
  if (columns.length < 2)
    return "This is the policy that wrote the text. Change it, and the same text is replayed.";
  const at = columns[1].tokens.findIndex((token) => token.origin === "parted");
  if (at < 0) return "The two policies drew the same text so far.";
  if (at === 0) return "The second policy had to part from the first at the first token.";
  return `The two texts are the same up to token ${at}, where the second policy had to part from the first.`;
}
