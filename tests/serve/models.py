"""Models without weights whose texts can be checked, and a server in a thread."""

import asyncio
import threading
import time
from contextlib import contextmanager

import numpy as np

from dyntemp.serve.listen import Server, bound
from dyntemp.testing import FakeModel

LETTERS = [bytes([code]) for code in range(32, 127)]
MARK = LETTERS.index(b"|")
END = len(LETTERS)
HALF, OTHER_HALF = END + 1, END + 2
PIECES = [*LETTERS, b"", "é".encode()[:1], "é".encode()[1:]]


def wandering(tokens):
    """Logits that depend on the whole sequence, and never end the text."""
    row = np.random.default_rng([len(tokens), *tokens]).normal(0, 2, len(PIECES))
    row[END:] = -np.inf
    return row


def repeating(tokens):
    """Logits that are certain of the prompt, up to its last mark, again and again."""
    mark = tokens.index(MARK)
    row = np.full(len(PIECES), -30.0)
    row[tokens[(len(tokens) - mark - 1) % mark]] = 30.0
    return row


def wandering_model(**settings):
    return FakeModel(
        PIECES, settings.pop("logits", wandering), **{"end": [END], "chat": True, "context": 500} | settings
    )


def repeating_model(*, seconds=0.0, **settings):
    """A model that repeats what stands before the mark, and takes its time for each token."""

    def logits(tokens):
        if seconds:
            time.sleep(seconds)
        return repeating(tokens)

    return FakeModel(PIECES, logits, end=[END], chat=True, **{"context": 5000} | settings)


def repeated(prompt, length):
    """The text that `repeating_model` writes."""
    return (prompt.partition("|")[0] * length)[:length]


@contextmanager
def serving(app):
    """The address of `app`, served in a thread by a real server."""
    with bound("127.0.0.1", 0) as listener:
        listening = threading.Event()
        server = Server(app, listening.set)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        assert listening.wait(30)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


def settled(server, seconds=10.0):
    """True once nothing runs or waits any more; False after some seconds."""
    until = time.monotonic() + seconds
    worker = server.worker
    while time.monotonic() < until:
        counts = worker.open, worker.waiting, worker.reading, worker.live, getattr(worker.model, "open_sessions", 0)
        if not any(counts):
            return True
        time.sleep(0.01)
    return False
