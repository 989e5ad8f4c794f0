"""Numba kernels for rows on the CPU: one read of each row serves the signals and the draw.

Per block of 2,048 logits one vector loop keeps the maximum and the sums that the moment signals need, against the
largest logit seen so far; the blocks are combined in float64. The draw works from those block sums by rejection (the
proof is with `reference.draw`) and computes one or two blocks exactly. Rows of float32 and of the half precisions
are computed in float32, rows of float64 in float64.

What the compiler needs, found by measurement:

* `nnan` and `ninf` stay off except on the maximum itself: with `ninf`, LLVM folds `x == -inf` to False and a masked
  block turns into NaN. Without `nnan` on the call, a maximum does not vectorise at all.
* The `exp2` is our own: PyPI's llvmlite has no vector mathematics library. It flushes what is below 2**-125
  to zero (2**-1022 in float64), so no denormal number is ever formed, and passes NaN on, which finds broken rows for
  nothing.
* Kernels are plain module-level functions, or the cache on disk would never hit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from dyntemp.expr import Const, Signal
from dyntemp.kernels.philox import MULTIPLIERS, ROUNDS, WEYL, Purpose
from dyntemp.kernels.reference import BLOCK, BOUND_SLACK, GREEDY_AT, TRIES, check_row, solve_increasing
from dyntemp.kernels.reference import draw as draw_row
from dyntemp.kernels.rows import Rows

NAME = "cpu"
FAST = {"reassoc", "nsz", "arcp", "contract", "afn"}
LOG2E = math.log2(math.e)
LN2 = math.log(2.0)
REACH = 60.0
"""Powers of two below the running reference at which a block's maximum makes it be read again: it would underflow."""

NEAR = 4.0
"""Powers of two above the running reference at which it does, and either way while no block has counted: the sums
of exponents that large lose digits in float32, and those of their squares overflow."""


@intrinsic
def load(typingctx, x):
    """An entry as a float: float32 and float64 as they are, int16 as the bits of a bfloat16, uint16 of a float16."""
    if x in (types.float32, types.float64):
        return x(x), lambda context, builder, signature, args: args[0]

    def bfloat16(context, builder, signature, args):
        wide = builder.shl(builder.zext(args[0], ir.IntType(32)), ir.Constant(ir.IntType(32), 16))
        return builder.bitcast(wide, ir.FloatType())

    def float16(context, builder, signature, args):
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(x), bfloat16 if x == types.int16 else float16


@intrinsic
def larger(typingctx, x, y):
    """The larger of two floats of one type, in a form that vectorises. NaN is not looked at."""

    def code(context, builder, signature, args):
        kind = args[0].type
        function = builder.module.declare_intrinsic("llvm.maxnum", [kind], ir.FunctionType(kind, [kind, kind]))
        return builder.call(function, args, fastmath=("nnan", "nsz"))

    return x(x, x), code


@intrinsic
def rounded(typingctx, x):
    """The nearest whole number, as the same type of float."""

    def code(context, builder, signature, args):
        return builder.call(builder.module.declare_intrinsic("llvm.rint", [args[0].type]), args)

    return x(x), code


@intrinsic
def half_power_of_two(typingctx, n):
    """2**(n - 1) for a whole float32 n from -126 to 127, exactly; 0 at -126."""

    def code(context, builder, signature, args):
        whole = builder.fptosi(args[0], ir.IntType(32))
        bits = builder.shl(builder.add(whole, ir.Constant(ir.IntType(32), 126)), ir.Constant(ir.IntType(32), 23))
        return builder.bitcast(bits, ir.FloatType())

    return types.float32(types.float32), code


# 2*2**f on [-1/2, 1/2] to 2e-7, minimax
C0, C1, C2, C3, C4, C5 = (
    np.float32(2.0),
    np.float32(1.38629436492919922),
    np.float32(0.48045301437377930),
    np.float32(0.11100717633962631),
    np.float32(0.01923567429184914),
    np.float32(0.00267785560339689),
)
FLOOR32 = np.float32(-126.0)
FLOOR64 = -1022.0


def exp2(x):
    """2**x for x at least -126 (float32) or any x (float64), 0 at the lowest; see the overload."""
    return np.exp2(x)


