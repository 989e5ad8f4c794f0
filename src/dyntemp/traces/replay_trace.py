"""The replay of a whole trace, under its own policy or another; views take temperatures and probabilities from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isclose, log

from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.traces.header import Header
from dyntemp.traces.replay import Replayed, replay
from dyntemp.traces.token import Token
from dyntemp.traces.zones import RecordedText

SAME = 1e-6
"""Largest relative difference between two temperatures of one policy: kernels measure in float32."""


def replays(
    header: Header, tokens: Sequence[Token], policy: Policy | None = None, zones: Sequence[str] = ()
) -> list[Replayed]:
    """The tokens of a trace under `policy`, by default the trace's own, in the order of `tokens`.

    `zones` are the user's own, as `parse_zone` reads them, beside those of the trace.

    Raises:
        PolicyError: If the policy reads a signal that the trace does not hold.
        ValueError: If the records do not hold enough, as those of format version 1.
    """
    settings = header.run()
    found: dict[int, list[Replayed]] = {}
    for request in {token.request for token in tokens}:
        found[request] = replay(
            [token for token in tokens if token.request == request],
            policy or Policy(header.policy),
            seed=settings.seed,
            requested=settings.requested,
            given=settings.given,
            parameters=settings.parameters if policy is None else None,
            text=RecordedText.of(header, request, zones),
        )
    replayed = {request: iter(its) for request, its in found.items()}
    return [next(replayed[token.request]) for token in tokens]


def as_if(token: Token, replayed: Replayed) -> Token:
    """The record that the token would have under the other policy; its alternatives stay as recorded."""
    return replace(
        token,
        temperature=replayed.temperature,
        entropy_after=replayed.entropy_after,
        probability_after=replayed.probability,
        surprisal_after=-log(replayed.probability) if replayed.probability > 0 else inf,
    )


def own_replays(header: Header | None, tokens: Sequence[Token]) -> list[Replayed | None]:
    """The tokens under the trace's own policy; None where the policy does not give the recorded temperature.

    This is so in a text that was begun under another policy, and where the records do not hold enough.
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
