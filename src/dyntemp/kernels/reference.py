"""What the tests trust: float64 NumPy, one row at a time, written like the formulas."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, floor, inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import InvalidLogitsError
from dyntemp.expr import Const, Signal
from dyntemp.kernels.philox import Purpose, uniform
from dyntemp.kernels.rows import Rows

NAME = "reference"
BLOCK = 2_048
TRIES = 16
BOUND_SLACK = 1.00002
GREEDY_AT = 1e-6

Vector = NDArray[np.float64]


class Kernel:
    """The signals of rows of logits, and draws from them.

    Args:
        rows: What `as_rows` returned.
        position: Position of each row, for the messages of broken rows.

    Raises:
        InvalidLogitsError: For a row with NaN, +inf, or no unmasked entry.
    """

    name = NAME

    def __init__(self, rows: Rows, position: Any = 0) -> None:
        self.rows = rows
        self.logits = [rows.unmasked(row) for row in range(len(rows))]
        for row, z in enumerate(self.logits):
            check_row(row, position, bool(np.isnan(z).any()), float(z.max()))

    def signal(self, signal: Signal) -> Vector:
        """The value of a measured signal in each row, [rows]."""
        arguments = [argument.value for argument in signal.arguments if isinstance(argument, Const)]
        with np.errstate(over="ignore"):  # logits of 1e308 and -1e308 are infinitely far apart
            return np.array([MEASURES[signal.name](log_softmax(z), *arguments) for z in self.logits], np.float64)

    def temperature_for_entropy(self, target: Vector) -> Vector:
        """The temperature at which each row has the entropy `target`, [rows] in nats."""
        with np.errstate(over="ignore"):
            return np.array([solve_entropy(z, h) for z, h in zip(self.logits, target, strict=True)], np.float64)

    def draw(
        self, temperature: Vector, seed: NDArray[Any], request: NDArray[Any], position: NDArray[Any]
    ) -> NDArray[np.int64]:
        """A token of each row at its temperature, [rows]; the noise is named by seed, request and position."""
        keys = zip(seed.tolist(), request.tolist(), position.tolist(), strict=True)
        with np.errstate(over="ignore"):
            drawn = [draw(z, t, *key) for z, t, key in zip(self.logits, temperature.tolist(), keys, strict=True)]
        return np.array(drawn, np.int64)


def check_row(row: int, position: Any, has_nan: bool, highest: float) -> None:
    """Raise for a row that has no distribution."""
    fault = "NaN" if has_nan else "+inf" if highest == inf else "no unmasked entry" if highest == -inf else None
    if fault:
        at = np.asarray(position).reshape(-1)
        where = f"row {row}, position {at[min(row, at.size - 1)]}"
        raise InvalidLogitsError(f"the logits of {where} hold {fault}; a row needs finite logits, -inf where masked")


def log_softmax(z: Vector) -> Vector:
    """ln p over the support, in the order of the row."""
    z = z[z > -inf] - z.max()
    return z - log(np.exp(z).sum())


def expectation(ln_p: Vector, values: Vector) -> float:
    """The mean of `values` under p; entries of probability 0 add nothing, however extreme their values."""
    p = np.exp(ln_p)
    return float(p[p > 0] @ values[p > 0])


def max_prob(ln_p: Vector) -> float:
    return min(max(exp(ln_p.max()), 1.0 / len(ln_p)), 1.0)


def entropy(ln_p: Vector) -> float:
    return min(max(-expectation(ln_p, ln_p), 0.0), log(len(ln_p))) + 0.0


def normalized_entropy(ln_p: Vector) -> float:
    return entropy(ln_p) / log(len(ln_p)) if len(ln_p) > 1 else 0.0


def perplexity(ln_p: Vector) -> float:
    return min(exp(entropy(ln_p)), float(len(ln_p)))


def quantile(ln_p: Vector, q: float) -> float:
    p = np.sort(np.exp(ln_p))
    at = q * (len(p) - 1)
    low, high = p[floor(at)], p[ceil(at)]
    return min(float(low + (high - low) * (at - floor(at))), 1.0 / (len(p) - ceil(at)))  # as many are no smaller


def margin(ln_p: Vector) -> float:
    p = np.sort(np.exp(ln_p))
    return min(float(p[-1] - p[-2]), 1.0) if len(p) > 1 else 1.0


def collision(ln_p: Vector) -> float:
    return min(max(float(np.exp(2 * ln_p).sum()), 1.0 / len(ln_p)), 1.0)


def varentropy(ln_p: Vector) -> float:
    h = entropy(ln_p)
    return expectation(ln_p, (ln_p + h) ** 2) if len(ln_p) > 1 else 0.0


def top_mass(ln_p: Vector, k: float) -> float:
    p = np.sort(np.exp(ln_p))[::-1]
    return min(max(float(p[: int(k)].sum()), k / len(p)), 1.0) if k < len(p) else 1.0


MEASURES: dict[str, Callable[..., float]] = {
    "max_prob": max_prob,
    "entropy": entropy,
    "normalized_entropy": normalized_entropy,
    "perplexity": perplexity,
    "quantile": quantile,
    "median_prob": lambda ln_p: quantile(ln_p, 0.5),
    "margin": margin,
    "collision": collision,
    "varentropy": varentropy,
    "top_mass": top_mass,
    "support": lambda ln_p: float(len(ln_p)),
}


def solve_entropy(z: Vector, target: float) -> float:
    """T with entropy(softmax(z/T)) = target: Newton on ln T, kept inside a bracket.

    dH/d(ln T) is the varentropy at T, which is never negative, so there is at most one solution.
    """
    z = z[z > -inf] - z.max()

    def excess(log_t: float) -> tuple[float, float]:
        ln_p = log_softmax(z / exp(log_t))
        return entropy(ln_p) - target, varentropy(ln_p)

    return solve_increasing(excess, target, int((z == 0).sum()), len(z))


def solve_increasing(excess: Callable[[float], tuple[float, float]], target: float, ties: int, support: int) -> float:
    """The root of `excess(ln T)`, which rises from ln(ties) - target at T = 0 to ln(support) - target at infinity.

    Args:
        excess: ln T -> (entropy - target, slope).
        target: The wanted entropy in nats.
        ties: How many entries share the maximum.
        support: How many entries are unmasked.
    """
    if target >= log(support):
        return inf
    if target <= log(ties):
        return 0.0
    low, high, log_t = -700.0, 700.0, 0.0
    for _ in range(200):
        value, slope = excess(log_t)
        if value == 0.0:
            break
        low, high = (log_t, high) if value < 0 else (low, log_t)
        newton = log_t - value / slope if slope > 0 else inf
        step = newton if low < newton < high else _between(low, log_t, high)
        if abs(step - log_t) <= 1e-15 * max(1.0, abs(log_t)):
            break
        log_t = step
    return exp(log_t)


def _between(low: float, now: float, high: float) -> float:
    """A point inside the bracket: one step of 2 outward while an end is still unknown, else the middle."""
    if low == -700.0 and now == high:
        return max(high - 2.0, (low + high) / 2)
    if high == 700.0 and now == low:
        return min(low + 2.0, (low + high) / 2)
    return (low + high) / 2


def draw(z: Vector, temperature: float, seed: int, request: int, position: int) -> int:
    """A token of softmax(z/T), exactly, by rejection from upper bounds of the masses of blocks.

    Block b of 2,048 entries has m_b, its largest logit, and S_b, the sum of exp(z - m_b). With a = 1/T its mass at T
    relative to the row's maximum m is A_b, the sum of exp(a*(z - m)), and

        A_b <= exp(a*(m_b - m)) * S_b                 for a >= 1, since exp(a*d) <= exp(d) for d <= 0
        A_b <= exp(a*(m_b - m)) * n_b**(1-a) * S_b**a for a < 1, by the inequality of power means

    Choosing a block in proportion to its bound and accepting it with probability A_b/bound leaves accepted blocks in
    proportion to A_b; an entry is then picked inside it. After 16 rejections the masses themselves are computed. The
    slack on the bounds covers the rounding of backends that compute them in float32.
    """
    highest = float(z.max())
    if temperature <= GREEDY_AT:
        return int(np.argmax(z))
    if temperature == inf:
        z, highest = np.where(z > -inf, 0.0, z), 0.0  # finite logits may lie infinitely far apart
    a = 1.0 / temperature
    blocks = [z[start : start + BLOCK] for start in range(0, len(z), BLOCK)]

    def noise(attempt: int, purpose: Purpose) -> float:
        return uniform(seed, request, position, attempt, purpose)

    def weights(block: Vector) -> Vector:
        kept = block > -inf
        return np.where(kept, np.exp(a * (np.where(kept, block, highest) - highest)), 0.0)

    bounds = np.cumsum([block_bound(block, highest, a) for block in blocks])
    for attempt in range(TRIES):
        chosen = first_above(bounds, noise(attempt, Purpose.BLOCK) * bounds[-1])
        mass = np.cumsum(weights(blocks[chosen]))
        bound = bounds[chosen] - (bounds[chosen - 1] if chosen else 0.0)
        if noise(attempt, Purpose.ACCEPT) * bound < mass[-1]:
            return chosen * BLOCK + first_above(mass, noise(attempt, Purpose.PICK) * mass[-1])
    masses = np.cumsum([weights(block).sum() for block in blocks])
    chosen = first_above(masses, noise(TRIES, Purpose.BLOCK) * masses[-1])
    mass = np.cumsum(weights(blocks[chosen]))
    return chosen * BLOCK + first_above(mass, noise(TRIES, Purpose.PICK) * mass[-1])


def block_bound(block: Vector, highest: float, a: float) -> float:
    """An upper bound of the block's mass at 1/T = a; 0 where all of it is masked."""
    top = float(block.max())
    if top == -inf:
        return 0.0
    total = float(np.exp(block - top).sum())
    mass = len(block) ** (1 - a) * total**a if a < 1 else total
    return exp(a * (top - highest)) * mass * BOUND_SLACK


def first_above(cumulative: Vector, target: float) -> int:
    """The first index whose cumulative sum exceeds `target`; rounding never leads beyond the last that adds mass."""
    index = int(np.searchsorted(cumulative, target, side="right"))
    return min(index, int(np.searchsorted(cumulative, cumulative[-1], side="left")))
