/** One text on the page: its tokens, their colours, its tracks, and its replay under another policy. */

import { element } from "./dom.js";
import { nameOf } from "./card.js";
import { ALWAYS, quantitiesOf, shareOf, short } from "./quantities.js";
import { replay, same } from "../traces/replay.js";
import { recordedText } from "../traces/zones.js";
import { TextView } from "./textview.js";
import { Tracks } from "./tracks.js";
import { flowing } from "../show/words.js";

const PAUSE = 250;

/** A run ({header, tokens}) in a column of its own. */
export class Column {
  constructor(run, { title, label, onChoose, onOpen }) {
    this.run = run;
    this.tokens = [];
    this.nows = null;
    this.other = false;
    this.problem = null;
    this.reach = [];
    this.timer = null;
    this.text = new TextView(label, { onChoose: (at, focus) => onChoose(this, at, focus), onOpen });
    this.tracks = new Tracks({ onChoose: (at) => onChoose(this, at, true) });
    this.head = element("div", { class: "column-head" }, title ? element("h3", {}, title) : null);
    this.root = element("div", { class: "column" }, this.head, this.text.root, this.tracks.root);
  }

  /** Add tokens at the end; they have no colour yet. */
  append(tokens) {
    for (const token of tokens) {
      this.tokens.push(token);
      this.text.append({ ...flowing(token), breaks: token.text.split("\n").length - 1 });
      if (token.origin !== "drawn") this.text.mark(this.tokens.length - 1, originMarks(token));
    }
  }

  /** The values of a quantity, NaN where it was not measured; temperature stands in for one that the text lacks. */
  valuesOf(quantity) {
    const found = quantitiesOf(this.tokens, this.other);
    const { value } = found[quantity] ?? ALWAYS.temperature;
    return this.tokens.map((token, at) => value(token, this.replayed(at)) ?? NaN);
  }

  /** Colour the tokens from `from` on by their values on `scale`. */
  paint(values, scale, { sequential, from = 0 }) {
    const shares = values.map((value) => (Number.isNaN(value) ? null : shareOf(value, scale)));
    this.text.root.classList.toggle("dt-sequential", sequential);
    this.text.paint(
      shares,
      values.map((value) => (Number.isNaN(value) ? "" : short(value))),
      from,
    );
    this.drawTracks(from > 0);
  }

  /** Draw the tracks, but not at every token while a text grows. */
  drawTracks(growing) {
    if (growing) {
      this.timer ??= setTimeout(() => this.drawTracks(false), PAUSE);
      return;
    }
    clearTimeout(this.timer);
    this.timer = null;
    const recorded = this.tokens.map((token) => token.temperature);
    this.tracks.draw([
      {
        title: "temperature",
        className: "of-temperature",
        values: this.temperatures(),
        before: this.other ? recorded : null,
      },
      {
        title: "entropy",
        className: "of-entropy",
        values: this.tokens.map((token) => token.signals.entropy),
        before: null,
      },
    ]);
    this.tracks.choose(this.text.chosen);
  }

  /** The temperature of each token: under the other policy if one was replayed, else the recorded one. */
  temperatures() {
    return this.tokens.map((token, at) => (this.replayed(at) ?? token).temperature);
  }

  /** A token under the other policy, if one was replayed; a token that was written since has not been. */
  replayed(at) {
    return (this.other && this.nows[at]) || null;
  }

  /** How many tokens at the beginning were not drawn at what the text's own policy gives them. */
  get before() {
    return this.other || !this.nows ? 0 : this.nows.lastIndexOf(null) + 1;
  }

  /** Replay under `policy`; `other` says that it is not the recorded one, which has to give what was recorded. */
  replay(policy, other) {
    const { settings = {}, seed } = this.run.header;
    this.problem = null;
    this.nows = null;
    this.other = false;
    try {
      this.nows =
        policy && this.tokens.length
          ? replay(this.tokens, policy, {
              seed: String(seed),
              requested: settings.requested ?? 1,
              given: settings.given ?? {},
              parameters: settings.parameters ?? {},
              before: recordedText(this.run.header, this.tokens[0].request),
            })
          : null;
      this.other = other && this.nows !== null;
      if (!other && this.nows) {
        this.nows = this.nows.map((now, at) => (same(now, this.tokens[at]) ? now : null));
      }
    } catch (error) {
      this.problem = error.message;
    }
    this.markChanges();
  }

  markChanges() {
    this.tokens.forEach((token, at) => {
      const now = this.other ? this.nows[at] : null;
      const changed = Boolean(now && !now.kept);
      if (!changed && !this.text.spans[at].classList.contains("dt-changed")) return;
      const instead = !changed ? null : now.instead === null ? "other" : nameOf(token, now.instead);
      this.text.mark(at, { "dt-changed": changed, "to-other": changed && now.instead === null }, instead);
    });
  }
}

function originMarks(token) {
  return { "dt-forced": token.origin === "forced", "dt-parted": token.origin === "parted" };
}
