"""Whose turn it is: requests that wait, requests that run, and steps of all that run together.

Belongs to the thread that owns the model; see `dyntemp.serve.worker`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dyntemp.generation.loop import PART, Loop
from dyntemp.models import Model
from dyntemp.serve.asked import Asked, Part, Request
from dyntemp.serve.pace import Pace
from dyntemp.traces.token import Token

SHORT = 8
"""Parts of the longest prompt that does not count as long."""

log = logging.getLogger("dyntemp.serve")


@dataclass(slots=True, eq=False)
class _Group:
    """Texts that one loop writes: a request and a text, by the loop's numbers."""

    loop: Loop
    runs: dict[int, tuple[Request, int]] = field(default_factory=dict)


class Batch:
    """Requests on one model: first come, first served, but for long prompts, of which few are read at a time.

    In a turn every running text gets a token, and prompts are read a part at a time. For each part of `part` tokens the
    running texts get `steps` tokens before the next part, and in proportion for parts of other sizes. A running text
    therefore waits for one part and one step at most, plus `part / steps` tokens of short prompts. At most half of the
    places, and one at least, are for prompts of more than `SHORT` parts that are being read: shorter ones pass those
    that wait for such a place.

    Args:
        model: The model.
        size: How many texts are written at the same time.
        began: Called when the first text of a request begins.
        drew: Called with what a step drew for a request.
        failed: Called with what ended a request before its time.
        part: About how many tokens of a prompt are read at a time.
        steps: How many tokens each running text gets for each part that is read.
        clock: Seconds, for `seconds_to_end`.

    Attributes:
        read: Tokens of prompts that were read.
        abandoned: Those of them that were read for texts which ended before they began.
    """

    def __init__(
        self,
        model: Model,
        size: int,
        began: Callable[[Asked], None],
        drew: Callable[[Asked, list[Part]], None],
        failed: Callable[[Asked, Exception], None],
        *,
        part: int = PART,
        steps: int = 4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._size, self._part, self._steps = model, size, part, steps
        self._tell_began, self._tell_drew, self._tell_failed = began, drew, failed
        self._pace = Pace(part / steps, clock)
        self._together = self._group()
        self._apart: list[_Group] = []
        self._requests: dict[Asked, Request] = {}
        self._waiting: deque[Request] = deque()
        self._owed = self._parts = 0
        self.read = self.abandoned = 0

    @property
    def busy(self) -> bool:
        """Whether there is something to do."""
        return bool(self._waiting or self.live)

    @property
    def live(self) -> int:
        """Texts that have a place: they are written, or their prompts are read."""
        return sum(len(group.runs) for group in self._groups())

    @property
    def reading(self) -> int:
        """Texts that have a place, and whose prompts are not read yet."""
        return sum(len(numbers) for group in self._groups() for numbers in group.loop.unread)

    def seconds_to_end(self) -> float:
        """About how long it takes until a request ends, by how long parts and steps took so far."""
        loops = [(group, texts, left) for group in self._groups() for texts, left in group.loop.unread.items()]
        unread = {(group, text): left for group, texts, left in loops for text in texts}
        ends: dict[Request, tuple[int, int]] = {}
        for group in self._groups():
            for number, (request, text) in group.runs.items():
                prompt, tokens = ends.get(request, (0, 0))
                rest = request.asked.asks[text].max_tokens - len(request.written[text])
                ends[request] = max(prompt, unread.get((group, number), 0)), max(tokens, rest)
        total = sum(left for _, _, left in loops)
        return min((self._pace.seconds(*end, len(loops), total) for end in ends.values()), default=0.0)

    def add(self, asked: Asked) -> None:
        """Put a request at the end of the queue."""
        self._requests[asked] = request = Request(asked, SHORT * self._part)
        self._waiting.append(request)

    def drop(self, asked: Asked) -> None:
        """Forget a request: what waits never begins, what runs ends. Nothing happens if it has ended."""
        request = self._requests.pop(asked, None)
        if request is None:
            return
        self.abandoned += request.read or 0
        if request.pending:
            self._waiting.remove(request)
        for group in self._groups():
            for number in [number for number, (owner, _) in group.runs.items() if owner is request]:
                del group.runs[number]
                group.loop.cancel(number)
        self._tidy()

    def turn(self) -> None:
        """Begin what there is room for, draw one more token of every text that runs, and read on in the prompts."""
        self._admit_waiting()
        began = self._pace.now()
        live = self.live - self.reading
        for group in self._groups():
            if group.runs:
                try:
                    self._hand_over(group, group.loop.advance())
                except Exception as error:  # noqa: BLE001 (a broken step ends what broke it, not the server)
                    self._break_up(group, error)
        if live:
            self._pace.stepped(began)
        self._owed = max(self._owed - self._part, 0) if live else 0
        while self._owed < self._part and (tokens := self._read_part()):
            self._owed += self._steps * tokens
        self._tidy()

    def close(self, error: Exception) -> None:
        """End every request with `error`, and free the model's memory."""
        for asked in list(self._requests):
            self._fail(asked, error)
        self._together.loop.close()

    def _group(self) -> _Group:
        return _Group(Loop(self._model, places=self._size, part=self._part))

    def _groups(self) -> list[_Group]:
        return [self._together, *self._apart]

    def _tidy(self) -> None:
        """Leave groups behind whose text has ended; their loops hold nothing any more."""
        self._apart = [group for group in self._apart if group.runs]

    def _admit_waiting(self) -> None:
        """Begin requests in the order of their arrival, except that others pass long prompts without a place."""
        for request in list(self._waiting):
            if request.long and self._long_readers() >= max(self._size // 2, 1):
                continue
            if not self._admit(request):
                return

    def _long_readers(self) -> int:
        """How many long prompts are being read; the equal ones of a request are one."""
        return sum(group.runs[texts[0]][0].long for group in self._groups() for texts in group.loop.unread)

    def _admit(self, request: Request) -> bool:
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
        self._waiting.remove(request)
        return True

    def _read_part(self) -> int:
        """Read a part of the prompt whose turn it is, and return its tokens; 0 where all is read."""
        groups = [group for group in self._groups() if group.loop.unread]
        if not groups:
            return 0
        self._parts += 1
        group = groups[self._parts % len(groups)]
        began = self._pace.now()
        part = group.loop.read()
        self._pace.read(began, part.tokens)
        self.read += part.tokens
        request, _ = group.runs[part.texts[0]]
        if part.fault is not None:
            log.warning("a prompt could not be read: %s", part.fault, exc_info=part.fault)
            self._fail(request.asked, part.fault)
        elif request.read is not None:
            request.read = None if part.begun else request.read + part.tokens
        self._hand_over(group, part.records)
        return part.tokens or 1

    def _hand_over(self, group: _Group, drawn: Sequence[tuple[int, Token]]) -> None:
        parts: dict[Request, list[Part]] = {}
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
        for request in {request for request, _ in texts if request.read}:
            self.abandoned += request.read or 0
            request.read = 0
        group.runs.clear()
        group.loop.close()
        if group is self._together:
            self._together = self._group()
        for request, text in texts:
            if len(texts) == 1 or (request.asked.together and len(request.asked.asks) > 1):
                self._fail(request.asked, error)
            elif request.asked in self._requests:
                self._go_on(request, text)

    def _go_on(self, request: Request, text: int) -> None:
        """Let a text go on by itself."""
        group = _Group(Loop(self._model, places=1, part=self._part))
        try:
            [number] = group.loop.add([request.rest(text)])
        except Exception as error:  # noqa: BLE001 (one request that cannot begin ends by itself)
            self._fail(request.asked, error)
            return
        group.runs[number] = request, text
        self._apart.append(group)
