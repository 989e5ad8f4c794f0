/** The card of a token: its alternatives, their probabilities before and after temperature, and the reason. */

import { element } from "./dom.js";
import { figure } from "./quantities.js";
import { changed, explain, percent, quoted, visible } from "../show/words.js";

/**
 * The contents of the card of `token`.
 *
 * `now` is the token replayed, or null; `other` says that it was replayed under another policy than the recorded one;
 * `steer` is {force, reroll}, what a model behind the page can do, or null.
 */
export function cardOf(token, now, other, steer) {
  return [
    element("p", { class: "dt-sentence" }, withCode(explain(token))),
    other && now
      ? element("p", { class: "verdict" }, withCode(`Under this policy ${changed(token, now)}.`))
      : null,
    alternatives(token, now, other, steer),
    now?.terms.length ? terms(now) : null,
    figures(token, now, other),
    steer
      ? element(
          "p",
          { class: "steer" },
          element("button", { type: "button", click: steer.reroll }, "Reroll from here"),
        )
      : null,
  ].filter(Boolean);
}

/** A sentence; text between backticks is shown as code. */
function withCode(sentence) {
  return sentence.split(/`([^`]+)`/).map((part, at) => (at % 2 ? element("code", {}, part) : part));
}

/** The text of an alternative, white space visible. */
export function nameOf(token, number) {
  const found = token.alternatives.find((alternative) => alternative.token === number);
  return found ? visible(found.text) : `token ${number}`;
}

/** The rows of the table: the alternatives, the drawn token if it is none of them, and all others together. */
export function rowsOf(token, now) {
  const rows = token.alternatives.map((alternative, at) => ({
    number: alternative.token,
    name: visible(alternative.text),
    drawn: alternative.token === token.token,
    before: alternative.probability,
    after: alternative.probability_after,
    now: now?.alternatives[at],
  }));
  if (!rows.some((row) => row.drawn)) {
    rows.push({
      number: token.token,
      name: quoted(token).slice(1, -1),
      drawn: true,
      before: token.probability,
      after: token.probability_after,
      now: now?.probability,
    });
  }
  return [...rows, { name: "other", ...othersOf(token, now, rows) }];
}

/** The probability of all tokens without a row; exactly 0 where the filters left none of them. */
function othersOf(token, now, rows) {
  const left = (key) => Math.max(1 - rows.reduce((sum, row) => sum + row[key], 0), Number.MIN_VALUE);
  const named = rows.filter((row) => row.after > 0).length;
  const survived = token.candidates > named;
  return {
    before: left("before"),
    after: survived ? left("after") : 0,
    now: now && survived ? left("now") : 0,
  };
}

function alternatives(token, now, other, steer) {
  const compared = other && now;
  const heads = ["before", compared ? "recorded" : "after", ...(compared ? ["this policy"] : [])];
  const rows = rowsOf(token, now);
  const scale = rows.reduce(
    (most, row) => Math.max(most, row.before, row.after, compared ? row.now : 0),
    1e-9,
  );
  const head = element(
    "thead",
    {},
    element(
      "tr",
      {},
      element("th", { scope: "col" }, "token"),
      heads.map((name) => element("th", { scope: "col" }, name)),
      element("th", { scope: "col" }, element("span", { class: "quiet-label" }, "what became of it")),
    ),
  );
  return element(
    "table",
    { class: "dt-alternatives" },
    element(
      "caption",
      {},
      compared
        ? "Probability before, in the recorded draw, and under this policy"
        : "Probability before filters and temperature, and in the draw",
    ),
    head,
    element(
      "tbody",
      {},
      rows.map((row) => rowElement(row, { token, now, compared, scale, steer })),
    ),
  );
}

function rowElement(row, { token, now, compared, scale, steer }) {
  const rest = row.number === undefined;
  const dropped = (compared ? row.now : row.after) === 0;
  const classes = [row.drawn ? "dt-drawn" : "", dropped ? "dt-dropped" : "", rest ? "dt-other" : ""]
    .filter(Boolean)
    .join(" ");
  const made = element(
    "tr",
    { class: classes },
    element("th", { scope: "row" }, rest ? row.name : element("code", {}, row.name)),
    element("td", { class: "dt-before" }, percent(row.before)),
    element("td", { class: compared ? "recorded" : "dt-after" }, percent(row.after)),
    compared ? element("td", { class: "dt-after" }, percent(row.now)) : null,
    element("td", { class: "dt-state" }, stateOf(row, { token, now, compared, dropped, steer })),
  );
  made.style.setProperty("--before", row.before / scale);
  made.style.setProperty("--after", (compared ? row.now : row.after) / scale);
  return made;
}

/** The outcome of a row (drawn, dropped, drawn instead), or the button that forces it. */
function stateOf(row, { token, now, compared, dropped, steer }) {
  const rest = row.number === undefined;
  const instead = compared && !now.kept && (rest ? now.instead === null : now.instead === row.number);
  const said = row.drawn ? "drawn" : instead ? "instead" : dropped ? "dropped" : "";
  if (!steer || rest || row.drawn) return said;
  const put = element(
    "button",
    {
      type: "button",
      class: "put",
      "aria-label": `Put ${row.name} here and go on`,
      click: () => steer.force(row.number, token),
    },
    "put here",
  );
  return said ? [said, " ", put] : put;
}

/** The terms of the policy's sum, and their values. */
function terms(now) {
  const parts = now.terms.flatMap((term, at) => [
    at ? " + " : "",
    term.text === String(term.value) ? null : `${term.text} `,
    element("b", {}, figure(term.value)),
  ]);
  return element(
    "p",
    { class: "dt-terms", "aria-label": "The temperature, term by term" },
    ...parts.filter((part) => part !== null),
    " = ",
    element("b", {}, `T ${figure(now.temperature)}`),
  );
}

function figures(token, now, other) {
  const moved = (before, after) => (other && now ? `${figure(before)} → ${figure(after)}` : figure(before));
  const pairs = [
    ["temperature", moved(token.temperature, now?.temperature)],
    ["entropy before", figure(token.signals.entropy)],
    ["entropy after", moved(token.entropy_after, now?.entropyAfter)],
    ["surprisal", figure(token.surprisal)],
    ["candidates", token.candidates.toLocaleString("en")],
    ["position", String(token.position)],
    ...Object.entries(token.signals)
      .filter(([name]) => name !== "entropy")
      .map(([name, value]) => [name, figure(value)]),
    ...(token.finish ? [["ends here", token.finish]] : []),
    ...(other && now && now.error > 0 ? [["error at most", percent(now.error)]] : []),
  ];
  return element(
    "dl",
    { class: "dt-figures" },
    pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))),
  );
}
