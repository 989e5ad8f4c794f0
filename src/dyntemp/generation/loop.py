"""The loop we own, one step at a time: sequences that come and go, each with its own policy, filters and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dyntemp.generation.contexts import RowContexts
from dyntemp.generation.next_token import NextTokens
from dyntemp.generation.prefill import Prefill, PrefillQueue, SequenceGroup, prompts_to_read
from dyntemp.generation.request import Request
from dyntemp.generation.sequence import GeneratedSequence
from dyntemp.kernels import backend_of
from dyntemp.kernels.cpu.threads import checked
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import as_rows
from dyntemp.language.given import numbers_at
from dyntemp.language.policy import Policy
from dyntemp.language.state import State
from dyntemp.models import Model, OpenModel, OpenSession, check_prompts
from dyntemp.traces.row_record import MEASURED
from dyntemp.traces.token import Token

PART = 64
"""Tokens of a prompt that are read at a time while other sequences run; see `Loop`."""

Records = list[tuple[int, Token]]
"""Records of tokens, each with the loop's number of its sequence."""


class PrefillPart(NamedTuple):
    """A part of a prompt that was read.

    Attributes:
        numbers: Numbers of the sequences that begin with the prompt.
        tokens: How many tokens the part had.
        begun: Whether it was the last part, so that these sequences have begun.
        records: The first records of the sequences, as `Loop.step` returns records.
        fault: The error that ended the sequences, if there was one.
    """

    numbers: list[int]
    tokens: int
    begun: bool
    records: Records
    fault: Exception | None = None


