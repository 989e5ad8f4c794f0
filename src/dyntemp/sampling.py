"""Rows of logits and a policy -> signals, temperatures, scaled logits, tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.errors import PolicyError, StateError
from dyntemp.evaluate import Evaluation
from dyntemp.expr import Expression, Signal
from dyntemp.filters import Filters
from dyntemp.kernels import Kernel, open_kernel
from dyntemp.kernels.reference import GREEDY_AT
from dyntemp.kernels.rows import Rows
from dyntemp.parse import parse
from dyntemp.policy import Policy
from dyntemp.signals import MAX_SURPRISAL, SIGNALS, max_prob, signals_of
from dyntemp.state import State, whole

PolicyLike = Policy | Expression | str | float
"""What is taken wherever a policy is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """Tokens and how they came about; arrays are [rows], 0-d where one row was given.

    Attributes:
        token: The tokens drawn, int64.
        temperature: The temperature of each row, float64.
        signals: What was measured, by name, before any filter.
        candidates: How many entries the filters left, int64.
        seed: The seed that draws these tokens again; one for each row where each was given its own.
        backend: The backend that ran.
    """

    token: Any
    temperature: Any
    signals: dict[str, Any]
    candidates: Any
    seed: int | NDArray[np.uint64]
    backend: str


def measure(logits: Any, *signals: Signal | str, backend: str | None = None) -> dict[str, Any]:
    """Signals of rows of logits.

    Args:
        logits: [rows, n], or [n] for 0-d results; NumPy or a CPU tensor; float64, float32, float16 or bfloat16.
        signals: Signals, or their names: `"entropy"`, `"quantile(0.9)"`. Only those that a row alone determines.
        backend: `cpu` (the default) or `reference`.

    Returns:
        Name -> float64 [rows], in the library of the input.

    Raises:
        PolicyError: For what is not a measured signal.
        InvalidLogitsError: For broken rows and rows that cannot be read.

    >>> {name: round(float(value), 4) for name, value in measure(np.log([0.5, 0.5]), "entropy", "max_prob").items()}
    {'entropy': 0.6931, 'max_prob': 0.5}
    """
    wanted = [_measured(signal) for signal in signals]
    kernel = open_kernel(logits, backend)
    found = _measure(kernel, [part for signal in wanted for part in signals_of(signal)], {})
    return {str(signal): kernel.rows.result(found[str(signal)]) for signal in wanted}


def temperatures(
    logits: Any,
    policy: PolicyLike,
    *,
    backend: str | None = None,
    state: State | None = None,
    slot: ArrayLike | None = None,
    position: ArrayLike = 0,
    requested: ArrayLike = 1.0,
    given: Mapping[str, ArrayLike] | None = None,
    parameters: Mapping[str, float] | None = None,
) -> Any:
    """The temperature that `policy` gives each row of logits.

    Args:
        logits: As for `measure`.
        policy: A policy, or what makes one: text, an expression, a number.
        backend: `cpu` (the default) or `reference`.
        state: The policy's memory, where it remembers: `policy.state(slots)`.
        slot: Slot of each row in the state; the rows' numbers by default.
        position: Number of tokens generated so far, for each row or for all.
        requested: The temperature that each request asked for; what `requested` reads.
        given: What each `given("name", low, high)` reads, by name.
        parameters: Values for free parameters.

    Returns:
        float64 [rows], in the library of the input; 0 means greedy, infinity uniform.

    >>> round(float(temperatures(np.log([0.01, 0.02, 0.03, 0.94]), "0.5 - 0.4*max_prob")), 12)
    0.124
    """
    kernel = open_kernel(logits, backend, position)
    context = Context(state, slot, position, requested, given or {}, parameters or {})
    _, result = _decide(kernel, as_policy(policy), context)
    return kernel.rows.result(result)


