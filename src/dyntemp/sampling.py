"""Rows of logits and a policy -> signals, temperatures, scaled logits, tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dyntemp.distribution.filters import Filters, filters_of
from dyntemp.errors import PolicyError
from dyntemp.kernels import backend_of, untraced
from dyntemp.kernels.job import NO_FILTERS, Job
from dyntemp.language.bounds import unbound
from dyntemp.language.nodes import Expression, Signal
from dyntemp.language.parameters import parameters_of
from dyntemp.language.parse import parse
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS, signals_of
from dyntemp.language.state import State

PolicyLike = Policy | Expression | str | float
"""A policy, or a text, an expression or a number that a policy is made from."""


@dataclass(slots=True, eq=False)  # not frozen: a frozen one takes longer to make than a row takes to draw from
class Draw:
    """Drawn tokens and their temperatures; arrays are [rows], 0-d where one row was given.

    Attributes:
        token: The tokens drawn, int64.
        temperature: The temperature of each row, float64.
        signals: Measured signals by name, before any filter.
        candidates: How many entries the filters left, int64.
        seed: The seed that draws these tokens again; one for each row where each was given its own.
        backend: The backend that ran.
        broken: True for rows with NaN, with +inf, or with all entries masked, whose token is -1; bool. Only rows on a
            device have it, since an error would wait for the device; it is None where such rows raise.
    """

    token: Any
    temperature: Any
    signals: dict[str, Any]
    candidates: Any
    seed: Any
    backend: str
    broken: Any = None


def measure(
    logits: Any, *signals: Signal | str, backend: str | None = None, threads: int | None = None
) -> dict[str, Any]:
    """Signals of rows of logits.

    Args:
        logits: [rows, n], or [n] for 0-d results; NumPy or a CPU tensor; float64, float32, float16 or bfloat16.
        signals: Signals, or their names: `"entropy"`, `"quantile(0.9)"`. Only those that a row alone determines.
        backend: A name of `dyntemp.kernels.BACKENDS`; by default it follows from where the rows live.
        threads: The number of threads that share the rows on the `cpu` backend, at most; by default that of the
            environment variable `DYNTEMP_THREADS`, or as many as there are processors where the rows are worth it.
            Results are equal for any number.

    Returns:
        Name -> float64 [rows], in the library of the input.

    Raises:
        PolicyError: For a name or an expression that is not a measured signal.
        InvalidLogitsError: For broken rows and rows that cannot be read.

    >>> {name: round(float(value), 4) for name, value in measure(np.log([0.5, 0.5]), "entropy", "max_prob").items()}
    {'entropy': 0.6931, 'max_prob': 0.5}
    """
    wanted = [_parts(measurable(signal)) for signal in signals]
    parts = dict.fromkeys(part for _, inside in wanted for part in inside)
    found = backend_of(logits, backend).run(logits, Job(also=tuple(parts), threads=threads))
    return {name: found.shown(found.signals[name]) for name, _ in wanted}


def temperatures(
    logits: Any,
    policy: PolicyLike | Sequence[PolicyLike],
    *,
    backend: str | None = None,
    state: State | None = None,
    slot: ArrayLike | None = None,
    position: ArrayLike = 0,
    requested: ArrayLike = 1.0,
    given: Mapping[str, ArrayLike] | None = None,
    parameters: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> Any:
    """The temperature that `policy` gives each row of logits.

    Args:
        logits: As for `measure`.
        policy: A policy, or its text, an expression, or a number. A list holds one for each row.
        backend: A name of `dyntemp.kernels.BACKENDS`; by default it follows from where the rows live.
        state: The policy's memory, where it remembers: `policy.state(slots)`.
        slot: Slot of each row in the state; the rows' numbers by default.
        position: Number of tokens generated so far, for each row or for all.
        requested: The temperature that each request asked for; the value of `requested`.
        given: The value of each `given("name", low, high)`, by name; and of `divergence` and each `inside("zone")`, by
            its text: `{'inside("think")': 1}`.
        parameters: Values for free parameters.
        threads: The number of threads that share the rows on the `cpu` backend, at most; by default that of the
            environment variable `DYNTEMP_THREADS`, or as many as there are processors where the rows are worth it.
            Results are equal for any number.

    Returns:
        float64 [rows], in the library of the input; 0 means greedy, infinity uniform.

    >>> round(float(temperatures(np.log([0.01, 0.02, 0.03, 0.94]), "0.5 - 0.4*max_prob")), 12)
    0.124
    """
    job = Job(
        as_policies(policy), filters=NO_FILTERS, state=state, slot=slot, position=position, requested=requested,
        given=given, parameters=parameters, threads=threads,
    )  # fmt: skip
    found = backend_of(logits, backend, parameters).run(logits, job)
    return found.shown(found.temperature)


def scale(
    logits: Any,
    policy: PolicyLike | Sequence[PolicyLike],
    *,
    backend: str | None = None,
    state: State | None = None,
    slot: ArrayLike | None = None,
    position: ArrayLike = 0,
    requested: ArrayLike = 1.0,
    given: Mapping[str, ArrayLike] | None = None,
    parameters: Mapping[str, Any] | None = None,
    threads: int | None = None,
) -> Any:
    """`logits / temperature`, a new array of the same shape and dtype; masked entries are -inf.

    At temperature 0 the likeliest entry (the lowest index among ties) is 0 and all others are -inf; at infinity the
    support is 0. Where the quotient would overflow the dtype it is (z - max)/T, which has the same softmax.

    All arguments are those of `temperatures`.
    """
    job = Job(
        as_policies(policy), filters=NO_FILTERS, state=state, slot=slot, position=position, requested=requested,
        given=given, parameters=parameters, threads=threads,
    )  # fmt: skip
    chosen = backend_of(logits, backend, parameters)
    return chosen.scale(logits, chosen.run(logits, job).temperature, threads=threads)


def sample(
    logits: Any,
    policy: PolicyLike | Sequence[PolicyLike],
    *,
    seed: ArrayLike | None = None,
    request: ArrayLike | None = None,
    position: ArrayLike = 0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    filter_at: str = "model",
    filters: Filters | str | None = None,
    state: State | None = None,
    slot: ArrayLike | None = None,
    requested: ArrayLike = 1.0,
    given: Mapping[str, ArrayLike] | None = None,
    parameters: Mapping[str, Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
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
        filters: Any chain of filters instead of these four: `"top_k(40), temperature, min_p(0.05)"`.
        state: The policy's memory, where it remembers; the drawn tokens' surprisal is recorded there.
        slot: Slot of each row in the state; the rows' numbers by default.
        requested: The temperature that each request asked for; the value of `requested`.
        given: The value of each `given("name", low, high)`, by name; and of `divergence` and each `inside("zone")`, by
            its text: `{'inside("think")': 1}`.
        parameters: Values for free parameters.
        backend: A name of `dyntemp.kernels.BACKENDS`; by default it follows from where the rows live.
        threads: As for `temperatures`.

    Raises:
        ValueError: For two rows with the same seed, request and position, or a setting outside its range.
        PolicyError, StateError, InvalidLogitsError: As for `temperatures`.

    >>> sample(np.log([0.1, 0.9]), 0.0).token.item()
    1
    """
    plain = top_k == 0 and top_p == 1.0 and min_p == 0.0 and filter_at == "model" and filters is None
    seed = new_seed() if seed is None else seed
    job = Job(  # in the order of its fields; by name, a call would take 0.4 us longer
        as_policies(policy), (), True, NO_FILTERS if plain else _filters(filters, top_k, top_p, min_p, filter_at),
        seed, request, position, state, slot, requested, given, parameters, threads,
    )  # fmt: skip
    found = backend_of(logits, backend, parameters).run(logits, job)
    shown = found.shown
    return Draw(
        shown(found.token),
        shown(found.temperature),
        {name: shown(values) for name, values in found.signals.items()},
        shown(found.candidates),
        seed if isinstance(seed, int) else _seeds(seed),
        found.backend,
        None if found.broken is None else shown(found.broken),
    )


