"""The fake host that a suite of tests drives in place of the real one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines import CAPABILITIES, Capabilities, Counts
from dyntemp.language.given import GivenNumbers
from dyntemp.sampling import PolicyLike

Row = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Asked:
    """The settings of a request to the host.

    Attributes:
        policy: Its policy; None for a request without one.
        requested: Its own temperature; 0 is greedy.
        prompt: Number of tokens in its prompt.
        tokens: The tokens of its prompt; by default tokens of the host's choice.
        given: Its own values of `given("name", low, high)`, for hosts whose requests bring them.
        record: The label of its trace, for hosts whose requests bring one.
    """

    policy: PolicyLike | None
    requested: float = 1.0
    prompt: int = 3
    tokens: tuple[int, ...] = ()
    given: Mapping[str, GivenNumbers] = field(default_factory=dict)
    record: str | None = None

    def prompt_of(self, token: int) -> list[int]:
        """The tokens of the prompt; `token` where none were chosen."""
        return list(self.tokens) or [token] * self.prompt


class FakeHost(ABC):
    """A fake host: it calls an adapter as the real host does, with rows of a test.

    Its tokens have the bytes that `testing.spelling.spelled` says, and the zone `OWN_ZONE` is defined.

    Attributes:
        adapter: The adapter's key in `CAPABILITIES`.
        batch: Most requests that run at a time.
        mixes: True if these may have different policies and temperatures.
        joins: True if requests begin and end while others run.
        tells_requested: True if the host divides by a request's own temperature.
        vocabulary: Number of logits in a row.
    """

    adapter: str
    batch: int = 8
    mixes: bool = True
    joins: bool = True
    tells_requested: bool = True
    vocabulary: int = 1000

    @property
    def capabilities(self) -> Capabilities:
        """The adapter's record."""
        return CAPABILITIES[self.adapter]

    @abstractmethod
    def begin(self, asked: Sequence[Asked]) -> list[int]:
        """Begin requests, and return their numbers for the methods below. Errors of the adapter are raised."""

    @abstractmethod
    def step(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        """Hand over a row of each running request, and return the rows that the host would draw from.

        The host's later changes are included, such as its division by the request's own temperature. A second call
        without `draw` runs the same position again.
        """

    @abstractmethod
    def draw(self, tokens: Mapping[int, int]) -> None:
        """Continue each running request with a token."""

    @abstractmethod
    def finish(self, request: int) -> None:
        """End a request; another may take its slot."""

    def take_back(self, count: int) -> bool:  # noqa: ARG002  # for hosts that do
        """Take back the latest tokens of each running request, as rejected drafts; False where the host never does."""
        return False

    def rearrange(self) -> None:  # noqa: B027  # many hosts never do
        """Reorder the requests, as the host may between steps."""

    @property
    @abstractmethod
    def counts(self) -> Counts:
        """The adapter's counts."""
