"""The batch of a server: its queue of requests, and the steps of all texts that run together.

It belongs to the thread that owns the model; see `dyntemp.serve.worker`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dyntemp.generation.loop import PART, Loop
from dyntemp.models import Model
from dyntemp.serve.request_group import RequestGroup, ScheduledGroup, TokenOutput
from dyntemp.serve.wait_estimate import WaitEstimate
from dyntemp.traces.token import Token

SHORT = 8
"""A prompt of more parts than this counts as long."""

log = logging.getLogger("dyntemp.serve")


@dataclass(slots=True, eq=False)
class _RunningLoop:
    """A loop, and its texts by the loop's numbers: the request and the index in it."""

    loop: Loop
    texts: dict[int, tuple[ScheduledGroup, int]] = field(default_factory=dict)


class Batch:
    """Requests on one model, in the order of their arrival, except that few long prompts are read at a time.

    In a turn every running text gets a token, and prompts are read a part at a time. For each part of `part` tokens the
    running texts get `steps` tokens before the next part, and in proportion for parts of other sizes. A running text
    therefore waits for one part and one step at most, plus `part / steps` tokens of short prompts. While they are read,
    prompts of more than `SHORT` parts take at most half of the places, and at least one. Shorter prompts pass long ones
    that wait for such a place.

    Args:
        model: The model.
        size: How many texts are written at the same time.
        began: Called when the first text of a request begins.
        drew: Called with the tokens that a step drew for a request.
        failed: Called with the error that ended a request before its time.
        part: About how many tokens of a prompt are read at a time.
        steps: How many tokens each running text gets for each part that is read.
        clock: Returns the time in seconds, for `seconds_to_end`.

    Attributes:
        read: Tokens of prompts that were read.
        abandoned: Those of them whose texts were ended before they began.
    """

    def __init__(
        self,
        model: Model,
        size: int,
        began: Callable[[RequestGroup], None],
        drew: Callable[[RequestGroup, list[TokenOutput]], None],
        failed: Callable[[RequestGroup, Exception], None],
        *,
        part: int = PART,
        steps: int = 4,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._size, self._part, self._steps = model, size, part, steps
        self._tell_began, self._tell_drew, self._tell_failed = began, drew, failed
        self._estimate = WaitEstimate(part / steps, clock)
        self._together = self._new_loop()
        self._apart: list[_RunningLoop] = []
        self._scheduled: dict[RequestGroup, ScheduledGroup] = {}
        self._waiting: deque[ScheduledGroup] = deque()
        self._owed = self._parts = 0
        self.read = self.abandoned = 0

    @property
    def busy(self) -> bool:
        """True while requests wait or run."""
        return bool(self._waiting or self.live)

    @property
    def live(self) -> int:
        """Texts that have a place: they are written, or their prompts are read."""
        return sum(len(running.texts) for running in self._loops())

    @property
    def reading(self) -> int:
        """Texts that have a place, and whose prompts are not read yet."""
        return sum(len(numbers) for running in self._loops() for numbers in running.loop.unread)

    def seconds_to_end(self) -> float:
        """About how long it takes until the first request ends, from the times of parts and steps so far."""
        loops = [(running, texts, left) for running in self._loops() for texts, left in running.loop.unread.items()]
        unread = {(running, text): left for running, texts, left in loops for text in texts}
        ends: dict[ScheduledGroup, tuple[int, int]] = {}
        for running in self._loops():
            for number, (scheduled, text) in running.texts.items():
                prompt, tokens = ends.get(scheduled, (0, 0))
                rest = scheduled.group.requests[text].settings.max_tokens - len(scheduled.written[text])
                ends[scheduled] = max(prompt, unread.get((running, number), 0)), max(tokens, rest)
        total = sum(left for _, _, left in loops)
        return min((self._estimate.seconds(*end, len(loops), total) for end in ends.values()), default=0.0)

    def add(self, group: RequestGroup) -> None:
        """Put a request at the end of the queue."""
        self._scheduled[group] = scheduled = ScheduledGroup(group, SHORT * self._part)
        self._waiting.append(scheduled)

    def drop(self, group: RequestGroup) -> None:
        """End the texts of a request, those that wait and those that run. Nothing happens if it has ended."""
        scheduled = self._scheduled.pop(group, None)
        if scheduled is None:
            return
        self.abandoned += scheduled.read or 0
        if scheduled.pending:
            self._waiting.remove(scheduled)
        for running in self._loops():
            for number in [number for number, (owner, _) in running.texts.items() if owner is scheduled]:
                del running.texts[number]
                running.loop.cancel(number)
        self._tidy()

    def turn(self) -> None:
        """Begin requests that there is room for, draw a token of every running text, and read on in the prompts."""
        self._admit_waiting()
        began = self._estimate.now()
        live = self.live - self.reading
        for running in self._loops():
            if running.texts:
                try:
                    self._hand_over(running, running.loop.advance())
                except Exception as error:  # noqa: BLE001 (a broken step ends the text that broke it, not the server)
                    self._break_up(running, error)
        if live:
            self._estimate.stepped(began)
        self._owed = max(self._owed - self._part, 0) if live else 0
        while self._owed < self._part and (tokens := self._read_part()):
            self._owed += self._steps * tokens
        self._tidy()

    def close(self, error: Exception) -> None:
        """End every request with `error`, and free the model's memory."""
        for group in list(self._scheduled):
            self._fail(group, error)
        self._together.loop.close()

    def _new_loop(self) -> _RunningLoop:
        return _RunningLoop(Loop(self._model, places=self._size, part=self._part))

    def _loops(self) -> list[_RunningLoop]:
        return [self._together, *self._apart]

    def _tidy(self) -> None:
        """Forget the loops of single texts that have ended; such a loop holds no memory."""
        self._apart = [running for running in self._apart if running.texts]

    def _admit_waiting(self) -> None:
        """Begin requests in the order of their arrival; others pass long prompts that have no place yet."""
        for scheduled in list(self._waiting):
            if scheduled.long and self._long_prefills() >= max(self._size // 2, 1):
                continue
            if not self._admit(scheduled):
                return

    def _long_prefills(self) -> int:
        """How many long prompts are being read; equal prompts of a request count once."""
        return sum(running.texts[texts[0]][0].long for running in self._loops() for texts in running.loop.unread)

    def _admit(self, scheduled: ScheduledGroup) -> bool:
        """Begin as many texts of a request as there is room for, and return whether all of them have begun."""
        live = self.live
        room = self._size - live
        wanted = len(scheduled.pending)
        if room <= 0 or (scheduled.group.together and wanted > room and live):
            return False
        count = wanted if scheduled.group.together else min(wanted, room)
        texts = [scheduled.pending[place] for place in range(count)]
        try:
            numbers = self._together.loop.add([scheduled.group.requests[text] for text in texts])
        except Exception as error:  # noqa: BLE001 (one request that cannot begin ends by itself)
            self._fail(scheduled.group, error)
            return True
        if wanted == len(scheduled.group.requests):
            self._tell_began(scheduled.group)
        for text, number in zip(texts, numbers, strict=True):
            scheduled.pending.popleft()
            self._together.texts[number] = scheduled, text
        if scheduled.pending:
            return False
        self._waiting.remove(scheduled)
        return True

    def _read_part(self) -> int:
        """Read a part of the prompt whose turn it is, and return its tokens; 0 where all is read."""
        loops = [running for running in self._loops() if running.loop.unread]
        if not loops:
            return 0
        self._parts += 1
        running = loops[self._parts % len(loops)]
        began = self._estimate.now()
        part = running.loop.read()
        self._estimate.read(began, part.tokens)
        self.read += part.tokens
        scheduled, _ = running.texts[part.numbers[0]]
        if part.fault is not None:
            log.warning("a prompt could not be read: %s", part.fault, exc_info=part.fault)
            self._fail(scheduled.group, part.fault)
        elif scheduled.read is not None:
            scheduled.read = None if part.begun else scheduled.read + part.tokens
        self._hand_over(running, part.records)
        return part.tokens or 1

    def _hand_over(self, running: _RunningLoop, drawn: Sequence[tuple[int, Token]]) -> None:
        outputs: dict[ScheduledGroup, list[TokenOutput]] = {}
        for number, token in drawn:
            scheduled, text = running.texts[number]
            outputs.setdefault(scheduled, []).append(TokenOutput(text, token, scheduled.group.tell(token)))
            scheduled.written[text].append(token.token)
            if token.finish is not None:
                del running.texts[number]
                scheduled.left.discard(text)
        for scheduled, its in outputs.items():
            self._tell_drew(scheduled.group, its)
            if not scheduled.left:
                del self._scheduled[scheduled.group]

    def _fail(self, group: RequestGroup, error: Exception) -> None:
        if group in self._scheduled:
            self.drop(group)
            self._tell_failed(group, error)

    def _break_up(self, running: _RunningLoop, error: Exception) -> None:
        """After a broken step, end the text if it was alone; let each of several go on in a loop of its own.

        The text that broke the step breaks its own loop again, and ends. The others draw the same tokens as without the
        fault, since the noise depends on seed, request and position alone. Coupled texts cannot go on apart, and end.
        """
        log.warning("a step of %d texts failed: %s", len(running.texts), error, exc_info=error)
        texts = list(running.texts.values())
        for scheduled in {scheduled for scheduled, _ in texts if scheduled.read}:
            self.abandoned += scheduled.read or 0
            scheduled.read = 0
        running.texts.clear()
        running.loop.close()
        if running is self._together:
            self._together = self._new_loop()
        for scheduled, text in texts:
            if len(texts) == 1 or (scheduled.group.together and len(scheduled.group.requests) > 1):
                self._fail(scheduled.group, error)
            elif scheduled.group in self._scheduled:
                self._go_on(scheduled, text)

    def _go_on(self, scheduled: ScheduledGroup, text: int) -> None:
        """Let a text go on in a loop of its own."""
        running = _RunningLoop(Loop(self._model, places=1, part=self._part))
        try:
            [number] = running.loop.add([scheduled.rest(text)])
        except Exception as error:  # noqa: BLE001 (one request that cannot begin ends by itself)
            self._fail(scheduled.group, error)
            return
        running.texts[number] = scheduled, text
        self._apart.append(running)
