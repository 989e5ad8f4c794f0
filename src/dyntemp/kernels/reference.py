"""The backend that tests trust: float64 NumPy, one row at a time, written like the formulas."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, floor, inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.distribution.noise import Purpose, coins, uniform
from dyntemp.kernels.blocks import BLOCK, BOUND_SLACK, TRIES
from dyntemp.kernels.job import UNNAMED, Job, Keys, Outcome, context
from dyntemp.kernels.rows import Rows, as_rows, check_row
from dyntemp.language.evaluate import Evaluation
from dyntemp.language.nodes import Const, Expression, Signal
from dyntemp.language.signals import SIGNALS

NAME = "reference"
Vector = NDArray[np.float64]


def run(logits: Any, job: Job) -> Outcome:
    """Do `job` for every row; see `Job` and `Outcome`.

    Raises:
        InvalidLogitsError: For a row with NaN, +inf, or no unmasked entry.
        PolicyError, StateError, ValueError: For a job that these rows do not fit.
    """
    rows = as_rows(logits)
    count = len(rows)
    z = [rows.unmasked(row) for row in range(count)]
    for row in range(count):
        check_row(row, job.position, bool(np.isnan(z[row]).any()), float(z[row].max()))
    keys = Keys.of(count, job.seed, job.request, job.position) if job.draw else None
    job.check(count)
    outcome = Outcome(NAME, _signals(z, job), shown=rows.shown)
    if job.policies:
        outcome.temperature = temperatures(count, outcome.signals, job)
    if keys is not None:
        draws = list(zip(z, outcome.temperature.tolist(), keys.each(), strict=True))
        left = [_kept(z_row, t, job.filters, *key) for z_row, t, key in draws]
        with np.errstate(over="ignore"):
            drawn = [draw(rest, t, *key) for rest, (_, t, key) in zip(left, draws, strict=True)]
        kept = [rest > -inf for rest in left]
        outcome.token = np.array(drawn, np.int64)
        outcome.candidates = np.array([np.count_nonzero(mask) for mask in kept], np.int64)
        if job.filters.cut:
            ends = [_end(*pair) for pair in zip(z, kept, strict=True)]
            outcome.cut = np.array([cut for cut, _ in ends], np.float64)
            outcome.last = np.array([last for _, last in ends], np.int64)
        else:
            outcome.kept = np.array(kept)
        for row, token in enumerate(outcome.token.tolist()):
            observe(z[row], token, job, row, count)
    read = {str(signal) for signal in job.signals()} - UNNAMED
    outcome.signals = {name: values for name, values in outcome.signals.items() if name in read}
    return outcome


def scale(logits: Any, temperature: Vector, out: Any = None, threads: int | None = None) -> Any:  # noqa: ARG001
    """Each row divided by its temperature, in the shape, dtype and library of `logits`; see `Backend.scale`."""
    rows = as_rows(logits)
    result = [rows.widened(row) if np.isnan(t) else scaled(rows, row, t) for row, t in enumerate(temperature.tolist())]
    quotient = rows.like(np.stack(result) if result else rows.data, logits)
    if out is None:
        return quotient
    out[...] = quotient
    return out


def scaled(rows: Rows, row: int, temperature: float) -> NDArray[Any]:
    """One row divided by its temperature, in float64 or float32; masked entries at -inf."""
    z = rows.widened(row)
    masked = z <= rows.masked_at
    if temperature <= GREEDY_AT:
        divided = np.full(len(z), -inf)
        divided[int(np.argmax(z))] = 0.0
    elif temperature == inf:
        divided = np.zeros(len(z))
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            divided = z.astype(np.float64) / temperature
            if not np.all(np.abs(divided[~masked]) <= -2 * rows.masked_at):  # beyond the dtype
                divided = (z.astype(np.float64) - float(z.max())) / temperature
    with np.errstate(over="ignore"):
        return np.where(masked, -inf, divided).astype(z.dtype)


def _signals(z: list[Vector], job: Job) -> dict[str, Vector]:
    """Every signal of the job in each row, inner ones first, and what the caller said."""
    values: dict[str, Vector] = context(job, len(z), len(z[0]) if z else 0)
    for signal in job.signals():
        if not SIGNALS[signal.name].measured:
            continue
        if SIGNALS[signal.name].source == "solve":
            targets = target(signal, values, job, len(z)).tolist()
            with np.errstate(all="ignore"):
                found = np.array([solve_entropy(row, h) for row, h in zip(z, targets, strict=True)], np.float64)
        else:
            arguments = [argument.value for argument in signal.arguments if isinstance(argument, Const)]
            with np.errstate(over="ignore"):  # logits of 1e308 and -1e308 are infinitely far apart
                found = np.array([MEASURES[signal.name](log_softmax(row), *arguments) for row in z], np.float64)
        values[str(signal)] = found
    return values


def target(signal: Signal, values: dict[str, Vector], job: Job, rows: int) -> Vector:
    """The entropy that the argument of a `temperature_for_entropy` asks for in each row, [rows]."""
    (wanted,) = signal.arguments
    assert isinstance(wanted, Expression)
    nowhere = np.zeros(rows, np.int64)
    with np.errstate(all="ignore"):
        return np.broadcast_to(Evaluation(values, job.all_bound(), None, nowhere, nowhere).value(wanted), (rows,))


def temperatures(count: int, values: dict[str, Vector], job: Job) -> Vector:
    """The temperature of each row by its own policy; signals that a row's policy does not read become NaN."""
    result = np.empty(count)
    unread = {name: np.ones(count, bool) for name in values}
    for policy in dict.fromkeys(job.policies):
        mine = np.flatnonzero([job.policy(row) == policy for row in range(count)])
        signals = {str(signal): values[str(signal)][mine] for signal in policy.program.signals}
        slot = mine if job.slot is None else np.broadcast_to(job.slot, (count,))[mine]
        position = np.broadcast_to(job.position, (count,))[mine]
        result[mine] = policy.step(signals, state=job.state, slot=slot, position=position, parameters=job.bound(policy))
        for name in signals:
            unread[name][mine] = False
    also = {str(signal) for signal in job.also}
    for name, missing in unread.items():
        if name not in also:
            values[name] = np.where(missing, np.nan, values[name])
    return result


def _kept(z: Vector, temperature: float, filters: Filters, seed: int, request: int, position: int) -> Vector:
    """The row, -inf where it was masked or filtered out."""
    return np.where(filters.mask(z, temperature, coins(seed, request, position)), z, -inf) if filters.active else z


def _end(z: Vector, kept: NDArray[np.bool_]) -> tuple[float, int]:
    """The lowest logit that stays and the highest index that stays among its equals; all stay at -inf."""
    if np.array_equal(z > -inf, kept):
        return -inf, len(z) - 1
    cut = float(z[kept].min())
    return cut, int(np.flatnonzero(kept & (z == cut))[-1])


def observe(z: Vector, token: int, job: Job, row: int, rows: int) -> None:
    """Tell the state how surprising a row's token was, before any filter or temperature, if its policy asks for it."""
    if job.state is None or not job.policy(row).reads_surprisal:
        return
    slot = row if job.slot is None else np.broadcast_to(job.slot, (rows,))[row]
    with np.errstate(over="ignore"):
        surprisal = float(z.max() - z[token]) - log(max_prob(log_softmax(z)))
    job.state.observe(slot, np.broadcast_to(job.position, (rows,))[row], surprisal)


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
