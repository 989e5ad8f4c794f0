/** A text whose tokens can be walked through: drawn once, appended to, recoloured; one listener, one tab stop. */

import { element } from "./dom.js";

const CHUNK = 80;
const FAR = 400;

/**
 * The tokens of one text, as a list box in which the arrow keys move.
 *
 * `paint`, `mark` and `append` touch what changed and nothing else, so that a text may grow by thousands of tokens.
 */
export class TextView {
  constructor(label, { onChoose, onOpen }) {
    this.spans = [];
    this.numbers = [];
    this.chosen = -1;
    this.onChoose = onChoose;
    this.root = element("div", {
      class: "dt-text",
      role: "listbox",
      "aria-label": label,
      tabindex: 0,
      click: (event) => this.pick(event.target.closest(".dt-token")),
      keydown: (event) => this.move(event, onOpen),
    });
  }

  /** Add one token at the end; `shown` is {text, mark, breaks}: whether it is a mark, how many lines end there. */
  append(shown) {
    const number = element("sub", { class: "dt-number" }, "");
    const span = element(
      "span",
      { class: `dt-token${shown.mark ? " dt-mark" : ""}`, role: "option", "data-at": this.spans.length },
      shown.text,
      number,
    );
    this.lastChunk().append(span);
    if (shown.breaks) this.close(shown.breaks);
    this.spans.push(span);
    this.numbers.push(number);
    if (this.spans.length === 1) {
      span.tabIndex = 0;
      this.root.removeAttribute("tabindex");
    }
  }

  lastChunk() {
    if (!this.chunk) {
      this.chunk = element("div", { class: "chunk", role: "presentation" });
      this.root.append(this.chunk);
    }
    return this.chunk;
  }

  /** A line ends here: a chunk that is long enough ends with it, so that browsers may skip it when out of sight. */
  close(breaks) {
    if (this.chunk.childElementCount >= CHUNK) this.chunk = null;
    else this.chunk.append(...Array.from({ length: breaks }, () => element("br")));
  }

  /** Colour the tokens from `from` on: `shares` and `numbers` are one each, null where nothing was measured. */
  paint(shares, numbers, from = 0) {
    for (let at = from; at < this.spans.length; at += 1) {
      const span = this.spans[at];
      span.style.setProperty("--heat", shares[at] ?? 0);
      span.classList.toggle("dt-unmeasured", shares[at] === null);
      const number = this.numbers[at];
      if (number.textContent !== numbers[at]) number.textContent = numbers[at];
    }
  }

  /** Give a token the classes of `marks` ({class: whether}), and show what would stand there `instead`. */
  mark(at, marks, instead = null) {
    const span = this.spans[at];
    for (const [name, whether] of Object.entries(marks)) span.classList.toggle(name, whether);
    let shown = span.querySelector(".instead");
    if (instead === null) {
      shown?.remove();
    } else if (shown) {
      shown.textContent = instead;
    } else {
      shown = element("span", { class: "instead" }, instead);
      span.append(shown);
    }
  }

  /** Choose the token at `at`; with `focus`, go there. */
  choose(at, focus = false) {
    this.unchoose();
    const span = this.spans[at];
    if (!span) return;
    this.chosen = at;
    for (const other of this.root.querySelectorAll('[tabindex="0"]')) other.removeAttribute("tabindex");
    span.tabIndex = 0;
    span.classList.add("dt-chosen");
    span.setAttribute("aria-selected", "true");
    if (focus) span.focus({ preventScroll: true });
    if (focus) span.scrollIntoView({ block: "nearest" });
  }

  /** Choose nothing. */
  unchoose() {
    const span = this.spans[this.chosen];
    span?.classList.remove("dt-chosen");
    span?.removeAttribute("aria-selected");
    this.chosen = -1;
  }

  pick(span) {
    if (span) this.onChoose(Number(span.dataset.at), true);
  }

  move(event, onOpen) {
    const span = event.target.closest(".dt-token");
    if (!span || event.altKey || event.ctrlKey || event.metaKey) return;
    const at = Number(span.dataset.at);
    const targets = {
      ArrowRight: () => at + 1,
      ArrowLeft: () => at - 1,
      Home: () => 0,
      End: () => this.spans.length - 1,
      ArrowDown: () => this.lineFrom(at, 1),
      ArrowUp: () => this.lineFrom(at, -1),
    };
    if (event.key === "Enter" || event.key === " ") {
      this.onChoose(at, false);
      onOpen();
    } else if (event.key in targets) {
      const to = Math.min(Math.max(targets[event.key](), 0), this.spans.length - 1);
      this.onChoose(to, true);
    } else {
      return;
    }
    event.preventDefault();
  }

  /** The token on the next line (or, with -1, the one before) that stands nearest below or above. */
  lineFrom(at, step) {
    const here = placeOf(this.spans[at]);
    let best = { at, away: Infinity };
    let line = null;
    for (let to = at + step; to >= 0 && to < this.spans.length && Math.abs(to - at) < FAR; to += step) {
      const there = placeOf(this.spans[to]);
      if (Math.abs(there.top - here.top) < here.height / 2) continue;
      line ??= there.top;
      if (Math.abs(there.top - line) > here.height / 2) break;
      const away = Math.abs(there.left - here.left);
      if (away < best.away) best = { at: to, away };
    }
    return best.at;
  }
}

/** Where a token stands: on its last line, since the space before a word may end the line above. */
function placeOf(span) {
  return [...span.getClientRects()].at(-1);
}
