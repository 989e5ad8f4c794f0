"""Zones between delimiters, found in a stream of bytes that is cut anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

State = tuple[bytes, bytes]
"""The delimiter that opened the zone, empty outside; and the end of the text as far as it begins the next delimiter."""


class Delimiters:
    """Several texts that are looked for at once.

    Args:
        texts: The texts, at least one, none empty.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        given = [text.encode() for text in dict.fromkeys(texts)]
        # one that holds another is never complete first; without it, the first to begin is the first to end
        needed = [one for one in given if not any(other in one for other in given if other != one)]
        self._pattern = re.compile(b"|".join(map(re.escape, needed)))
        self._prefixes = frozenset(one[:size] for one in needed for size in range(1, len(one)))
        self._firsts = re.compile(b"[%s]" % b"".join(sorted({re.escape(one[:1]) for one in needed})))
        self._longest = max(map(len, needed)) - 1

    def first(self, text: bytes, start: int) -> re.Match[bytes] | None:
        """The first delimiter that is complete in `text` from `start` on."""
        return self._pattern.search(text, start)

    def last_end(self, text: bytes) -> int:
        """The end of the last delimiter that is complete in `text`; 0 if there is none."""
        end = 0
        for found in self._pattern.finditer(text):
            end = found.end()
        return end

    def begun(self, text: bytes, start: int) -> bytes:
        """The longest end of `text`, from `start` on, that begins a delimiter without completing it."""
        for first in self._firsts.finditer(text, max(start, len(text) - self._longest)):
            if (end := text[first.start() :]) in self._prefixes:
                return end
        return b""


class DelimitedZone:
    """The automaton of a zone between an opening and a closing delimiter.

    A delimiter shares no byte with the one before it. Inside the zone, opening delimiters have no effect.

    Args:
        pairs: Opening delimiters, each with the one that closes what it opened.
        ends: Further texts that close the zone.
    """

    start: State = (b"", b"")

    def __init__(self, pairs: Mapping[str, str], ends: Iterable[str] = ()) -> None:
        self._opens = Delimiters(pairs)
        self._closes = {opening.encode(): Delimiters([closing, *ends]) for opening, closing in pairs.items()}

    def advance(self, state: State, data: bytes) -> State:
        """The state after further bytes."""
        opened, begun = state
        text, at = begun + data, 0
        while found := (wanted := self._closes[opened] if opened else self._opens).first(text, at):
            opened, at = b"" if opened else found[0], found.end()
        return opened, wanted.begun(text, at)

    def inside(self, state: State) -> bool:
        """True in the zone."""
        return bool(state[0])
