"""Prompts that wait to be read, and whose part is read next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from dyntemp.generation.request import Text
from dyntemp.models import Reading, Session


@dataclass(slots=True, eq=False)
class Group:
    """Texts that the model computes together.

    Attributes:
        session: Their sequences.
        runs: By the number of their sequence.
        next: The token that each takes in before it goes on.
        readers: How many readers are about to join.
    """

    session: Session
    runs: dict[int, Text] = field(default_factory=dict)
    next: dict[int, int] = field(default_factory=dict)
    readers: int = 0


@dataclass(slots=True, eq=False)
class Reader:
    """Texts that begin together once their prompts are read.

    Attributes:
        runs: The texts; None for one that was cancelled.
        group: What they will join; None before the first part is read.
        reading: Their prompts, likewise.
    """

    runs: list[Text | None]
    group: Group | None = None
    reading: Reading | None = None

    @property
    def live(self) -> list[Text]:
        """The texts that were not cancelled."""
        return [run for run in self.runs if run is not None]

    @property
    def left(self) -> int:
        """Tokens that are not read yet."""
        if self.reading is not None:
            return self.reading.left
        return sum(map(len, {tuple(run.ask.ahead) for run in self.live}))


class Readers:
    """Readers, of which one has its turn at a time.

    Turns alternate between the reader with the fewest tokens left and all readers one after the other. A short prompt
    is therefore read soon, however many long ones are being read; and each of n readers has at least every 2n-th turn,
    however many short ones come.
    """

    def __init__(self) -> None:
        self._waiting: deque[Reader] = deque()
        self._shortest = True

    def __iter__(self) -> Iterator[Reader]:
        """All readers."""
        return iter([*self._waiting])

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, reader: Reader) -> None:
        """Take in a reader, behind the others."""
        self._waiting.append(reader)

    def next(self) -> Reader:
        """The reader whose turn it is."""
        self._shortest = not self._shortest
        if not self._shortest:
            return min(self._waiting, key=lambda reader: reader.left)
        self._waiting.rotate(-1)
        return self._waiting[-1]

    def remove(self, reader: Reader) -> None:
        """Forget a reader."""
        self._waiting.remove(reader)
