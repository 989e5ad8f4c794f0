"""The job of a backend for some rows of logits, and its outcome; the same for every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError, StateError
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_POSITION, SIGNALS
from dyntemp.language.state import State, whole

POSITION, REQUESTED, ENTRIES = Signal("position"), Signal("requested"), Signal("entries")
UNNAMED = {str(POSITION), str(REQUESTED)}
"""Signals that the caller gives, which say nothing about the row. No result names them."""

NO_FILTERS = Filters()


@dataclass(slots=True, eq=False)
class Job:
    """The steps to do (measure, decide, filter, draw, remember) and their inputs.

    A value "per row" is one for all rows, or one for each, [rows].

    Attributes:
        policies: One for all rows or one each; none where only signals are wanted.
        also: Signals to measure in every row beside those that its policy reads.
        draw: Whether a token is wanted.
        filters: The truncation of the draw.
        seed: 64-bit key of the noise, per row.
        request: 32 bits that tell requests of one seed apart, per row; None for the rows' numbers.
        position: Number of tokens generated so far, per row.
        state: The memory of policies that remember.
        slot: Slot of each row in the state; None for the rows' numbers.
        requested: What the signal `requested` reads, per row.
        given: What each `given("name", low, high)` reads, per row, by name; and what `divergence` and each
            `inside("zone")` reads, by its text.
        parameters: Values of free parameters, by name.
        threads: The number of threads that share the rows on the `cpu` backend; None for `DYNTEMP_THREADS`, or as many
            as this process has processors where the rows are worth it.
    """

    policies: tuple[Policy, ...] = ()
    also: tuple[Signal, ...] = ()
    draw: bool = False
    filters: Filters = NO_FILTERS
    seed: Any = 0
    request: Any = None
    position: Any = 0
    state: State | None = None
    slot: Any = None
    requested: Any = 1.0
    given: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    threads: int | None = None

    def policy(self, row: int) -> Policy:
        """The policy of a row."""
        return self.policies[row if len(self.policies) > 1 else 0]

    def check(self, rows: int) -> None:
        """Raise where parts of the job do not fit together.

        Raises:
            ValueError: For a number of policies that is neither 1 nor that of the rows.
            StateError: For a policy that remembers without a state that fits it, and for several positions of a slot
                where it needs the token drawn between them.
        """
        if self.slot is None and len(self.policies) == 1 and not self.policies[0].remembers:
            return  # the usual case, in every step of a loop
        if len(self.policies) != rows and (len(self.policies) > 1 or (self.draw and not self.policies)):
            raise ValueError(f"{len(self.policies)} policies were given for {rows} rows; pass one, or one per row")
        repeats = self.draw and self.slot is not None and len(np.unique(self.slot)) < rows
        for policy in dict.fromkeys(self.policies):
            if policy.remembers:
                policy.require(self.state)
            if repeats and policy.reads_surprisal:
                raise StateError(
                    f"`{policy}` reads the surprisal of the token before, which is not drawn yet where one call holds "
                    "several positions of a slot: draw them one call at a time"
                )

    def signals(self) -> tuple[Signal, ...]:
        """Every signal that the result names, those inside others first."""
        read = (signal for policy in dict.fromkeys(self.policies) for signal in policy.program.signals)
        return tuple(dict.fromkeys([*read, *self.also]))

    def bound(self, policy: Policy) -> dict[str, Any]:
        """The values of the free parameters of one of the policies.

        Raises:
            PolicyError: For a parameter that no policy has; see `Policy.bound` for the others.
        """
        values = self.parameters or {}
        if len(self.policies) > 1:
            known = {name for other in self.policies for name in other.parameters}
            values = {name: value for name, value in values.items() if name in policy.parameters or name not in known}
        return policy.bound(values)

    def all_bound(self) -> dict[str, Any]:
        """The values of the free parameters of all the policies, which share them by name."""
        return {name: value for policy in self.policies for name, value in self.bound(policy).items()}


@dataclass(slots=True, eq=False)
class Outcome:
    """The results of a job; arrays are [rows], in the library and on the device of the logits.

    Attributes:
        backend: The name of the backend that ran.
        signals: Name -> float64 where the device has it; NaN where a row's own policy does not read the signal.
        temperature: As `signals`; None without a policy.
        token: int64; None where none was wanted, -1 for broken rows of a device.
        candidates: How many entries the filters left, int64; None without a draw.
        cut: The filters left the entries above this, float64, and of those equal to it the ones up to index `last`;
            may be None where nothing was to be filtered.
        last: See `cut`, int64.
        kept: The mask of the entries that the filters left, bool [rows, n], where these need not be the likeliest:
            `cut` and `last` are None then.
        broken: Which rows hold NaN, +inf or nothing unmasked, bool, on a device that raises for none; None where
            such rows raise.
        shown: Turns such an array into what the caller sees: 0-d where one row was given.
    """

    backend: str
    signals: dict[str, Any]
    temperature: Any = None
    token: Any = None
    candidates: Any = None
    cut: Any = None
    last: Any = None
    kept: Any = None
    broken: Any = None
    shown: Callable[[Any], Any] = field(default=lambda values: values)


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
        positions = whole("position", position, rows, np.int64, MAX_POSITION + 1)
        if request is not None and len(set(zip(seeds.tolist(), requests.tolist(), positions.tolist()))) < rows:  # noqa: B905
            raise ValueError(
                "two rows have the same seed, request and position, so they would draw with the same noise: "
                "give each row its own request"
            )
        return cls(seeds, requests, positions)

    def each(self) -> Iterator[tuple[int, int, int]]:
        """The seed, the request and the position of each row."""
        return zip(self.seed.tolist(), self.request.tolist(), self.position.tolist(), strict=True)


def context(job: Job, rows: int, entries: int) -> dict[str, NDArray[np.float64]]:
    """The numbers of each signal that is not measured, [rows], by the signal's text; checked against its range.

    Args:
        job: The job, with the numbers that the caller gives.
        rows: Number of rows.
        entries: Number of entries of each row, masked ones too.

    Raises:
        PolicyError: For a number that a policy reads and nobody gave, or one outside its range.
        ValueError: For a wrong number of numbers.
    """
    values: dict[str, NDArray[np.float64]] = {}
    for policy in dict.fromkeys(job.policies):
        for signal in policy.program.signals:
            if SIGNALS[signal.name].measured or str(signal) in values:
                continue
            values[str(signal)] = numbers = per_row(signal, said(job, policy, signal, entries), rows)
            if signal.name == "given" and len(job.policies) > 1:  # rows that do not read it may hold anything
                numbers = numbers[[signal in one.program.signals for one in job.policies]]
            policy.within(signal, numbers)
    return values


def said(job: Job, policy: Policy, signal: Signal, entries: int) -> Any:
    """The value of a signal that is not measured.

    Raises:
        PolicyError: If the caller has to give it, and did not.
    """
    if signal == POSITION:
        return job.position
    if signal == REQUESTED:
        return job.requested
    if signal == ENTRIES:
        return entries
    name = str(signal.arguments[0]) if signal.name == "given" else str(signal)
    if name not in (job.given or {}):
        raise PolicyError(f"`{policy}` reads `{signal}`: pass given={{{name!r}: a number per row}}")
    value = (job.given or {})[name]
    if callable(value):
        raise PolicyError(
            f"`{signal}` was given a function; only `generate` with a model of transformers, and the adapters to "
            "transformers, have a hidden state to call it with: pass a number per row"
        )
    return value


def per_row(signal: Signal, value: ArrayLike, rows: int) -> NDArray[np.float64]:
    """`value` as one number per row."""
    try:
        return np.broadcast_to(np.asarray(value, np.float64), (rows,))
    except ValueError:
        name = signal.arguments[0] if signal.arguments else signal
        raise ValueError(f"{name}: {np.shape(value)} was given for {rows} rows; pass one, or one per row") from None
