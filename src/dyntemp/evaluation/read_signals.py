"""The numbers that a policy read along a text, for learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy

REQUESTED = 1.0
"""The temperature that all runners ask for, which is the value of `requested`."""


def read_signals(policy: Policy, tokens: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """The signals that a policy reads, by their text, with a number for each token.

    Args:
        policy: The policy.
        tokens: The signals of each token as they were recorded, by their text; `position` and `requested` may be left
            out.

    Raises:
        EngineError: If a token lacks another one.
    """
    found = {}
    for name in map(str, policy.program.signals):
        if name == "position":
            found[name] = tuple(map(float, range(len(tokens))))
        elif name == "requested":
            found[name] = (REQUESTED,) * len(tokens)
        elif all(name in token for token in tokens):
            found[name] = tuple(token[name] for token in tokens)
        else:
            raise EngineError(
                f"the numbers of `{name}`, which `{policy}` reads, were not told: leave the signal out, or write these "
                "texts with a model of our own loop"
            )
    return found
