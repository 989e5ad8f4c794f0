"""Chunks of a completion as server-sent events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dyntemp.serve.answers import Answer, as_json, counts
from dyntemp.serve.errors import ApiError
from dyntemp.serve.request_group import TokenOutput

DONE = b"data: [DONE]\n\n"


class Events:
    """A completion as a stream of events, each a chunk, the last `[DONE]`.

    Args:
        answer: What makes the chunks.
        read: Tokens of the prompt.
        counted: Whether the client wants the counts.
    """

    media_type = "text/event-stream; charset=utf-8"

    def __init__(self, answer: Answer, read: int, *, counted: bool) -> None:
        self._answer, self._read, self._counted = answer, read, counted
        self._written = 0

    def opening(self) -> bytes:
        """The roles, or the echoed prompts."""
        return b"".join(map(_event, self._answer.opening()))

    def step(self, outputs: Sequence[TokenOutput]) -> bytes:
        """A chunk for each text that has gone on, and one for each that has ended."""
        self._written += len(outputs)
        texts: dict[int, list[TokenOutput]] = {}
        for output in outputs:
            texts.setdefault(output.text, []).append(output)
        chunks = []
        for text, its in texts.items():
            chunks.append(self._answer.piece(text, its))
            if finish := its[-1].token.finish:
                chunks.append(self._answer.ending(text, finish))
        return b"".join(_event(chunk) for chunk in chunks if chunk is not None)

    def closing(self) -> bytes:
        """The counts, if the client wants them, and the end."""
        last = _event(self._answer.usage(counts(self._read, self._written))) if self._counted else b""
        return last + DONE

    def failure(self, error: ApiError) -> bytes:
        """The error, and the end."""
        return b"data: " + json.dumps(error.body()).encode() + b"\n\n" + DONE


def _event(chunk: Any) -> bytes:
    return b"data: " + as_json(chunk) + b"\n\n"
