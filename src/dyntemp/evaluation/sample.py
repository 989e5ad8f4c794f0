"""A sample: one text of an arm to an item, with light numbers for each of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from dyntemp.distribution.draw_curve import DrawCurves
from dyntemp.evaluation.task import Score

DIGITS = 5
"""Significant digits of a token's numbers in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One text. Numbers of tokens are empty where a server does not tell them.

    Attributes:
        item: The id of its item.
        number: Its number among the samples of the item, from 0.
        text: The text, without the stop text.
        finish: `end` (the model ended it), `stop` (a stop text appeared) or `length` (it was cut off).
        tokens: How many tokens were drawn, the stop text's among them.
        temperature: The temperature of each token.
        entropy: The entropy of the model at each token, at temperature 1 before any filter, nats.
        max_prob: The largest probability at each token, likewise.
        surprisal: -ln of the probability of each token in the model, at temperature 1 before any filter, nats.
        log_prob: ln of the probability that each token was drawn with, filtered and at its temperature.
        score: The score by its task.
        signals: The numbers that the policy read at each token, by the signal's text, where the job asked for curves.
            Earlier surprisals, which a policy may remember, are in `surprisal`.
        curves: The curve of the draw of each token, where the job asked for it. A file holds neither of these two.
    """

    item: str
    number: int
    text: str
    finish: str
    tokens: int
    temperature: tuple[float, ...]
    entropy: tuple[float, ...]
    max_prob: tuple[float, ...]
    surprisal: tuple[float, ...]
    log_prob: tuple[float, ...]
    score: Score
    signals: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)
    curves: DrawCurves | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """A JSON object; infinite temperatures are text, and numbers have `DIGITS` significant digits.

        Signals and curves are left out.
        """
        data = asdict(replace(self, signals={}, curves=None))
        del data["signals"], data["curves"]
        for name in NUMBERS:
            data[name] = [_short(value) for value in data[name]]
        return {**data, "score": [int(self.score.valid), int(self.score.correct), self.score.key]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The sample that `to_json` wrote."""
        valid, correct, key = data["score"]
        numbers = {name: tuple(map(float, data[name])) for name in NUMBERS}
        return cls(**{**data, **numbers, "score": Score(bool(valid), bool(correct), key)})


NUMBERS = ("temperature", "entropy", "max_prob", "surprisal", "log_prob")
"""The numbers of tokens."""


def _short(value: float) -> float | str:
    short = float(f"{value:.{DIGITS}g}")
    return short if short - short == 0 else str(short)  # JSON has no infinity
