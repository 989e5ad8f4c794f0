"""Texts to be written: what is asked for, and each as far as it is written."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dyntemp.distribution.filters import Filters
from dyntemp.kernels.job import NO_FILTERS
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS, make_signal
from dyntemp.models import Model
from dyntemp.signals import entropy, max_prob, support
from dyntemp.traces.token import Token

MEASURED = (max_prob, entropy, support)
"""What no record can do without."""

RECORDED = tuple(
    make_signal(record.name)
    for record in SIGNALS.values()
    if record.source in ("moments", "order") and not record.arguments
)
"""What every record holds, beside what the policy reads: enough to replay it under most other policies."""

ALTERNATIVES = 10
"""How many of the likeliest tokens a record names."""


@dataclass(slots=True, eq=False)
class Path:
    """What one run drew, for others to follow.

    Attributes:
        filters: The truncation that it drew with.
        steps: Its tokens, their temperatures, and whether each was forced, by position.
    """

    filters: Filters = NO_FILTERS
    steps: list[tuple[int, float, bool]] = field(default_factory=list)

    @classmethod
    def of(cls, tokens: Iterable[Token], filters: Filters = NO_FILTERS) -> Path:
        """The path of a recorded request, all of it."""
        return cls(filters, [(token.token, token.temperature, token.origin == "forced") for token in tokens])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ask:
    """One text to write.

    Attributes:
        prompt: Its tokens.
        policy: What gives the temperatures.
        seed: 64-bit key of the noise.
        request: 32 bits that tell texts of one seed apart; also what the records are numbered with.
        max_tokens: Tokens to write at most, beside `begin`.
        stop: The text ends before any of these appears.
        filters: The truncation of the draw.
        alternatives: How many of the likeliest tokens each record names.
        signals: What each record holds beside what the policy reads.
        requested: What the signal `requested` reads.
        given: What each `given("name", low, high)` reads, by name.
        parameters: Values for free parameters.
        begin: Tokens of the text that are there already; they are not drawn, and have no records.
        force: Tokens that come next, whatever would be drawn.
        notes: Where the run notes what it drew, for others to follow.
        follow: The run that this one is coupled to, which began with the same tokens: as long as the texts agree, it
            keeps the other's token as often as its own distribution allows, and what was forced there is forced here.
            See `dyntemp.distribution.coupling`.
    """

    prompt: Sequence[int]
    policy: Policy
    seed: int
    request: int = 0
    max_tokens: int = 256
    stop: Sequence[str] = ()
    filters: Filters = NO_FILTERS
    alternatives: int = ALTERNATIVES
    signals: tuple[Signal, ...] = RECORDED
    requested: float = 1.0
    given: Mapping[str, float] | None = None
    parameters: Mapping[str, float] | None = None
    begin: Sequence[int] = ()
    force: Sequence[int] = ()
    notes: Path | None = None
    follow: Path | None = None

    @property
    def ahead(self) -> list[int]:
        """What the model reads before the first step: all there is, but where a memory has to see each token come."""
        return [*self.prompt, *(() if self.policy.remembers else self.begin)]

    @property
    def kind(self) -> tuple[Any, ...]:
        """What rows must have in common to be drawn in one call."""
        return self.filters, self.signals, tuple((self.parameters or {}).items()), tuple(sorted(self.given or {}))


class Text:
    """One text as it is written.

    Attributes:
        position: Of the token that comes next.
        limit: Position at which it ends.
        held: Records that are not handed out, while a stop text may be in the making.
        alone: Whether it follows no other run, or no longer.
    """

    def __init__(self, number: int, ask: Ask, slot: int, model: Model) -> None:
        self.number, self.ask, self.slot = number, ask, slot
        self.script = [*ask.begin, *ask.force]
        self.position = len(ask.ahead) - len(ask.prompt)
        room = ask.max_tokens + len(ask.begin)
        # the last token drawn is never fed, so that it needs no place in the context
        self.limit = room if model.context is None else min(room, model.context - len(ask.prompt) + 1)
        self.held: list[Token] = []
        self.alone = ask.follow is None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for token in ask.begin[: self.position]:
            self.read(model.token_bytes(token))

    def read(self, raw: bytes) -> str:
        """The text that these bytes complete; a character of which bytes are missing is held back, also at the end."""
        return self._decoder.decode(raw)

    def receive(self, token: Token) -> list[Token]:
        """The records that may be shown now that `token` has come; the last one has its `finish` set at the end."""
        stops = self.ask.stop
        self.held.append(replace(token, text=self.read(token.bytes)))
        text = "".join(held.text for held in self.held)
        found = [at for at in (text.find(stop) for stop in stops) if at >= 0]
        if found:
            self._cut(min(found))
            return self.release("stop")
        if token.finish:
            return self.release(token.finish)
        if any(text.endswith(stop[:size]) for stop in stops for size in range(1, len(stop))):
            return []
        return self.release(None)

    def _cut(self, length: int) -> None:
        """Leave `length` characters of the held text."""
        for index, held in enumerate(self.held):
            self.held[index] = replace(held, text=held.text[: max(length, 0)])
            length -= len(held.text)

    def release(self, finish: str | None) -> list[Token]:
        """All records that are held back, the last with `finish`."""
        ready, self.held = self.held, []
        return [*ready[:-1], replace(ready[-1], finish=finish)] if ready else []
