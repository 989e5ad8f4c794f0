/** The state of the page: the text, its colours, the chosen token, and the policy of the replay. */

import { cardOf } from "./card.js";
import { Column } from "./column.js";
import { announce, byId, element } from "./dom.js";
import { factsOf, outcomeOf, unchangedOf } from "./facts.js";
import { jumpLists } from "./jumps.js";
import { figure, isSequential, quantitiesOf, scaleOf } from "./quantities.js";

/**
 * What is on the desk.
 *
 * A text is {title, teaches, runs: [{header, tokens}], label}. `parse` reads a policy, `steer(column, at)` says what a
 * model can do from a token on, or null; `onChange` is called when what the address tells has changed.
 */
export class Studio {
  constructor({ parse, curve, steer, onChange }) {
    Object.assign(this, { parse, curve, steer, onChange });
    this.columns = [];
    this.chosen = null;
    this.policy = null;
    this.second = null;
    this.quantity = "temperature";
    byId("colour").addEventListener("change", (event) => this.colourBy(event.target.value));
    byId("numbers").addEventListener("change", () => this.showNumbers());
    byId("card").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.leaveCard();
    });
    byId("close-card").addEventListener("click", () => this.leaveCard());
  }

  /** Put a text on the desk. */
  show(text) {
    const pair = text.runs.length > 1;
    const columns = text.runs.map(
      (run, at) =>
        new Column(run, {
          title: pair ? `${"AB"[at]}` : null,
          label: `${pair ? `Text ${"AB"[at]}` : "Text"}: tokens; arrow keys move, Enter opens the card`,
          onChoose: (column, place, focus) => this.choose(column, place, focus),
          onOpen: () => byId("card").focus(),
        }),
    );
    columns.forEach((column, at) => column.append(text.runs[at].tokens));
    Object.assign(this, { text, columns });
    byId("columns").replaceChildren(...columns.map((column) => column.root));
    byId("columns").classList.toggle("pair", pair);
    byId("title").textContent = text.title;
    byId("teaches").textContent = text.teaches ?? "";
    byId("teaches").hidden = !text.teaches;
    this.chosen = null;
    this.tellHeaders();
    this.replay();
    byId("desk").hidden = false;
  }

  /** Add a token to a column while it is being written. */
  append(at, token) {
    const column = this.columns[at];
    column.append([token]);
    if (column.tokens.length === 1) this.refresh();
    else this.paint(column);
  }

  /** The column whose tokens the curve and the lists show. */
  get active() {
    return this.chosen?.column ?? this.columns[0];
  }

  /** Replay the text under `policy` from now on; with `second`, the other text of a pair. */
  under(policy, second = false) {
    const name = second ? "second" : "policy";
    const same = this[name]?.text === policy.text;
    this[name] = policy;
    if (this.columns.length && !same) this.replay();
  }

  /** The policy that a column is replayed under. */
  policyFor(column) {
    return this.columns.indexOf(column) === 1 ? this.second : this.policy;
  }

  /** Replay everything under the policy in force, and show what came of it. */
  replay() {
    for (const column of this.columns) {
      const policy = this.policyFor(column);
      column.replay(policy, Boolean(policy) && policy.text !== this.recorded(column));
      column.reach = this.reachOf(column);
    }
    this.refresh();
  }

  /** The text of a column's own policy as the parser writes it. */
  recorded(column) {
    const { policy } = column.run.header;
    return this.read(policy)?.text ?? policy;
  }

  read(text) {
    try {
      return this.parse(text);
    } catch {
      return null;
    }
  }

  /** The range that the policies can return on this vocabulary, for the scale of temperatures. */
  reachOf(column) {
    const support = column.tokens[0]?.signals.support ?? null;
    const policies = [
      this.read(column.run.header.policy),
      column.other ? this.policyFor(column) : null,
    ].filter(Boolean);
    return policies.filter((policy) => !policy.isTemplate).map((policy) => policy.bounds(support));
  }

  /** Show colours, legend, outcome, lists, curve and card anew. */
  refresh() {
    this.offerQuantities();
    this.paint();
    this.tellLegend();
    this.tellOutcome();
    this.tellLists();
    this.tellCurve();
    this.tellCard();
    this.onChange();
  }

  offerQuantities() {
    const menu = byId("colour");
    const found = quantitiesOf(
      this.active?.tokens ?? [],
      this.columns.some((column) => column.other),
    );
    menu.replaceChildren(
      ...Object.entries(found).map(([name, one]) => element("option", { value: name }, one.title)),
    );
    menu.value = this.offered();
  }

  colourBy(name) {
    this.quantity = name;
    this.paint();
    this.tellLegend();
    this.onChange();
  }

  /** Colour every text by one quantity on one scale; only the new token of `grown` where the scale still holds. */
  paint(grown = null) {
    const name = this.offered();
    const values = this.columns.map((column) => column.valuesOf(name));
    const scale = scaleOf(
      name,
      values.flat(),
      this.columns.flatMap((column) => column.reach),
    );
    const same =
      grown && this.scale.low === scale.low && this.scale.high === scale.high && this.painted === name;
    Object.assign(this, { scale, painted: name });
    this.columns.forEach((column, at) => {
      if (same && column !== grown) return;
      column.paint(values[at], scale, {
        sequential: isSequential(name),
        from: same ? column.tokens.length - 1 : 0,
      });
    });
    if (grown && !same) this.tellLegend();
  }

  /** The quantity that was asked for, or temperature where these texts lack it. */
  offered() {
    const found = this.active
      ? quantitiesOf(
          this.active.tokens,
          this.columns.some((column) => column.other),
        )
      : {};
    return this.quantity in found ? this.quantity : "temperature";
  }

  showNumbers() {
    byId("columns").classList.toggle("dt-plain", !byId("numbers").checked);
  }

  tellLegend() {
    const { low, high } = this.scale;
    const title = quantitiesOf(this.active.tokens, true)[this.painted].title;
    byId("legend").classList.toggle("dt-sequential", isSequential(this.painted));
    byId("legend").replaceChildren(
      title,
      " ",
      element("b", {}, figure(low)),
      element("span", { class: "dt-ramp" }),
      element("b", {}, figure(high)),
    );
  }

  tellHeaders() {
    this.columns.forEach((column) => {
      const { header } = column.run;
      column.head.querySelector("p")?.remove();
      column.head.append(element("p", { class: "facts" }, ...factsOf(header)));
    });
  }

  /** How many tokens stay, and how many would be others. */
  tellOutcome() {
    const column = this.active;
    const problem = this.columns.find((one) => one.problem)?.problem;
    const place = byId("outcome");
    place.classList.toggle("problem", Boolean(problem));
    if (problem) {
      place.textContent = problem;
    } else if (!column?.other) {
      place.textContent = column?.tokens.length ? unchangedOf(this.columns) : "";
    } else {
      place.replaceChildren(...outcomeOf(column));
    }
  }

  tellLists() {
    const column = this.active;
    byId("jumps").replaceChildren(
      ...(column ? jumpLists(column, (at) => this.choose(column, at, true)) : []),
    );
  }

  tellCurve() {
    const column = this.active;
    if (!column) return;
    this.curve.show({
      tokens: column.tokens,
      temperatures: column.temperatures(),
      policy: this.policyFor(column),
    });
    this.curve.spot(this.chosen ? this.chosen.at : -1);
  }

  /** Choose a token: its card opens. */
  choose(column, at, focus = false) {
    const before = this.active;
    if (this.chosen && this.chosen.column !== column) {
      this.chosen.column.text.unchoose();
      this.chosen.column.tracks.choose(-1);
    }
    this.chosen = { column, at };
    column.text.choose(at, focus);
    column.tracks.choose(at);
    if (before !== column) {
      this.tellLists();
      this.tellCurve();
      this.tellLegend();
      this.tellOutcome();
    }
    this.curve.spot(at);
    this.tellCard();
    this.onChange();
  }

  tellCard() {
    const { column, at } = this.chosen ?? {};
    const token = column?.tokens[at];
    byId("card").hidden = !token;
    byId("no-card").hidden = Boolean(token);
    if (!token) return;
    const contents = cardOf(token, column.nows?.[at] ?? null, column.other, this.steer(column, at));
    byId("card-contents").replaceChildren(...contents);
    announce(contents[0].textContent);
  }

  /** Go from the card back to its token; where the card lies over the text, close it. */
  leaveCard() {
    const { column, at } = this.chosen ?? {};
    byId("card").hidden = true;
    column?.text.choose(at, true);
  }
}
