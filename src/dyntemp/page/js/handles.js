/** Curves by hand: piecewise linear policies over one signal, as points and as text. */

/** Most points that a curve is taken apart into. */
export const MOST = 8;

/** The highest temperature of a point. */
export const HIGHEST = 3;

const SAMPLES = 64;
const LERP = /^lerp\((.+), ([0-9.]+), clip\((.+), 0, 1\)\)$/;

/** A number as a curve writes it: at most three decimals. */
export function rounded(value) {
  return Number(value.toFixed(3));
}

/**
 * The policy that is straight between `points` ([{x, y}], x rising) and flat outside them.
 *
 * Each stretch is a `lerp` from what the stretches before gave to its own end, so that the temperature is never outside
 * that of the points, which the policy's check can see.
 */
export function curveText(signal, points) {
  const [first, ...others] = points;
  let text = String(rounded(first.y));
  let before = first;
  for (const point of others) {
    text = `lerp(${text}, ${rounded(point.y)}, clip(${shareText(signal, rounded(before.x), rounded(point.x))}, 0, 1))`;
    before = point;
  }
  return text;
}

function shareText(signal, from, to) {
  const wide = rounded(to - from);
  if (from === 0) return wide === 1 ? signal : `${signal}/${wide}`;
  const moved = `${signal} - ${from}`;
  return wide === 1 ? moved : `(${moved})/${wide}`;
}

/** The points of a text that `curveText` wrote, or null for any other. */
export function pointsOf(text, signal) {
  const ends = [];
  let inner = text;
  for (let found = LERP.exec(inner); found; found = LERP.exec(inner)) {
    const stretch = stretchOf(found[3], signal);
    if (!stretch) return null;
    ends.unshift({ y: Number(found[2]), ...stretch });
    inner = found[1];
  }
  if (!ends.length || !/^[0-9.]+$/.test(inner)) return null;
  const points = [{ x: ends[0].from, y: Number(inner) }, ...ends.map((end) => ({ x: end.to, y: end.y }))];
  return curveText(signal, points) === text ? points : null;
}

function stretchOf(text, signal) {
  const [plain, wide = "1"] = text.startsWith("(") ? text.slice(1).split(")/") : text.split("/");
  const [name, from = "0"] = plain.split(" - ");
  if (name !== signal || Number.isNaN(Number(from)) || Number.isNaN(Number(wide))) return null;
  return { from: Number(from), to: rounded(Number(from) + Number(wide)) };
}

/**
 * Points that stay near a curve from `low` to `high`; without one, a slope to begin with.
 *
 * `sample(x)` is the curve, NaN where it has no value.
 */
export function sampledPoints({ low, high }, sample) {
  const [from, to] = [rounded(low), Math.max(rounded(high), rounded(low) + 0.01)];
  if (!sample)
    return [
      { x: from, y: 0.4 },
      { x: to, y: 1 },
    ];
  const xs = Array.from({ length: SAMPLES + 1 }, (_, at) => rounded(from + ((to - from) * at) / SAMPLES));
  const points = xs.map((x) => ({ x, y: rounded(Math.min(sample(x), HIGHEST)) }));
  return simplified(points.filter(({ y }) => !Number.isNaN(y)));
}

/** At most `MOST` of these points, the ones from which the others stray least. */
export function simplified(points) {
  const kept = new Set([0, points.length - 1]);
  while (kept.size < Math.min(MOST, points.length)) {
    const worst = farthest(
      points,
      [...kept].sort((a, b) => a - b),
    );
    if (worst.by < 0.01) break;
    kept.add(worst.at);
  }
  return [...kept].sort((a, b) => a - b).map((at) => points[at]);
}

function farthest(points, kept) {
  const worst = { by: 0, at: 0 };
  for (let stretch = 1; stretch < kept.length; stretch += 1) {
    const [from, to] = [points[kept[stretch - 1]], points[kept[stretch]]];
    for (let at = kept[stretch - 1] + 1; at < kept[stretch]; at += 1) {
      const line = from.y + ((to.y - from.y) * (points[at].x - from.x)) / (to.x - from.x);
      const by = Math.abs(points[at].y - line);
      if (by > worst.by) Object.assign(worst, { by, at });
    }
  }
  return worst;
}
