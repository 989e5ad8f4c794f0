"""A sequence while it is generated: its position, its decoded text, and the records that are held back."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import replace

from dyntemp.generation.request import Request
from dyntemp.models import Model, full_bytes
from dyntemp.traces.token import Token
from dyntemp.traces.zones import inside_values
from dyntemp.zones.tracker import ZoneTracker


class GeneratedSequence:
    """One sequence of a loop.

    Args:
        number: The loop's number of the sequence.
        request: The request that the sequence answers.
        slot: Slot of the sequence in the policies' memory.
        model: The model that decodes the tokens.

    Attributes:
        position: Position of the next token.
        limit: Position at which the sequence ends.
        given: Tokens that are not drawn: those in `begin`, then those to force.
        held: Records that are held back while a stop text may be in the making.
        coupled: Whether the sequence still agrees with its leader.
        measured: Numbers of the next row that are not in the row itself, by the name in `Job.given`: its divergence
            from the row of the second prompt, and the values of functions of the hidden state.
    """

    def __init__(self, number: int, request: Request, slot: int, model: Model) -> None:
        settings = request.settings
        self.number, self.request, self.slot = number, request, slot
        self.given = [*settings.begin, *settings.force]
        self.position = len(request.prefix) - len(request.prompt)
        room = settings.max_tokens + len(settings.begin)
        # the model never reads the last token, so that it needs no place in the context
        longest = max(len(request.prompt), len(request.contrast or ()))
        self.limit = room if model.context is None else min(room, model.context - longest + 1)
        self.held: list[Token] = []
        self.coupled = request.leader is not None
        self.measured: dict[str, float] = {}
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for token in settings.begin[: self.position]:
            self.decode(model.token_bytes(token))
        self._model = model
        self._tracker = ZoneTracker.of(request.policy.zones, settings.zones)
        self._zones = self._tracker.start
        self.track(request.prefix)

    @property
    def noise_key(self) -> tuple[int, int, int]:
        """Seed, request and position: the key of the noise of the next draw."""
        return self.request.settings.seed, self.request.number, self.position

    @property
    def inside(self) -> dict[str, float]:
        """The value of each `inside("zone")` that the policy reads, for the next token, by its text."""
        return inside_values(self._tracker, self._zones)

    def track(self, tokens: Sequence[int]) -> None:
        """Follow the zones through the next tokens of the text, prompt included."""
        if self._tracker.names:
            self._zones = self._tracker.advance(self._zones, full_bytes(self._model, tokens))

    def decode(self, raw: bytes) -> str:
        """The text that these bytes complete. An incomplete character is held back, at the end of the text too."""
        return self._decoder.decode(raw)

    def receive(self, token: Token) -> list[Token]:
        """Take in the next token, and return the records that can be shown now.

        The last record has its `finish` set where the sequence ends.
        """
        stops = self.request.settings.stop
        self.held.append(replace(token, text=self.decode(token.bytes)))
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
        """Shorten the held text to `length` characters."""
        for index, held in enumerate(self.held):
            self.held[index] = replace(held, text=held.text[: max(length, 0)])
            length -= len(held.text)

    def release(self, finish: str | None) -> list[Token]:
        """All records that are held back, the last one with `finish`."""
        ready, self.held = self.held, []
        return [*ready[:-1], replace(ready[-1], finish=finish)] if ready else []