@overload(exp2, jit_options={"fastmath": FAST})
def _exp2(x):
    if x == types.float32:

        def narrow(x):
            n = rounded(x)
            f = x - n
            return (((((C5 * f + C4) * f + C3) * f + C2) * f + C1) * f + C0) * half_power_of_two(n)

        return narrow
    return lambda x: 0.0 if x <= FLOOR64 else math.exp(x * LN2)  # NaN goes to exp, which passes it on


def power_of_two_floor(x):
    """The exponent below which a float of this type counts as zero."""
    return FLOOR64


@overload(power_of_two_floor)
def _power_of_two_floor(x):
    if x == types.float32:
        return lambda x: FLOOR32
    return lambda x: FLOOR64


@njit(fastmath=FAST, cache=True, inline="never")
def block_sums(block, reference, masked_at):
    """Of one block: maximum, sum of e = 2**d, sum of d*e, sum of e*e, and count, with d = log2(e)*(x - reference)."""
    log2e = type_of(reference, LOG2E)
    floor = power_of_two_floor(reference)
    top = type_of(reference, -np.inf)
    total = weighted = squares = count = type_of(reference, 0.0)
    one, none = type_of(reference, 1.0), type_of(reference, 0.0)
    for i in range(len(block)):
        x = load(block[i])
        top = larger(top, x)
        d = (x - reference) * log2e
        d = floor if d < floor else d  # a comparison with NaN is False, so NaN stays
        e = exp2(d)
        total += e
        weighted += d * e
        squares += e * e
        count += one if x > masked_at else none
    return top, total, weighted, squares, count


@njit(fastmath=FAST, cache=True)
def block_weights(block, top, scale, masked_at, out):
    """Of one block: 2**(scale*(x - top)) of each unmasked entry into `out`, 0 of the others."""
    floor = power_of_two_floor(top)
    for i in range(len(block)):
        x = load(block[i])
        d = (x - top) * scale
        d = floor if d < floor else d
        e = exp2(d)
        out[i] = e if x > masked_at else type_of(top, 0.0)


@njit(fastmath=FAST, cache=True)
def spread(row, top, scale, centre, masked_at):
    """Sums over the row of e = 2**d, (d - centre)*e and (d - centre)**2*e, with d = scale*(x - top)."""
    floor = power_of_two_floor(top)
    zero = first = second = 0.0
    for start in range(0, len(row), BLOCK):
        s0 = s1 = s2 = type_of(top, 0.0)
        block = row[start : min(start + BLOCK, len(row))]
        for i in range(len(block)):
            x = load(block[i])
            d = (x - top) * scale
            d = floor if d < floor else d
            e = exp2(d) if x > masked_at else type_of(top, 0.0)
            s0 += e
            s1 += (d - centre) * e
            s2 += (d - centre) * (d - centre) * e
        zero += s0
        first += s1
        second += s2
    return zero, first, second


def type_of(x, value):
    """`value` in the type of `x`."""
    return type(x)(value)


@overload(type_of, inline="always")
def _type_of(x, value):
    if x == types.float32:
        return lambda x, value: np.float32(value)
    return lambda x, value: np.float64(value)


