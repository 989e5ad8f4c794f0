"""The threads that share the rows of a call.

Compiled code runs without Python's lock, and takes its rows one by one (`turns`), so any number of threads may run it
on the same arrays. The helpers are kept for later calls. Waking one takes 0.05 to 0.1 ms.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

MOST = 256
"""Most threads of a call."""

LEAST = 2**18
"""Fewest logits for each thread where nobody asked for a number of threads: fewer are read before a helper wakes."""

VARIABLE = "DYNTEMP_THREADS"


def threads_of(asked: int | None, rows: int, entries: int) -> int:
    """The number of threads for a call.

    Args:
        asked: The caller's number, at most one thread for each row; None for that of the environment, or as many
            as this process has processors, of which each gets `LEAST` logits.
        rows: Number of rows.
        entries: Number of entries of each row.

    Raises:
        ValueError: For a number outside 1 to 256.
    """
    if asked is not None:
        return min(checked("threads", asked), max(rows, 1))
    most = min(rows, rows * entries // LEAST)
    if most < 2:
        return 1
    named = os.environ.get(VARIABLE)
    return min(checked(VARIABLE, int(named) if named.isdecimal() else named) if named else processors(), most)


def checked(name: str, number: Any) -> int:
    """A number of threads.

    Args:
        name: The name of the argument or variable, for the error.
        number: Its value.

    Raises:
        ValueError: For a number outside 1 to 256.
    """
    if not isinstance(number, Integral) or isinstance(number, bool) or not 1 <= int(number) <= MOST:
        raise ValueError(f"{name} = {number!r} was given; whole numbers from 1 to {MOST} are allowed")
    return int(number)


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Share:
    """A call's work, for one helper. The caller takes it back where no helper has begun."""

    def __init__(self, work: Callable[[], int], done: SimpleQueue[int | BaseException]) -> None:
        self._work, self._done, self._taken = work, done, Lock()

    def take(self) -> bool:
        """Take the share. True for the first who does."""
        return self._taken.acquire(blocking=False)

    def run(self) -> None:
        """Do the work, unless the share was taken back."""
        if self.take():
            try:
                self._done.put(self._work())
            except BaseException as error:  # noqa: BLE001 (the caller raises it)
                self._done.put(error)


class Helpers:
    """Threads that wait for shares: as many as one call ever asked for."""

    def __init__(self) -> None:
        self._shares: SimpleQueue[_Share] = SimpleQueue()
        self._count, self._starting = 0, Lock()

    def ask(self, shares: list[_Share]) -> None:
        """Offer shares to the helpers."""
        with self._starting:
            while self._count < len(shares):
                try:
                    Thread(target=self._help, name="dyntemp", daemon=True).start()
                except RuntimeError:  # no further thread is allowed here: the caller does more itself
                    break
                self._count += 1
        for share in shares:
            self._shares.put(share)

    def _help(self) -> None:
        while True:
            self._shares.get().run()


_helpers = Helpers()


def _forget() -> None:
    """Begin without helpers: a forked process has none of its parent's threads."""
    global _helpers  # noqa: PLW0603
    _helpers = Helpers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def together(work: Callable[[], int], threads: int, watch: Callable[[], int] = lambda: -1) -> int:
    """Run `work` in this thread and in others at once, and return the sum of the results.

    A helper that has not begun when this thread is done does not begin at all, so that a busy machine or a busy
    interpreter holds up no call. One that has begun is first watched, which spares this thread to sleep and to wake.

    Args:
        work: Takes rows until none is left.
        threads: The number of threads, this one included; 1 calls `work` and does nothing else.
        watch: Looks for a short while if all rows are done, and returns the sum of the results; -1 where some are not.
    """
    if threads == 1:
        return work()
    done: SimpleQueue[int | BaseException] = SimpleQueue()
    shares = [_Share(work, done) for _ in range(threads - 1)]
    _helpers.ask(shares)
    try:
        total = work()
    except BaseException:
        _results(_begun(shares), done)  # the helpers still work on the same arrays
        raise
    begun = _begun(shares)
    if begun and (whole := watch()) >= 0:
        return whole
    for one in _results(begun, done):
        if isinstance(one, BaseException):
            raise one
        total += one
    return total


def _begun(shares: list[_Share]) -> int:
    """The number of shares that helpers have begun; the others are taken back."""
    return sum(not share.take() for share in shares)


def _results(count: int, done: SimpleQueue[int | BaseException]) -> list[int | BaseException]:
    """The results of so many helpers, once they have ended."""
    return [done.get() for _ in range(count)]
