/** T over one signal, a curve for each round of a learning: all faint, the current one strong. */

import { drawn } from "./dom.js";
import { axes, frameOf, path } from "./plot.js";
import { figure } from "./quantities.js";

const HEIGHT = 300;
/** A bound stays in the picture where it is at most this many times as high as the rest. */
const FAR = 1.6;

/** The picture. */
export class SweepPlot {
  constructor() {
    this.root = drawn("svg", { class: "curve learned", role: "img" });
    this.layers = Object.fromEntries(
      ["back", "faint", "lines", "current", "names"].map((name) => [name, drawn("g", { class: name })]),
    );
    this.root.append(...Object.values(this.layers));
  }

  /**
   * Draw all rounds: `curves` has a list of points {x, y} for each, `quantiles` those of the signal (null without one),
   * and `learning` the anchor and the bounds.
   */
  draw(width, { curves, range, title, quantiles, learning }) {
    const [low, high] = learning.bounds;
    const highest = curves
      .flat()
      .filter(({ y }) => Number.isFinite(y))
      .reduce((most, { y }) => Math.max(most, y), Math.max(learning.anchor, low));
    const seen = high <= FAR * highest;
    this.frame = frameOf(width, HEIGHT, range, { low: 0, high: seen ? high * 1.15 : highest * 1.2 });
    this.curves = curves;
    this.root.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.root.setAttribute("height", HEIGHT);
    this.layers.back.replaceChildren(...axes(this.frame, title, "T"), ...this.marks(quantiles));
    this.layers.faint.replaceChildren(...curves.map((points, at) => this.line(points, at, "round")));
    const levels = [
      { value: learning.anchor, className: "anchor", words: `static ${figure(learning.anchor)}` },
      { value: low, className: "bound", words: `bound ${figure(low)}` },
      ...(seen ? [{ value: high, className: "bound", words: `bound ${figure(high)}` }] : []),
    ];
    this.layers.lines.replaceChildren(...levels.map((level) => this.level(level)));
    this.layers.names.replaceChildren(
      ...levels.map(({ value, words }) => this.label(this.frame.toY(value) - 5, words)),
      ...(seen ? [] : [this.label(this.frame.top + 2, `bound ${figure(high)} is above ↑`)]),
    );
    this.layers.current.replaceChildren();
  }

  /** Draw the round with the index `at` strong; its stretches at a bound in the colour of a warning. */
  choose(at, stretches, words) {
    this.root.setAttribute("aria-label", words);
    const points = this.curves[at];
    if (!points) return;
    const clipped = [...stretches.low, ...stretches.high].map(([from, to]) =>
      drawn("path", {
        class: "at-bound",
        d: `${path(this.frame, points.filter(({ x }) => from <= x && x <= to))}h0`,
      }),
    );
    this.layers.current.replaceChildren(this.line(points, at, "round now"), ...clipped);
  }

  line(points, at, className) {
    const age = this.curves.length > 1 ? at / (this.curves.length - 1) : 1;
    return drawn("path", { class: className, d: path(this.frame, points), style: `--age:${age.toFixed(3)}` });
  }

  /** Small marks at the quantiles of the signal: between two neighbours lies an eighth of the tokens. */
  marks(quantiles) {
    return (quantiles ?? []).map((value) => {
      const x = this.frame.toX(value);
      return drawn("line", { class: "quantile", x1: x, x2: x, y1: this.frame.floor - 7, y2: this.frame.floor });
    });
  }

  /** A level line over the whole width. */
  level({ value, className }) {
    const y = this.frame.toY(value);
    return drawn("line", { class: className, x1: this.frame.left, x2: this.frame.right, y1: y, y2: y });
  }

  /** A name at the right end, over the curves. */
  label(y, words) {
    return drawn("text", { class: "level", x: this.frame.right - 2, y: Math.max(y, 11), "text-anchor": "end" }, words);
  }
}
