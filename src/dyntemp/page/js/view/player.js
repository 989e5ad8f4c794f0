/** A slider over the rounds of a learning, and the button that plays them. */

import { element } from "./dom.js";

/** Milliseconds that each round is shown. */
const PACE = 180;
const STILL = "(prefers-reduced-motion: reduce)";

/** The control; `onRound(at)` is called with the index of each round that is to be shown, `words(at)` describes one. */
export class Player {
  constructor({ onRound, words }) {
    Object.assign(this, { onRound, words, at: 0, timer: null });
    this.button = element("button", { type: "button", id: "play-rounds", click: () => this.toggle() }, "Play");
    this.slider = element("input", {
      type: "range",
      id: "round",
      min: 0,
      step: 1,
      input: () => {
        this.pause();
        this.go(Number(this.slider.value));
      },
    });
    this.told = element("span", { class: "told" });
    this.root = element(
      "div",
      { class: "player" },
      this.button,
      element("label", { for: "round" }, "Round"),
      this.slider,
      this.told,
    );
    this.still = matchMedia(STILL);
    this.still.addEventListener("change", () => this.offer());
  }

  /** Show `count` rounds, at the one with the index `at`. */
  show(count, at) {
    this.pause();
    this.count = count;
    this.slider.max = Math.max(count - 1, 0);
    this.slider.disabled = count < 2;
    this.offer();
    if (count) this.go(at);
    else this.told.textContent = "";
  }

  /** Nothing moves by itself where the system asks for less motion: the slider stays. */
  offer() {
    if (this.still.matches) this.pause();
    this.button.hidden = this.still.matches || this.count < 2;
  }

  go(at) {
    this.at = at;
    this.slider.value = at;
    this.told.textContent = this.words(at);
    this.slider.setAttribute("aria-valuetext", this.words(at));
    this.onRound(at);
  }

  toggle() {
    if (this.timer !== null) {
      this.pause();
      return;
    }
    if (this.at >= this.count - 1) this.go(0);
    this.button.textContent = "Pause";
    this.timer = setInterval(() => this.advance(), PACE);
  }

  advance() {
    this.go(this.at + 1);
    if (this.at >= this.count - 1) this.pause();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "Play";
  }
}
