"""Whose turn it is: requests that wait, requests that run, and steps of all that run together.

Belongs to the thread that owns the model; see `dyntemp.serve.worker`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from dyntemp.loop import Ask, Loop
from dyntemp.models import Model
from dyntemp.trace import Token

log = logging.getLogger("dyntemp.serve")


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
class _Request:
    """A request's texts: the numbers of those that have not begun, and of those that have not ended."""

    asked: Asked
    pending: deque[int] = field(init=False)
    left: set[int] = field(init=False)

    def __post_init__(self) -> None:
        self.pending = deque(range(len(self.asked.asks)))
        self.left = set(self.pending)


class Batch:
    """Requests on one model, first come, first served.

    Args:
        model: The model.
        size: How many texts are written at the same time.
        began: Called when the first text of a request begins.
        drew: Called with what a step drew for a request.
        failed: Called with what ended a request before its time.
    """

    def __init__(
        self,
        model: Model,
        size: int,
        began: Callable[[Asked], None],
        drew: Callable[[Asked, list[Part]], None],
        failed: Callable[[Asked, Exception], None],
    ) -> None:
        self._model, self._size = model, size
        self._tell_began, self._tell_drew, self._tell_failed = began, drew, failed
        self._loop = Loop(model, places=size)
        self._requests: dict[Asked, _Request] = {}
        self._waiting: deque[_Request] = deque()
        self._runs: dict[int, tuple[_Request, int]] = {}

    @property
    def busy(self) -> bool:
        """Whether there is something to do."""
        return bool(self._waiting or self._runs)

    @property
    def live(self) -> int:
        """Texts that are being written."""
        return len(self._runs)

    def add(self, asked: Asked) -> None:
        """Put a request at the end of the queue."""
        self._requests[asked] = request = _Request(asked)
        self._waiting.append(request)

    def drop(self, asked: Asked) -> None:
        """Forget a request: what waits never begins, what runs ends. Nothing happens if it has ended."""
        request = self._requests.pop(asked, None)
        if request is None:
            return
        if request.pending:
            self._waiting.remove(request)
        for number in [number for number, (owner, _) in self._runs.items() if owner is request]:
            del self._runs[number]
            self._loop.cancel(number)

    def turn(self) -> None:
        """Begin what there is room for, and draw one more token of every text that runs."""
        while self._waiting and self._admit(self._waiting[0]):
            pass
        if not self._runs:
            return
        try:
            self._hand_over(self._loop.step())
        except Exception as error:  # noqa: BLE001 (one broken step ends what took part in it, not the server)
            self._start_over(error)

    def close(self, error: Exception) -> None:
        """End every request with `error`, and free the model's memory."""
        for asked in list(self._requests):
            self._fail(asked, error)
        self._loop.close()

    def _admit(self, request: _Request) -> bool:
        """Begin as many texts of a request as there is room for; whether none of them is left waiting."""
        room = self._size - len(self._runs)
        wanted = len(request.pending)
        if room <= 0 or (request.asked.together and wanted > room and self._runs):
            return False
        count = wanted if request.asked.together else min(wanted, room)
        texts = [request.pending[place] for place in range(count)]
        try:
            numbers = self._loop.add([request.asked.asks[text] for text in texts])
        except Exception as error:  # noqa: BLE001 (one request that cannot begin ends by itself)
            self._fail(request.asked, error)
            return True
        if len(request.left) == len(request.asked.asks) == len(request.pending):
            self._tell_began(request.asked)
        for text, number in zip(texts, numbers, strict=True):
            request.pending.popleft()
            self._runs[number] = request, text
        if request.pending:
            return False
        self._waiting.popleft()
        return True

    def _hand_over(self, drawn: Sequence[tuple[int, Token]]) -> None:
        parts: dict[_Request, list[Part]] = {}
        for number, token in drawn:
            request, text = self._runs[number]
            parts.setdefault(request, []).append(Part(text, token, request.asked.tell(token)))
            if token.finish is not None:
                del self._runs[number]
                request.left.discard(text)
        for request, part in parts.items():
            self._tell_drew(request.asked, part)
            if not request.left:
                del self._requests[request.asked]

    def _fail(self, asked: Asked, error: Exception) -> None:
        self.drop(asked)
        self._tell_failed(asked, error)

    def _start_over(self, error: Exception) -> None:
        """End all that runs, because nobody knows whose fault a broken step was, and go on with what waits."""
        log.warning("a step failed, and %d texts with it: %s", len(self._runs), error, exc_info=error)
        running = dict.fromkeys(request.asked for request, _ in self._runs.values())
        self._runs.clear()
        self._loop.close()
        self._loop = Loop(self._model, places=self._size)
        for asked in running:
            self._fail(asked, error)
