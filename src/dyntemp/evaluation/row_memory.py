"""A model that remembers rows of logits, for tasks whose samples begin alike again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import ModelError
from dyntemp.kernels.rows import as_rows
from dyntemp.models import Messages, Model, OpenModel, OpenSession, Reading, check_advance, check_join

Text = tuple[int, ...]
"""The tokens of a sequence, prompt included."""

Row = NDArray[np.float32]

PART = 512
"""Tokens of a text that are read at a time."""


class RowMemory:
    """Rows of logits by the text before them, [vocabulary] float32. Those that were used least recently go.

    Args:
        most: How many rows are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[Text, Row] = {}

    def get(self, text: Text) -> Row | None:
        """The row after a text, if it is kept."""
        row = self._rows.pop(text, None)
        if row is not None:
            self._rows[text] = row  # the last one used
        return row

    def put(self, text: Text, row: Row) -> None:
        """Keep a row."""
        self._rows.pop(text, None)
        while len(self._rows) >= self._most:
            del self._rows[next(iter(self._rows))]
        self._rows[text] = row


class RememberedModel:
    """A model that computes no row twice while it remembers it; see `Model` and `OpenModel`.

    Texts with equal tokens share one row and one sequence of the model behind it. Where texts that shared a sequence
    part, one of them goes on with it, and the model reads the new tokens of the others behind their prompt, whose state
    its session keeps. So it has to have open sessions.

    Args:
        model: The model.
        rows: How many rows are remembered; a row of 50,000 logits takes 200 kB.

    Raises:
        ModelError: For a model without open sessions, or no rows.
    """

    def __init__(self, model: Model, rows: int) -> None:
        if not isinstance(model, OpenModel):
            raise ModelError(f"{model.name} has no open sessions, which rows are remembered for: run it as it is")
        if rows < 1:
            raise ModelError(f"rows = {rows} was given; whole numbers from 1 are allowed")
        self.name, self.vocabulary, self.context = model.name, model.vocabulary, model.context
        self.end_tokens = model.end_tokens
        self.memory = RowMemory(rows)
        self._model: Model = model
        self._open: OpenModel = model
        self._waiting: tuple[int, int, OpenSession] | None = None  # its places and kept prompts, and the session

    def encode(self, text: str) -> list[int]:
        """See `Model.encode`."""
        return self._model.encode(text)

    def encode_chat(self, messages: Messages) -> list[int] | None:
        """See `Model.encode_chat`."""
        return self._model.encode_chat(messages)

    def token_bytes(self, token: int) -> bytes:
        """See `Model.token_bytes`."""
        return self._model.token_bytes(token)

    def token_name(self, token: int) -> str:
        """See `Model.token_name`."""
        return self._model.token_name(token)

    def start(self, prompts: Sequence[Sequence[int]]) -> RememberedSession:
        """Start sequences; see `Model.start`."""
        session = self.start_open(len(prompts), kept=len(prompts))
        reading = session.join(prompts, PART)
        while reading.left:
            reading.read()
        reading.finish()
        return session

    def start_open(self, places: int, kept: int = 0) -> RememberedSession:
        """Start a session without sequences; see `OpenModel.start_open`."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting[:2] != (places, kept):
            waiting = places, kept, self._open.start_open(places, kept)
        return RememberedSession(self, places, waiting[2], partial(self._take_back, *waiting))

    def close(self) -> None:
        """Free the session that waits for the next one. Rows are remembered."""
        if self._waiting is not None:
            self._waiting[2].close()
            self._waiting = None

    def _take_back(self, places: int, kept: int, session: OpenSession) -> None:
        """Have a session without sequences wait for the next one, which then knows the prompts that it keeps."""
        self.close()
        self._waiting = places, kept, session


class RememberedSession:
    """Sequences of a `RememberedModel`; see `OpenSession`.

    Args:
        model: The model with its memory.
        places: How many sequences can live at a time.
        session: A session of the model behind. Each of its sequences has the text of one or more of ours.
        end: Called with no argument when the session is closed, and no sequence of the model behind lives.
    """

    def __init__(self, model: RememberedModel, places: int, session: OpenSession, end: Callable[[], object]) -> None:
        self._model, self._places, self._session, self._end = model, places, session, end
        self._texts: dict[int, Text] = {}
        self._rows: dict[Text, Row] = {}  # of the texts that live
        self._at: dict[Text, int] = {}  # the sequence of the model behind that has a text
        self._begun = self._reading = 0
        self._closed = False

    @property
    def places(self) -> int:
        """Number of sequences that can still join."""
        return 0 if self._closed else self._places - len(self._texts) - self._reading

    def logits(self) -> NDArray[np.float32]:
        """Logits of the next token, [live sequences, vocabulary], lower-numbered sequences first."""
        return self._stacked(self._rows, [*self._texts.values()])

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append `tokens[row]` to the sequence `row`. Live sequences without a token end."""
        check_advance(self._model, {row: len(text) for row, text in self._texts.items()}, tokens)
        self._texts = {row: (*text, int(tokens[row])) for row, text in self._texts.items() if row in tokens}
        self._rows, unknown = self._remembered(self._texts.values())
        going: dict[int, Text] = {}
        for text in unknown:
            if text[:-1] in self._at:
                going.setdefault(self._at[text[:-1]], text)
        if going:
            self._session.advance({row: text[-1] for row, text in going.items()})
            self._at = {}
            self._rows |= self._new(going, self._session.logits())
        if parted := [text for text in unknown if text not in self._rows]:
            reading = self._read(parted, PART)
            while reading.left:
                reading.read()
            self._rows |= self._joined(parted, reading)

    def join(self, prompts: Sequence[Sequence[int]], part: int) -> RememberedReading:
        """Begin to read prompts whose sequences will join; see `OpenSession.join`.

        Raises:
            ModelError: If there are fewer places, or `start` would refuse the prompts.
        """
        check_join(self._model, self.places, prompts)
        texts = [tuple(int(token) for token in prompt) for prompt in prompts]
        rows, unknown = self._remembered(texts)
        reading = self._read(unknown, part) if unknown else None
        self._reading += len(texts)

        def end() -> None:
            self._reading -= len(texts)

        def take_in() -> tuple[list[int], Any]:
            if reading is not None:
                rows.update(self._joined(unknown, reading))
            numbers = list(range(self._begun, self._begun + len(texts)))
            self._begun += len(texts)
            self._texts |= dict(zip(numbers, texts, strict=True))
            self._rows |= rows
            return numbers, self._stacked(rows, texts)

        return RememberedReading(reading, take_in, end)

    def close(self) -> None:
        """Free the sequences. Calling it again does nothing."""
        if not self._closed:
            self._closed = True
            self._texts, self._rows, self._at = {}, {}, {}
            self._session.advance({})
            self._end()

    def _remembered(self, texts: Iterable[Text]) -> tuple[dict[Text, Row], list[Text]]:
        """The rows after these texts that are remembered, and the other texts, each once."""
        found = {text: self._model.memory.get(text) for text in dict.fromkeys(texts)}
        unknown = [text for text, row in found.items() if row is None]
        return {text: row for text, row in found.items() if row is not None}, unknown

    def _read(self, texts: Sequence[Text], part: int) -> Reading:
        """Begin to read texts in the session of the model behind."""
        if len(texts) > self._session.places:  # its sequences have the texts of ended ones
            self._session.advance({})
            self._at = {}
        return self._session.join(texts, part)

    def _joined(self, texts: Sequence[Text], reading: Reading) -> dict[Text, Row]:
        """The rows after texts that were read, which join the session of the model behind."""
        numbers, logits = reading.finish()
        return self._new(dict(zip(numbers, texts, strict=True)), logits)

    def _new(self, texts: Mapping[int, Text], logits: Any) -> dict[Text, Row]:
        """Remember the rows of these sequences of the model behind, lower-numbered ones first."""
        rows, found = as_rows(logits), {}
        for at, (number, text) in enumerate(sorted(texts.items())):
            self._at[text] = number
            found[text] = np.array(rows.widened(at), np.float32)
            self._model.memory.put(text, found[text])
        return found

    def _stacked(self, rows: Mapping[Text, Row], texts: Sequence[Text]) -> NDArray[np.float32]:
        """The rows after these texts, [texts, vocabulary]."""
        return np.array([rows[text] for text in texts], np.float32).reshape(len(texts), self._model.vocabulary)


class RememberedReading:
    """Prompts that are being read for a `RememberedSession`; see `Reading`.

    Args:
        reading: The reading of those that are not remembered, if there are any.
        take_in: Called by `finish`; returns its result.
        end: Called once, when the reading ends for any reason.
    """

    def __init__(
        self, reading: Reading | None, take_in: Callable[[], tuple[list[int], Any]], end: Callable[[], object]
    ) -> None:
        self._reading, self._take_in, self._end = reading, take_in, end
        self._open = True

    @property
    def left(self) -> int:
        """Number of tokens that are not read yet."""
        return 0 if self._reading is None else self._reading.left

    def read(self) -> int:
        """Read the next part, and return its number of tokens.

        Raises:
            ModelError: If all tokens are read, or the model fails.
        """
        if self._reading is None:
            raise ModelError("this reading has ended: join again")
        return self._reading.read()

    def finish(self) -> tuple[list[int], Any]:
        """Let the sequences join the session; see `Reading.finish`."""
        found = self._take_in()
        self.close()
        return found

    def close(self) -> None:
        """Free the prompts."""
        if self._open:
            self._open = False
            if self._reading is not None:
                self._reading.close()
            self._end()
