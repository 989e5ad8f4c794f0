"""Whose turn it is: requests that wait, requests that run, and steps of all that run together.

Belongs to the thread that owns the model; see `dyntemp.serve.worker`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
    """A request's texts, by number.

    Attributes:
        asked: What is asked.
        pending: Texts that have not begun.
        left: Texts that have not ended.
        written: The tokens of each text that were handed over.
    """

    asked: Asked
    pending: deque[int] = field(init=False)
    left: set[int] = field(init=False)
    written: dict[int, list[int]] = field(init=False)

    def __post_init__(self) -> None:
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


@dataclass(slots=True, eq=False)
class _Group:
    """Texts that one loop writes: a request and a text, by the loop's numbers."""

    loop: Loop
    runs: dict[int, tuple[_Request, int]] = field(default_factory=dict)


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
        self._together = self._group()
        self._apart: list[_Group] = []
        self._requests: dict[Asked, _Request] = {}
        self._waiting: deque[_Request] = deque()

    @property
    def busy(self) -> bool:
        """Whether there is something to do."""
        return bool(self._waiting or self.live)

    @property
    def live(self) -> int:
        """Texts that are being written."""
        return sum(len(group.runs) for group in self._groups())

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
        for group in self._groups():
            for number in [number for number, (owner, _) in group.runs.items() if owner is request]:
                del group.runs[number]
                group.loop.cancel(number)
        self._tidy()

    def turn(self) -> None:
        """Begin what there is room for, and draw one more token of every text that runs."""
        while self._waiting and self._admit(self._waiting[0]):
            pass
        for group in self._groups():
            if group.runs:
                try:
                    self._hand_over(group, group.loop.step())
                except Exception as error:  # noqa: BLE001 (a broken step ends what broke it, not the server)
                    self._break_up(group, error)
        self._tidy()

    def close(self, error: Exception) -> None:
        """End every request with `error`, and free the model's memory."""
        for asked in list(self._requests):
            self._fail(asked, error)
        self._together.loop.close()

    def _group(self) -> _Group:
        return _Group(Loop(self._model, places=self._size))

    def _groups(self) -> list[_Group]:
        return [self._together, *self._apart]

    def _tidy(self) -> None:
        """Leave groups behind whose text has ended; their loops hold nothing any more."""
        self._apart = [group for group in self._apart if group.runs]

    def _admit(self, request: _Request) -> bool:
        """Begin as many texts of a request as there is room for; whether none of them is left waiting."""
        live = self.live
        room = self._size - live
        wanted = len(request.pending)
        if room <= 0 or (request.asked.together and wanted > room and live):
            return False
        count = wanted if request.asked.together else min(wanted, room)
        texts = [request.pending[place] for place in range(count)]
        try:
            numbers = self._together.loop.add([request.asked.asks[text] for text in texts])
        except Exception as error:  # noqa: BLE001 (one request that cannot begin ends by itself)
            self._fail(request.asked, error)
            return True
        if wanted == len(request.asked.asks):
            self._tell_began(request.asked)
        for text, number in zip(texts, numbers, strict=True):
            request.pending.popleft()
            self._together.runs[number] = request, text
        if request.pending:
            return False
        self._waiting.popleft()
        return True

    def _hand_over(self, group: _Group, drawn: Sequence[tuple[int, Token]]) -> None:
        parts: dict[_Request, list[Part]] = {}
        for number, token in drawn:
            request, text = group.runs[number]
            parts.setdefault(request, []).append(Part(text, token, request.asked.tell(token)))
            request.written[text].append(token.token)
            if token.finish is not None:
                del group.runs[number]
                request.left.discard(text)
        for request, part in parts.items():
            self._tell_drew(request.asked, part)
            if not request.left:
                del self._requests[request.asked]

    def _fail(self, asked: Asked, error: Exception) -> None:
        if asked in self._requests:
            self.drop(asked)
            self._tell_failed(asked, error)

    def _break_up(self, group: _Group, error: Exception) -> None:
        """After a broken step, end the text that broke it; where it is one of several, let each go on by itself.

        The noise belongs to a text and a position, so that a text goes on as it would have. Texts that follow one
        another cannot go on apart, and end.
        """
        log.warning("a step of %d texts failed: %s", len(group.runs), error, exc_info=error)
        texts = list(group.runs.values())
        group.runs.clear()
        group.loop.close()
        if group is self._together:
            self._together = self._group()
        for request, text in texts:
            if len(texts) == 1 or (request.asked.together and len(request.asked.asks) > 1):
                self._fail(request.asked, error)
            elif request.asked in self._requests:
                self._go_on(request, text)

    def _go_on(self, request: _Request, text: int) -> None:
        """Let a text go on by itself."""
        group = _Group(Loop(self._model))
        try:
            [number] = group.loop.add([request.rest(text)])
        except Exception as error:  # noqa: BLE001 (one request that cannot begin ends by itself)
            self._fail(request.asked, error)
            return
        group.runs[number] = request, text
        self._apart.append(group)
