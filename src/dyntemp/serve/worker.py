"""The thread that owns the model, and its messages to and from the event loop.

Only this thread uses the model, in a step or between two steps. The event loop sends it messages and receives tokens.
Neither waits for the other, so that a slow client delays nobody else.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any, TypeVar

from dyntemp.generation.request import Request
from dyntemp.models import Model
from dyntemp.serve.batch import Batch
from dyntemp.serve.errors import ApiError
from dyntemp.serve.request_group import TokenOutput
from dyntemp.serve.settings import ServerSettings
from dyntemp.traces.token import Token

Result = TypeVar("Result")
SECONDS_TO_END = 10.0
"""How long a server that stops may take."""

MESSAGES_A_STEP = 100  # so that a flood of requests does not keep those that run from going on


@dataclass(slots=True, eq=False)
class Stream:
    """The tokens of one request, on their way from the worker to its response.

    Attributes:
        requests: One for each text.
        tell: Makes the part of the answer for a token. It is called in the model's thread and may use the model.
        watch: Called with the tokens as they arrive, before they are read.
        together: Whether all texts have to begin at once, because one follows another.
        waiting: Whether no text has a place yet.
    """

    requests: Sequence[Request]
    tell: Callable[[Token], Any]
    watch: Callable[[list[TokenOutput]], None]
    together: bool
    waiting: bool = True
    _arrived: asyncio.Queue[list[TokenOutput] | Exception] = field(default_factory=asyncio.Queue)

    def arrive(self, what: list[TokenOutput] | Exception) -> None:
        """Take in tokens, or the error that ended the request. `max_tokens` bounds the number of unread tokens."""
        if isinstance(what, list):
            self.watch(what)
        self._arrived.put_nowait(what)

    async def steps(self) -> AsyncIterator[list[TokenOutput]]:
        """The new tokens, step by step, until every text has ended.

        Raises:
            Exception: The error that ended the request before its time.
        """
        left = len(self.requests)
        while left:
            what = await self._arrived.get()
            if isinstance(what, Exception):
                raise what
            left -= sum(output.token.finish is not None for output in what)
            yield what
            # if more has arrived already, other requests have their turn first, and a client that left is noticed
            await asyncio.sleep(0)


class Worker:
    """One thread with one model. Its methods are called in the event loop.

    Args:
        model: The model; nobody else may use it while the worker runs.
        settings: Limits, and how prompts are read.

    Attributes:
        open: Requests that are not answered yet.
        waiting: Open requests that have no place yet.
        live: Texts that are being written.
        reading: Texts whose prompts are being read.
        read: Tokens of prompts that were read.
        abandoned: Tokens of prompts that were read for texts that never began.
    """

    def __init__(self, model: Model, settings: ServerSettings) -> None:
        self.model = model
        self.open = self.waiting = self.live = self.reading = self.read = self.abandoned = 0
        self._settings = settings
        self._seconds_to_end = 0.0
        self._streams: set[Stream] = set()
        self._calls: set[asyncio.Future[Any]] = set()
        self._messages: queue.SimpleQueue[Callable[[Batch], object]] = queue.SimpleQueue()
        self._outbox: list[Callable[[], object]] = []
        self._events: asyncio.AbstractEventLoop | None = None
        self._stopping, self._stopped = False, 0.0
        self._thread = threading.Thread(target=self._work, name="dyntemp-model", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._events = asyncio.get_running_loop()
        self._thread.start()

    @property
    def ready(self) -> bool:
        """True while requests are accepted."""
        return self._thread.is_alive() and not self._stopping

    def stop(self) -> None:
        """End every request with the error `stopping`, and then the thread. Calling it again does nothing.

        The requests end now. The thread ends after its present step or part of a prompt.
        """
        if self._stopping:
            return
        self._stopping, self._stopped = True, time.monotonic()
        self._messages.put(lambda _: None)
        for stream in self._streams:
            stream.arrive(stopping())
        for call in self._calls:
            if not call.done():
                call.set_exception(stopping())

    async def join(self) -> None:
        """Wait until the thread has ended, `SECONDS_TO_END` after `stop` at most.

        A model that reads a prompt in one piece cannot be interrupted; its thread then ends with the process.
        """
        await asyncio.to_thread(self._thread.join, max(self._stopped + SECONDS_TO_END - time.monotonic(), 0.0))

    async def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """`function(*arguments)`, in the thread that owns the model."""
        self._require_ready()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._messages.put(partial(self._answer, future, function, arguments))
        self._calls.add(future)
        try:
            return await future
        finally:
            self._calls.discard(future)

    @asynccontextmanager
    async def stream(
        self,
        requests: Sequence[Request],
        tell: Callable[[Token], Any],
        watch: Callable[[list[TokenOutput]], None],
        *,
        together: bool = False,
    ) -> AsyncIterator[Stream]:
        """A request, queued and then run. Leaving the block ends it, wherever it is.

        Raises:
            ApiError: 429 where the queue is full, 503 where the server is stopping.
        """
        self._require_ready()
        if self.open >= self._settings.batch + self._settings.queue:
            seconds = self.retry_after()
            raise ApiError(
                429, f"{self.open} requests run or wait here, and no more may: try again in about {seconds} s",
                code="queue_full", headers={"Retry-After": str(seconds)},
            )  # fmt: skip
        stream = Stream(requests, tell, watch, together)
        self.open += 1
        self.waiting += 1
        self._streams.add(stream)
        self._messages.put(lambda batch: batch.add(stream))
        try:
            yield stream
        finally:
            self.open -= 1
            self._streams.discard(stream)
            self._begin(stream)
            self._messages.put(lambda batch: batch.drop(stream))

    def retry_after(self) -> int:
        """Seconds until a request is likely to end and to free a place in the queue; at least 1."""
        return max(1, ceil(min(self._seconds_to_end, self._settings.timeout)))

    def _require_ready(self) -> None:
        if not self.ready:
            raise stopping()

    def _begin(self, stream: Stream) -> None:
        self.waiting -= stream.waiting
        stream.waiting = False

    def _work(self) -> None:
        """The loop of the thread."""

        def began(stream: Any) -> None:
            self._outbox.append(partial(self._begin, stream))

        def arrived(stream: Any, what: Any) -> None:
            self._outbox.append(partial(stream.arrive, what))

        settings = self._settings
        batch = Batch(
            self.model, settings.batch, began, arrived, arrived, part=settings.part, steps=settings.steps
        )  # fmt: skip
        try:
            while not self._stopping:
                self._obey(batch)
                self._count(batch)
                batch.turn()
                self._count(batch)
                self._send()
        finally:
            self._stopping = True
            while not self._messages.empty():
                self._messages.get()(batch)
            batch.close(stopping())
            self._count(batch)
            self._send()

    def _count(self, batch: Batch) -> None:
        """Publish the counts of the batch."""
        self.reading = batch.reading
        self.live = batch.live - self.reading
        self.read, self.abandoned = batch.read, batch.abandoned
        self._seconds_to_end = batch.seconds_to_end()

    def _obey(self, batch: Batch) -> None:
        """Handle the messages that have come; without any work, wait for one."""
        for number in range(MESSAGES_A_STEP):
            try:
                message = self._messages.get(block=number == 0 and not batch.busy)
            except queue.Empty:
                return
            message(batch)
            if self._stopping:
                return

    def _answer(
        self, future: asyncio.Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...], _: Batch
    ) -> None:
        if future.cancelled():
            return
        try:
            settle = partial(future.set_result, function(*arguments))
        except Exception as error:  # noqa: BLE001 (the caller gets the error)
            settle = partial(future.set_exception, error)
        self._outbox.append(lambda: None if future.done() else settle())

    def _send(self) -> None:
        """Send the results of a step to the event loop, in one call."""
        letters, self._outbox = self._outbox, []
        assert self._events is not None
        if letters:
            with suppress(RuntimeError):  # the event loop has been closed, and nobody waits any more
                self._events.call_soon_threadsafe(lambda: [letter() for letter in letters])


def stopping() -> ApiError:
    """The error of requests that are open when the server stops."""
    return ApiError(503, "the server is stopping", code="stopping", headers={"Retry-After": "10"})
