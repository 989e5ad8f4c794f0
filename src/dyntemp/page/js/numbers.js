// Numbers as Python has them: neighbours in float64, the smaller and the larger of two, and their texts.

const BITS = new DataView(new ArrayBuffer(8));
const LARGEST_ULP = 2 ** 971;

/** The float64 next to `value` on the way to `target`. */
export function nextAfter(value, target) {
  if (Number.isNaN(value) || Number.isNaN(target)) return NaN;
  if (value === target) return target;
  if (value === 0) return target > 0 ? Number.MIN_VALUE : -Number.MIN_VALUE;
  BITS.setFloat64(0, value);
  const away = target > value === value > 0;
  BITS.setBigUint64(0, BITS.getBigUint64(0) + (away ? 1n : -1n));
  return BITS.getFloat64(0);
}

/** The distance from `value` to the float64 beyond it. */
export function ulpOf(value) {
  const size = Math.abs(value);
  if (!Number.isFinite(size)) return size;
  return size === Number.MAX_VALUE ? LARGEST_ULP : nextAfter(size, Infinity) - size;
}

/** The first of `values` below which there is none; NaN counts as in Python's `min`. */
export function least(...values) {
  return values.reduce((found, value) => (value < found ? value : found));
}

/** The first of `values` above which there is none; NaN counts as in Python's `max`. */
export function most(...values) {
  return values.reduce((found, value) => (value > found ? value : found));
}

/** The shortest text that reads back as `value`, without a needless `.0`: Python's `repr`. */
export function shortest(value) {
  if (!Number.isFinite(value)) return infinite(value);
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, exponent] = value.toExponential().split("e");
  return placed(mantissa, Number(exponent), 16);
}

/** `value` in at most `digits` digits, as Python's `:.{digits}g`. */
export function general(value, digits = 6) {
  if (!Number.isFinite(value)) return infinite(value);
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, exponent] = rounded(value, digits);
  return placed(mantissa.replace(/\.?0+$/, ""), exponent, digits);
}

/** `value` with `places` digits behind the point, as Python's `:.{places}f`. */
export function fixed(value, places) {
  if (!Number.isFinite(value)) return infinite(value);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [whole, part] = exactly(Math.abs(value));
  const scaled = BigInt(whole + part.slice(0, places).padEnd(places, "0"));
  const digits = (scaled + carried(scaled, part.slice(places))).toString().padStart(places + 1, "0");
  const point = digits.length - places;
  return sign + digits.slice(0, point) + (places ? `.${digits.slice(point)}` : "");
}

/** A whole number with commas between its thousands. */
export function grouped(value) {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `text` in quotes as Python's `repr` writes it, where `seen` tells which characters can be seen. */
export function quotedText(text, seen) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const shown = Array.from(text, (character) => {
    if (character === quote || character === "\\") return `\\${character}`;
    return character === " " || seen(character) ? character : escaped(character);
  });
  return quote + shown.join("") + quote;
}

/** A character that cannot be seen, as Python escapes it. */
export function escaped(character) {
  const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
  if (known) return known;
  const code = character.codePointAt(0);
  const [letter, width] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${letter}${code.toString(16).padStart(width, "0")}`;
}

function infinite(value) {
  return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

/** Mantissa and exponent of `value` at `digits` digits, halves to even. */
function rounded(value, digits) {
  const [, exponent] = value.toExponential(40).split("e");
  const long = value.toExponential(60).split("e")[0].replace("-", "").replace(".", "");
  const kept = BigInt(long.slice(0, digits));
  const text = (kept + carried(kept, long.slice(digits))).toString();
  const grown = text.length > digits;
  const shown = text.slice(0, digits);
  const mantissa = (value < 0 ? "-" : "") + shown[0] + (digits > 1 ? `.${shown.slice(1)}` : "");
  return [mantissa, Number(exponent) + (grown ? 1 : 0)];
}

/** 1 where what follows `kept` rounds it up: more than half, or half beside an odd digit. */
function carried(kept, rest) {
  if (rest === "" || rest[0] < "5") return 0n;
  return rest[0] > "5" || /[1-9]/.test(rest.slice(1)) || kept % 2n === 1n ? 1n : 0n;
}

/** The digits of a number from 0 before and behind the point, to 100 of them. */
function exactly(value) {
  if (value >= 1e21) return [BigInt(value).toString(), ""];
  const [whole, part = ""] = value.toFixed(60).split(".");
  return [whole, part];
}

/** Digits with their point in place, or with an exponent where it is below -4 or at least `limit`. */
function placed(mantissa, exponent, limit) {
  const sign = mantissa.startsWith("-") ? "-" : "";
  const digits = mantissa.replace("-", "").replace(".", "");
  if (exponent < -4 || exponent >= limit) {
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${tail}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  const part = digits.slice(exponent + 1);
  return sign + whole + (part ? `.${part}` : "");
}
