/** The quantities that colour a text: the value of each token, and the scale of the colours. */

const WIDEST = 2;

/** Names of quantities that every trace has, in the order of the menu. */
export const ALWAYS = {
  temperature: { title: "temperature", value: (token, now) => (now ?? token).temperature },
  entropy: { title: "entropy", value: (token) => token.signals.entropy },
  max_prob: { title: "max_prob", value: (token) => token.signals.max_prob },
  surprisal: { title: "surprisal", value: (token) => token.surprisal },
  entropy_after: {
    title: "entropy of the draw",
    value: (token, now) => now?.entropyAfter ?? token.entropy_after,
  },
};
const CHANGE = {
  title: "change of temperature",
  value: (token, now) => (now ? difference(now.temperature, token.temperature) : 0),
};
const SHARES = ["max_prob", "normalized_entropy", "margin", "collision", "median_prob"];

function difference(now, before) {
  return now === before ? 0 : now - before;
}

/** The quantities of a text, by name; `changes` adds the change of temperature against the recorded one. */
export function quantitiesOf(tokens, changes) {
  const found = { ...ALWAYS };
  if (changes) found.change = CHANGE;
  for (const name of Object.keys(tokens[0]?.signals ?? {})) {
    found[name] ??= { title: name, value: (token) => token.signals[name] };
  }
  return found;
}

/** {low, high} of the colours of a quantity, given its values and, for temperatures, what policies can return. */
export function scaleOf(name, values, reach) {
  const finite = values.filter(Number.isFinite);
  const largest = finite.reduce((most, value) => Math.max(most, value), -Infinity);
  if (name === "temperature") return temperatureScale(finite, reach);
  if (name === "change") {
    const most = finite.reduce((widest, value) => Math.max(widest, Math.abs(value)), 0);
    const reached = roundedUp(Math.max(most, 0.05));
    return { low: -reached, high: reached };
  }
  if (SHARES.includes(name) || name.startsWith("top_mass") || name.startsWith("quantile"))
    return { low: 0, high: 1 };
  return { low: 0, high: finite.length ? roundedUp(Math.max(largest, 0.5)) : 1 };
}

/** The scale of temperatures: the range that the policy can return, within 0 to 2, as in the terminal. */
function temperatureScale(values, reach) {
  const low = Math.max(Math.min(...reach.map((one) => one.low), WIDEST), 0);
  const high = Math.min(Math.max(...reach.map((one) => one.high), 0), WIDEST);
  return high - low > 1e-3 ? { low, high } : { low: 0, high: WIDEST };
}

function roundedUp(value) {
  const step = 10 ** Math.floor(Math.log10(value)) / 2;
  return Number((Math.ceil(value / step - 1e-9) * step).toPrecision(6));
}

/** True if a scale begins at nothing; false if it goes from cold to hot. */
export function isSequential(name) {
  return !["temperature", "change"].includes(name);
}

/** How far along the scale a value lies, from 0 to 1. */
export function shareOf(value, { low, high }) {
  if (!Number.isFinite(value)) return value > 0 ? 1 : 0;
  return Math.min(Math.max((value - low) / (high - low), 0), 1);
}

/** A value in the few characters that fit below a token: .42, 1.3, 12. */
export function short(value) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  if (size >= 1e5) return `${sign}${size.toExponential(0).replace("e+", "e")}`;
  if (size >= 10) return `${sign}${Math.round(size)}`;
  if (size > 0 && size < 0.005) return `${sign}0`;
  const shown = size.toFixed(2);
  return sign + (shown.startsWith("0.") ? shown.slice(1) : shown);
}

/** A value in three digits, for people. */
export function figure(value) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e9) return value.toLocaleString("en").replace("-", "−");
  if (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e9) return value.toExponential(1).replace("-", "−");
  return Number(value.toPrecision(3)).toLocaleString("en").replace("-", "−");
}
