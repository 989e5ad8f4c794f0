/** The signals that a curve does not vary: each has a slider from its lowest to its highest quantile. */

import { element } from "./dom.js";
import { figure } from "./quantities.js";
import { quantileAt } from "../learning/sweep.js";

/** Steps of a slider; each eighth of them is a quantile of the file. */
const STEPS = 64;
const MEDIAN = STEPS / 2;

/** The sliders; `onMove()` is called when one has moved. */
export class Held {
  constructor({ onMove }) {
    this.onMove = onMove;
    this.reset = element("button", { type: "button", click: () => this.toMedians() }, "All to their medians");
    this.list = element("div", { class: "held-list" });
    this.title = element("h3", { id: "held-title" }, "Other signals");
    this.root = element(
      "div",
      { class: "held", role: "group", "aria-labelledby": "held-title" },
      element("div", { class: "row" }, this.title, this.reset),
      this.list,
    );
  }

  /** Offer the signals of a learning, each at its median. */
  show(signals) {
    this.rows = Object.entries(signals).map(([name, quantiles], at) => this.row(name, quantiles, `held-${at}`));
    this.list.replaceChildren(...this.rows.map(({ root }) => root));
  }

  row(name, quantiles, id) {
    const told = element("span", { class: "told" });
    const slider = element("input", {
      type: "range",
      id,
      min: 0,
      max: STEPS,
      value: MEDIAN,
      input: () => {
        this.tell();
        this.onMove();
      },
    });
    const label = element("label", { for: id }, element("code", {}, name));
    return { name, quantiles, slider, told, root: element("div", { class: "held-row" }, label, told, slider) };
  }

  /** Leave out the signal that the curve varies. */
  without(signal) {
    for (const { name, root } of this.rows) root.hidden = name === signal;
    this.root.hidden = this.rows.every(({ root }) => root.hidden);
    this.tell();
  }

  /** The value of each signal by its text. */
  get values() {
    const valueOf = ({ quantiles, slider }) => quantileAt(quantiles, Number(slider.value) / STEPS);
    return Object.fromEntries(this.rows.map((row) => [row.name, valueOf(row)]));
  }

  toMedians() {
    for (const { slider } of this.rows) slider.value = MEDIAN;
    this.tell();
    this.onMove();
  }

  tell() {
    const { values } = this;
    for (const { name, slider, told } of this.rows) {
      const share = Number(slider.value) / STEPS;
      const place = share === 0.5 ? "median" : `${Math.round(100 * share)} %`;
      told.textContent = `${figure(values[name])} (${place})`;
      slider.setAttribute("aria-valuetext", `${figure(values[name])}, ${share === 0.5 ? place : `quantile ${place}`}`);
    }
    this.reset.disabled = this.rows.every(({ slider }) => Number(slider.value) === MEDIAN);
  }
}
