"""The results of learning from texts, as one JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from dyntemp.evaluation.records import read_results
from dyntemp.learn.passages.calibration import Calibration
from dyntemp.learn.results import Round

FORMAT = 1
"""Version of the file."""

METRIC = "nats a token"
"""The figure that is made small."""

Verdict = Literal["helps", "not better", "open"]
"""Better than the best static temperature; not better by an amount that matters; too few passages to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """A choice of temperature on the held-out half.

    Attributes:
        name: `T = 1`, `best static` or `learned`.
        policy: Its policy.
        loss: Mean surprise of the tokens that the filters left, nats.
        temperature: Mean of T.
        spread: Standard deviation of T.
        calibration: The expected calibration error of its likeliest entry.
    """

    name: str
    policy: str
    loss: float
    temperature: float
    spread: float
    calibration: Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """The surprise of one choice of temperature less that of the learned one, on the held-out half, paired by token.

    Attributes:
        other: Name of the other choice.
        difference: Mean of the differences, nats a token; above 0 where the learned one is better.
        low: Lower end of its 95 % interval over passages; None where they are one cluster.
        high: Its upper end.
        p: One-sided p-value that the learned one is not better.
    """

    other: str
    difference: float
    low: float | None
    high: float | None
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageResults:
    """The results of learning from texts.

    Attributes:
        settings: The settings, as `PassageSettings.to_json` has them.
        digest: SHA-256 of the settings, hexadecimal.
        model: Name of the model.
        about: Machine, versions, commit and date, by name.
        source: Name of the file of texts.
        given: Passages of the file.
        passages: Passages that were learned from, and that were held out.
        tokens: Tokens of these that were scored.
        dropped: Share of the tokens that the filters drop at every temperature; they have no surprise.
        shape: The shape of the policy, written out.
        bounds: The lowest and the highest temperature that the shape reaches.
        filters: The chain before the temperature.
        anchor: The best static temperature of the first half, as a policy.
        began_static: True if the shape was that temperature when it began.
        signals: Nine quantiles of each signal over the tokens that were learned from, by its text.
        pulls: Mean surprise in cross-validation by the price of leaving the static temperature, with that price.
        pull: The chosen price; None for infinite, which is static temperature.
        rounds: The steps of the fit.
        held_out: Each choice of temperature on the held-out half.
        gains: The learned choice beside each other one.
        oracle: Mean surprise on the held-out half with the best temperature of each token, which no policy knows.
        verdict: The answer.
        sentence: The answer in one sentence, with its figures.
        warnings: What one should know of it.
    """

    settings: Mapping[str, Any]
    digest: str
    model: str
    about: Mapping[str, str]
    source: str
    given: int
    passages: tuple[int, int]
    tokens: tuple[int, int]
    dropped: float
    shape: str
    bounds: tuple[float, float]
    filters: str
    anchor: str
    began_static: bool
    signals: Mapping[str, Sequence[float]]
    pulls: Sequence[tuple[float | None, float]]
    pull: float | None
    rounds: Sequence[Round]
    held_out: Sequence[HeldOut]
    gains: Sequence[Gain]
    oracle: float
    verdict: Verdict
    sentence: str
    warnings: Sequence[str]

    @property
    def learned(self) -> HeldOut:
        """The learned choice of temperature."""
        return self.held_out[-1]

    @property
    def policy(self) -> str:
        """The learned policy; the static temperature where that was the best in cross-validation."""
        return self.learned.policy

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The results that `to_json` wrote.

        Raises:
            ValueError: For a file of another version.
        """
        return read_results(cls, data, FORMAT)