@njit(cache=True, nogil=True)
def read_rows(rows, masked_at, tops, totals, moments):
    """One read of every row.

    `tops` and `totals` [rows, blocks] get each block's maximum and its sum of exp(x - top); `moments` [rows, 5] the
    row's maximum, ln sum exp(x - max), entropy, sum p^2 and count. A maximum of NaN, +inf or -inf marks a broken row.
    """
    for r in range(rows.shape[0]):
        row = rows[r]
        n = len(row)
        guess = load(row[0])
        for i in range(1, min(n, 256)):
            guess = larger(guess, load(row[i]))
        if not (guess > masked_at and guess < np.inf):
            guess = type_of(guess, 0.0)
        top = -np.inf
        total = weighted = squares = base = 0.0
        count = 0
        for b in range(tops.shape[1]):
            start, stop = b * BLOCK, min((b + 1) * BLOCK, n)
            reference = guess
            highest, s, w, q, c = block_sums(row[start:stop], reference, masked_at)
            if s != s:  # NaN, or a block so far above the reference that it overflowed
                highest = type_of(guess, -np.inf)
                for i in range(start, stop):
                    x = load(row[i])
                    if x != x:
                        s = x
                        break
                    highest = x if x > highest else highest
                else:
                    s = type_of(guess, 0.0)
                if s != s:
                    total = np.nan
                    tops[r, b] = np.nan
                    continue
            tops[r, b], totals[r, b] = highest, 0.0
            if highest <= masked_at:  # nothing unmasked
                tops[r, b] = -np.inf
                continue
            top = max(top, np.float64(highest))
            if highest == np.inf:
                continue
            lead = (np.float64(highest) - reference) * LOG2E
            if not (-NEAR if total == 0.0 else -REACH) < lead < NEAR:
                reference = highest
                _, s, w, q, c = block_sums(row[start:stop], reference, masked_at)
                lead = 0.0
            totals[r, b] = s * 2.0**-lead
            count += c
            if total == 0.0:
                base, total, weighted, squares = np.float64(reference), np.float64(s), np.float64(w), np.float64(q)
                guess = highest
                continue
            shift = (np.float64(reference) - base) * LOG2E
            if shift > 0.0:  # the new reference is the higher: bring the old sums to it
                k = 2.0**-shift
                weighted = k * (weighted - shift * total) + w if k > 0.0 else w
                total = k * total + s
                squares = k * k * squares + q
                base = np.float64(reference)
            else:
                k = 2.0**shift
                if k > 0.0:
                    weighted += k * (w + shift * s)
                    total += k * s
                    squares += k * k * q
            guess = highest if highest > guess else guess
        moments[r, 0] = top if total == total else np.nan
        if total > 0.0:
            moments[r, 1] = math.log(total) + (base - top)
            moments[r, 2] = LN2 * (math.log2(total) - weighted / total)
            moments[r, 3] = squares / (total * total)
        moments[r, 4] = count


