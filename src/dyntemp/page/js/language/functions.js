// The functions of the policy language by name: their values on float64, and the bounds of their results.
//
// Their names, arguments and meanings come from the table that Python writes.

import { corners, DomainError, EVERYTHING, holds, IndeterminateError, interval, widened } from "./interval.js";
import { intervalDifference, intervalProduct, intervalSum, isPoint, isUnbounded, union } from "./interval.js";
import { general, least, most, ulpOf } from "../numbers.js";

const POSITIVE = interval(0, Infinity);

/** A function that is increasing on `domain` with values in `within`. */
function increasing(value, within, domain = EVERYTHING) {
  const bounds = (x) => {
    if (x.low < domain.low) {
      const floor = general(domain.low);
      throw new DomainError(
        `its argument may be ${general(x.low)}, below ${floor}`,
        `keep it from going below, as in \`max(..., ${floor})\``,
      );
    }
    return widened(corners(value, x), within);
  };
  return { value, bounds };
}

function sigmoid(x) {
  const softplus = x > 0 ? Math.log1p(Math.exp(-x)) : -x + Math.log1p(Math.exp(x));
  return Math.exp(-softplus);
}

/** `x`, but at least `low` and at most `high`. */
export function clipped(x, low, high) {
  return Math.min(Math.max(x, low), high);
}

function lerp(low, high, t) {
  return low + (high - low) * t;
}

function absBounds(x) {
  const ends = corners(Math.abs, x);
  return holds(x, 0) ? interval(0, ends.high) : ends;
}

function inOrder(low, high) {
  if (low.high <= high.low) return;
  const ends = `its low end may be ${general(low.high)}, above its high end of ${general(high.low)}`;
  throw new DomainError(ends, "keep low below high");
}

function clipBounds(x, low, high) {
  inOrder(low, high);
  return corners(clipped, x, low, high);
}

/** Linear in each argument by itself, so that its extremes are at the corners; rounding is monotone in t alone. */
function lerpBounds(low, high, t) {
  const composed = intervalSum(low, intervalProduct(intervalDifference(high, low), t)); // finds what has no value
  if (isUnbounded(composed)) return composed;
  const ends = corners(lerp, low, high, t);
  if (isPoint(low) && isPoint(high)) return ends;
  const sizes = [low, high, composed].flatMap((part) => [Math.abs(part.low), Math.abs(part.high)]);
  const slack = 4 * ulpOf(most(...sizes));
  const floor = low.low >= 0 && high.low >= 0 && t.low >= 0 && t.high <= 1 ? 0 : -Infinity;
  return interval(most(ends.low - slack, composed.low, floor), least(ends.high + slack, composed.high));
}

function averageBounds(x, decay) {
  if (decay.low < 0 || decay.high > 1) {
    const worst = general(decay.low < 0 ? decay.low : decay.high);
    throw new DomainError(`its decay may be ${worst}`, "write a decay from 0 to 1, such as 0.9");
  }
  if (isUnbounded(x) && (holds(decay, 0) || holds(decay, 1))) throw new IndeterminateError("0 * inf");
  if (holds(x, -Infinity) && holds(x, Infinity)) throw new IndeterminateError("inf - inf");
  return x;
}

function integralBounds(x, low, high) {
  inOrder(low, high);
  if (isUnbounded(x)) {
    throw new DomainError("it sums what may be infinite", "limit what it sums, with `clip(..., low, high)`");
  }
  return interval(low.low, high.high);
}

function halfcos(x) {
  return Math.sin((Math.PI / 2) * Math.min(Math.max(x, 0), 1)) ** 2;
}

/** Value and bounds by name; functions with memory have their value in `evaluate.js`. */
export const CALCULATIONS = {
  exp: increasing(Math.exp, POSITIVE),
  log: increasing(Math.log, EVERYTHING, POSITIVE),
  sqrt: increasing(Math.sqrt, POSITIVE, POSITIVE),
  abs: { value: Math.abs, bounds: absBounds },
  halfcos: increasing(halfcos, interval(0, 1)),
  tanh: increasing(Math.tanh, interval(-1, 1)),
  sigmoid: increasing(sigmoid, interval(0, 1)),
  min: {
    value: Math.min,
    bounds: (...xs) => interval(least(...xs.map((x) => x.low)), least(...xs.map((x) => x.high))),
  },
  max: {
    value: Math.max,
    bounds: (...xs) => interval(most(...xs.map((x) => x.low)), most(...xs.map((x) => x.high))),
  },
  clip: { value: clipped, bounds: clipBounds },
  lerp: { value: lerp, bounds: lerpBounds },
  where: { value: (condition, x, y) => (condition ? x : y), bounds: (condition, x, y) => union([x, y]) },
  ema: { value: null, bounds: averageBounds },
  prev: { value: null, bounds: (x) => x },
  integral: { value: null, bounds: integralBounds },
};
