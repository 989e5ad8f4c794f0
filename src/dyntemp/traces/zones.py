"""The zones of a recorded text, followed again for policies that read more of them than its run recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from dyntemp.errors import PolicyError
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.traces.header import Header
from dyntemp.traces.token import Token
from dyntemp.zones.tracker import State, ZoneTracker


def inside_values(tracker: ZoneTracker, state: State) -> dict[str, float]:
    """The value of each `inside("zone")` for the next token, by its text."""
    values = zip(tracker.names, tracker.inside(state), strict=True)
    return {str(Signal("inside", (name,))): value for name, value in values}


@dataclass(frozen=True, slots=True)
class RecordedText:
    """The text that stands before a recorded sequence, and the zones that its run defined.

    Attributes:
        prompt: The prompt as the model read it; None where the trace does not tell.
        zones: The user's own zones, as `parse_zone` reads them.
    """

    prompt: str | None = None
    zones: tuple[str, ...] = ()

    @classmethod
    def of(cls, header: Header, request: int, zones: Sequence[str] = ()) -> Self:
        """That of a request of a trace, with further zones beside those of its run."""
        known = request < len(header.rendered)
        return cls(header.rendered[request] if known else None, tuple(dict.fromkeys([*header.run().zones, *zones])))

    def with_zones(self, tokens: Sequence[Token], policy: Policy) -> list[dict[str, float]]:
        """The recorded signals of each token, and the value of each `inside` that the policy reads.

        Raises:
            PolicyError: For a zone that nobody defined, or one that the records neither hold nor let follow.
        """
        wanted = {str(Signal("inside", (name,))): name for name in policy.zones}
        lacks = {text: name for text, name in wanted.items() if any(text not in token.signals for token in tokens)}
        tracker = ZoneTracker.of(lacks.values(), self.zones)
        if lacks and (self.prompt is None or tokens[0].position > 0):
            raise PolicyError(
                f"`{policy}` reads {', '.join(f'`{text}`' for text in lacks)}, which these records do not hold, nor "
                "do they hold the text from its beginning: record with this dyntemp, from the first token on"
            )
        state = tracker.advance(tracker.start, (self.prompt or "").encode(errors="replace"))
        values = []
        for token in tokens:
            values.append({**token.signals, **dict(zip(lacks, tracker.inside(state), strict=True))})
            state = tracker.advance(state, token.bytes or token.name.encode())
        return values
