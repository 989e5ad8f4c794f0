/** Where things stand in the picture of a curve: axes, bars, dots and lines, drawn by hand. */

import { drawn } from "./dom.js";
import { ticksOf } from "./histogram.js";
import { figure } from "./quantities.js";

const MARGIN = { left: 44, right: 14, top: 12, bottom: 40 };

/** Maps from values to pixels and back, for a picture of this size. */
export function frameOf(width, height, x, y) {
  const wide = width - MARGIN.left - MARGIN.right;
  const tall = height - MARGIN.top - MARGIN.bottom;
  return {
    width,
    height,
    x,
    y,
    floor: MARGIN.top + tall,
    left: MARGIN.left,
    right: MARGIN.left + wide,
    top: MARGIN.top,
    toX: (value) => MARGIN.left + ((value - x.low) / (x.high - x.low)) * wide,
    toY: (value) => MARGIN.top + tall - ((value - y.low) / (y.high - y.low)) * tall,
    fromX: (pixel) => x.low + ((pixel - MARGIN.left) / wide) * (x.high - x.low),
    fromY: (pixel) => y.low + ((MARGIN.top + tall - pixel) / tall) * (y.high - y.low),
  };
}

/**
 * The axes with their marks and titles. `levels` is about how many marks the vertical axis has; with `whole`, the marks
 * of the horizontal one are whole numbers.
 */
export function axes(frame, xTitle, yTitle, { levels = 4, whole = false } = {}) {
  const few = frame.width < 420 ? 4 : 7;
  return [
    ...ticksOf(frame.y.low, frame.y.high, levels).flatMap((tick) => [
      drawn("line", {
        class: "grid",
        x1: frame.left,
        x2: frame.right,
        y1: frame.toY(tick),
        y2: frame.toY(tick),
      }),
      drawn("text", { x: frame.left - 8, y: frame.toY(tick) + 4, "text-anchor": "end" }, figure(tick)),
    ]),
    ...ticksOf(frame.x.low, frame.x.high, few)
      .filter((tick) => !whole || Number.isInteger(tick))
      .map((tick) =>
        drawn("text", { x: frame.toX(tick), y: frame.floor + 16, "text-anchor": "middle" }, figure(tick)),
      ),
    drawn(
      "text",
      {
        class: "axis-title",
        x: (frame.left + frame.right) / 2,
        y: frame.height - 6,
        "text-anchor": "middle",
      },
      xTitle,
    ),
    drawn(
      "text",
      { class: "axis-title", x: frame.left - 32, y: frame.top + 2, "dominant-baseline": "hanging" },
      yTitle,
    ),
  ];
}

/** Bars of a histogram, the square root of the counts high, so that rare values are seen too. */
export function bars(frame, { low, high, counts }) {
  const most = Math.sqrt(Math.max(...counts, 1));
  const wide = (high - low) / counts.length;
  return counts
    .map((count, at) => {
      if (!count) return null;
      const tall = (Math.sqrt(count) / most) * (frame.floor - frame.top) * 0.55;
      const left = frame.toX(low + at * wide);
      const width = Math.max(frame.toX(low + (at + 1) * wide) - left - 1, 1);
      return drawn("rect", { class: "bar", x: left, y: frame.floor - tall, width, height: tall });
    })
    .filter(Boolean);
}

/** One path of small dots at `points` ({x, y}). */
export function dots(frame, points, className) {
  const marks = points
    .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
    .map(({ x, y }) => `M${frame.toX(x).toFixed(1)} ${frame.toY(Math.min(y, frame.y.high)).toFixed(1)}h0`);
  return drawn("path", { class: className, d: marks.join("") || "M0 0" });
}

/** A line through `points`; what lies above the picture leaves it a little, and is cut there. */
export function path(frame, points) {
  const most = frame.y.high + 0.2 * (frame.y.high - frame.y.low);
  return points
    .filter(({ y }) => Number.isFinite(y))
    .map(
      ({ x, y }, at) =>
        `${at ? "L" : "M"}${frame.toX(x).toFixed(1)} ${frame.toY(Math.min(y, most)).toFixed(1)}`,
    )
    .join("");
}
