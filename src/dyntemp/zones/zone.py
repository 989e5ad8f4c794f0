"""A zone, by its name and its delimiters, and the text in which users write their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dyntemp.errors import PolicyError
from dyntemp.zones.lines import LineReader

LONGEST = 100
"""Most bytes of a name or a delimiter that a user writes."""

EXAMPLE = "note=<note>...</note>"


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """A kind of span in the text.

    Attributes:
        name: Its name in policies: `inside("think")`.
        meaning: One sentence for people.
        pairs: Opening delimiters, each with the one that closes what it opened.
        ends: Further texts that close it.
        lines: The reader of a zone that the shape of lines decides, which has no delimiters.
    """

    name: str
    meaning: str
    pairs: Mapping[str, str] = field(default_factory=dict)
    ends: tuple[str, ...] = ()
    lines: LineReader | None = None


def listed(zones: str | Sequence[str]) -> list[str]:
    """One zone or several, as a list."""
    return [zones] if isinstance(zones, str) else list(zones)


def parse_zone(text: str) -> Zone:
    """A user's own zone, written as `name=opening...closing`; its `meaning` is this text.

    Raises:
        PolicyError: For another shape, a name that no policy can read, or a delimiter of more than 100 bytes.

    >>> parse_zone("note=<note>...</note>").pairs
    {'<note>': '</note>'}
    """
    if not isinstance(text, str):
        raise PolicyError(f"the zone {text!r:.120} was given; a zone is text: {EXAMPLE}")
    name, _, delimiters = text.partition("=")
    opening, _, closing = delimiters.partition("...")
    parts = (name, opening, closing)
    if not all(parts) or "..." in closing:
        shape = f"a zone is written as its name, `=`, and its two delimiters around `...`: {EXAMPLE}"
    elif not (name.isascii() and name.isidentifier()):
        shape = f"the name of a zone has letters, digits and `_`, no digit first: {EXAMPLE}"
    elif any(len(part.encode("utf-8", "surrogatepass")) > LONGEST for part in parts):
        shape = f"a name or a delimiter has at most {LONGEST} bytes: write shorter ones"
    else:
        return Zone(name, text, {opening: closing})
    raise PolicyError(f"the zone {text!r:.120} was given; {shape}")
