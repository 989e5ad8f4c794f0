"""A recorded sequence: the tokens that one run drew, for others to follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from dyntemp.distribution.filters import Filters
from dyntemp.kernels.job import NO_FILTERS
from dyntemp.traces.token import Token


class RecordedToken(NamedTuple):
    """A drawn token, its temperature, and whether it was forced."""

    token: int
    temperature: float
    forced: bool


@dataclass(slots=True, eq=False)
class RecordedSequence:
    """The tokens of one sequence, as far as they are drawn.

    Attributes:
        filters: The filters of the draws.
        key: The seed and the request of the noise of the draws.
        tokens: The tokens, by position.
    """

    filters: Filters = NO_FILTERS
    key: tuple[int, int] = (0, 0)
    tokens: list[RecordedToken] = field(default_factory=list)

    @classmethod
    def of(cls, tokens: Iterable[Token], filters: Filters = NO_FILTERS, key: tuple[int, int] = (0, 0)) -> Self:
        """All tokens of a traced sequence."""
        recorded = cls(filters, key)
        for token in tokens:
            recorded.append(token)
        return recorded

    def append(self, token: Token) -> None:
        """Record the next token."""
        self.tokens.append(RecordedToken(token.token, token.temperature, token.origin == "forced"))