def scale(
    logits: Any,
    policy: PolicyLike,
    *,
    backend: str | None = None,
    state: State | None = None,
    slot: ArrayLike | None = None,
    position: ArrayLike = 0,
    requested: ArrayLike = 1.0,
    given: Mapping[str, ArrayLike] | None = None,
    parameters: Mapping[str, float] | None = None,
) -> Any:
    """`logits / temperature`, a new array of the same shape and dtype; masked entries are -inf.

    At temperature 0 the likeliest entry (the lowest index among ties) is 0 and all others are -inf; at infinity the
    support is 0. Where the quotient would overflow the dtype it is (z - max)/T, which has the same softmax.

    All arguments are those of `temperatures`.
    """
    kernel = open_kernel(logits, backend, position)
    context = Context(state, slot, position, requested, given, parameters)
    _, temperature = _decide(kernel, as_policy(policy), context)
    rows = kernel.rows
    result = np.stack([scaled(row, t, rows) for row, t in enumerate(temperature)]) if len(rows) else rows.data
    return _like(result, logits, rows)


def sample(
    logits: Any,
    policy: PolicyLike,
    *,
    seed: ArrayLike | None = None,
    request: ArrayLike | None = None,
    position: ArrayLike = 0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    filter_at: str = "model",
    state: State | None = None,
    slot: ArrayLike | None = None,
    requested: ArrayLike = 1.0,
    given: Mapping[str, ArrayLike] | None = None,
    parameters: Mapping[str, float] | None = None,
    backend: str | None = None,
) -> Draw:
    """A token of each row of logits, at the temperature that `policy` gives it.

    The noise is a function of (seed, request, position) alone: a request draws the same tokens whatever else is in
    its batch, and equal keys give equal tokens on every backend.

    Args:
        logits: As for `measure`.
        policy: As for `temperatures`.
        seed: 64-bit seed, one for all rows or one each; None draws one, which the result names.
        request: 32-bit number that tells the requests of a seed apart; the rows' numbers by default.
        position: Number of tokens generated so far, for each row or for all.
        top_k: Keep the k likeliest; 0 keeps all.
        top_p: Keep the likeliest that together have this probability; 1 keeps all.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all.
        filter_at: `"model"`: filters read probabilities at temperature 1; `"temperature"`: after the temperature.
        state: The policy's memory, where it remembers; the drawn tokens' surprisal is recorded there.
        slot: Slot of each row in the state; the rows' numbers by default.
        requested: The temperature that each request asked for; what `requested` reads.
        given: What each `given("name", low, high)` reads, by name.
        parameters: Values for free parameters.
        backend: `cpu` (the default) or `reference`.

    Raises:
        ValueError: For two rows with the same seed, request and position, or a setting outside its range.
        PolicyError, StateError, InvalidLogitsError: As for `temperatures`.

    >>> sample(np.log([0.1, 0.9]), 0.0).token.item()
    1
    """
    filters = Filters(top_k, top_p, min_p, filter_at)
    kernel = open_kernel(logits, backend, position)
    seed = new_seed() if seed is None else seed
    keys = Keys.of(len(kernel.rows), seed, request, position)
    context = Context(state, slot, position, requested, given, parameters)
    chosen = choose(kernel, as_policy(policy), keys, filters, context)
    result = kernel.rows.result
    return Draw(
        result(chosen.token),
        result(chosen.temperature),
        {name: result(value) for name, value in chosen.signals.items()},
        result(chosen.candidates),
        int(np.asarray(seed)) if np.ndim(seed) == 0 else keys.seed,
        kernel.name,
    )