class Loop:
    """Sequences that one model generates, a token each at every step.

    Sequences that are added together are computed together. With `places`, and a model that has open sessions, later
    sequences join those that run, and their prompts are read part by part: `advance` takes the running sequences one
    token further, and `read` reads one part. `step` does both, and reads every prompt to its end. One thread at a time
    may use a loop. A sequence with a second prompt takes two places of a session, whose rows are computed together.

    Args:
        model: The model that gives the logits.
        backend: `cpu` or `reference`.
        places: How many sequences a session has room for, so that later ones can join. With 0 a session has room for
            those that it begins with, and reads their prompts in one piece.
        part: About how many tokens of a prompt one `read` takes, where there are `places`.
        kept: Of how many prompts a session keeps the model's state, where there are `places`. A session that keeps
            prompts waits for further sequences until `close`.
        threads: The number of threads that share the rows of a step, as for `sample`; the model has threads of its own.

    Raises:
        ValueError: For a number of threads outside 1 to 256.
    """

    def __init__(
        self,
        model: Model,
        backend: str = "cpu",
        places: int = 0,
        part: int = PART,
        kept: int = 0,
        threads: int | None = None,
    ) -> None:
        self._threads = None if threads is None else checked("threads", threads)
        self._model, self._backend, self._places, self._part, self._kept = model, backend, places, part, kept
        self._state = State()
        self._groups: list[SequenceGroup] = []
        self._prefills = PrefillQueue()
        self._contexts = RowContexts(model)
        self._free: list[int] = []
        self._slots = 0
        self._count = 0

    @property
    def live(self) -> int:
        """How many sequences have not ended."""
        return len(self._sequences())

    @property
    def unread(self) -> dict[tuple[int, ...], int]:
        """The numbers of the sequences that begin together -> how many tokens of their prompts are not read yet."""
        return {tuple(sequence.number for sequence in prefill.live): prefill.left for prefill in self._prefills}

    @property
    def restarts(self) -> int:
        """How often a policy's memory had to begin afresh; 0 in an undisturbed run."""
        return int(self._state.restarts)

    def add(self, requests: Sequence[Request]) -> list[int]:
        """Queue the prompts of these requests, and return the numbers of their sequences.

        Raises:
            ModelError: For a prompt that the model cannot begin with, and for functions of hidden states that the model
                does not have.
        """
        check_prompts(self._model, prompts_to_read(requests))
        self._contexts.add(requests)
        sequences = []
        for request in requests:
            sequences.append(GeneratedSequence(self._count, request, self._slot(request.policy), self._model))
            self._count += 1
        if sequences:
            self._prefills.add(Prefill([*sequences]))
        return [sequence.number for sequence in sequences]

    def cancel(self, number: int) -> list[Token]:
        """End a sequence, and return its records that were held back; none if it has ended already."""
        for group in self._groups:
            for row, sequence in group.sequences.items():
                if sequence.number == number:
                    self._end(group, row)
                    return sequence.release(None)
        for prefill in self._prefills:
            for at, waiting in enumerate(prefill.sequences):
                if waiting is not None and waiting.number == number:
                    prefill.sequences[at] = None
                    self._free.append(waiting.slot)
                    if not prefill.live:
                        self._give_up(prefill)
                    return []
        return []

    def step(self) -> Records:
        """One more token of every sequence. A record is held back while a stop text may be in the making.

        Raises:
            ModelError: If the model fails.
            InvalidLogitsError: For a broken row of logits.
        """
        ready = self.advance()
        while self._prefills:
            part = self.read()
            if part.fault is not None:
                raise part.fault
            ready += part.records
        return ready

    def advance(self) -> Records:
        """One more token of every sequence that has begun; see `step`."""
        ready: Records = []
        for group in list(self._groups):
            if group.sequences:
                rows = sorted(group.next)
                group.session.advance(group.next)
                group.next = {}
                ready += self._draw(group, rows, group.session.logits())
        return ready

    def read(self) -> PrefillPart:
        """Read one part of a prompt, if any is unread. The last part begins its sequences. Order: `PrefillQueue`."""
        if not self._prefills:
            return PrefillPart([], 0, begun=False, records=[])
        prefill = self._prefills.next()
        numbers = [sequence.number for sequence in prefill.live]
        try:
            return PrefillPart(numbers, *self._read(prefill))
        except Exception as error:  # noqa: BLE001 (the caller is told, in `fault`)
            for number in numbers:
                self.cancel(number)
            return PrefillPart(numbers, 0, begun=False, records=[], fault=error)

    def close(self) -> list[Token]:
        """End all sequences, free their memory, and return the records that were held back. May be called again."""
        held = [token for sequence in self._sequences() for token in sequence.release(None)]
        for prefill in self._prefills:
            if prefill.reading is not None:
                prefill.reading.close()
        for group in self._groups:
            group.session.close()
        self._groups, self._prefills = [], PrefillQueue()
        self._contexts.close()
        return held

    def _sequences(self) -> list[GeneratedSequence]:
        waiting = (sequence for prefill in self._prefills for sequence in prefill.live)
        return [*(sequence for group in self._groups for sequence in group.sequences.values()), *waiting]

    def _slot(self, policy: Policy) -> int:
        """A free slot in the policies' memory; its sequence writes it from the first position on."""
        if not self._free:
            self._free.append(self._slots)
            self._slots += 1
        slot = self._free.pop()
        self._state.grow(self._slots, len(policy.program.cells))
        return slot

    def _read(self, prefill: Prefill) -> tuple[int, bool, Records]:
        """Read a part: how many tokens it had, whether the sequences have begun, and their first records."""
        if not self._places or not isinstance(self._model, OpenModel):
            tokens, prompts = prefill.left, prefill.begin()
            group = SequenceGroup(self._model.start(prompts))
            self._groups.append(group)
            return tokens, True, self._begin(prefill, group, range(len(prompts)), group.session.logits())
        if prefill.group is None or prefill.reading is None:
            prompts = prefill.begin()
            prefill.group, session = self._group_with_room(self._model, len(prompts))
            prefill.group.prefills += 1
            prefill.reading = session.join(prompts, self._part)
        tokens = prefill.reading.read() if prefill.reading.left else 0
        if prefill.reading.left:
            return tokens, False, []
        rows, logits = prefill.reading.finish()
        prefill.group.prefills -= 1
        return tokens, True, self._begin(prefill, prefill.group, rows, logits)

    def _group_with_room(self, model: OpenModel, count: int) -> tuple[SequenceGroup, OpenSession]:
        """A group whose session has room for `count` more prompts, and the session."""
        for group in self._groups:
            if group.joinable is not None and group.joinable.places >= count:
                return group, group.joinable
        session = model.start_open(max(self._places, count), self._kept)
        group = SequenceGroup(session, joinable=session)
        self._groups.append(group)
        return group, session

    def _begin(self, prefill: Prefill, group: SequenceGroup, rows: Sequence[int], logits: Any) -> Records:
        """Draw the first tokens of sequences that have joined; cancelled ones leave the session at its next step."""
        self._prefills.remove(prefill)
        kept = [at for at, sequence in enumerate(prefill.sequences) if sequence is not None]
        group.sequences.update(zip((rows[at] for at in kept), prefill.live, strict=True))
        seconds = zip(prefill.contrasted, rows[len(prefill.sequences) :], strict=True)
        group.companions.update((rows[at], second) for at, second in seconds if at in kept)
        return self._draw(group, rows, logits)

    def _end(self, group: SequenceGroup, row: int) -> None:
        self._free.append(group.sequences.pop(row).slot)
        group.next.pop(row, None)
        if row in group.companions:
            group.next.pop(group.companions.pop(row), None)
        self._tidy(group)

    def _give_up(self, prefill: Prefill) -> None:
        """Forget a prefill whose sequences were all cancelled."""
        self._prefills.remove(prefill)
        if prefill.reading is not None:
            prefill.reading.close()
        if prefill.group is not None:
            prefill.group.prefills -= 1
            self._tidy(prefill.group)

    def _tidy(self, group: SequenceGroup) -> None:
        """Close the session of a group without sequences, which no prefill is about to join, or have it wait."""
        if group.sequences or group.prefills:
            return
        if self._kept and group.joinable is not None:
            group.session.advance({})  # its sequences end; the prompts that it keeps stay
        else:
            group.session.close()
            self._groups.remove(group)

    def _draw(self, group: SequenceGroup, rows: Sequence[int], logits: Any) -> Records:
        """Draw the next token of the sequences in these rows of the session; `logits` has the same order."""
        places = [place for place, row in enumerate(rows) if row in group.sequences]
        sequences = [group.sequences[rows[place]] for place in places]
        self._contexts.measure(group, rows, logits)
        drawn: dict[int, tuple[NextTokens, int]] = {}
        for batch in _batches(sequences):
            part = logits if len(batch) == len(rows) else logits[[places[at] for at in batch]]
            outcome = backend_of(part, self._backend).run(part, self._job([sequences[at] for at in batch]))
            tokens = NextTokens(self._model, as_rows(part), outcome)
            drawn |= {at: (tokens, row) for row, at in enumerate(batch)}
        ready: Records = []
        for at, sequence in enumerate(sequences):  # in their order, since a leader comes before its followers
            row = rows[places[at]]
            token, shown = self._take(sequence, *drawn[at])
            ready += [(sequence.number, one) for one in shown]
            if token.finish or (shown and shown[-1].finish):
                self._end(group, row)
            else:
                group.next[row] = token.token
                if row in group.companions:
                    group.next[group.companions[row]] = token.token
        return ready

    def _job(self, sequences: Sequence[GeneratedSequence]) -> Job:
        """The kernel's job for the rows of these sequences, whose requests have one `batch_key`."""
        requests = [sequence.request for sequence in sequences]
        settings = [request.settings for request in requests]
        policies = [request.policy for request in requests]
        remembers = any(policy.remembers for policy in policies)
        given = [
            {**numbers_at(one.request.settings.given, one.position), **one.inside, **one.measured} for one in sequences
        ]
        return Job(
            policies=tuple(policies[:1] if len(set(policies)) == 1 else policies),
            also=tuple(dict.fromkeys((*MEASURED, *requests[0].signals))),
            draw=True,
            filters=settings[0].filters,
            seed=np.array([one.seed for one in settings], np.uint64),
            request=np.array([request.number for request in requests], np.int64),
            position=np.array([sequence.position for sequence in sequences], np.int64),
            state=self._state if remembers else None,
            slot=np.array([sequence.slot for sequence in sequences], np.int64) if remembers else None,
            requested=np.array([one.requested for one in settings]),
            given={name: np.array([one[name] for one in given]) for name in given[0]},
            parameters=settings[0].parameters,
            threads=self._threads,
        )

    def _take(self, sequence: GeneratedSequence, drawn: NextTokens, row: int) -> tuple[Token, list[Token]]:
        """The next token of a sequence, and the records that can be shown now."""
        request = sequence.request
        record = drawn.record(sequence, row, *drawn.token(sequence, row))
        if request.policy.remembers and record.origin != "drawn":
            self._state.observe(sequence.slot, sequence.position, record.surprisal)
        if request.record is not None:
            request.record.append(record)
        sequence.track([record.token])
        sequence.position += 1
        if sequence.position > len(request.settings.begin):
            return record, sequence.receive(record)
        sequence.decode(record.bytes)
        return replace(record, finish=None), []  # a token in `begin` ends nothing


def _batches(sequences: Sequence[GeneratedSequence]) -> list[list[int]]:
    """The places of sequences that one call can draw: they have one `batch_key`, and no two the same noise."""
    batches: dict[Any, list[int]] = {}
    met: dict[Any, int] = {}
    for place, sequence in enumerate(sequences):
        noise = sequence.noise_key
        met[noise] = met.get(noise, -1) + 1
        batches.setdefault((sequence.request.batch_key, met[noise]), []).append(place)
    return list(batches.values())
