// The histogram of a row's tail, and the probability of its bins at another temperature, as in Python.

import { least, most } from "../numbers.js";

/** The mass of the bin `[entries, mass]` at the temperature 1/a, as a multiple of that of one entry. */
export function tempered([entries, mass], a, reference, highest, { width, last }) {
  const logP = mass ? Math.log(mass / entries) : -Infinity;
  if (a === 0 || mass === 0) {
    const value = a === 0 ? entries : 0;
    return { value, low: value, high: value, logP };
  }
  const alike = entries * Math.exp(a * (logP - reference));
  if (entries === 1) return { value: alike, low: alike, high: alike, logP };
  const at = Math.min(Math.max(Math.floor(-logP / width), 0), last);
  const top = Math.min(-at * width, highest);
  const bottom = at === last ? -Infinity : -(at + 1) * width;
  const [low, high] = [Math.exp(bottom), Math.exp(top)];
  const share = high > low ? Math.min(Math.max((Math.exp(logP) - low) / (high - low), 0), 1) : 1;
  const edges = entries * ((1 - share) * Math.exp(a * (bottom - reference)) + share * Math.exp(a * (top - reference)));
  return { value: alike + (edges - alike) / 3, low: least(alike, edges), high: most(alike, edges), logP };
}

/** How many entries the bins hold. */
export function entriesOf(bins) {
  return bins.reduce((sum, [entries]) => sum + entries, 0);
}
