/** Lists of tokens to jump to: those with two likely candidates, and those that another policy would change. */

import { nameOf } from "./card.js";
import { element } from "./dom.js";
import { percent, visible } from "../show/words.js";

const TORN = 8;
const CHANGES = 12;

/** Places of the tokens whose second candidate has the highest probability. */
export function mostTorn(tokens, count = TORN) {
  const runnerUp = (at) => tokens[at].alternatives[1]?.probability ?? 0;
  return tokens
    .map((_, at) => at)
    .filter((at) => runnerUp(at) > 0.05)
    .sort((a, b) => runnerUp(b) - runnerUp(a))
    .slice(0, count);
}

/** Places of the tokens that the replayed policy would have changed. */
export function changesOf(nows) {
  return nows.map((now, at) => (now.kept ? -1 : at)).filter((at) => at >= 0);
}

/** The lists of a column; `onJump(at)` goes to a token. */
export function jumpLists(column, onJump) {
  const { tokens, nows, other } = column;
  const torn = mostTorn(tokens);
  const changes = other && nows ? changesOf(nows) : [];
  return [
    torn.length
      ? list(
          "Most torn",
          torn.map((at) => jump(at, tornWords(tokens[at]), onJump)),
        )
      : null,
    changes.length
      ? list(
          "Would change",
          changes.slice(0, CHANGES).map((at) => jump(at, changeWords(tokens[at], nows[at]), onJump)),
        )
      : null,
    changes.length > CHANGES
      ? element("p", { class: "note" }, `and ${changes.length - CHANGES} more, underlined in the text`)
      : null,
  ].filter(Boolean);
}

function list(title, items) {
  return element("section", { class: "jumps" }, element("h3", {}, title), element("ol", {}, items));
}

function jump(at, words, onJump) {
  return element(
    "li",
    {},
    element(
      "button",
      { type: "button", click: () => onJump(at) },
      element("span", { class: "at" }, String(at)),
      words,
    ),
  );
}

function tornWords(token) {
  const [first, second] = token.alternatives;
  return [
    element("code", {}, visible(first.text)),
    ` ${percent(first.probability)} or `,
    element("code", {}, visible(second.text)),
    ` ${percent(second.probability)}`,
  ];
}

function changeWords(token, now) {
  const instead =
    now.instead === null ? element("i", {}, "other") : element("code", {}, nameOf(token, now.instead));
  return [element("code", {}, visible(token.text)), " → ", instead];
}
