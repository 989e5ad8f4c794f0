"""The display of a long run's progress, on the standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

SECONDS_APART = 10.0
"""Least seconds between two lines of progress, where no terminal shows a bar."""

Step = tuple[int, int, int]
"""How far a run is: parts that are done, of how many, and the tokens written."""


@contextmanager
def shown(err: Console, parts: str, *, quiet: bool) -> Iterator[Callable[..., None] | None]:
    """A function that shows how far a run is: as a bar in a terminal, as lines elsewhere; None where `quiet`.

    It takes a `Step`, and perhaps a note that stands behind it.
    """
    if quiet:
        yield None
    elif err.is_terminal:
        columns = (TextColumn(parts), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[tokens]:,} tokens"),
                   TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False))  # fmt: skip
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("", total=None, tokens=0, note="")

            def update(at: Step, note: str = "") -> None:
                bar.update(task, total=at[1], completed=at[0], tokens=at[2], note=note)

            yield update
    else:
        yield _Lines(err, parts)


class _Lines:
    """Progress as lines, not too many of them."""

    def __init__(self, err: Console, parts: str) -> None:
        self._err, self._parts, self._next, self._told = err, parts, 0.0, ""

    def __call__(self, at: Step, note: str = "") -> None:
        done, parts, tokens = at
        now = time.monotonic()
        if done == parts or now >= self._next:
            self._next = now + SECONDS_APART
            told = f"{done} of {parts} {self._parts}, {tokens:,} tokens" + (f"; {note}" if note else "")
            if told != self._told:
                self._told = told
                self._err.print(told, markup=False)
