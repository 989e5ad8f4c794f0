"""A response whose tokens arrive faster than they are read."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

from dyntemp.serve import ServerSettings
from dyntemp.serve.reply import Run, Streamed, unless_gone
from dyntemp.serve.request_group import TokenOutput
from dyntemp.serve.worker import Stream


class Numbers:
    """Says which token it was."""

    media_type = "text/plain"

    def opening(self):
        return b""

    def step(self, parts):
        return b"".join(b"%d " % part.token.position for part in parts)

    def closing(self):
        return b"end"


def arrived(count):
    """A stream of which everything has arrived."""
    stream = Stream([None], lambda token: None, lambda parts: None, together=False)
    for position in range(count):
        finish = "length" if position == count - 1 else None
        stream.arrive([TokenOutput(0, SimpleNamespace(position=position, finish=finish), None)])
    return stream


def respond(stream, leave_after=None):
    """The messages sent to a client that leaves after so many of them, and whether the stream was closed."""
    sent, left, closed = [], asyncio.Event(), []

    @asynccontextmanager
    async def begin():
        try:
            yield stream
        finally:
            closed.append(True)

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if len(sent) == leave_after:
            left.set()

    asyncio.run(Streamed(Run(ServerSettings(), begin, {}), Numbers())({}, receive, send))
    return sent, closed


def test_everything_is_sent_in_order():
    sent, closed = respond(arrived(50))

    assert b" ".join([*(b"%d" % number for number in range(50)), b"end"]) == b"".join(
        message.get("body", b"") for message in sent
    )
    assert [True] == closed
    assert [True] * 50 + [False] == [message["more_body"] for message in sent[1:]]


def test_a_client_that_left_is_noticed_although_more_has_arrived():
    sent, closed = respond(arrived(1000), leave_after=5)

    assert len(sent) < 10
    assert [True] == closed


def test_work_that_is_done_is_not_waited_for_any_longer():
    async def never():
        await asyncio.Event().wait()

    async def done():
        return 7

    assert 7 == asyncio.run(unless_gone(never, done()))