def new_seed() -> int:
    """A seed that nobody chose."""
    return secrets.randbits(63)


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """The names of the noise of each row, [rows]."""

    seed: NDArray[np.uint64]
    request: NDArray[np.int64]
    position: NDArray[np.int64]

    @classmethod
    def of(cls, rows: int, seed: ArrayLike, request: ArrayLike | None, position: ArrayLike) -> Keys:
        """One key per row, from one for all or one each.

        Raises:
            ValueError: For numbers outside 64 and 32 bits, or two rows with one key.
        """
        seeds = whole("seed", seed, rows, np.uint64, 2**64)
        requests = whole("request", np.arange(rows) if request is None else request, rows, np.int64, 2**32)
        positions = whole("position", position, rows, np.int64, 2**32)
        if len(set(zip(seeds.tolist(), requests.tolist(), positions.tolist(), strict=True))) < rows:
            raise ValueError(
                "two rows have the same seed, request and position, so they would draw with the same noise: "
                "give each row its own request"
            )
        return cls(seeds, requests, positions)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What `choose` decided for each row.

    Attributes:
        token: int64 [rows].
        temperature: float64 [rows].
        signals: Name -> float64 [rows].
        candidates: How many entries the filters left, int64 [rows].
        kept: The rows the tokens were drawn from, filtered entries at -inf.
    """

    token: NDArray[np.int64]
    temperature: NDArray[np.float64]
    signals: dict[str, NDArray[np.float64]]
    candidates: NDArray[np.int64]
    kept: Kernel


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What a policy may read besides the row; the arguments of `temperatures`."""

    state: State | None = None
    slot: ArrayLike | None = None
    position: ArrayLike = 0
    requested: ArrayLike = 1.0
    given: Mapping[str, ArrayLike] | None = None
    parameters: Mapping[str, float] | None = None


def choose(
    kernel: Kernel,
    policy: Policy,
    keys: Keys,
    filters: Filters = Filters(),
    context: Context = Context(),
    also: tuple[Signal, ...] = (),
) -> Choice:
    """Measure, decide, filter, draw, and remember: one step of every loop.

    Args:
        kernel: The rows.
        policy: What decides the temperatures.
        keys: The noise.
        filters: The truncation.
        context: What the policy may read besides the rows.
        also: Signals to measure beside those that the policy reads.
    """
    reads_surprisal = any(signal.name == "surprisal" for signal in policy.signals)
    if reads_surprisal and context.slot is not None and len(np.unique(context.slot)) < len(kernel.rows):
        raise StateError(
            f"`{policy}` reads the surprisal of the token before, which is not drawn yet where one call holds several "
            "positions of a slot: draw them one call at a time"
        )
    signals, temperature = _decide(kernel, policy, context, also)
    kept = kernel
    candidates = kernel.signal(Signal("support")).astype(np.int64)
    if filters.active:
        kept, candidates = _filtered(kernel, filters, temperature)
    token = kept.draw(temperature, keys.seed, keys.request, keys.position)
    if context.state is not None and reads_surprisal:
        surprisal = surprisals(kernel, token)
        slot = np.arange(len(token)) if context.slot is None else context.slot
        context.state.observe(slot, keys.position, surprisal)
    return Choice(token, temperature, signals, candidates, kept)


def surprisals(kernel: Kernel, token: NDArray[np.int64]) -> NDArray[np.float64]:
    """-ln p of a token of each row, before any filter or temperature, at most 50; [rows]."""
    highest = kernel.signal(max_prob)
    found = np.empty(len(token))
    for row, drawn in enumerate(token):
        z = kernel.rows.widened(row)
        found[row] = float(z.max()) - float(z[drawn]) - np.log(highest[row])
    return np.clip(found, 0.0, MAX_SURPRISAL)


def scaled(row: int, temperature: float, rows: Rows) -> NDArray[Any]:
    """One row divided by its temperature, in float64 or float32; see `scale`."""
    z = rows.widened(row)
    masked = z <= rows.masked_at
    if temperature <= GREEDY_AT:
        divided = np.full(len(z), -np.inf)
        divided[int(np.argmax(z))] = 0.0
    elif temperature == np.inf:
        divided = np.zeros(len(z))
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            divided = z.astype(np.float64) / temperature
            if not np.all(np.abs(divided[~masked]) <= -2 * rows.masked_at):  # beyond the dtype
                divided = (z.astype(np.float64) - float(z.max())) / temperature
    with np.errstate(over="ignore"):
        return np.where(masked, -np.inf, divided).astype(z.dtype)


