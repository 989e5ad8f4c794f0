"""The rows of a model after given tokens, in full batches; a prompt is read once for all the tokens after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, NamedTuple

from dyntemp.engines.arrays import on_host
from dyntemp.evaluation.exact.endings import Path
from dyntemp.models import Model, OpenModel, OpenSession, Session

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
    opened = model.start_open(batch) if isinstance(model, OpenModel) else None
    session: Session | None = opened
    try:
        for begin in range(0, len(texts), batch):
            live = list(range(begin, min(begin + batch, len(texts))))
            first = [prompts[number] for number in live]
            session = opened or model.start(first)
            rows, logits = (list(range(len(live))), session.logits()) if opened is None else _join(opened, first)
            number_of = dict(zip(rows, live, strict=True))
            for done in count():
                order = sorted(number_of)
                yield Read([number_of[row] for row in order], [done] * len(order), on_host(logits))
                number_of = {row: number for row, number in number_of.items() if len(texts[number]) > done}
                session.advance({row: texts[number][done] for row, number in number_of.items()})
                if not number_of:
                    break
                logits = session.logits()
            if opened is None:
                session.close()
    finally:
        if session is not None:
            session.close()


def _join(session: OpenSession, prompts: list[Path]) -> tuple[list[int], Any]:
    """The sequences of prompts that join a session, and the logits after them; equal prompts are read once."""
    reading = session.join(prompts, PART)
    try:
        while reading.left:
            reading.read()
        return reading.finish()
    finally:
        reading.close()
