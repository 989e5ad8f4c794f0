/** Temperature and entropy along a text, as two lines drawn by hand. */

import { drawn, element } from "./dom.js";
import { figure } from "./quantities.js";

const WIDTH = 1000;
const HEIGHT = 56;

/** The tracks of one text; clicking one chooses the token there. */
export class Tracks {
  constructor({ onChoose }) {
    this.onChoose = onChoose;
    this.root = element("div", { class: "tracks" });
    this.count = 0;
  }

  /** Draw {title, values, before, className} each: `before` is a faint line behind, null for none. */
  draw(lines) {
    this.count = lines[0]?.values.length ?? 0;
    this.root.replaceChildren(...lines.map((line) => this.track(line)));
    this.cursors = [...this.root.querySelectorAll(".cursor")];
  }

  track({ title, values, before, className }) {
    const finite = [...values, ...(before ?? [])].filter(Number.isFinite);
    const high = finite.reduce((most, value) => Math.max(most, value), 1e-9);
    const lowest = finite.reduce((least, value) => Math.min(least, value), Infinity);
    const mean = finite.length
      ? values.filter(Number.isFinite).reduce((sum, value) => sum + value, 0) / values.length
      : 0;
    const picture = drawn(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
        role: "img",
        class: `track ${className}`,
        "aria-label": `${title} along the text: from ${figure(finite.length ? lowest : 0)} to ${figure(high)}`,
        click: (event) => this.click(event),
      },
      before ? drawn("path", { class: "line-before", d: this.line(before, high) }) : null,
      drawn("path", { class: "area", d: `${this.line(values, high)}V${HEIGHT}H0Z` }),
      drawn("path", { class: "line", d: this.line(values, high) }),
      drawn("line", { class: "cursor", y1: 0, y2: HEIGHT, x1: -9, x2: -9 }),
    );
    const name = element(
      "span",
      { class: "track-name" },
      title,
      " ",
      element("span", { class: "track-range" }, `mean ${figure(mean)}, up to ${figure(high)}`),
    );
    return element("div", { class: "track-row" }, name, picture);
  }

  /** The steps of `values` as a path: one step per token. */
  line(values, high) {
    const wide = WIDTH / Math.max(values.length, 1);
    const steps = values.map((value, at) => {
      const share = Number.isFinite(value) ? value / high : 1;
      return `V${(HEIGHT - 2 - share * (HEIGHT - 6)).toFixed(1)}H${((at + 1) * wide).toFixed(1)}`;
    });
    return `M0 ${HEIGHT - 2}${steps.join("")}`;
  }

  click(event) {
    const box = event.currentTarget.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / box.width) * this.count);
    this.onChoose(Math.min(Math.max(at, 0), this.count - 1));
  }

  /** Show where the chosen token stands. */
  choose(at) {
    const x = at < 0 ? -9 : ((at + 0.5) / Math.max(this.count, 1)) * WIDTH;
    for (const cursor of this.cursors ?? []) {
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
    }
  }
}
