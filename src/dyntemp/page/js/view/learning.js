/** The view of a learning: T over a signal as it moved from round to round, the scores, and each round's policy. */

import { announce, byId, element } from "./dom.js";
import { Held } from "./held.js";
import { Player } from "./player.js";
import { figure } from "./quantities.js";
import { ScorePlot } from "./scoreplot.js";
import { SweepPlot } from "./sweepplot.js";
import { constantsOf, rangeOf, stretchesAtBounds, sweep } from "../learning/sweep.js";
import { percent } from "../show/words.js";

/** The metric of a learning from given texts. */
const LOSS = "nats per token";
const NO_SIGNAL = "any token: the policy reads no signal";

/**
 * The view, in the section `#learning`.
 *
 * `onUse(text)` puts a policy into the page, and `addressOf(text)` is the end of the address at which the page has it.
 */
export class LearningView {
  constructor({ onUse, addressOf }) {
    Object.assign(this, { onUse, addressOf, files: [], seed: null, signal: null });
    this.player = new Player({ onRound: (at) => this.choose(at), words: (at) => this.wordsOf(at) });
    this.held = new Held({ onMove: () => this.draw() });
    this.curves = new SweepPlot();
    this.scores = new ScorePlot();
    this.file = menu("learning-file", () => this.open(Number(this.file.value)));
    this.seeds = menu("learning-seed", () => this.pickSeed(Number(this.seeds.value)));
    this.signals = menu("learning-signal", () => this.pickSignal(this.signals.value));
    this.lay();
    new ResizeObserver(() => this.draw()).observe(this.plotPlace);
  }

  /** Put the parts into the section. */
  lay() {
    const part = (name, attributes, ...children) => (this[name] = element(...attributes, ...children));
    const labelled = (text, control) =>
      element("span", { class: "row" }, element("label", { for: control.id }, text), control);
    part("filePlace", ["span", { hidden: true }], labelled("Learning", this.file));
    part("legend", ["div", { class: "dt-legend" }]);
    part("plotPlace", ["div", {}], this.curves.root);
    part("warning", ["p", { class: "warning", hidden: true }]);
    part("note", ["p", { class: "note" }]);
    part("facts", ["dl", { class: "dt-figures" }]);
    part("scoreTitle", ["h3", {}]);
    part("scorePlace", ["div", {}], this.scores.root);
    part("scoreNote", ["p", { class: "note" }]);
    part("policy", ["code", {}]);
    part("use", ["a", { click: (event) => this.useHere(event) }], "Use this policy in the page");
    part("policyPlace", ["div", { class: "learned-policy" }],
      element("div", { class: "row" },
        element("h3", { id: "learned-title" }, "The policy of this round"),
        element("button", { type: "button", click: () => this.copy() }, "Copy"),
        this.use,
      ),
      element("pre", { tabindex: 0, role: "region", "aria-labelledby": "learned-title" }, this.policy),
    );
    part("title", ["h2", { id: "learning-title" }]);
    part("about", ["p", { class: "facts" }]);
    part("sentence", ["p", { class: "sentence" }]);
    byId("learning").append(
      this.title,
      this.about,
      this.sentence,
      element("div", { class: "row" },
        this.filePlace, labelled("T over", this.signals), labelled("Seed", this.seeds), this.legend,
      ),
      this.player.root,
      element("div", { class: "learned-pair" },
        element("div", { class: "learned-part" },
          this.plotPlace, element("div", { class: "warning-place" }, this.warning), this.note, this.held.root,
        ),
        element("div", { class: "learned-part" }, this.facts, this.scoreTitle, this.scorePlace, this.scoreNote),
      ),
      this.policyPlace,
    );
  }

  /** Add the learning of a file and show it. */
  add(name, learning) {
    this.files.push({ name, learning });
    this.filePlace.hidden = this.files.length < 2;
    this.file.replaceChildren(...this.files.map((one, at) => element("option", { value: at }, one.name)));
    this.open(this.files.length - 1);
  }

  /** Show the learning with the index `at`. */
  open(at) {
    const { learning } = this.files[at];
    this.learning = learning;
    this.file.value = String(at);
    byId("learning").hidden = false;
    const { task, model, shape, metric, filters, anchor, bounds, sentence, runs } = learning;
    this.title.textContent = `Learning on ${task}, with ${model}`;
    this.about.textContent =
      `Shape: ${shape}. Metric: ${metric}. Filters: ${filters || "none"}. It began from the static temperature ` +
      `${figure(anchor)}. Bounds of T: ${figure(bounds[0])} to ${figure(bounds[1])}.`;
    this.sentence.textContent = sentence;
    this.sentence.hidden = !sentence;
    this.seeds.replaceChildren(...runs.map(({ seed }, index) => element("option", { value: index }, `${seed}`)));
    const names = Object.keys(learning.signals);
    this.signals.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    this.signals.disabled = names.length < 2;
    this.signal = names[0] ?? null;
    this.held.show(learning.signals);
    this.held.without(this.signal);
    const best = runs.findIndex(({ chosen }) => chosen !== null);
    this.pickSeed(Math.max(best, 0), null);
  }

  /** Show the run with the index `index`, at the round that stands there, or at the one that was kept. */
  pickSeed(index, at = this.player.at) {
    this.seeds.value = String(index);
    this.run = this.learning.runs[index];
    const { rounds, chosen } = this.run;
    const kept = rounds.findIndex(({ round }) => round === chosen);
    this.draw();
    this.player.show(rounds.length, Math.min(at ?? (kept < 0 ? Infinity : kept), rounds.length - 1));
    if (!rounds.length) this.choose(-1);
  }

  pickSignal(name) {
    this.signal = name;
    this.held.without(name);
    this.draw();
  }

