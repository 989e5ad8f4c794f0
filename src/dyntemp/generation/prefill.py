"""Prefill: prompts that wait to be read, and the order in which their parts are read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dyntemp.generation.request import Request
from dyntemp.generation.sequence import GeneratedSequence
from dyntemp.models import OpenSession, Reading, Session


@dataclass(slots=True, eq=False)
class SequenceGroup:
    """Sequences that the model computes together.

    Attributes:
        session: The model's session.
        joinable: The same session, where further sequences can join it.
        sequences: The sequences, by their row in the session.
        companions: The row of a sequence -> the row of its second prompt, which takes in the same tokens.
        next: The token that each row takes in at the next step.
        prefills: How many prefills are about to join.
    """

    session: Session
    joinable: OpenSession | None = None
    sequences: dict[int, GeneratedSequence] = field(default_factory=dict)
    companions: dict[int, int] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)
    prefills: int = 0


@dataclass(slots=True, eq=False)
class Prefill:
    """Sequences that begin together once their prompts are read.

    Attributes:
        sequences: The sequences; None for a cancelled one.
        group: The group that they will join; None before the first part is read.
        reading: The model's reading of their prompts; None before the first part is read.
        contrasted: Places in `sequences` of those with a second prompt, since the first part was read.
    """

    sequences: list[GeneratedSequence | None]
    group: SequenceGroup | None = None
    reading: Reading | None = None
    contrasted: list[int] = field(default_factory=list)

    def begin(self) -> list[list[int]]:
        """Settle the places of the sequences, and return the prompts to read: theirs, then their second ones."""
        self.sequences = [*self.live]
        requests = [sequence.request for sequence in self.live]
        self.contrasted = [place for place, request in enumerate(requests) if request.contrast is not None]
        return prompts_to_read(requests)

    @property
    def live(self) -> list[GeneratedSequence]:
        """The sequences that were not cancelled."""
        return [sequence for sequence in self.sequences if sequence is not None]

    @property
    def left(self) -> int:
        """Tokens that are not read yet."""
        if self.reading is not None:
            return self.reading.left
        return sum(map(len, set(map(tuple, prompts_to_read([sequence.request for sequence in self.live])))))


def prompts_to_read(requests: Sequence[Request]) -> list[list[int]]:
    """All prompts that the model has to read for these requests: the first ones, then the second ones."""
    seconds = [request.contrast_prefix for request in requests]
    return [*(request.prefix for request in requests), *(second for second in seconds if second is not None)]


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
