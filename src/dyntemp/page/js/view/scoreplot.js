/** The score of each round of a learning: the seeds faint, their mean strong, and the current round as a spot. */

import { drawn } from "./dom.js";
import { axes, frameOf, path } from "./plot.js";
import { figure } from "./quantities.js";
import { meanScores } from "../learning/sweep.js";

const HEIGHT = 250;

/** The picture. */
export class ScorePlot {
  constructor() {
    this.root = drawn("svg", { class: "curve scores", role: "img" });
    this.spot = drawn("circle", { class: "spot", r: 6 });
  }

  /** Draw the scores of all `runs`; `own` is the one that the page shows. */
  draw(width, { runs, own, metric }) {
    const lines = runs.map(({ rounds }) => rounds.map(({ round, score }) => ({ x: round, y: score })));
    const mean = meanScores(runs);
    this.frame = frameOf(width, HEIGHT, spanOf(lines.flat(), "x", 0), spanOf(lines.flat(), "y", 0.08));
    const line = (points, className) => drawn("path", { class: className, d: path(this.frame, points) });
    const kept = own.rounds.find(({ round }) => round === own.chosen);
    this.root.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.root.setAttribute("height", HEIGHT);
    this.root.setAttribute("aria-label", wordsOf(mean, runs, metric));
    this.root.replaceChildren(
      ...axes(this.frame, "round", "", { levels: 6, whole: true }),
      ...lines.filter((_, at) => runs[at] !== own).map((points) => line(points, "seed")),
      line(lines[runs.indexOf(own)], "seed own"),
      ...(runs.length > 1 ? [line(mean, "mean")] : []),
      ...(kept ? [drawn("circle", { class: "kept", r: 4, ...this.place(kept) })] : []),
      this.spot,
    );
  }

  /** Put the spot at a round; hide it where there is none. */
  choose(round) {
    this.spot.style.display = round ? "" : "none";
    for (const [name, value] of Object.entries(round ? this.place(round) : {})) this.spot.setAttribute(name, value);
  }

  place({ round, score }) {
    return { cx: this.frame.toX(round), cy: this.frame.toY(score) };
  }
}

/** {low, high} of a coordinate with a margin, a share of the span; never empty. */
function spanOf(points, name, margin) {
  const values = points.map((point) => point[name]);
  const low = values.length ? Math.min(...values) : 0;
  const high = values.length ? Math.max(...values) : 1;
  const wide = high > low ? high - low : 1;
  return { low: low - margin * wide, high: (high > low ? high : low + 1) + margin * wide };
}

function wordsOf(mean, runs, metric) {
  if (!mean.length) return `${metric} by round: no rounds yet`;
  const ends = [mean[0], mean.at(-1)].map(({ x, y }) => `${figure(y)} in round ${x}`);
  const seeds = runs.length > 1 ? `, mean of ${runs.filter(({ rounds }) => rounds.length).length} seeds` : "";
  return `${metric} by round${seeds}: ${ends.join(", ")}`;
}
