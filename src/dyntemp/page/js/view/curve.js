/** The policy's curve over the signals that the text really visited, with points that can be moved. */

import { announce, drawn, element } from "./dom.js";
import { HIGHEST, curveText, pointsOf, rounded, sampledPoints } from "./handles.js";
import { histogram } from "./histogram.js";
import { knob } from "./knob.js";
import { axes, bars, dots, frameOf, path } from "./plot.js";
import { figure, quantitiesOf } from "./quantities.js";

const HEIGHT = 250;
const SAMPLES = 160;
const FEWEST = 2;

/**
 * The curve editor.
 *
 * `onEdit(text)` is called with the policy that the points stand for, `onUndo(again)` to take the last one back or make it
 * again; `temperatureAt(policy, signal, x)` evaluates one.
 */
export class CurveEditor {
  constructor({ onEdit, onUndo, temperatureAt }) {
    this.onEdit = onEdit;
    this.onUndo = onUndo;
    this.temperatureAt = temperatureAt;
    this.points = null;
    this.active = 0;
    this.signal = "entropy";
    this.view = null;
    this.picker = element("select", { id: "curve-signal", change: () => this.pickSignal(this.picker.value) });
    this.picture = drawn("svg", {
      class: "curve",
      role: "group",
      "aria-label": "Temperature over the signal",
      dblclick: (event) => this.addAt(event),
    });
    this.layers = Object.fromEntries(
      ["back", "line", "front", "handles"].map((name) => [name, drawn("g", { class: name })]),
    );
    this.picture.append(...Object.values(this.layers));
    this.edit = element("button", { type: "button", click: () => this.begin() }, "Edit as curve");
    this.add = element("button", { type: "button", click: () => this.addInGap() }, "Add a point");
    this.remove = element("button", { type: "button", click: () => this.removeActive() }, "Remove the point");
    this.note = element("p", { class: "note" });
    this.root = element(
      "div",
      { class: "curve-editor" },
      element(
        "div",
        { class: "row" },
        element("label", { for: "curve-signal" }, "Over"),
        this.picker,
        this.edit,
        this.add,
        this.remove,
      ),
      this.picture,
      this.note,
    );
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  /** Show tokens, their temperatures now, and the policy (null while it is in error). */
  show(view) {
    this.view = view;
    const names = Object.keys(quantitiesOf(view.tokens, false)).filter(
      (name) => !["temperature", "entropy_after", "surprisal"].includes(name),
    );
    const only = onlySignal(view.policy);
    if (this.points === null && only && names.includes(only)) this.signal = only;
    if (!names.includes(this.signal)) this.signal = "entropy";
    this.picker.replaceChildren(
      ...names.map((name) => element("option", { value: name, selected: name === this.signal }, name)),
    );
    this.picker.value = this.signal;
    this.points =
      only === this.signal
        ? this.points || this.mayResume
          ? pointsOf(view.policy.text, this.signal)
          : null
        : null;
    this.draw();
  }

  pickSignal(name) {
    this.signal = name;
    this.points = null;
    this.mayResume = false;
    this.draw();
  }

  /** Take the policy apart into points, or begin with two where it reads other signals. */
  begin() {
    const { policy, tokens } = this.view;
    const visited = histogram(tokens.map((token) => token.signals[this.signal]));
    const own = onlySignal(policy) === this.signal;
    const sample = own ? (x) => this.temperatureAt(policy, this.signal, x) : null;
    this.points = pointsOf(policy?.text ?? "", this.signal) ?? sampledPoints(visited, sample);
    this.active = 0;
    this.mayResume = true;
    this.changed();
    this.layers.handles.firstElementChild?.focus();
    announce(`The curve has ${this.points.length} points. Arrow keys move the one in focus.`);
  }

  addInGap() {
    const gaps = this.points.slice(1).map((point, at) => point.x - this.points[at].x);
    const at = gaps.indexOf(Math.max(...gaps));
    const [left, right] = [this.points[at], this.points[at + 1]];
    this.insert({ x: rounded((left.x + right.x) / 2), y: rounded((left.y + right.y) / 2) });
  }

  addAt(event) {
    if (!this.points || event.target.closest(".handle")) return;
    const { x, y } = this.pixel(event);
    this.insert({
      x: rounded(this.frame.fromX(x)),
      y: rounded(Math.min(Math.max(this.frame.fromY(y), 0), HIGHEST)),
    });
  }

  insert(point) {
    if (this.points.some((other) => Math.abs(other.x - point.x) < 0.002)) return;
    this.points = [...this.points, point].sort((a, b) => a.x - b.x);
    this.active = this.points.indexOf(point);
    this.changed();
    this.layers.handles.children[this.active].focus();
  }

  removeActive() {
    if (this.points.length <= FEWEST) {
      announce("A curve needs two points");
      return;
    }
    this.points = this.points.filter((_, at) => at !== this.active);
    this.active = Math.min(this.active, this.points.length - 1);
    this.changed();
    this.layers.handles.children[this.active].focus();
  }

  changed() {
    this.draw();
    this.onEdit(curveText(this.signal, this.points));
  }

  /** Move point `at`; it stays between its neighbours. */
  moveTo(at, x, y) {
    const gap = 0.002;
    const low = at ? this.points[at - 1].x + gap : Math.max(this.frame.x.low, 0);
    const high = at < this.points.length - 1 ? this.points[at + 1].x - gap : this.frame.x.high;
    this.active = at;
    this.points[at] = {
      x: rounded(Math.min(Math.max(x, low), high)),
      y: rounded(Math.min(Math.max(y, 0), HIGHEST)),
    };
    this.changed();
  }

  key(event, at) {
    const wide = (this.frame.x.high - this.frame.x.low) / 100;
    const size = event.shiftKey ? 5 : 1;
    const { x, y } = this.points[at];
    const moves = {
      ArrowUp: [x, y + 0.02 * size],
      ArrowDown: [x, y - 0.02 * size],
      ArrowLeft: [x - wide * size, y],
      ArrowRight: [x + wide * size, y],
      PageUp: [x, y + 0.2],
      PageDown: [x, y - 0.2],
      Home: [x, 0],
      End: [x, this.frame.y.high],
    };
    if (event.ctrlKey || event.metaKey) {
      if (!["z", "y"].includes(event.key.toLowerCase())) return;
      this.onUndo(event.shiftKey || event.key === "y");
      if (!this.points) this.edit.focus();
    } else if (event.key === "Delete" || event.key === "Backspace") this.removeActive();
    else if (event.key in moves) this.moveTo(at, ...moves[event.key]);
    else return;
    event.preventDefault();
  }

  pixel(event) {
    const box = this.picture.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  draw() {
    const { view } = this;
    const width = Math.round(this.root.clientWidth);
    this.edit.hidden = Boolean(this.points) || !view?.tokens.length;
    this.add.hidden = this.remove.hidden = !this.points;
    if (!view || !width || !view.tokens.length) return;
    const values = view.tokens.map((token) => token.signals[this.signal]);
    const visited = histogram(values);
    const line = this.line(visited);
    const highest = [...view.temperatures, ...line.map((point) => point.y)]
      .filter(Number.isFinite)
      .reduce((most, t) => Math.max(most, t), 1);
    const x = {
      low: visited.low,
      high: Math.max(visited.high, ...(this.points ?? []).map((point) => point.x)),
    };
    if (!this.held) this.top = Math.min(Math.ceil(highest * 5 + 0.5) / 5, HIGHEST);
    this.frame = frameOf(width, HEIGHT, x, { low: 0, high: this.top });
    this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.picture.setAttribute("height", HEIGHT);
    const seen = view.tokens.map((_, at) => ({ x: values[at], y: view.temperatures[at] }));
    this.layers.back.replaceChildren(...bars(this.frame, visited), ...axes(this.frame, this.signal, "T"));
    this.layers.line.replaceChildren(
      dots(this.frame, seen, "dots"),
      ...(line.length ? [drawn("path", { class: "policy-line", d: path(this.frame, line) })] : []),
    );
    this.spot();
    this.drawHandles();
    this.note.textContent = this.words(view, line);
  }

  /** The curve, evaluated; empty where the policy reads more than this signal. */
  line({ low, high }) {
    const { policy } = this.view;
    if (!policy || onlySignal(policy) !== this.signal) {
      if (!policy || policy.signals.length || policy.isTemplate) return [];
    }
    return Array.from({ length: SAMPLES + 1 }, (_, at) => {
      const x = low + ((high - low) * at) / SAMPLES;
      return { x, y: this.temperatureAt(policy, this.signal, x) };
    });
  }

  words(view, line) {
    const count = `Bars: how often this text had which ${this.signal} (square root of the count).`;
    if (this.points)
      return `${count} Drag the points, or move them with the arrow keys; double-click adds one.`;
    if (line.length)
      return `${count} Line: the policy. Dots: the tokens, ${view.tokens.length.toLocaleString("en")} of them.`;
    return `${count} Dots: temperature of each token; the policy reads more than ${this.signal} alone, and is no line.`;
  }

  /** The chosen token on the curve. */
  spot(at = this.spotted) {
    this.spotted = at;
    const x = this.view?.tokens[at]?.signals[this.signal];
    const y = this.view?.temperatures[at];
    const here = this.frame && Number.isFinite(x) && Number.isFinite(y);
    this.layers.front.replaceChildren(
      ...(here
        ? [
            drawn("circle", {
              class: "spot",
              cx: this.frame.toX(x),
              cy: this.frame.toY(Math.min(y, this.frame.y.high)),
              r: 6,
            }),
          ]
        : []),
    );
  }

  drawHandles() {
    const { handles } = this.layers;
    const points = this.points ?? [];
    while (handles.childElementCount > points.length) handles.lastElementChild.remove();
    while (handles.childElementCount < points.length) handles.append(this.handle(handles.childElementCount));
    points.forEach((point, at) => {
      const node = handles.children[at];
      node.setAttribute(
        "transform",
        `translate(${this.frame.toX(point.x)} ${this.frame.toY(Math.min(point.y, this.frame.y.high))})`,
      );
      node.setAttribute("aria-label", `Point ${at + 1} of ${points.length}`);
      node.setAttribute("aria-valuenow", point.y);
      node.setAttribute("aria-valuemax", HIGHEST);
      node.setAttribute(
        "aria-valuetext",
        `${this.signal} ${figure(point.x)}, temperature ${figure(point.y)}`,
      );
    });
  }

  handle(at) {
    return knob({
      onKey: (event) => this.key(event, at),
      onFocus: () => {
        this.active = at;
      },
      onMove: (event) => {
        this.held = true;
        const { x, y } = this.pixel(event);
        this.moveTo(at, this.frame.fromX(x), this.frame.fromY(y));
      },
      onDone: () => this.letGo(),
    });
  }

  letGo() {
    this.held = false;
    this.draw();
  }
}

/** The one signal that a policy reads, where a curve can show all of it; else null. */
export function onlySignal(policy) {
  if (!policy || policy.isTemplate || policy.remembers || policy.signals.length !== 1) return null;
  return /[("]/.test(policy.signals[0]) ? null : policy.signals[0];
}
