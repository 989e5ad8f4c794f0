/** Curves by hand: piecewise linear policies over one signal, as points and as text. */

/** Most points that a curve is taken apart into. */
export const MOST = 8;

/** The highest temperature of a point. */
export const HIGHEST = 3;

const SAMPLES = 64;
const WHOLE = /^([\d.]+)((?: [+-] (?:[\d.]+\*)?clip\(.+?, 0, 1\))+)$/;
const STRETCH = / ([+-]) (?:([\d.]+)\*)?clip\((.+?), 0, 1\)/g;
const LIMITED = /^clip\((.+), [\d.]+, [\d.]+\)$/;

/** A number as a curve writes it: at most three decimals. */
export function rounded(value) {
  return Number(value.toFixed(3));
}

/**
 * The policy that is straight between `points` ([{x, y}], x rising) and flat outside them.
 *
 * Each stretch is a term: what it adds, times how far along it the signal is. Where one falls, the sum is limited to the
 * temperatures of the points, which it never leaves, so that the policy's check sees that too.
 */
export function curveText(signal, points) {
  const ys = points.map(({ y }) => rounded(y));
  const stretches = points.slice(1).map((point, at) => {
    const rise = rounded(ys[at + 1] - ys[at]);
    const share = `clip(${shareText(signal, rounded(points[at].x), rounded(point.x))}, 0, 1)`;
    return ` ${rise < 0 ? "-" : "+"} ${Math.abs(rise) === 1 ? "" : `${Math.abs(rise)}*`}${share}`;
  });
  const sum = ys[0] + stretches.join("");
  const falls = ys.some((y, at) => y < ys[at - 1]);
  return falls ? `clip(${sum}, ${Math.min(...ys)}, ${Math.max(...ys)})` : sum;
}

function shareText(signal, from, to) {
  const wide = rounded(to - from);
  if (from === 0) return wide === 1 ? signal : `${signal}/${wide}`;
  const moved = `${signal} - ${from}`;
  return wide === 1 ? moved : `(${moved})/${wide}`;
}

/** The points of a text that `curveText` wrote, or null for any other. */
export function pointsOf(text, signal) {
  const whole = WHOLE.exec(LIMITED.exec(text)?.[1] ?? text) ?? WHOLE.exec(text);
  if (!whole) return null;
  const points = [];
  let y = Number(whole[1]);
  for (const [, sign, rise = "1", share] of whole[2].matchAll(STRETCH)) {
    const stretch = stretchOf(share, signal);
    if (!stretch) return null;
    if (!points.length) points.push({ x: stretch.from, y });
    y = rounded(y + (sign === "-" ? -1 : 1) * Number(rise));
    points.push({ x: stretch.to, y });
  }
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
