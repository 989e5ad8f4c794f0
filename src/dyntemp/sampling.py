"""Rows of logits and a policy -> signals, temperatures, scaled logits, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.choice import Context, Keys, choose, decide, measured, new_seed, scaled
from dyntemp.errors import PolicyError
from dyntemp.expr import Expression, Signal
from dyntemp.filters import Filters
from dyntemp.kernels import open_kernel
from dyntemp.kernels.rows import Rows
from dyntemp.parse import parse
from dyntemp.policy import Policy
from dyntemp.signals import SIGNALS, signals_of
from dyntemp.state import State

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
    wanted = [_measurable(signal) for signal in signals]
    kernel = open_kernel(logits, backend)
    found = measured(kernel, [part for signal in wanted for part in signals_of(signal)], {})
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
    _, result = decide(kernel, as_policy(policy), context)
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
    _, temperature = decide(kernel, as_policy(policy), context)
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


def as_policy(policy: PolicyLike) -> Policy:
    """The policy that `policy` is or spells."""
    if isinstance(policy, Policy):
        return policy
    return _read(policy) if isinstance(policy, str) else Policy(policy)


@lru_cache(maxsize=256)
def _read(text: str) -> Policy:
    """The policy that `text` spells; the latest are kept, since each step of a loop may ask again."""
    return Policy(text)


def _measurable(signal: Signal | str) -> Signal:
    found = parse(signal) if isinstance(signal, str) else signal
    if not isinstance(found, Signal):
        raise PolicyError(f"`{signal}` is not a signal; known are {', '.join(SIGNALS)}")
    for part in signals_of(found):
        if SIGNALS[part.name].source == "context":
            raise PolicyError(f"`{part}` is not measured from a row: it comes from the request")
    return found


def _like(result: NDArray[Any], logits: Any, rows: Rows) -> Any:
    """`result` in the shape, dtype and library of `logits`."""
    shaped = result[0] if rows.single else result
    if rows.torch:
        return rows.wrap(shaped).to(logits.dtype)
    with np.errstate(over="ignore"):
        return shaped.astype(np.asarray(logits).dtype)
