"""The progress of a tuning: texts, tokens, the stage, and the best value so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Progress(NamedTuple):
    """How far a tuning is.

    Attributes:
        done: Texts that are there, or whose values were computed.
        of: Of about how many.
        tokens: Tokens that this process drew.
        stage: What is done now, such as `static + min_p, trial 3 of 32`.
        best: The best value of this stage's search so far, in the first objective; None before the first trial.
    """

    done: int
    of: int
    tokens: int
    stage: str
    best: float | None


class Meter:
    """Counts what is done, and tells it.

    Args:
        show: Called as texts end; None shows nothing.

    Attributes:
        at: The progress at the end of the last configuration.
    """

    def __init__(self, show: Callable[[Progress], None] | None) -> None:
        self.at = Progress(0, 1, 0, "", None)
        self._show = show or (lambda _: None)
        self._of_cell = self._tokens = 0

    def plan(self, texts: int) -> None:
        """Take the number of texts of the whole tuning."""
        self.at = self.at._replace(of=texts)

    def text(self, done: int, tokens: int) -> None:
        """Take the texts that a configuration has, and the tokens that this process drew for it."""
        self._tokens += tokens if tokens < self._of_cell else tokens - self._of_cell
        self._of_cell = tokens
        self._show(self.at._replace(done=min(self.at.done + done, self.at.of), tokens=self._tokens))

    def read(self, where: str, done: int, of: int) -> None:
        """Take the number of listed answers that the model has read for a split of a task, once for all trials."""
        if of > 1:  # else it is the one configuration, which was computed
            self._show(self.at._replace(stage=f"{where}: answer {done} of {of} read"))

    def reach(self, done: int, stage: str, best: float | None = None) -> None:
        """Take the number of texts of all configurations that are done, and what is done next."""
        self.at = Progress(min(done, self.at.of), self.at.of, self._tokens, stage, best)
        self._show(self.at)
