/** The numbers of the view of a learning: T over one signal, places at a bound, and the mean score of the seeds. */

import { signalRange } from "../language/signals.js";

/** Points of a curve. */
export const POINTS = 60;
/** Largest share of a bound by which a temperature may differ from it and still count as there. */
const NEAR = 1e-9;

/** The value at `share` (0 to 1) of ascending quantiles at equal distances, linear between them. */
export function quantileAt(quantiles, share) {
  const place = share * (quantiles.length - 1);
  const below = Math.min(Math.floor(place), quantiles.length - 2);
  return quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (place - below);
}

/** {low, high} of a signal's values; padded where all are equal. Without a signal, 0 to 1. */
export function rangeOf(quantiles) {
  if (!quantiles) return { low: 0, high: 1 };
  const [low, high] = [quantiles[0], quantiles.at(-1)];
  return high > low ? { low, high } : { low: low - 0.5, high: high + 0.5 };
}

/**
 * For each round, the curve of T over `signal` as points {x, y}. The other signals have the values `held` by their texts;
 * `signal` is null for policies without signals.
 */
export function sweep(rounds, signal, range, held) {
  return rounds.map(({ compute, rule }) => {
    const values = { ...constantsOf(rule), ...held };
    return Array.from({ length: POINTS }, (_, at) => {
      const x = range.low + ((range.high - range.low) * at) / (POINTS - 1);
      if (signal !== null) values[signal] = x;
      return { x, y: compute(values) };
    });
  });
}

/** A value in range for each signal of a policy: those that are absent from a learning do not move its temperature. */
export function constantsOf({ needs, limits }) {
  const lowest = (node) => signalRange(node, { low: 1, high: limits.support }, limits).low;
  return Object.fromEntries(needs.map(({ text, node }) => [text, text === "requested" ? 1 : lowest(node)]));
}

/** The stretches of a curve that lie at the lower and at the upper bound: {low, high}, each a list of [from, to]. */
export function stretchesAtBounds(points, [low, high]) {
  return {
    low: stretches(points, (y) => y <= low * (1 + NEAR)),
    high: stretches(points, (y) => y >= high * (1 - NEAR)),
  };
}

function stretches(points, holds) {
  const found = [];
  let open = null;
  for (const { x, y } of points) {
    if (!holds(y)) open = null;
    else if (open) open[1] = x;
    else found.push((open = [x, x]));
  }
  return found;
}

/** The mean score of the seeds by round, {x, y}: over all runs that have begun, where all of them have the round. */
export function meanScores(runs) {
  const begun = runs.filter(({ rounds }) => rounds.length);
  const [first, ...others] = begun.map(({ rounds }) => new Map(rounds.map(({ round, score }) => [round, score])));
  return [...(first ?? [])]
    .filter(([round]) => others.every((scores) => scores.has(round)))
    .map(([round, score]) => ({
      x: round,
      y: others.reduce((sum, scores) => sum + scores.get(round), score) / begun.length,
    }));
}
