"""The zones that a text ends in, kept up while the text grows. A state is a value: to go back, take an earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from dyntemp.errors import PolicyError
from dyntemp.zones.delimiters import DelimitedZone, Delimiters
from dyntemp.zones.known import BOUNDARIES, KNOWN
from dyntemp.zones.lines import LineReader
from dyntemp.zones.zone import EXAMPLE, Zone, parse_zone

State = tuple[Any, ...]
"""The state of each zone, immutable and hashable."""


class Automaton(Protocol):
    """A zone as an automaton over bytes: its states do not depend on where the text is cut.

    Attributes:
        start: The state before the first byte.
    """

    start: Any

    def advance(self, state: Any, data: bytes) -> Any:
        """The state after further bytes."""

    def inside(self, state: Any) -> bool:
        """True if the text ends in the zone."""


class LinedZone:
    """The automaton of a zone that lines decide. It starts afresh behind each of `BOUNDARIES`.

    A state is the end of the text as far as it begins such a boundary, and the reader's state.
    """

    _boundaries = Delimiters(BOUNDARIES)

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self.start = (b"", reader.start)

    def advance(self, state: tuple[bytes, Any], data: bytes) -> tuple[bytes, Any]:
        """The state after further bytes."""
        begun, lines = state
        text = begun + data
        if end := self._boundaries.last_end(text):
            lines, data = self._reader.start, text[end:]
        return self._boundaries.begun(text, end), self._reader.read(lines, data)

    def inside(self, state: tuple[bytes, Any]) -> bool:
        """True in the zone."""
        return self._reader.inside(state[1])


class ZoneTracker:
    """Follows several zones through one text at a time.

    A token lies inside a zone if the text before it does: once the opening delimiter is complete, until the closing one
    is. Any cut of the text into tokens gives the same states.

    Args:
        zones: The zones; see `chosen_zones`.

    Attributes:
        names: Their names, in the order of `inside`.
        start: The state before the first byte.

    >>> tracker = ZoneTracker.of(["think"])
    >>> state = tracker.advance(tracker.start, b"<thi")
    >>> tracker.inside(state), tracker.inside(tracker.advance(state, b"nk> Hm"))
    ((0.0,), (1.0,))
    """

    @classmethod
    def of(cls, names: Iterable[str], own: Iterable[str] = ()) -> ZoneTracker:
        """A tracker of the zones of these names, among a user's own, as `parse_zone` reads them, and the known ones.

        Raises:
            PolicyError: For a name that no zone has, or a text that is no zone.
        """
        return cls(chosen_zones(names, map(parse_zone, own)))

    def __init__(self, zones: Sequence[Zone]) -> None:
        self.names = tuple(zone.name for zone in zones)
        self._automata = tuple(_automaton(zone) for zone in zones)
        self.start: State = tuple(automaton.start for automaton in self._automata)

    def advance(self, state: State, data: bytes) -> State:
        """The state after further bytes of the text."""
        return tuple(zone.advance(own, data) for zone, own in zip(self._automata, state, strict=True))

    def inside(self, state: State) -> tuple[float, ...]:
        """1 or 0 for each zone: the values of `inside(...)` for the next token."""
        return tuple(float(zone.inside(own)) for zone, own in zip(self._automata, state, strict=True))


@lru_cache(maxsize=256)
def _automaton(zone: Zone) -> Automaton:
    """The automaton of a zone, which all its trackers share."""
    return DelimitedZone(zone.pairs, zone.ends) if zone.lines is None else LinedZone(zone.lines)


def chosen_zones(names: Iterable[str], own: Iterable[Zone] = ()) -> list[Zone]:
    """The zones of these names, among a user's own and then the known ones.

    Raises:
        PolicyError: For a name that neither has, and for two zones of the user with one name.
    """
    theirs = list(own)
    zones: Mapping[str, Zone] = KNOWN | {zone.name: zone for zone in theirs}
    if twice := [zone.name for zone in theirs if zones[zone.name] is not zone]:
        raise PolicyError(f"two zones were given with the name {twice[0]!r}: give each a name of its own")
    for name in names:
        if name not in zones:
            raise PolicyError(
                f'`inside("{name}")` names a zone that nobody defined; there are {", ".join(zones)}. Define your own '
                f'by its delimiters, zones=["{EXAMPLE}"], or --zone "{EXAMPLE}" on the command line'
            )
    return [zones[name] for name in names]
