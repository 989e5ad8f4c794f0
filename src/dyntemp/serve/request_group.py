"""A client's request as the batch schedules it: a group of sequences, and the tokens that come of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from dyntemp.generation.request import Request
from dyntemp.traces.token import Token


class TokenOutput(NamedTuple):
    """A new token of a client's request.

    Attributes:
        text: Index of the text that it belongs to.
        token: The record of the token.
        told: The result of the group's `tell` for it.
    """

    text: int
    token: Token
    told: Any


class RequestGroup(Protocol):
    """A client's request, as far as a batch has to know it."""

    @property
    def requests(self) -> Sequence[Request]:
        """One for each text that the client asked for."""

    @property
    def together(self) -> bool:
        """True if all texts have to begin at once, because one follows another."""

    def tell(self, token: Token) -> Any:
        """The part of the answer that a token makes. Called in the model's thread, so that it may use the model."""


@dataclass(slots=True, eq=False)
class ScheduledGroup:
    """The state of a client's request in a batch; its texts go by their index.

    Attributes:
        group: The client's request.
        short: Most tokens of a prompt that is not long.
        pending: Texts that have not begun.
        left: Texts that have not ended.
        written: The tokens of each text that were handed over.
        read: Tokens of its prompts that were read before any text began; None once one has begun.
        long: Whether a prompt has more than `short` tokens.
    """

    group: RequestGroup
    short: int
    pending: deque[int] = field(init=False)
    left: set[int] = field(init=False)
    written: dict[int, list[int]] = field(init=False)
    read: int | None = 0
    long: bool = field(init=False)

    def __post_init__(self) -> None:
        self.long = any(
            max(len(request.prefix), len(request.contrast_prefix or ())) > self.short for request in self.group.requests
        )
        self.pending = deque(range(len(self.group.requests)))
        self.left = set(self.pending)
        self.written = {text: [] for text in self.pending}

    def rest(self, text: int) -> Request:
        """The request for the tokens of a text that are not written yet."""
        request, written = self.group.requests[text], self.written[text]
        settings = request.settings
        return replace(
            request,
            settings=replace(
                settings,
                begin=[*settings.begin, *written],
                force=settings.force[len(written) :],
                max_tokens=settings.max_tokens - len(written),
            ),
        )
