"""Responses that are sent while the model generates; a run ends when its client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dyntemp.serve.errors import ApiError, of_run
from dyntemp.serve.request_group import TokenOutput
from dyntemp.serve.settings import ServerSettings
from dyntemp.serve.worker import Stream

Result = TypeVar("Result")


class Speaker(Protocol):
    """The encoding of a stream.

    Attributes:
        media_type: Media type of its bytes.
    """

    media_type: str

    def opening(self) -> bytes:
        """The bytes before any token."""

    def step(self, outputs: Sequence[TokenOutput]) -> bytes:
        """The bytes of one step; may be empty."""

    def closing(self) -> bytes:
        """The bytes behind all tokens."""

    def failure(self, error: ApiError) -> bytes:
        """The bytes behind the tokens of a request that failed."""


@dataclass(slots=True)
class Run:
    """A request that is ready to be written.

    Attributes:
        settings: The server's.
        begin: Puts it into the worker's queue.
        headers: Further headers of its response.
    """

    settings: ServerSettings
    begin: Callable[[], AbstractAsyncContextManager[Stream]]
    headers: Mapping[str, str]

    async def send(self, send: Send, message: dict[str, Any]) -> None:
        """Send a message of the response.

        Raises:
            TimeoutError: If the client does not read.
        """
        async with asyncio.timeout(self.settings.patience):
            await send(message)

    def late(self) -> ApiError:
        """The error of a request that takes longer than the server allows."""
        return ApiError(504, f"this took longer than the {self.settings.timeout:g} s that are allowed", code="timeout")


class Whole(Response):
    """A response in one piece, which `write` makes of all texts."""

    def __init__(self, run: Run, write: Callable[[list[list[TokenOutput]]], bytes]) -> None:
        super().__init__()
        self._run, self._write = run, write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or end the run if the client leaves."""
        texts = await unless_gone(receive, self._texts())
        if texts is None:
            return
        response = Response(self._write(texts), media_type="application/json", headers=dict(self._run.headers))
        await unless_gone(receive, response(scope, receive, send))

    async def _texts(self) -> list[list[TokenOutput]]:
        async with self._run.begin() as stream:
            texts: list[list[TokenOutput]] = [[] for _ in stream.requests]
            try:
                async with asyncio.timeout(self._run.settings.timeout):
                    async for outputs in stream.steps():
                        for output in outputs:
                            texts[output.text].append(output)
            except TimeoutError:
                raise self._run.late() from None
            except Exception as error:
                raise of_run(error) from error
        return texts


class Streamed(Response):
    """A response that is sent token by token. Its status is known when the first token has come."""

    def __init__(self, run: Run, speaker: Speaker) -> None:
        super().__init__()
        self._run, self._speaker = run, speaker

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Answer, or end the run if the client leaves."""
        await unless_gone(receive, self._answer(send))

    async def _answer(self, send: Send) -> None:
        async with self._run.begin() as stream:
            started = False
            try:
                async with asyncio.timeout(self._run.settings.timeout):
                    async for outputs in stream.steps():
                        if not started:
                            started = True
                            await self._start(send)
                            await self._body(send, self._speaker.opening())
                        await self._body(send, self._speaker.step(outputs))
                last = self._speaker.closing()
            except _NobodyReads:
                return
            except Exception as error:
                fault = self._run.late() if isinstance(error, TimeoutError) else of_run(error)
                if not started:
                    raise fault from error
                last = self._speaker.failure(fault)
        await self._run.send(send, {"type": "http.response.body", "body": last, "more_body": False})

    async def _start(self, send: Send) -> None:
        headers = {"content-type": self._speaker.media_type, "x-accel-buffering": "no", **self._run.headers}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})

    async def _body(self, send: Send, body: bytes) -> None:
        if not body:
            return
        try:
            await self._run.send(send, {"type": "http.response.body", "body": body, "more_body": True})
        except TimeoutError:
            raise _NobodyReads from None


class _NobodyReads(Exception):  # noqa: N818 (caught in this module)
    """The client does not read the response."""


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of `work`, or None if the client leaves first, which cancels the work."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
