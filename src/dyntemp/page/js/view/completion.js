/** Completion of names while a policy is written: signals and functions with their meanings, and zones in quotes. */

import { element } from "./dom.js";
import { insertion } from "./editor.js";
import { vocabularyOf } from "./vocabulary.js";

/** A single letter is a parameter, and asks for nothing. */
const SHORTEST = 2;

/** What stands before the cursor: a quote if the name begins with one, and the name. */
const BEFORE = /(?<inside>inside\(\s*)?(?<quote>["'])?(?<name>[A-Za-z_]?\w*)$/;

/** A source of completions for CodeMirror, from the language's table. */
export function makeCompletion(table) {
  const names = vocabularyOf(table).map(optionOf);
  const zones = table.zones.known.map(({ name, meaning }) => ({ label: name, detail: meaning }));
  const whole = new Set(table.signals.filter((one) => !one.arguments.length).map(({ name }) => name));
  return ({ state, pos, explicit }) => {
    const { inside, quote, name } = BEFORE.exec(state.sliceDoc(0, pos)).groups;
    if (!explicit && (quote ? !inside : name.length < SHORTEST || whole.has(name))) return null;
    if (quote) return inside ? { from: pos - name.length, options: zones } : null;
    return { from: pos - name.length, options: names, getMatch: (option, matched) => matched };
  };
}

/** An option as CodeMirror shows it; among equally good ones, the order is that of the table. */
function optionOf({ name, spelling, piece, meaning, formula, range }, at) {
  return {
    label: name,
    displayLabel: spelling,
    detail: meaning,
    sortText: String(at).padStart(3, "0"),
    info: formula && (() => element("span", {}, element("code", {}, formula), `, range ${range}`)),
    apply: (view, option, from, to) => {
      const called = view.state.sliceDoc(to, to + 1) === "(";
      view.dispatch(insertion(called ? name : piece, from, to));
    },
  };
}
