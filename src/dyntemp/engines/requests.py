"""The requests that a host runs, and the temperatures that their policies decide for each step's rows."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.draw_curve import TEMPERATURES
from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.arrays import beside, on_host
from dyntemp.engines.batch import Batch, Counts, Step
from dyntemp.engines.capabilities import Capabilities
from dyntemp.engines.given import at_positions, by_row
from dyntemp.engines.logits import normalised, sound
from dyntemp.engines.row_settings import GREEDY, NOBODY, DeviceRowSettings, Request, RowSettings
from dyntemp.engines.sequence_record import SequenceRecord, hand_over
from dyntemp.engines.surprisal import Surprisal
from dyntemp.engines.zones import Zones
from dyntemp.errors import EngineError, InvalidLogitsError
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job
from dyntemp.language.given import GivenNumbers, check_lists, lists_of
from dyntemp.language.policy import Policy
from dyntemp.language.state import State
from dyntemp.sampling import PolicyLike, as_policy

MOST_CELLS = 64
"""Most numbers per token that a policy may keep, where requests bring policies of their own."""


class Requests:
    """The requests of a host: the policy, memory and position of each, and counts of calls and rows.

    The policy decides the temperature. A request's own temperature is the value of `requested`. It has no other
    effect, except that a request with temperature 0 stays greedy. Signals are measured at temperature 1, also where
    the host divides the rows itself.

    Args:
        capabilities: The adapter's record; a policy that needs more is refused.
        divided: When the host divides rows by the request's own temperature: `"never"`, `"before"` it calls us, or
            `"after"`. The division is undone.
        window: Number of positions that a request may go back and run again.
        device: PyTorch's device of the rows, where they are not in the host's memory.
        backend: A name of `dyntemp.kernels.BACKENDS`; by default it follows from the rows' library and device.
        given: The value of each `given("name", low, high)`, by name: a number, a list of numbers by position, or
            an array of one per row; read again at every step.
        tokenizer: Tells policies that read `inside(...)` the bytes of tokens: a tokenizer of transformers, or a
            function that returns the bytes of a token. None refuses such policies.
        zones: Zones of the user's own, as `parse_zone` reads them: one, or several.
        record: Called with each `Step`. On a device, each step is waited for.
        counts: Counts to continue, where an adapter makes several `Requests` in turn; new ones by default.

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
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
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
        self._records: dict[int, SequenceRecord] = {}
        self._state = State(window=window, device=device)
        self._last: RowSettings | None = None
        self._restarts: Any = 0
        self._surprisal = Surprisal(self._state)
        self._zones = Zones(tokenizer, zones, window)
        self._warned = False

    def accept(
        self, policy: PolicyLike, zones: str | Sequence[str] = (), given: Mapping[str, GivenNumbers] | None = None
    ) -> Policy:
        """Read a policy, and check that this host can carry it out.

        Args:
            policy: The policy, or its text.
            zones: Zones of a request's own, as `parse_zone` reads them.
            given: Values of a request's own, as for `begin`.

        Raises:
            PolicyError: If `policy` is no policy, reads a zone that nobody defined, or a list in `given` is wrong.
            EngineError: If it needs more than the host offers, or keeps more than 64 numbers per token.
        """
        found = self.capabilities.check(as_policy(policy))
        self._zones.tracker(found, zones)
        check_lists(found, {**(self.given or {}), **(given or {})})
        if len(found.program.cells) > MOST_CELLS:
            raise EngineError(
                f"a policy was given that keeps {len(found.program.cells)} numbers per token; {MOST_CELLS} are allowed"
            )
        return found

    def begin(
        self, slot: int, policy: PolicyLike, *, requested: float = 1.0, prompt: int = 0,
        zones: str | Sequence[str] = (), given: Mapping[str, GivenNumbers] | None = None, curves: bool = False,
    ) -> None:  # fmt: skip
        """Begin a request in `slot`. An earlier request in this slot is forgotten.

        Args:
            slot: An integer of the adapter's choice. Memory grows with the largest slot.
            policy: The request's policy.
            requested: The temperature that it asked for; at 0 it is greedy, and its rows stay as they are.
            prompt: Number of tokens in its prompt: the position of the first token that it generates.
            zones: Zones of its own, as `parse_zone` reads them.
            given: Values of its own, in place of the host's of the same name: numbers, or lists of them by position.
            curves: Whether each `Step` is to hold the totals of its rows' curves; rows have to be tensors then.

        Raises:
            PolicyError, EngineError: As `accept`.
        """
        accepted = self.accept(policy, zones, given)
        self._records.pop(slot, None)
        self._requests[slot] = Request(accepted, float(requested), prompt, given or {}, curves)
        self._last = None
        self._surprisal.forget(slot)
        self._zones.begin(slot, accepted, zones)
        if accepted.remembers:
            self._state.grow(slots=slot + 1, width=len(accepted.program.cells))
        if slot < self._state.slots:
            self._state.begin(slot)

    def attach(self, slot: int, record: SequenceRecord) -> None:
        """Hand the rows of the request in `slot` to a record, to which the adapter tells the tokens."""
        self._records[slot] = record

    def end(self, slot: int) -> None:
        """End the request in `slot`, if there is one."""
        self._requests.pop(slot, None)
        self._records.pop(slot, None)
        self._last = None
        self._surprisal.forget(slot)
        self._zones.forget(slot)

    def __contains__(self, slot: int) -> bool:
        return slot in self._requests

    def reads_place(self, policy: Policy) -> bool:
        """True if the temperature depends on where in its text a row stands."""
        return policy.reads_place or bool(lists_of(policy, self.given))

    def temperatures(self, batch: Batch) -> Any:
        """The temperature of each row, float64 [rows]; NaN for rows that stay as they are. A tensor on a device."""
        return self._decide(batch)[0]

    def scale(self, batch: Batch, out: Any = None) -> Any:
        """Divide the rows so that the host, with its own division, draws at the policies' temperatures.

        Args:
            batch: The rows.
            out: The array to write to, which may be `batch.logits`; a new array by default.
        """
        temperature, requested = self._decide(batch)
        divisor = temperature if self.divided == "never" else temperature / requested  # the host divides by `requested`
        scaled = backend_of(batch.logits, self._backend).scale(batch.logits, divisor, out)
        return scaled if batch.space == "logits" else normalised(scaled, divisor, out)

    def _decide(self, batch: Batch) -> tuple[Any, Any]:
        """The temperature of each row, NaN where it stays as it is, and the temperature that its request asked for."""
        if not isinstance(batch.slot, (type(None), list, np.ndarray)):
            return self._decide_on_device(batch)
        rows = self._rows(batch, len(batch.logits))
        changed, greedy = int(np.count_nonzero(rows.ours)), int(np.count_nonzero(rows.greedy))
        self.counts.calls += len(rows.slots) > 0
        self.counts.seen += len(rows.slots)
        self.counts.greedy += greedy
        self.counts.declined += len(rows.slots) - changed - greedy
        rows.inside = self._zones.inside(rows, batch.text)
        logits = self._undivided(batch.logits, rows.requested)
        if rows.reads_surprisal:
            self._surprisal.update(logits, batch.drawn, rows, len(self._requests))
        given = by_row(at_positions(self.given, rows.position), rows)
        temperature, signals = self._measured(logits, rows, given)
        if self.record is not None:
            shown = {name: on_host(values) for name, values in signals.items()}
            decided = on_host(temperature)
            self.record(
                Step(rows.slots, rows.position, decided, shown, _totals(logits, rows.curves & ~np.isnan(decided)))
            )
        if self._records:
            hand_over(self._records, replace(batch, logits=logits), rows, temperature, signals)
        requested = rows.requested
        return temperature, requested if isinstance(temperature, np.ndarray) else beside(requested, temperature)

    def _rows(self, batch: Batch, count: int) -> RowSettings:
        """The settings of this step's rows. Those of the last step serve again where the slots are the same."""
        slots = np.arange(count) if batch.slot is None else np.array(batch.slot, np.int64)  # a copy is kept
        if slots.shape != (count,):
            raise EngineError(f"slots of shape {slots.shape} were given for {count} rows; one of each row is needed")
        if self._last is None or self._last.slots.tobytes() != slots.tobytes():
            self._last = RowSettings.of(slots, self._requests)
        rows = self._last
        rows.position = batch.position - rows.prompts
        live = rows.position >= 0
        if batch.live is not None:
            live &= np.asarray(batch.live, bool)
        return rows if np.count_nonzero(live) == count else rows.only(live)

    def _undivided(self, logits: Any, requested: NDArray[np.float64]) -> Any:
        """The rows at temperature 1: a division that came before is undone."""
        if self.divided != "before" or np.all(requested == 1):
            return logits
        factor = np.where(requested > GREEDY_AT, requested, 1.0).astype(np.float32)
        return logits * beside(factor, logits)[:, None]

    def _measured(self, logits: Any, rows: RowSettings, given: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Temperatures, NaN for rows that are broken or stay as they are, and signals by name."""
        ours = int(np.count_nonzero(rows.ours))
        if not ours:
            return np.full(len(rows.ours), np.nan), {}
        try:
            outcome = backend_of(logits, self._backend).run(logits, self._job(rows, given))
        except InvalidLogitsError:
            return self._measured_in_part(logits, rows, given, sound(logits))
        self.counts.changed += ours
        self.counts.restarts += self._state.restarts - self._restarts
        self._restarts = self._state.restarts + 0
        if outcome.broken is None:
            decided = on_host(outcome.temperature)
            return decided if ours == len(decided) else np.where(rows.ours, decided, np.nan), outcome.signals
        there = beside(rows.ours, outcome.broken)
        broken = (outcome.broken & there).sum()
        self.counts.changed -= broken
        self.counts.broken += broken
        return outcome.temperature.masked_fill(~there, np.nan), outcome.signals

    def _measured_in_part(
        self, logits: Any, rows: RowSettings, given: Mapping[str, Any], intact: NDArray[np.bool_]
    ) -> tuple[Any, dict[str, Any]]:
        """Measure the intact rows. Broken rows stay as they are, since a host cannot raise for one row."""
        self.counts.broken += int((rows.ours & ~intact).sum())
        if not self._warned:
            self._warned = True
            logging.getLogger("dyntemp").warning(
                "dyntemp: %s handed over a row with NaN, +inf or nothing unmasked; such rows are left as they are, and "
                "counted as broken", self.capabilities.engine,
            )  # fmt: skip
        which = np.flatnonzero(intact)
        part_of_given = {name: on_host(value)[which] if np.ndim(value) else value for name, value in given.items()}
        part, found = self._measured(logits[which], rows.at(which), part_of_given)

        def spread(values: Any) -> Any:
            whole = np.full(len(intact), np.nan)
            whole[which] = on_host(values)
            return whole

        return spread(part), {name: spread(values) for name, values in found.items()}

    def _job(self, rows: RowSettings, given: Mapping[str, Any]) -> Job:
        state = slot = None
        if rows.remembers:
            state, slot = self._state, rows.slots
            state.grow(slots=int(slot.max()) + 1)
        return Job(
            rows.of_job, state=state, slot=slot, position=np.maximum(rows.position, 0),
            requested=rows.requested, given={**given, **rows.inside},
        )  # fmt: skip

    def _decide_on_device(self, batch: Batch) -> tuple[Any, Any]:
        """As `_decide`, where only the device knows the slots: each policy measures every row."""
        torch = sys.modules["torch"]
        logits, rows = batch.logits, DeviceRowSettings.of(batch, self._requests)
        intact = None
        if logits.device.type == "cpu":  # a broken row raises there
            intact = torch.from_numpy(sound(logits))
            logits = torch.where(intact[:, None], logits, 0.0)
        backend = backend_of(logits, self._backend or ("torch" if intact is not None else None))
        temperature = torch.full_like(rows.requested, torch.nan)
        for number, policy in enumerate(rows.policies):
            if policy.remembers or policy.zones:
                raise EngineError(
                    f"`{policy}` reads more than its row, and rows of slots that only the device knows were handed over"
                )
            position = rows.position.clamp(min=0)
            given = at_positions(self.given, position)
            job = Job((policy,), position=position, requested=rows.requested, given=given)
            temperature = torch.where(rows.policy == number, backend.run(logits, job).temperature, temperature)
        if intact is not None:
            temperature = torch.where(intact, temperature, torch.nan)
        changed = (~temperature.isnan()).sum()
        self.counts.calls += 1
        self.counts.seen += len(batch.logits)
        self.counts.greedy += (rows.policy == GREEDY).sum()
        self.counts.changed += changed
        self.counts.broken += (rows.policy >= 0).sum() - changed
        self.counts.declined += (rows.policy == NOBODY).sum()
        return (temperature, rows.requested) if intact is None else (on_host(temperature), on_host(rows.requested))


def _totals(logits: Any, wanted: NDArray[np.bool_]) -> NDArray[np.float32] | None:
    """The totals of the curves of the rows that are wanted, [rows, 49], NaN in the others; None if none is."""
    if not wanted.any():
        return None
    from dyntemp.kernels.torch.draw_totals import draw_totals

    found = np.full((len(wanted), len(TEMPERATURES)), np.nan, np.float32)
    found[wanted] = on_host(draw_totals(logits if wanted.all() else logits[beside(np.flatnonzero(wanted), logits)]))
    return found