def new_seed() -> int:
    """A random seed."""
    return secrets.randbits(63)


def _seeds(seed: Any) -> Any:
    """`seed` as in the result: a number for one seed, else the array that was given."""
    return int(seed) if isinstance(seed, (np.integer, np.ndarray)) and seed.ndim == 0 else seed


def as_policies(policy: PolicyLike | Sequence[PolicyLike]) -> tuple[Policy, ...]:
    """The policy of all rows, or one for each row."""
    if isinstance(policy, str):
        return _read(policy)
    if isinstance(policy, Sequence):
        return tuple(as_policy(one) for one in policy)
    return (as_policy(policy),)


def as_policy(policy: PolicyLike) -> Policy:
    """The policy itself, or the one made from a text, an expression or a number."""
    if isinstance(policy, Policy):
        return policy
    return _read(policy)[0] if isinstance(policy, str) else _made(policy)


@untraced
def _made(rule: Expression | float) -> Policy:
    return Policy(rule)


@untraced
@lru_cache(maxsize=256, typed=True)
def _filters(filters: Filters | str | None, top_k: int, top_p: float, min_p: float, filter_at: str) -> Filters:
    """`filters_of`, cached for the loops that name the same filters in every step."""
    return filters_of(filters, top_k, top_p, min_p, filter_at)


@untraced
@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[Policy]:
    """The policy of a text, in a tuple. The latest are cached, since every step of a loop may read the same text."""
    return (Policy(text),)


@lru_cache(maxsize=256)
def measurable(signal: Signal | str) -> Signal:
    """The signal itself, or the one of this text, if a row alone determines it."""
    found = parse(signal) if isinstance(signal, str) else signal
    if not isinstance(found, Signal):
        raise PolicyError(f"`{signal}` is not a signal; known are {', '.join(SIGNALS)}")
    for part in signals_of(found):
        if not SIGNALS[part.name].measured:
            raise PolicyError(f"`{part}` is not measured from a row: it comes from the request")
    for parameter in parameters_of(found).values():
        raise PolicyError(unbound(found, parameter))
    return found


@lru_cache(maxsize=256)
def _parts(signal: Signal) -> tuple[str, list[Signal]]:
    """The text of a signal, and the signals that occur in it, itself last."""
    return str(signal), signals_of(signal)
