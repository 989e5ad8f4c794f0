"""Prompts that wait to be read, and whose part is read next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from dyntemp.asks import Text
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
    """Readers in the order of their turns.

    Turns alternate between readers of which nothing was read yet, first come, first served, and the others, one after
    the other. A short prompt is therefore read soon, however many long ones are being read, and each of n long prompts
    has at least every 2n-th turn, however many short ones come.
    """

    def __init__(self) -> None:
        self._new: deque[Reader] = deque()
        self._begun: deque[Reader] = deque()
        self._new_first = True

    def __iter__(self) -> Iterator[Reader]:
        """All readers."""
        return iter([*self._begun, *self._new])

    def __bool__(self) -> bool:
        return bool(self._new or self._begun)

    def add(self, reader: Reader) -> None:
        """Put a reader behind the others of which nothing was read yet."""
        self._new.append(reader)

    def next(self) -> Reader:
        """The reader whose turn it is; its next turn comes behind those of the others that have begun."""
        new = bool(self._new) and (self._new_first or not self._begun)
        self._new_first = not new
        reader = (self._new if new else self._begun).popleft()
        self._begun.append(reader)
        return reader

    def remove(self, reader: Reader) -> None:
        """Forget a reader."""
        (self._new if reader in self._new else self._begun).remove(reader)
