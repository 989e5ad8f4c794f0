"""A sample: one text of an arm to an item, with light numbers for each of its tokens."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

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
        curves: The curve of the draw of each token, where the job asked for it. A file holds both as float32.
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

        Signals and curves, where there are any, are float32 in base64.
        """
        data = asdict(replace(self, signals={}, curves=None))
        del data["signals"], data["curves"]
        for name in NUMBERS:
            data[name] = [_short(value) for value in data[name]]
        if self.curves is not None:
            data["signals"] = {name: _packed(np.array(values)) for name, values in self.signals.items()}
            data["curves"] = [_packed(array) for array in self.curves]
        return {**data, "score": [int(self.score.valid), int(self.score.correct), self.score.key]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The sample that `to_json` wrote."""
        valid, correct, key = data["score"]
        rest: dict[str, Any] = {name: tuple(map(float, data[name])) for name in NUMBERS}
        if "curves" in data:
            value, totals = map(_unpacked, data["curves"])
            rest["curves"] = DrawCurves(value, totals.reshape(len(value), -1))
            rest["signals"] = {name: tuple(_unpacked(text).tolist()) for name, text in data["signals"].items()}
        return cls(**{**data, **rest, "score": Score(bool(valid), bool(correct), key)})


NUMBERS = ("temperature", "entropy", "max_prob", "surprisal", "log_prob")
"""The numbers of tokens."""


def _short(value: float) -> float | str:
    short = float(f"{value:.{DIGITS}g}")
    return short if short - short == 0 else str(short)  # JSON has no infinity


def _packed(values: NDArray[Any]) -> str:
    return b64encode(values.astype("<f4").tobytes()).decode()


def _unpacked(text: str) -> NDArray[np.float32]:
    return np.frombuffer(b64decode(text), "<f4").astype(np.float32)
