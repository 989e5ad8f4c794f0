"""One step of every loop: measure the rows, decide the temperatures, filter, draw, remember."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
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
from dyntemp.policy import Policy
from dyntemp.signals import SIGNALS, max_prob
from dyntemp.state import State, whole


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
    signals, temperature = decide(kernel, policy, context, also)
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
    """-ln p of a token of each row, before any filter or temperature; [rows]."""
    highest = kernel.signal(max_prob)
    found = np.empty(len(token))
    for row, drawn in enumerate(token):
        z = kernel.rows.widened(row)
        found[row] = float(z.max()) - float(z[drawn]) - np.log(highest[row])
    return found


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


def measured(
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


def decide(
    kernel: Kernel, policy: Policy, context: Context, also: tuple[Signal, ...] = ()
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """The signals and the temperature of each row."""
    rows = len(kernel.rows)
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
    values = measured(kernel, [*policy.signals, *also], values, context.parameters)
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
