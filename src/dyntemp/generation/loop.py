"""The loop we own, one step at a time: texts that come and go, each with a policy, filters and a seed of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dyntemp.generation.next_token import Drawn
from dyntemp.generation.prompt_queue import Group, Reader, Readers
from dyntemp.generation.request import MEASURED, Ask, Path, Text
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import as_rows
from dyntemp.language.policy import Policy
from dyntemp.language.state import State
from dyntemp.models import Model, OpenSession, check_prompts
from dyntemp.traces.token import Token

__all__ = ["PART", "Ask", "Loop", "Part", "Path"]


PART = 64
"""Tokens of a prompt that are read at a time where others write meanwhile; see `Loop`."""


class Part(NamedTuple):
    """A part of a prompt that was read.

    Attributes:
        texts: The numbers of the texts that the prompt, or the prompts, are of.
        tokens: How many tokens the part had.
        begun: Whether it was the last part, so that these texts have begun.
        records: The first records of the texts, as `Loop.step` returns records.
        fault: What went wrong, if anything; the texts have ended then.
    """

    texts: list[int]
    tokens: int
    begun: bool
    records: list[tuple[int, Token]]
    fault: Exception | None = None


class Loop:
    """Texts that one model writes, a token each at every step.

    Texts that are added together are computed together. With `places`, and a model that has open sessions, later texts
    join those that run, and their prompts are read part by part: `advance` takes the running texts one token further,
    and `read` reads one part. `step` does both, and reads every prompt to its end. One thread at a time may use a loop.

    Args:
        model: What gives the logits.
        backend: `cpu` or `reference`.
        places: How many sequences a session is to have room for, so that later ones can join; 0 for as many as it
            begins with, whose prompts are read in one piece.
        part: About how many tokens of a prompt one `read` takes, where `places` are asked for.
    """

    def __init__(self, model: Model, backend: str = "cpu", places: int = 0, part: int = PART) -> None:
        self._model, self._backend, self._places, self._part = model, backend, places, part
        self._state = State()
        self._groups: list[Group] = []
        self._readers = Readers()
        self._free: list[int] = []
        self._slots = 0
        self._count = 0

    @property
    def live(self) -> int:
        """How many texts have not ended."""
        return len(self._texts())

    @property
    def unread(self) -> dict[tuple[int, ...], int]:
        """The numbers of the texts that begin together -> how many tokens of their prompts are not read yet."""
        return {tuple(run.number for run in reader.live): reader.left for reader in self._readers}

    @property
    def restarts(self) -> int:
        """How often a policy's memory had to begin afresh; 0 in an undisturbed run."""
        return int(self._state.restarts)

    def add(self, asks: Sequence[Ask]) -> list[int]:
        """Begin these texts once their prompts are read, and return their numbers.

        Raises:
            ModelError: For a prompt that the model cannot begin with.
        """
        check_prompts(self._model, [ask.ahead for ask in asks])
        runs = []
        for ask in asks:
            runs.append(Text(self._count, ask, self._slot(ask.policy), self._model))
            self._count += 1
        if runs:
            self._readers.add(Reader([*runs]))
        return [run.number for run in runs]

    def cancel(self, number: int) -> list[Token]:
        """End a text, and return its records that were held back; nothing where it has ended."""
        for group in self._groups:
            for row, run in group.runs.items():
                if run.number == number:
                    self._end(group, row)
                    return run.release(None)
        for reader in self._readers:
            for at, waiting in enumerate(reader.runs):
                if waiting is not None and waiting.number == number:
                    reader.runs[at] = None
                    self._free.append(waiting.slot)
                    if not reader.live:
                        self._give_up(reader)
                    return []
        return []

    def step(self) -> list[tuple[int, Token]]:
        """One more token of every text; records come with the number of their text, and may be held back for a while.

        Raises:
            ModelError: If the model fails.
            InvalidLogitsError: For a broken row of logits.
        """
        ready = self.advance()
        while self._readers:
            part = self.read()
            if part.fault is not None:
                raise part.fault
            ready += part.records
        return ready

    def advance(self) -> list[tuple[int, Token]]:
        """One more token of every text that has begun; see `step`."""
        ready: list[tuple[int, Token]] = []
        for group in list(self._groups):
            if group.runs:
                group.session.advance(group.next)
                group.next = {}
                ready += self._draw(group, sorted(group.runs), group.session.logits())
        return ready

    def read(self) -> Part:
        """Read one part of a prompt, if any is unread; the last part begins the texts. See `Readers` for the order."""
        if not self._readers:
            return Part([], 0, begun=False, records=[])
        reader = self._readers.next()
        texts = [run.number for run in reader.live]
        try:
            return Part(texts, *self._read(reader))
        except Exception as error:  # noqa: BLE001 (whoever asked for the texts is told)
            for number in texts:
                self.cancel(number)
            return Part(texts, 0, begun=False, records=[], fault=error)

    def close(self) -> list[Token]:
        """End all texts, free what they hold, and return the records that were held back. May be called again."""
        held = [token for text in self._texts() for token in text.release(None)]
        for reader in self._readers:
            if reader.reading is not None:
                reader.reading.close()
        for group in self._groups:
            group.session.close()
        self._groups, self._readers = [], Readers()
        return held

    def _texts(self) -> list[Text]:
        waiting = (run for reader in self._readers for run in reader.live)
        return [*(run for group in self._groups for run in group.runs.values()), *waiting]

    def _slot(self, policy: Policy) -> int:
        """A place in the memory, for a text that writes it from its first position on."""
        if not self._free:
            self._free.append(self._slots)
            self._slots += 1
        slot = self._free.pop()
        self._state.grow(self._slots, len(policy.program.cells))
        return slot

    def _read(self, reader: Reader) -> tuple[int, bool, list[tuple[int, Token]]]:
        """Read a part of a reader's prompts: its tokens, whether the texts have begun, and their first records."""
        prompts = [run.ask.ahead for run in reader.live]
        start_open = getattr(self._model, "start_open", None)
        if not self._places or start_open is None:
            group = Group(self._model.start(prompts), dict(enumerate(reader.live)))
            self._groups.append(group)
            tokens = reader.left
            self._readers.remove(reader)
            return tokens, True, self._draw(group, list(group.runs), group.session.logits())
        if reader.group is None or reader.reading is None:
            reader.runs = [*reader.live]
            reader.group = self._open_group(start_open, len(prompts))
            reader.group.readers += 1
            reader.reading = reader.group.session.join(prompts, self._part)  # type: ignore[attr-defined]
        tokens = reader.reading.read()
        if reader.reading.left:
            return tokens, False, []
        rows, logits = reader.reading.finish()
        return tokens, True, self._begin(reader, reader.group, rows, logits)

    def _open_group(self, start_open: Callable[[int], OpenSession], count: int) -> Group:
        """A group that so many texts can join."""
        for group in self._groups:
            if getattr(group.session, "places", 0) >= count:
                return group
        group = Group(start_open(max(self._places, count)))
        self._groups.append(group)
        return group

    def _begin(self, reader: Reader, group: Group, rows: Sequence[int], logits: Any) -> list[tuple[int, Token]]:
        """Draw the first tokens of texts that have joined; sequences of cancelled texts end with the next step."""
        self._readers.remove(reader)
        group.readers -= 1
        kept = [at for at, run in enumerate(reader.runs) if run is not None]
        group.runs.update(zip((rows[at] for at in kept), reader.live, strict=True))
        return self._draw(group, [rows[at] for at in kept], logits if len(kept) == len(rows) else logits[kept])

    def _end(self, group: Group, row: int) -> None:
        self._free.append(group.runs.pop(row).slot)
        group.next.pop(row, None)
        self._tidy(group)

    def _give_up(self, reader: Reader) -> None:
        """Forget a reader whose texts were all cancelled."""
        self._readers.remove(reader)
        if reader.reading is not None:
            reader.reading.close()
        if reader.group is not None:
            reader.group.readers -= 1
            self._tidy(reader.group)

    def _tidy(self, group: Group) -> None:
        """Close the session of a group that nobody is in, or about to join."""
        if not group.runs and not group.readers:
            group.session.close()
            self._groups.remove(group)

    def _draw(self, group: Group, rows: Sequence[int], logits: Any) -> list[tuple[int, Token]]:
        """The next token of the texts whose rows of logits these are, in the same order."""
        runs = [group.runs[row] for row in rows]
        chosen: dict[int, tuple[Drawn, int]] = {}
        for places in _together(runs):
            part = logits if len(places) == len(runs) else logits[places]
            outcome = backend_of(part, self._backend).run(part, self._job([runs[place] for place in places]))
            drawn = Drawn(self._model, as_rows(part), outcome)
            chosen |= {place: (drawn, at) for at, place in enumerate(places)}
        ready: list[tuple[int, Token]] = []
        for place, run in enumerate(runs):  # in their order: who follows comes after whom it follows
            token, shown = self._take(run, *chosen[place])
            ready += [(run.number, one) for one in shown]
            if token.finish or (shown and shown[-1].finish):
                self._end(group, rows[place])
            else:
                group.next[rows[place]] = token.token
        return ready

    def _job(self, runs: Sequence[Text]) -> Job:
        """What is asked for the rows of these texts, which are of one kind."""
        asks = [run.ask for run in runs]
        policies = [ask.policy for ask in asks]
        remembers = any(policy.remembers for policy in policies)
        return Job(
            tuple(policies[:1] if len(set(policies)) == 1 else policies),
            tuple(dict.fromkeys((*MEASURED, *asks[0].signals))),
            True,
            asks[0].filters,
            np.array([ask.seed for ask in asks], np.uint64),
            np.array([ask.request for ask in asks], np.int64),
            np.array([run.position for run in runs], np.int64),
            self._state if remembers else None,
            np.array([run.slot for run in runs], np.int64) if remembers else None,
            np.array([ask.requested for ask in asks]),
            {name: np.array([(ask.given or {})[name] for ask in asks]) for name in asks[0].given or {}},
            asks[0].parameters,
        )

    def _take(self, run: Text, drawn: Drawn, row: int) -> tuple[Token, list[Token]]:
        """The text's next token, and the records that may be shown now that it has come."""
        token, origin = drawn.token(run, row)
        record = drawn.record(run, row, token, origin)
        if run.ask.policy.remembers and origin != "drawn":
            self._state.observe(run.slot, run.position, record.surprisal)
        if run.ask.notes is not None:
            run.ask.notes.steps.append((token, record.temperature, origin == "forced"))
        run.position += 1
        if run.position > len(run.ask.begin):
            return record, run.receive(record)
        run.read(record.bytes)
        return replace(record, finish=None), []  # what is there already ends nothing


def _together(runs: Sequence[Text]) -> list[list[int]]:
    """The places of texts that can be drawn in one call: of one kind, and with noise of their own each."""
    groups: dict[Any, list[int]] = {}
    met: dict[Any, int] = {}
    for place, run in enumerate(runs):
        noise = (run.ask.seed, run.ask.request, run.position)
        met[noise] = met.get(noise, -1) + 1
        groups.setdefault((run.ask.kind, met[noise]), []).append(place)
    return list(groups.values())
