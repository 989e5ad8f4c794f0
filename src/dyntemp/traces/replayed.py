"""A whole trace under a policy, its own or another: what its cards and its colours are then made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isclose, log

from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.traces.header import Header
from dyntemp.traces.replay import Replayed, replay
from dyntemp.traces.token import Token

SAME = 1e-6
"""How far apart two temperatures may be that one policy gave, relatively: kernels measure in float32."""


def replays(header: Header, tokens: Sequence[Token], policy: Policy | None = None) -> list[Replayed]:
    """The tokens of a trace under `policy`, or under its own, in the order of `tokens`.

    Raises:
        PolicyError: If the policy reads what the trace does not hold.
        ValueError: If the records do not hold enough, as those of the first dyntemp.
    """
    settings = header.settings
    found: dict[int, list[Replayed]] = {}
    for request in {token.request for token in tokens}:
        found[request] = replay(
            [token for token in tokens if token.request == request],
            policy or Policy(header.policy),
            seed=header.seed,
            requested=settings.get("requested", 1.0),
            given=settings.get("given"),
            parameters=settings.get("parameters") if policy is None else None,
        )
    turns = {request: iter(replayed) for request, replayed in found.items()}
    return [next(turns[token.request]) for token in tokens]


def as_if(token: Token, replayed: Replayed) -> Token:
    """The record that the token would have under the other policy, but for its alternatives."""
    return replace(
        token,
        temperature=replayed.temperature,
        entropy_after=replayed.entropy_after,
        probability_after=replayed.probability,
        surprisal_after=-log(replayed.probability) if replayed.probability > 0 else inf,
    )


def own_replays(header: Header | None, tokens: Sequence[Token]) -> list[Replayed | None]:
    """The tokens under the trace's policy; None for those that it did not give their temperature.

    Such are the beginning of a text that went on under another policy, and records that do not hold enough to tell.
    """
    if header is None:
        return [None] * len(tokens)
    try:
        found = replays(header, tokens)
    except (PolicyError, ValueError):
        return [None] * len(tokens)
    return [
        one if isclose(one.temperature, token.temperature, rel_tol=SAME) else None
        for one, token in zip(found, tokens, strict=True)
    ]
