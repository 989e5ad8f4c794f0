/** How often a signal took which values: the numbers below the curve. */

/** {low, high, counts} of `values` in bins of equal width; the range is padded where all are equal. */
export function histogram(values, bins = 40) {
  const finite = values.filter(Number.isFinite);
  let low = finite.reduce((least, value) => Math.min(least, value), Infinity);
  let high = finite.reduce((most, value) => Math.max(most, value), -Infinity);
  if (!finite.length) [low, high] = [0, 1];
  if (low >= 0 && low < high) low = 0;
  if (high - low < 1e-12) [low, high] = [Math.min(low, 0), high > 0 ? high * 1.25 : 1];
  const counts = new Array(bins).fill(0);
  for (const value of finite)
    counts[Math.min(Math.floor(((value - low) / (high - low)) * bins), bins - 1)] += 1;
  return { low, high, counts };
}

/** Round marks for an axis from `low` to `high`. */
export function ticksOf(low, high, wanted = 5) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor((high - first * step) / step + 1e-9) + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, at) => Number(((first + at) * step).toPrecision(10)));
}
