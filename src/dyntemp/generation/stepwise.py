"""Texts of a model, one at a time, whose temperatures are told from outside after each row is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dyntemp.functions import exp
from dyntemp.generation.next_token import NextTokens
from dyntemp.generation.request import Request
from dyntemp.generation.sequence import GeneratedSequence
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import as_rows
from dyntemp.language.policy import Policy
from dyntemp.models import Model, OpenModel, OpenSession, Session
from dyntemp.signals import given
from dyntemp.traces.row_record import MEASURED
from dyntemp.traces.settings import Settings
from dyntemp.traces.token import Token

KEPT = 32
"""How many prompts an open session keeps, for later texts that begin with them."""

NAME = "log_temperature"
"""The name of the `given` in the policy of these texts."""


class StepwiseTexts:
    """Texts of a model, one at a time: `begin` reads a prompt, and every `draw` draws the next token.

    With equal temperatures, seed and request number, a text is the one that `Loop` writes.

    Args:
        model: The model that gives the logits.
        low: Lowest ln T.
        high: Highest ln T.

    Attributes:
        logits: The row that the next token is drawn from, [1, vocabulary], until the next `draw`.
        text: The text so far, without records that are held back while a stop text may be in the making.
        sequence: The text that is being written; None before the first, and after the end of one.
    """

    def __init__(self, model: Model, low: float, high: float) -> None:
        self._model, self._policy = model, Policy(exp(given(NAME, low, high)))
        self._session: Session | None = None
        self._open: OpenSession | None = None
        self._row = 0
        self.logits: Any = None
        self.text = ""
        self.sequence: GeneratedSequence | None = None

    def begin(self, prompt: Sequence[int], settings: Settings, number: int = 0) -> None:
        """Begin a text, and give up the one before.

        Args:
            prompt: The tokens of the prompt.
            settings: Seed, limits, filters and backend.
            number: The number of its request.

        Raises:
            ModelError: For a prompt that does not fit into the context, or if the model fails.
        """
        self._end()
        self._read(prompt)
        request = Request(prompt=prompt, policy=self._policy, settings=settings, number=number, signals=())
        self.sequence, self.text = GeneratedSequence(0, request, 0, self._model), ""

    def draw(self, log_temperature: float) -> Token:
        """Draw the next token at this ln T, and return its record, with its own text.

        The text ends with a token whose `finish` is set. No row follows it.

        Raises:
            PolicyError: For a number outside `low` to `high`.
            InvalidLogitsError: For a broken row of logits.
            ModelError: If the model fails.
        """
        sequence, session = self.sequence, self._session
        assert sequence, "`begin` comes first"
        assert session, "a text that is being written has a session"
        settings, (seed, number, position) = sequence.request.settings, sequence.noise_key
        job = Job(
            policies=(self._policy,), also=MEASURED, draw=True, filters=settings.filters, seed=seed, request=number,
            position=position, given={NAME: log_temperature},
        )  # fmt: skip
        outcome = backend_of(self.logits, settings.backend).run(self.logits, job)
        drawn = NextTokens(self._model, as_rows(self.logits), outcome)
        record = drawn.record(sequence, 0, *drawn.token(sequence, 0))
        sequence.position += 1
        shown = sequence.receive(record)
        self.text += "".join(token.text for token in shown)
        token = (shown or sequence.held)[-1]
        if token.finish:
            self._end()
        else:
            session.advance({self._row: token.token})
            self.logits = session.logits()
        return token

    def close(self) -> None:
        """Free the memory of the texts. May be called again."""
        if self._session is not None:
            self._session.close()
        self._session = self._open = self.sequence = None

    def _read(self, prompt: Sequence[int]) -> None:
        """Read a prompt, in a session of its own or in the open one, which keeps it."""
        if not isinstance(self._model, OpenModel):
            self._session, self._row = self._model.start([prompt]), 0
            self.logits = self._session.logits()
            return
        self._session = self._open = self._open or self._model.start_open(1, KEPT)
        reading = self._open.join([prompt], len(prompt))
        while reading.left:
            reading.read()
        (self._row,), self.logits = reading.finish()

    def _end(self) -> None:
        """End the text. An open session stays."""
        if self.sequence is None:
            return
        if self._open is None:
            self.close()
        else:
            self._open.advance({})
            self.sequence = None