def as_policy(policy: PolicyLike) -> Policy:
    """The policy that `policy` is or spells."""
    if isinstance(policy, Policy):
        return policy
    return _read(policy) if isinstance(policy, str) else Policy(policy)


@lru_cache(maxsize=256)
def _read(text: str) -> Policy:
    """The policy that `text` spells; the latest are kept, since each step of a loop may ask again."""
    return Policy(text)


def _measured(signal: Signal | str) -> Signal:
    found = parse(signal) if isinstance(signal, str) else signal
    if not isinstance(found, Signal):
        raise PolicyError(f"`{signal}` is not a signal; known are {', '.join(SIGNALS)}")
    for part in signals_of(found):
        if SIGNALS[part.name].source == "context":
            raise PolicyError(f"`{part}` is not measured from a row: it comes from the request")
    return found


def _measure(
    kernel: Kernel, signals: list[Signal], context: dict[str, NDArray[np.float64]],
    parameters: Mapping[str, float] | None = None,
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """The values of `signals`, inner ones first, beside those already in `context`."""
    values = dict(context)
    for signal in signals:
        text = str(signal)
        if text in values or SIGNALS[signal.name].source == "context":
            continue
        if SIGNALS[signal.name].source == "solve":
            (target,) = signal.arguments
            assert isinstance(target, Expression)
            with np.errstate(all="ignore"):
                zeros = np.zeros(len(kernel.rows), np.int64)
                h = Evaluation(values, parameters or {}, None, zeros, zeros).value(target)
            values[text] = kernel.temperature_for_entropy(np.broadcast_to(h, (len(kernel.rows),)))
        else:
            values[text] = kernel.signal(signal)
    return values


def _decide(
    kernel: Kernel, policy: Policy, context: Context, also: tuple[Signal, ...] = ()
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """The signals and the temperature of each row."""
    rows = len(kernel.rows)
    if policy.remembers:
        policy.require(context.state)
    values = {
        "position": _per_row("position", context.position, rows),
        "requested": _per_row("requested", context.requested, rows),
    }
    given = context.given or {}
    for signal in policy.signals:
        if signal.name == "given":
            name = str(signal.arguments[0])
            if name not in given:
                raise PolicyError(f"`{policy}` reads `{signal}`: pass given={{{name!r}: a number per row}}")
            values[str(signal)] = _per_row(name, given[name], rows)
    values = _measure(kernel, [*policy.signals, *also], values, context.parameters)
    temperature = policy.step(
        values, state=context.state, slot=context.slot, position=context.position, parameters=context.parameters
    )
    return {name: value for name, value in values.items() if name not in ("position", "requested")}, temperature


def _per_row(name: str, value: ArrayLike, rows: int) -> NDArray[np.float64]:
    try:
        return np.broadcast_to(np.asarray(value, np.float64), (rows,))
    except ValueError:
        raise ValueError(f"{name}: {np.shape(value)} was given for {rows} rows; pass one, or one per row") from None


def _filtered(kernel: Kernel, filters: Filters, temperature: NDArray[np.float64]) -> tuple[Kernel, NDArray[np.int64]]:
    """The rows with filtered entries at -inf, and how many entries are left in each."""
    rows = kernel.rows
    kept = np.empty(rows.data.shape, np.float64 if rows.dtype == "float64" else np.float32)
    candidates = np.empty(len(rows), np.int64)
    for row, t in enumerate(temperature):
        z = rows.widened(row)
        mask = filters.mask(scaled(row, t if filters.at == "temperature" else 1.0, rows))
        kept[row] = np.where(mask, z, -np.inf)
        candidates[row] = np.count_nonzero(mask)
    return open_kernel(rows.replaced(kept), kernel.name), candidates


def _like(result: NDArray[Any], logits: Any, rows: Rows) -> Any:
    """`result` in the shape, dtype and library of `logits`."""
    shaped = result[0] if rows.single else result
    if rows.torch:
        return rows.wrap(shaped).to(logits.dtype)
    with np.errstate(over="ignore"):
        return shaped.astype(np.asarray(logits).dtype)
