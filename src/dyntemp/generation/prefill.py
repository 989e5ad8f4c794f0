"""Prefill: prompts that wait to be read, and the order in which their parts are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from dyntemp.generation.sequence import GeneratedSequence
from dyntemp.models import OpenSession, Reading, Session


@dataclass(slots=True, eq=False)
class SequenceGroup:
    """Sequences that the model computes together.

    Attributes:
        session: The model's session.
        joinable: The same session, where further sequences can join it.
        sequences: The sequences, by their row in the session.
        next: The token that each row takes in at the next step.
        prefills: How many prefills are about to join.
    """

    session: Session
    joinable: OpenSession | None = None
    sequences: dict[int, GeneratedSequence] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)
    prefills: int = 0


@dataclass(slots=True, eq=False)
class Prefill:
    """Sequences that begin together once their prompts are read.

    Attributes:
        sequences: The sequences; None for a cancelled one.
        group: The group that they will join; None before the first part is read.
        reading: The model's reading of their prompts; None before the first part is read.
    """

    sequences: list[GeneratedSequence | None]
    group: SequenceGroup | None = None
    reading: Reading | None = None

    @property
    def live(self) -> list[GeneratedSequence]:
        """The sequences that were not cancelled."""
        return [sequence for sequence in self.sequences if sequence is not None]

    @property
    def left(self) -> int:
        """Tokens that are not read yet."""
        if self.reading is not None:
            return self.reading.left
        return sum(map(len, {tuple(sequence.request.prefix) for sequence in self.live}))


class PrefillQueue:
    """Prefills, of which one at a time has its turn.

    Turns alternate between the prefill with the fewest tokens left and the next one in a round of all. A short prompt
    is therefore read soon, however many long ones wait; and each of n prefills has at least every 2n-th turn, however
    many short ones come.
    """

    def __init__(self) -> None:
        self._waiting: deque[Prefill] = deque()
        self._shortest = True

    def __iter__(self) -> Iterator[Prefill]:
        """All prefills; the queue may change meanwhile."""
        return iter([*self._waiting])

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, prefill: Prefill) -> None:
        """Put a prefill at the end."""
        self._waiting.append(prefill)

    def next(self) -> Prefill:
        """The prefill whose turn it is."""
        self._shortest = not self._shortest
        if not self._shortest:
            return min(self._waiting, key=lambda prefill: prefill.left)
        self._waiting.rotate(-1)
        return self._waiting[-1]

    def remove(self, prefill: Prefill) -> None:
        """Take a prefill out."""
        self._waiting.remove(prefill)
