"""The loop we own, one step at a time: texts that come and go, each with a policy, filters and a seed of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dyntemp.asks import MEASURED, Ask, Path, Text
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import as_rows
from dyntemp.models import Model, Session, check_prompts
from dyntemp.policy import Policy
from dyntemp.records import Drawn
from dyntemp.state import State
from dyntemp.trace import Token

__all__ = ["Ask", "Loop", "Path"]


@dataclass(slots=True, eq=False)
class _Batch:
    """Runs that the model computes together.

    Attributes:
        session: Their sequences.
        runs: By the number of their sequence.
        next: The token that each takes in before it goes on.
    """

    session: Session
    runs: dict[int, Text]
    next: dict[int, int] = field(default_factory=dict)


class Loop:
    """Texts that one model writes, a token each at every step.

    Texts that are added together are computed together; where the model's sessions can take in more (`join`), later
    ones join them. One thread at a time may use it.

    Args:
        model: What gives the logits.
        backend: `cpu` or `reference`.
        places: How many sequences a session is to have room for, so that later ones can join; 0 for as many as it
            begins with.
    """

    def __init__(self, model: Model, backend: str = "cpu", places: int = 0) -> None:
        self._model, self._backend, self._places = model, backend, places
        self._state = State()
        self._batches: list[_Batch] = []
        self._waiting: list[list[Text]] = []
        self._free: list[int] = []
        self._slots = 0
        self._count = 0

    @property
    def live(self) -> int:
        """How many texts are being written."""
        return len(self._texts())

    @property
    def restarts(self) -> int:
        """How often a policy's memory had to begin afresh; 0 in an undisturbed run."""
        return int(self._state.restarts)

    def add(self, asks: Sequence[Ask]) -> list[int]:
        """Begin these texts at the next step, and return their numbers.

        Raises:
            ModelError: For a prompt that the model cannot begin with.
        """
        check_prompts(self._model, [ask.ahead for ask in asks])
        runs = []
        for ask in asks:
            runs.append(Text(self._count, ask, self._slot(ask.policy), self._model))
            self._count += 1
        if runs:
            self._waiting.append(runs)
        return [run.number for run in runs]

    def cancel(self, number: int) -> list[Token]:
        """End a text, and return its records that were held back; nothing where it has ended."""
        for batch in self._batches:
            for row, run in batch.runs.items():
                if run.number == number:
                    self._end(batch, row)
                    return run.release(None)
        for waiting in self._waiting:
            for run in waiting:
                if run.number == number:
                    waiting.remove(run)
                    self._free.append(run.slot)
                    return []
        return []

    def step(self) -> list[tuple[int, Token]]:
        """One more token of every text; records come with the number of their text, and may be held back for a while.

        Raises:
            ModelError: If the model fails.
            InvalidLogitsError: For a broken row of logits.
        """
        ready: list[tuple[int, Token]] = []
        for batch in list(self._batches):
            if batch.runs:
                batch.session.advance(batch.next)
                batch.next = {}
                ready += self._draw(batch, sorted(batch.runs), batch.session.logits())
        waiting, self._waiting = [runs for runs in self._waiting if runs], []
        for runs in waiting:
            ready += self._begin(runs)
        return ready

    def close(self) -> list[Token]:
        """End all texts, free what they hold, and return the records that were held back. May be called again."""
        held = [token for text in self._texts() for token in text.release(None)]
        for batch in self._batches:
            batch.session.close()
        self._batches, self._waiting = [], []
        return held

    def _texts(self) -> list[Text]:
        waiting = (run for runs in self._waiting for run in runs)
        return [*(run for batch in self._batches for run in batch.runs.values()), *waiting]

    def _slot(self, policy: Policy) -> int:
        """A place in the memory, for a text that writes it from its first position on."""
        if not self._free:
            self._free.append(self._slots)
            self._slots += 1
        slot = self._free.pop()
        self._state.grow(self._slots, len(policy.program.cells))
        return slot

    def _begin(self, runs: list[Text]) -> list[tuple[int, Token]]:
        """Have the model read the prompts, and draw the first tokens."""
        prompts = [run.ask.ahead for run in runs]
        batch = next((batch for batch in self._batches if getattr(batch.session, "places", 0) >= len(runs)), None)
        if batch is not None:
            rows, logits = batch.session.join(prompts)  # type: ignore[attr-defined]
            batch.runs.update(zip(rows, runs, strict=True))
        else:
            session = self._start(prompts)
            batch = _Batch(session, dict(enumerate(runs)))
            self._batches.append(batch)
            rows, logits = list(batch.runs), session.logits()
        return self._draw(batch, rows, logits)

    def _start(self, prompts: list[list[int]]) -> Session:
        """A session that later prompts can join, where the model has such and places were asked for."""
        start_open = getattr(self._model, "start_open", None)
        if self._places and start_open is not None:
            session: Session = start_open(prompts, max(self._places, len(prompts)))
            return session
        return self._model.start(prompts)

    def _end(self, batch: _Batch, row: int) -> None:
        self._free.append(batch.runs.pop(row).slot)
        batch.next.pop(row, None)
        if not batch.runs:
            batch.session.close()
            self._batches.remove(batch)

    def _draw(self, batch: _Batch, rows: Sequence[int], logits: Any) -> list[tuple[int, Token]]:
        """The next token of the texts whose rows of logits these are, in the same order."""
        runs = [batch.runs[row] for row in rows]
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
                self._end(batch, rows[place])
            else:
                batch.next[rows[place]] = token.token
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
