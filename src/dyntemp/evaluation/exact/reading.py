"""The rows of a model after given tokens, in full batches; a prompt is read once for all the tokens after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from dyntemp.engines.arrays import on_host
from dyntemp.evaluation.exact.endings import Path
from dyntemp.models import Model, OpenModel, Session

PART = 512
"""Tokens of a prompt that are read in one step."""


class Read(NamedTuple):
    """Rows of one step.

    Attributes:
        texts: The number of the text that each row belongs to.
        counts: How many of its tokens stand before each row.
        logits: [rows, vocabulary]; valid until the next step.
    """

    texts: list[int]
    counts: list[int]
    logits: Any


def read(model: Model, prompts: Sequence[Path], texts: Sequence[Path], batch: int) -> Iterator[Read]:
    """The rows after each prompt, and after each of the tokens that follow it.

    Args:
        model: The model.
        prompts: The prompt of each text; equal ones stand side by side.
        texts: The tokens after each prompt, perhaps none.
        batch: Most texts that are read at a time.

    Raises:
        ModelError: If a prompt does not fit into the context.
    """
    for begin in range(0, len(texts), batch):
        numbers = range(begin, min(begin + batch, len(texts)))
        session, rows, logits = _start(model, [prompts[number] for number in numbers])
        try:
            live = dict(zip(rows, numbers, strict=True))
            done = 0
            while True:
                order = sorted(live)
                yield Read([live[row] for row in order], [done] * len(order), on_host(logits))
                live = {row: number for row, number in live.items() if len(texts[number]) > done}
                if not live:
                    break
                session.advance({row: texts[number][done] for row, number in live.items()})
                logits, done = session.logits(), done + 1
        finally:
            session.close()


def _start(model: Model, prompts: list[Path]) -> tuple[Session, list[int], Any]:
    """A session of these prompts, its sequences and their logits; equal prompts are read once where the model can."""
    if not isinstance(model, OpenModel):
        session = model.start(prompts)
        return session, list(range(len(prompts))), session.logits()
    opened = model.start_open(len(prompts))
    reading = opened.join(prompts, PART)
    try:
        while reading.left:
            reading.read()
        rows, logits = reading.finish()
    finally:
        reading.close()
    return opened, rows, logits