  /** Draw all rounds of the run. */
  draw() {
    const { learning, run, signal } = this;
    const [wide, narrow] = [this.plotPlace, this.scorePlace].map((place) => Math.round(place.clientWidth));
    if (!learning || !wide) return;
    const quantiles = learning.signals[signal] ?? null;
    const range = rangeOf(quantiles);
    this.swept = sweep(run.rounds, signal, range, this.held.values);
    const title = signal ?? NO_SIGNAL;
    this.curves.draw(wide, { curves: this.swept, range, title, quantiles, learning });
    this.scores.draw(narrow, { runs: learning.runs, own: run, metric: learning.metric });
    this.tell();
    if (this.player.at !== undefined) this.choose(run.rounds.length ? Math.min(this.player.at, run.rounds.length - 1) : -1);
  }

  /** Tell what belongs to the run as a whole. */
  tell() {
    const { learning, run, signal } = this;
    const [first, last] = [run.rounds[0], run.rounds.at(-1)];
    this.legend.hidden = !first;
    if (first) {
      this.legend.replaceChildren(
        `round ${first.round}`, element("span", { class: "dt-ramp rounds" }), `${last.round}`,
      );
    }
    const { metric, runs } = learning;
    this.scoreTitle.textContent = `${metric} by round${metric === LOSS ? ", where lower is better" : ""}`;
    this.scoreNote.textContent =
      (runs.length > 1 ? "Thick line: the mean of the seeds. Coloured line: this seed. " : "") +
      (run.chosen === null ? "" : "Filled dot: the round that was kept.");
    this.note.textContent = noteOf(learning, run, signal);
  }

  /** Show the round with the index `at`; -1 where the run has none. */
  choose(at) {
    const { learning, run, signal } = this;
    const round = run.rounds[at];
    this.policyPlace.hidden = this.facts.hidden = !round;
    this.scores.choose(round);
    if (!round) {
      this.warning.hidden = true;
      this.curves.choose(at, null, `No rounds of seed ${run.seed} yet`);
      return;
    }
    const stretches = stretchesAtBounds(this.swept[at] ?? [], learning.bounds);
    this.curves.choose(at, stretches, curveWords(this.swept[at] ?? [], round, signal));
    const warning = warningOf(round, stretches, learning.bounds, signal);
    this.warning.textContent = warning;
    this.warning.hidden = !warning;
    this.facts.replaceChildren(...factsOf(round, learning.metric));
    this.policy.textContent = round.policy;
    this.use.href = this.addressOf(round.policy) || "#policy";
  }

  /** The words beside the slider. */
  wordsOf(at) {
    const { rounds, chosen } = this.run;
    const { round } = rounds[at];
    return `${round} of ${rounds.at(-1).round}${round === chosen ? ", which was kept" : ""}`;
  }

  /** Put the policy into the page's own box; a link that opens elsewhere stays a link. */
  useHere(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.onUse(this.policy.textContent);
  }

  /** Copy the policy; where the browser refuses, select it. */
  async copy() {
    try {
      await navigator.clipboard.writeText(this.policy.textContent);
      announce("The policy is copied.");
    } catch {
      getSelection().selectAllChildren(this.policy);
      announce("The browser does not let a page copy. The policy is selected: press Ctrl-C.");
    }
  }
}

function menu(id, change) {
  return element("select", { id, change });
}

/** The figures of a round. */
function factsOf({ texts, score, temperature, spread, at_bound: share }, metric) {
  const rows = {
    "texts so far": figure(texts),
    [metric]: figure(score),
    "mean T": figure(temperature),
    "spread of T": figure(spread),
    "tokens at a bound": percent(share),
  };
  return Object.entries(rows).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value)),
  );
}

/** The warning about a temperature at a bound; empty where there is none. */
function warningOf({ at_bound: share }, { low, high }, bounds, signal) {
  const told = share > 0 ? [`T was at a bound for ${percent(share)} of this round's tokens.`] : [];
  const ends = [["lower", bounds[0], low], ["upper", bounds[1], high]].filter(([, , found]) => found.length);
  for (const [name, bound, found] of ends) {
    const where = found.map(([from, to]) => `${figure(from)} to ${figure(to)}`).join(" and ");
    told.push(`This curve is at the ${name} bound, ${figure(bound)}${signal ? `, for ${signal} from ${where}` : ""}.`);
  }
  return told.length ? `⚠ ${told.join(" ")}` : "";
}

/** The picture of a round in words. */
function curveWords(points, { round }, signal) {
  const [first, last] = [points[0], points.at(-1)];
  if (!first) return `Round ${round}`;
  if (!signal) return `Round ${round}: T is ${figure(first.y)} for every token`;
  const at = ({ x, y }) => `${figure(y)} at ${signal} ${figure(x)}`;
  return `Round ${round}: T goes from ${at(first)} to ${at(last)}`;
}

/** The lines below the picture: what it shows, and what its policies are given besides. */
function noteOf({ signals }, { seed, rounds, chosen }, signal) {
  if (!rounds.length) return `Seed ${seed} has just begun: it has no rounds yet.`;
  const kept = chosen === null ? "the static temperature" : `the policy of round ${chosen}`;
  const told = [`Seed ${seed} kept ${kept}.`];
  if (signal) told.push(`Marks on the axis: an eighth of the tokens lies between two of them.`);
  const absent = Object.entries(constantsOf(rounds[0].rule)).filter(([name]) => !Object.hasOwn(signals, name));
  if (absent.length) {
    const values = absent.map(([name, value]) => `${name} = ${figure(value)}`).join(", ");
    told.push(`Signals without quantiles in the file stand still: ${values}.`);
  }
  if (rounds[0].rule.remembers) told.push("The policy remembers; the curve is that of a text's first token.");
  return told.join(" ");
}
