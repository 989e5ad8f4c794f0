"""The figures of a whole text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, isfinite

from dyntemp.show.words import temperature
from dyntemp.traces.token import Token


@dataclass(slots=True)
class Summary:
    """Running figures of a text."""

    count: int = 0
    finite: int = 0
    total: float = 0.0
    low: float = inf
    high: float = -inf
    finish: str | None = field(default=None)

    @classmethod
    def of(cls, tokens: Iterable[Token]) -> Summary:
        """The figures of these tokens."""
        summary = cls()
        for token in tokens:
            summary.add(token)
        return summary

    def add(self, token: Token) -> None:
        """Count one token."""
        self.count += 1
        if isfinite(token.temperature):
            self.finite += 1
            self.total += token.temperature
        self.low, self.high = min(self.low, token.temperature), max(self.high, token.temperature)
        self.finish = token.finish or self.finish

    @property
    def mean(self) -> float:
        """The mean of the finite temperatures; NaN if there is none."""
        return self.total / self.finite if self.finite else float("nan")

    def line(self, seconds: float, drawn: str) -> str:
        """The figures as text: `96 tokens, 84.2 per second; T mean 0.52, from 0.30 to 0.83; seed 7`.

        `drawn` is the origin of the draws in words, as in `Header.drawn`.
        """
        if not self.count:
            return f"no tokens; {drawn}"
        rate = f"{self.count / seconds:.1f} per second; " if seconds > 0 else ""
        mean = temperature(self.mean) if self.finite else "inf"
        between = f"T mean {mean}, from {temperature(self.low)} to {temperature(self.high)}"
        infinite = self.count - self.finite
        beside = f" ({infinite} infinite)" if infinite and self.finite else ""
        return f"{self.count} token{'' if self.count == 1 else 's'}, {rate}{between}{beside}; {drawn}"
