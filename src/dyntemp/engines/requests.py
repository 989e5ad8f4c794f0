"""The requests that a host runs at a time, and what their policies make of each step's rows."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.batch import Batch, Counts, Step, beside, on_host
from dyntemp.engines.capabilities import Capabilities
from dyntemp.engines.rows import GREEDY, NOBODY, DeviceRows, Request, Rows
from dyntemp.errors import EngineError, InvalidLogitsError
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import as_rows
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_REQUESTED
from dyntemp.language.state import State
from dyntemp.sampling import Draw, PolicyLike, as_policy, sample

MOST_CELLS = 64
"""How many numbers per token a policy may keep, where requests bring policies of their own."""

KEPT_ROWS = 64
"""How many rows are kept, of all requests together, to tell how surprising a token was once it is known."""


AS_DECIDED = Policy("requested")
"""Draws at temperatures that are decided."""


class Requests:
    """The requests of a host: the policy, the memory and the place of each, and how often the host called.

    The policy decides the temperature: a request's own temperature is what `requested` reads and otherwise has no
    effect, but that 0 stays greedy. Rows are measured as they are at temperature 1, whenever the host divides.

    Args:
        capabilities: What the adapter can do; a policy that needs more is refused.
        divided: When the host divides rows by the request's own temperature: `"never"`, `"before"` we see them, or
            `"after"`; that is made up for.
        window: How many positions back a request may be run again.
        device: PyTorch's device of the rows, where they are not in the host's memory.
        backend: A name of `dyntemp.kernels.BACKENDS`; by default it follows from where the rows live.
        given: What each `given("name", low, high)` reads, by name; read anew at every step.
        record: Called with each `Step`. On a device that waits for it.
        counts: Counts to go on with, where an adapter makes several of these in turn; new ones by default.

    Attributes:
        counts: See `Counts`.
    """

    def __init__(
        self,
        capabilities: Capabilities,
        *,
        divided: Literal["never", "before", "after"] = "never",
        window: int = 64,
        device: Any = None,
        backend: str | None = None,
        given: Mapping[str, Any] | None = None,
        record: Callable[[Step], None] | None = None,
        counts: Counts | None = None,
    ) -> None:
        self.capabilities = capabilities
        self.divided = divided
        self.given = given
        self.record = record
        self.counts = Counts() if counts is None else counts
        self._backend = backend
        self._requests: dict[int, Request] = {}
        self._state = State(window=window, device=device)
        self._last: Rows | None = None
        self._restarts: Any = 0
        self._before: dict[int, dict[int, NDArray[np.float32]]] = {}
        self._warned = False

    def accept(self, policy: PolicyLike) -> Policy:
        """The policy that `policy` is or spells, if this host can carry it out.

        Raises:
            PolicyError: For what is no policy.
            EngineError: For one that needs more than the host offers, or keeps more than 64 numbers per token.
        """
        found = self.capabilities.check(as_policy(policy))
        if len(found.program.cells) > MOST_CELLS:
            raise EngineError(
                f"a policy was given that keeps {len(found.program.cells)} numbers per token; {MOST_CELLS} are allowed"
            )
        return found

    def begin(self, slot: int, policy: PolicyLike, *, requested: float = 1.0, prompt: int = 0) -> None:
        """A request takes `slot`; whatever was there before is forgotten.

        Args:
            slot: A whole number of the adapter's choice, the smaller the better.
            policy: Its policy.
            requested: The temperature that it asked for; at 0 it is greedy, and its rows stay as they are.
            prompt: How many tokens its prompt has: the position of the first token that it generates.

        Raises:
            PolicyError, EngineError: As `accept`.
        """
        accepted = self.accept(policy)
        self._requests[slot] = Request(accepted, float(requested), prompt)
        self._last = None
        self._before.pop(slot, None)
        if accepted.remembers:
            self._state.grow(slots=slot + 1, width=len(accepted.program.cells))
        if slot < self._state.slots:
            self._state.begin(slot)

    def end(self, slot: int) -> None:
        """The request in `slot` is over, or there never was one."""
        self._requests.pop(slot, None)
        self._last = None
        self._before.pop(slot, None)

    def __contains__(self, slot: int) -> bool:
        return slot in self._requests

    def temperatures(self, batch: Batch) -> Any:
        """The temperature of each row, float64 [rows], NaN for rows to leave alone: NumPy, or a tensor of a device."""
        return self._decide(batch)[0]

    def scale(self, batch: Batch, out: Any = None) -> Any:
        """The rows divided by their temperatures, so that what the host does with them amounts to just these.

        Args:
            batch: The rows.
            out: Where to write them, which may be `batch.logits`; a new array by default.
        """
        temperature, requested = self._decide(batch)
        divisor = temperature if self.divided == "never" else temperature / requested  # the host divides by the latter
        scaled = backend_of(batch.logits, self._backend).scale(batch.logits, divisor, out)
        return scaled if batch.space == "logits" else _normalised(scaled, divisor, out)

    def _decide(self, batch: Batch) -> tuple[Any, Any]:
        """The temperature of each row, NaN where it is to be left alone, and what its request asked for."""
        if not isinstance(batch.slot, (type(None), list, np.ndarray)):
            return self._decide_on_device(batch)
        rows = self._rows(batch, len(batch.logits))
        changed, greedy = int(np.count_nonzero(rows.ours)), int(np.count_nonzero(rows.greedy))
        self.counts.calls += len(rows.slots) > 0
        self.counts.seen += len(rows.slots)
        self.counts.greedy += greedy
        self.counts.declined += len(rows.slots) - changed - greedy
        logits = self._undivided(batch.logits, rows.requested)
        self._learn_surprisal(logits, batch.drawn, rows)
        temperature, signals = self._measured(logits, rows)
        if self.record is not None:
            shown = {name: on_host(values) for name, values in signals.items()}
            self.record(Step(rows.slots, rows.position, on_host(temperature), shown))
        requested = rows.requested
        return temperature, requested if isinstance(temperature, np.ndarray) else beside(requested, temperature)

    def _rows(self, batch: Batch, count: int) -> Rows:
        """What is known of the rows of this step; what the last step had, where it had the same requests."""
        slots = np.arange(count) if batch.slot is None else np.asarray(batch.slot, np.int64)
        if slots.shape != (count,):
            raise EngineError(f"slots of shape {slots.shape} were given for {count} rows; one of each row is needed")
        if self._last is None or not np.array_equal(self._last.slots, slots):
            self._last = Rows.of(slots, self._requests)
        rows = replace(self._last, position=batch.position - self._last.prompts)
        live = rows.position >= 0
        if batch.live is not None:
            live &= np.asarray(batch.live, bool)
        return rows if live.all() else rows.only(live)

    def _undivided(self, logits: Any, requested: NDArray[np.float64]) -> Any:
        """The rows as they are at temperature 1."""
        if self.divided != "before" or np.all(requested == 1):
            return logits
        factor = np.where(requested > GREEDY_AT, requested, 1.0).astype(np.float32)
        return logits * beside(factor, logits)[:, None]

    def _measured(self, logits: Any, rows: Rows) -> tuple[Any, dict[str, Any]]:
        """Temperatures, NaN for rows that are not ours or broken, and signals by name."""
        if not rows.ours.any():
            return np.full(len(rows.ours), np.nan), {}
        try:
            outcome = backend_of(logits, self._backend).run(logits, self._job(rows))
        except InvalidLogitsError:
            return self._measured_in_part(logits, rows, np.array([_is_sound(row) for row in logits], bool))
        self.counts.changed += int(np.count_nonzero(rows.ours))
        self.counts.restarts += self._state.restarts - self._restarts
        self._restarts = self._state.restarts + 0
        if outcome.broken is None:
            return np.where(rows.ours, on_host(outcome.temperature), np.nan), outcome.signals
        ours = beside(rows.ours, outcome.broken)
        broken = (outcome.broken & ours).sum()
        self.counts.changed -= broken
        self.counts.broken += broken
        return outcome.temperature.masked_fill(~ours, np.nan), outcome.signals

    def _measured_in_part(self, logits: Any, rows: Rows, sound: NDArray[np.bool_]) -> tuple[Any, dict[str, Any]]:
        """The same where some rows are broken: a host cannot raise for one row, so these stay as they are."""
        self.counts.broken += int((rows.ours & ~sound).sum())
        if not self._warned:
            self._warned = True
            logging.getLogger("dyntemp").warning(
                "dyntemp: %s handed over a row with NaN, +inf or nothing unmasked; such rows are left as they are, and "
                "counted as broken", self.capabilities.engine,
            )  # fmt: skip
        which = np.flatnonzero(sound)
        part, found = self._measured(logits[which], rows.at(which))

        def spread(values: Any) -> Any:
            whole = np.full(len(sound), np.nan)
            whole[which] = on_host(values)
            return whole

        return spread(part), {name: spread(values) for name, values in found.items()}

    def _job(self, rows: Rows) -> Job:
        first = rows.policies[0]
        alike = all(policy is first for policy in rows.policies)
        state = slot = None
        if any(policy.remembers for policy in ([first] if alike else rows.policies)):
            state, slot = self._state, rows.slots
            state.grow(slots=int(slot.max()) + 1)
        return Job(
            (first,) if alike else tuple(rows.policies), state=state, slot=slot, position=np.maximum(rows.position, 0),
            requested=rows.requested, given=self.given,
        )  # fmt: skip

    def _learn_surprisal(self, logits: Any, drawn: Any, rows: Rows) -> None:
        """Tell the memory how surprising the tokens drawn before were, and keep these rows to tell it of the next.

        Several are kept of each request: a host that drafts goes back to the first draft that it rejects.
        """
        kept = max(2, KEPT_ROWS // max(len(self._requests), 1))
        for row, policy in enumerate(rows.policies):
            if not policy.reads_surprisal:
                continue
            slot, position = int(rows.slots[row]), int(rows.position[row])
            before = self._before.setdefault(slot, {})
            token = -1 if drawn is None else int(drawn[row])
            if token >= 0 and position > 0:
                surprisal = _surprisal(before[position - 1], token) if position - 1 in before else np.nan
                self._state.observe([slot], [position - 1], [surprisal])
            before[position] = as_rows(on_host(logits[row])).unmasked(0).astype(np.float32)
            if len(before) > kept:
                del before[max(before, key=lambda other: abs(other - position))]  # called at once

    def _decide_on_device(self, batch: Batch) -> tuple[Any, Any]:
        """The same where only the device knows whose row is which: each policy measures every row."""
        torch = sys.modules["torch"]
        logits, rows = batch.logits, DeviceRows.of(batch, self._requests)
        sound = None
        if logits.device.type == "cpu":  # where a broken row raises, and another backend reads no tensors of slots
            sound = torch.from_numpy(np.array([_is_sound(row) for row in logits], bool))
            logits = torch.where(sound[:, None], logits, 0.0)
        backend = backend_of(logits, self._backend or ("torch" if sound is not None else None))
        temperature = torch.full_like(rows.requested, torch.nan)
        for number, policy in enumerate(rows.policies):
            if policy.remembers:
                raise EngineError(
                    f"`{policy}` remembers, and rows of slots that only the device knows were handed over"
                )
            job = Job((policy,), position=rows.position.clamp(min=0), requested=rows.requested, given=self.given)
            temperature = torch.where(rows.which == number, backend.run(logits, job).temperature, temperature)
        if sound is not None:
            temperature = torch.where(sound, temperature, torch.nan)
        changed = (~temperature.isnan()).sum()
        self.counts.calls += 1
        self.counts.seen += len(batch.logits)
        self.counts.greedy += (rows.which == GREEDY).sum()
        self.counts.changed += changed
        self.counts.broken += (rows.which >= 0).sum() - changed
        self.counts.declined += (rows.which == NOBODY).sum()
        return (temperature, rows.requested) if sound is None else (on_host(temperature), on_host(rows.requested))


def draw_at(logits: Any, temperature: Any, **settings: Any) -> Draw:
    """A token of each row at a temperature that is decided, [rows]; `settings` are those of `dyntemp.sample`."""
    return sample(logits, AS_DECIDED, requested=temperature.clip(max=MAX_REQUESTED), **settings)


def _surprisal(row: NDArray[np.float32], token: int) -> float:
    """-ln p of a token, in nats; NaN in a broken row."""
    z = row.astype(np.float64)
    high = z.max()
    return float(np.log(np.exp(z - high).sum()) + high - z[token]) if np.isfinite(high) else np.nan


def _is_sound(row: Any) -> bool:
    """Whether the largest number of a row on the host is finite."""
    return bool(np.isfinite(as_rows(row).unmasked(0).max()))


def _normalised(scaled: Any, divisor: Any, out: Any) -> Any:
    """Log-probabilities that sum to 1 again, in rows that were divided."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(scaled, torch.Tensor):
        total = scaled.double().logsumexp(-1, keepdim=True)
        divided = torch.as_tensor(divisor, device=scaled.device).isnan().logical_not()[:, None]
        result = torch.where(divided, scaled - total, scaled).to(scaled.dtype)
    else:
        z = np.asarray(scaled).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            high = z.max(-1, keepdims=True)
            total = np.log(np.exp(z - high).sum(-1, keepdims=True)) + high
            result = np.where(np.isnan(divisor)[:, None], z, z - total).astype(scaled.dtype)
    if out is None:
        return result
    out[...] = result
    return out
