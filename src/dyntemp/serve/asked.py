"""Requests as the batch knows them, and what it hands over of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from dyntemp.generation.request import Ask
from dyntemp.traces.token import Token


class Part(NamedTuple):
    """A token of a request.

    Attributes:
        text: Which of the request's texts it belongs to.
        token: The token.
        told: What the request's `tell` makes of it.
    """

    text: int
    token: Token
    told: Any


class Asked(Protocol):
    """What a batch has to know of a request."""

    @property
    def asks(self) -> Sequence[Ask]:
        """One for each text."""

    @property
    def together(self) -> bool:
        """Whether the texts have to begin at once, because one follows another."""

    def tell(self, token: Token) -> Any:
        """What is told of a token; may ask the model, in whose thread it is called."""


@dataclass(slots=True, eq=False)
class Request:
    """A request's texts, by number.

    Attributes:
        asked: What is asked.
        short: Most tokens of a prompt that is not long.
        pending: Texts that have not begun.
        left: Texts that have not ended.
        written: The tokens of each text that were handed over.
        read: Tokens of its prompts that were read before any text began; None once one has begun.
        long: Whether a prompt has more than `short` tokens.
    """

    asked: Asked
    short: int
    pending: deque[int] = field(init=False)
    left: set[int] = field(init=False)
    written: dict[int, list[int]] = field(init=False)
    read: int | None = 0
    long: bool = field(init=False)

    def __post_init__(self) -> None:
        self.long = any(len(ask.ahead) > self.short for ask in self.asked.asks)
        self.pending = deque(range(len(self.asked.asks)))
        self.left = set(self.pending)
        self.written = {text: [] for text in self.pending}

    def rest(self, text: int) -> Ask:
        """What is still to be written of a text."""
        ask, written = self.asked.asks[text], self.written[text]
        return replace(
            ask,
            begin=[*ask.begin, *written],
            force=ask.force[len(written) :],
            max_tokens=ask.max_tokens - len(written),
        )