@njit(cache=True, inline="always")
def uniform(seed, request, position, attempt, purpose):
    """The number of `dyntemp.kernels.philox.uniform`."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a, b, c, d = np.uint64(request), np.uint64(position), np.uint64(attempt), np.uint64(purpose)
    left, right = seed & mask, seed >> half
    for _ in range(ROUNDS):
        first, second = np.uint64(MULTIPLIERS[0]) * a, np.uint64(MULTIPLIERS[1]) * c
        a, b = (second >> half) ^ b ^ left, second & mask
        c, d = (first >> half) ^ d ^ right, first & mask
        left, right = (left + np.uint64(WEYL[0])) & mask, (right + np.uint64(WEYL[1])) & mask
    return np.float64(((a << half) | b) >> np.uint64(11)) * 2.0**-53 + 2.0**-54


@njit(cache=True)
def pick(weights, length, target):
    """The first entry whose running sum exceeds `target`, never beyond the last that adds to it."""
    running = 0.0
    last = 0
    for i in range(length):
        if weights[i] > 0.0:
            running += weights[i]
            last = i
            if running > target:
                break
    return last


@njit(cache=True)
def total_of(weights, length):
    running = 0.0
    for i in range(length):
        running += weights[i]
    return running


BLOCK_NUMBER, ACCEPT_NUMBER, PICK_NUMBER = map(int, (Purpose.BLOCK, Purpose.ACCEPT, Purpose.PICK))


@njit(cache=True, nogil=True)
def draw_rows(rows, masked_at, tops, totals, moments, temperature, seed, request, position, buffer, out):
    """A token of each row; the algorithm of `reference.draw`, block by block and number by number."""
    blocks = tops.shape[1]
    bounds = np.empty(blocks)
    for r in range(rows.shape[0]):
        row, t = rows[r], temperature[r]
        n = len(row)
        top = moments[r, 0]
        if t <= GREEDY_AT:
            for i in range(n):
                if load(row[i]) == top:
                    out[r] = i
                    break
            continue
        a = 1.0 / t
        limit = 0.0
        for b in range(blocks):
            bounds[b] = 0.0
            if totals[r, b] > 0.0:
                mass = totals[r, b]
                if a < 1.0:
                    mass = (min((b + 1) * BLOCK, n) - b * BLOCK) ** (1.0 - a) * mass**a
                bounds[b] = math.exp(a * (tops[r, b] - top)) * mass * BOUND_SLACK
            limit += bounds[b]
        highest = type_of(load(row[0]), top)
        scale = type_of(highest, a * LOG2E)
        found = False
        for attempt in range(TRIES):
            b = pick(bounds, blocks, uniform(seed[r], request[r], position[r], attempt, BLOCK_NUMBER) * limit)
            start, stop = b * BLOCK, min((b + 1) * BLOCK, n)
            block_weights(row[start:stop], highest, scale, masked_at, buffer)
            mass = total_of(buffer, stop - start)
            if uniform(seed[r], request[r], position[r], attempt, ACCEPT_NUMBER) * bounds[b] < mass:
                target = uniform(seed[r], request[r], position[r], attempt, PICK_NUMBER) * mass
                out[r] = start + pick(buffer, stop - start, target)
                found = True
                break
        if found:
            continue
        limit = 0.0
        for b in range(blocks):
            start, stop = b * BLOCK, min((b + 1) * BLOCK, n)
            block_weights(row[start:stop], highest, scale, masked_at, buffer)
            bounds[b] = total_of(buffer, stop - start)
            limit += bounds[b]
        b = pick(bounds, blocks, uniform(seed[r], request[r], position[r], TRIES, BLOCK_NUMBER) * limit)
        start, stop = b * BLOCK, min((b + 1) * BLOCK, n)
        block_weights(row[start:stop], highest, scale, masked_at, buffer)
        target = uniform(seed[r], request[r], position[r], TRIES, PICK_NUMBER) * bounds[b]
        out[r] = start + pick(buffer, stop - start, target)


class Kernel:
    """The signals of rows of logits, and draws from them; the same calls as `reference.Kernel`.

    Args:
        rows: What `as_rows` returned.
        position: Position of each row, for the messages of broken rows.

    Raises:
        InvalidLogitsError: For a row with NaN, +inf, or no unmasked entry.
    """

    name = NAME

    def __init__(self, rows: Rows, position: Any = 0) -> None:
        self.rows = rows
        self.data = rows.data.view(np.uint16) if rows.dtype == "float16" else rows.data
        self.compute = np.float64 if rows.dtype == "float64" else np.float32
        self.masked_at = self.compute(rows.masked_at)
        count, n = self.data.shape
        shape = (count, -(-n // BLOCK))
        self.tops, self.totals, self.moments = np.empty(shape), np.empty(shape), np.zeros((count, 5))
        for part in self._parts():
            read_rows(self.data[part], self.masked_at, self.tops[part], self.totals[part], self.moments[part])
        highest = self.moments[:, 0]
        if not np.isfinite(highest).all():
            row = int(np.flatnonzero(~np.isfinite(highest))[0])
            check_row(row, position, bool(np.isnan(highest[row])), float(highest[row]))

    def _parts(self) -> list[slice]:
        """The rows in groups that are contiguous, as the compiler needs them: all, or each by itself."""
        return [slice(None)] if self.data.flags.c_contiguous else [slice(r, r + 1) for r in range(len(self.data))]

    def signal(self, signal: Signal) -> NDArray[np.float64]:
        """The value of a measured signal in each row, [rows]."""
        arguments = [argument.value for argument in signal.arguments if isinstance(argument, Const)]
        log_total, entropy, collision, count = self.moments[:, 1:].T
        most = np.log(count)
        entropy = np.clip(entropy, 0.0, most) + 0.0
        match signal.name:
            case "max_prob":
                return np.clip(np.exp(-log_total), 1.0 / count, 1.0)
            case "entropy":
                return entropy
            case "normalized_entropy":
                return np.divide(entropy, most, out=np.zeros_like(most), where=count > 1)
            case "perplexity":
                return np.minimum(np.exp(entropy), count)
            case "support":
                return count.copy()
            case "collision":
                return np.clip(collision, 1.0 / count, 1.0)
            case "varentropy":
                return self._varentropy(entropy)
            case "quantile":
                return self._each(_quantile, *arguments)
            case "median_prob":
                return self._each(_quantile, 0.5)
            case "margin":
                return self._each(_margin)
            case "top_mass":
                return self._each(_top_mass, *arguments)
            case name:
                raise NotImplementedError(f"the cpu backend lacks the signal {name}")

    def _varentropy(self, entropy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Var(ln p) from sums about the mean, which loses no digits where the spread is small."""
        result = np.zeros(len(self.rows))
        for row, (top, log_total, *_) in enumerate(self.moments):
            centre = self.compute((log_total - entropy[row]) * LOG2E)  # the mean of log2(e)*(z - max) under p
            zero, first, second = spread(self.data[row], self.compute(top), self.compute(LOG2E), centre, self.masked_at)
            result[row] = LN2**2 * (second / zero - (first / zero) ** 2)
        return np.where(self.moments[:, 4] > 1, np.maximum(result, 0.0), 0.0)

    def _each(self, measure: Any, *arguments: float) -> NDArray[np.float64]:
        """A signal that orders the row's entries, from its unmasked logits, their maximum and ln sum exp(z - max)."""
        values = np.empty(len(self.rows))
        for row, (top, log_total, *_) in enumerate(self.moments):
            z = self.rows.widened(row)
            with np.errstate(over="ignore"):  # logits of 1e308 and -1e308 are infinitely far apart
                values[row] = measure(z[z > self.rows.masked_at], top, log_total, *arguments)
        return np.minimum(values, 1.0)

    def temperature_for_entropy(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """The temperature at which each row has the entropy `target`, [rows] in nats."""
        return np.array([self._solve(row, float(h)) for row, h in enumerate(target)], np.float64)

    def _solve(self, row: int, target: float) -> float:
        top, data = self.compute(self.moments[row, 0]), self.data[row]

        def excess(log_t: float) -> tuple[float, float]:
            scale = self.compute(min(LOG2E * math.exp(-log_t), 1e38))  # so that 0*scale stays 0 in float32
            zero, first, second = spread(data, top, scale, self.compute(0.0), self.masked_at)
            mean = first / zero
            return LN2 * (math.log2(zero) - mean) - target, LN2**2 * max(second / zero - mean**2, 0.0)

        ties = int(np.count_nonzero(self.rows.widened(row) == top))
        return solve_increasing(excess, target, ties, int(self.moments[row, 4]))

    def draw(
        self, temperature: NDArray[np.float64], seed: NDArray[Any], request: NDArray[Any], position: NDArray[Any]
    ) -> NDArray[np.int64]:
        """A token of each row at its temperature, [rows]; the noise is named by seed, request and position."""
        out = np.empty(len(self.rows), np.int64)
        keys = [np.ascontiguousarray(key, kind) for key, kind in
                zip((seed, request, position), (np.uint64, np.int64, np.int64), strict=True)]  # fmt: skip
        temperature, buffer = np.ascontiguousarray(temperature, np.float64), np.empty(BLOCK, self.compute)
        for part in self._parts():
            sums = self.tops[part], self.totals[part], self.moments[part]
            which = (key[part] for key in keys)
            draw_rows(self.data[part], self.masked_at, *sums, temperature[part], *which, buffer, out[part])
        # where logits lie this high, their differences overflow
        for row in np.flatnonzero(self.moments[:, 0] > -self.rows.masked_at).tolist():
            key = int(seed[row]), int(request[row]), int(position[row])
            out[row] = draw_row(self.rows.unmasked(row), float(temperature[row]), *key)
        return out


def _quantile(z: NDArray[Any], top: float, log_total: float, q: float) -> float:
    """Probabilities have the order of the logits, so two order statistics of the row are enough."""
    at = q * (len(z) - 1)
    low, high = math.floor(at), math.ceil(at)
    chosen = np.partition(z, (low, high))
    below, above = (math.exp(float(chosen[k]) - top - log_total) for k in (low, high))
    return min(below + (above - below) * (at - low), 1.0 / (len(z) - high))  # as many are no smaller


def _margin(z: NDArray[Any], top: float, log_total: float) -> float:
    if len(z) == 1:
        return 1.0
    second, first = np.partition(z, len(z) - 2)[-2:].astype(np.float64)
    return math.exp(first - top - log_total) - math.exp(second - top - log_total)


def _top_mass(z: NDArray[Any], top: float, log_total: float, k: float) -> float:
    if k >= len(z):
        return 1.0
    largest = np.partition(z, len(z) - int(k))[len(z) - int(k) :]
    return max(float(np.exp(largest.astype(np.float64) - top - log_total).sum()), k / len(z))
