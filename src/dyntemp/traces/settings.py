"""The settings of a run: one record for those who start it, those who write its trace, and those who read one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from dyntemp.distribution.filters import Filters, filters_of
from dyntemp.errors import TraceError
from dyntemp.language.given import GivenNumbers

ALTERNATIVES = 10
"""How many of the likeliest tokens a record names by default."""

TRACED = (
    "max_tokens", "stop", "top_k", "top_p", "min_p", "filter_at", "requested", "given", "parameters", "zones",
    "alternatives", "backend", "system", "chat", "follow", "contrast",
)  # fmt: skip
"""Settings that the header of a trace holds, in the order of the file."""

FILTERS = {"top_k": "top_k", "top_p": "top_p", "min_p": "min_p", "filter_at": "at"}
"""Names of the short form of filters in JSON -> arguments of `Filters`. Other chains are a text under `filters`."""

NUMBER = int | float
KINDS: dict[str, Any] = {
    "max_tokens": int, "stop": list, "top_k": int, "top_p": NUMBER, "min_p": NUMBER, "filter_at": str, "filters": str,
    "requested": NUMBER, "given": dict, "parameters": dict, "zones": list, "alternatives": int, "backend": str,
    "system": str | None, "chat": bool | None, "raw": bool, "begin": list, "force": list, "follow": dict | None,
    "contrast": list | None,
}  # fmt: skip
"""Settings by their names in JSON -> the kind of value that each has there."""


class Leader(NamedTuple):
    """The run that another one is coupled to: the text of its policy, and its seed."""

    policy: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a run: all of it but its model, prompts and policy.

    Attributes:
        seed: 64-bit key of the noise.
        max_tokens: Most tokens to draw, beside `begin`.
        stop: A sequence ends before any of these texts appears.
        filters: The truncation of the draw.
        requested: The value of the signal `requested`.
        given: The value of each `given("name", low, high)`, by name: a number, or a list of numbers by position.
        parameters: Values of free parameters.
        zones: The user's own zones, as `parse_zone` reads them.
        alternatives: How many of the likeliest tokens each record names.
        backend: Name of the backend.
        system: Text of the system message, if there is one.
        chat: Whether text is put into the chat template; None does so where the model has one.
        raw: Whether the page asked for a text without a chat template.
        begin: Tokens of the sequence that are there already; they are not drawn and have no records.
        force: Tokens that come next, whatever would be drawn.
        follow: The run that this one is coupled to.
        contrast: The second prompts, in the order of the prompts, where the policy reads `divergence`.
    """

    seed: int = 0
    max_tokens: int = 256
    stop: Sequence[str] = ()
    filters: Filters = Filters()
    requested: float = 1.0
    given: Mapping[str, GivenNumbers] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    zones: Sequence[str] = ()
    alternatives: int = ALTERNATIVES
    backend: str = "cpu"
    system: str | None = None
    chat: bool | None = None
    raw: bool = False
    begin: Sequence[int] = ()
    force: Sequence[int] = ()
    follow: Leader | None = None
    contrast: Sequence[Any] | None = None

    def to_json(self, names: Iterable[str] = TRACED) -> dict[str, Any]:
        """The settings of these names as a JSON object, in their order; the seed has a field of its own in files.

        Filters that have no short form stand under `filters` instead of its four names.
        """
        short = self.filters.short is not None
        places = dict.fromkeys("filters" if name in FILTERS and not short else name for name in names)
        return {name: self._json(name) for name in places if name != "filters" or not short}

    def _json(self, name: str) -> Any:
        if name in FILTERS:
            return getattr(self.filters, FILTERS[name])
        if name == "filters":
            return str(self.filters)
        value = getattr(self, name)
        if isinstance(value, Leader):
            return value._asdict()
        if KINDS[name] is list:
            return list(value)
        return dict(value) if KINDS[name] is dict else value

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, seed: int = 0) -> Self:
        """The settings that `to_json` wrote. Missing names take defaults; unknown names have no effect.

        Raises:
            TraceError: For a value that no run has.
        """
        known = {name: value for name, value in data.items() if name in KINDS}
        for name, value in known.items():
            if not isinstance(value, KINDS[name]) or (isinstance(value, bool) and KINDS[name] in (int, NUMBER)):
                raise TraceError(f"the setting {name} is {value!r:.80}, which no run has")
        try:
            filters = filters_of(**{name: known.pop(name) for name in ("filters", *FILTERS) if name in known})
            leader = None if known.get("follow") is None else Leader(**known["follow"])
        except (TypeError, ValueError) as error:
            raise TraceError(f"the settings are those of no run: {error}") from None
        return cls(**known | {"seed": seed, "filters": filters, "follow": leader})
