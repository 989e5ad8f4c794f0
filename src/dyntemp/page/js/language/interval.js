// Intervals on the extended reals: the arithmetic behind a policy's bounds, as in Python.

import { least, most, nextAfter } from "../numbers.js";

const ULPS = 4;
const EXACT = [-Infinity, -1, 0, 1, Infinity];

/** Every number from `low` to `high`, both included. */
export function interval(low, high) {
  return { low, high };
}

export const EVERYTHING = interval(-Infinity, Infinity);

/** An operation reaches a form without a value, such as 0/0; the message names the form. */
export class IndeterminateError extends Error {}

/** An argument may lie where the function is not defined; `instead` says what to write. */
export class DomainError extends IndeterminateError {
  constructor(fault, instead) {
    super(fault);
    this.instead = instead;
  }
}

export function holds(range, value) {
  return range.low <= value && value <= range.high;
}

export function isUnbounded(range) {
  return Math.abs(range.low) === Infinity || Math.abs(range.high) === Infinity;
}

export function isPoint(range) {
  return range.low === range.high;
}

/** The smallest interval that holds all of `values`. */
export function hull(values) {
  return interval(least(...values), most(...values));
}

export function union(ranges) {
  return hull(ranges.flatMap((range) => [range.low, range.high]));
}

/** Every choice of one element of each of `lists`, the last moving fastest. */
export function product(lists) {
  return lists.reduce((rows, list) => rows.flatMap((row) => list.map((value) => [...row, value])), [[]]);
}

/** The range of `operation`, which is monotone in each argument, from its values at the corners. */
export function corners(operation, ...ranges) {
  return hull(product(ranges.map(({ low, high }) => [low, high])).map((corner) => operation(...corner)));
}

/** `range` with its ends moved outward by a few units in the last place, never beyond `within`; exact ends stay. */
export function widened(range, within = EVERYTHING) {
  let { low, high } = range;
  const lowStays = EXACT.includes(low) && !(low === 1 && within.high === 1);
  const highStays = EXACT.includes(high) && !(high === -1 && within.low === -1);
  for (let step = 0; step < ULPS; step++) {
    low = lowStays ? low : nextAfter(low, -Infinity);
    high = highStays ? high : nextAfter(high, Infinity);
  }
  return interval(most(low, within.low), least(high, within.high));
}

/** Sums are increasing in both. */
export function intervalSum(left, right) {
  const opposed = (end) => holds(left, end) && holds(right, -end);
  if (opposed(Infinity) || opposed(-Infinity)) throw new IndeterminateError("inf - inf");
  return interval(left.low + right.low, left.high + right.high);
}

export function intervalNegative(operand) {
  return interval(-operand.high, -operand.low);
}

export function intervalDifference(left, right) {
  return intervalSum(left, intervalNegative(right));
}

/** Products are monotone in each factor, in a direction that the other's sign decides. */
export function intervalProduct(left, right) {
  if ((holds(left, 0) && isUnbounded(right)) || (holds(right, 0) && isUnbounded(left))) {
    throw new IndeterminateError("0 * inf");
  }
  return corners((x, y) => x * y, left, right);
}

/** Quotients are monotone in each argument on either side of zero. */
export function intervalQuotient(left, right) {
  if (isUnbounded(left) && isUnbounded(right)) throw new IndeterminateError("inf/inf");
  if (!holds(right, 0)) return corners(divided, left, right);
  if (right.low < 0) throw new IndeterminateError("x/0 where the divisor may have either sign");
  if (left.low <= 0) throw new IndeterminateError(left.high >= 0 ? "0/0" : "a negative number over 0");
  return interval(right.high > 0 ? left.low / right.high : Infinity, Infinity);
}

/** `x**y = exp(y*log(x))` is monotone in each argument where x >= 0; below that y must be one whole number. */
export function intervalPower(base, exponent) {
  if (base.low < 0) return wholePower(base, exponent);
  if (holds(base, 1) && isUnbounded(exponent)) throw new IndeterminateError("1**inf");
  if (holds(base, Infinity) && holds(exponent, 0)) throw new IndeterminateError("inf**0");
  const atMostOne = (base.high <= 1 && exponent.low >= 0) || (base.low >= 1 && exponent.high <= 0);
  const atLeastOne = (base.low >= 1 && exponent.low >= 0) || (base.high <= 1 && exponent.high <= 0);
  return widened(corners(raised, base, exponent), interval(atLeastOne ? 1 : 0, atMostOne ? 1 : Infinity));
}

function wholePower(base, exponent) {
  const n = exponent.low;
  if (!isPoint(exponent) || !Number.isInteger(n)) {
    throw new IndeterminateError("a negative number raised to what is not a whole number");
  }
  const odd = Math.abs(n % 2) === 1;
  if (n === 0 && isUnbounded(base)) throw new IndeterminateError("inf**0");
  if (n < 0 && holds(base, 0) && odd) throw new IndeterminateError("x/0 where the divisor may have either sign");
  let ends = corners((x) => raised(x, n), base);
  if (!odd && holds(base, 0)) {
    const atZero = n > 0 ? 0 : n === 0 ? 1 : Infinity; // an even power has its turning point at zero
    ends = union([ends, interval(atZero, atZero)]);
  }
  return widened(ends, odd ? EVERYTHING : interval(0, Infinity));
}

/** `left / right`; a zero divisor counts as +0, so that 1/0 and 1/-0 are infinite. */
export function divided(left, right) {
  return left / (right + 0);
}

/** `base ** exponent` as in C, where 1**inf is 1; a zero base counts as +0. */
export function raised(base, exponent) {
  const from = base + 0;
  if (from === 1 || (from === -1 && Math.abs(exponent) === Infinity)) return 1;
  return from ** exponent;
}
