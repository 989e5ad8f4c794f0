"""The answer of learning from texts: whether the signals were worth more than one temperature."""

from __future__ import annotations

from collections.abc import Iterator

from dyntemp.evaluation.controls import is_dynamic
from dyntemp.evaluation.pairs import LEVEL
from dyntemp.language.policy import Policy
from dyntemp.learn.answer import OFTEN
from dyntemp.learn.passages.results import Gain, HeldOut, Verdict

MATTERS = 0.01
"""The least gain that matters, nats a token: 1 % of the perplexity."""

FEW = 10
"""Clusters of the held-out half below which intervals come out too narrow."""

DROPPED = 0.01
"""The share of dropped tokens from which on the figures are of another text."""


def verdict_of(gain: Gain, *, static: bool) -> Verdict:
    """The answer, from the gain over the best static temperature.

    Args:
        gain: The gain.
        static: Whether static temperature was the best in cross-validation.
    """
    if static:
        return "not better"
    if gain.low is not None and gain.low > 0 and gain.p < LEVEL:
        return "helps"
    return "not better" if gain.high is not None and gain.high < MATTERS else "open"


def sentence(verdict: Verdict, source: str, learned: HeldOut, static: HeldOut, gain: Gain, passages: int) -> str:
    """The answer in one sentence."""
    words = {
        "helps": "A learned temperature is less surprised by",
        "not better": "A learned temperature is not less surprised by",
        "open": "It cannot be told if a learned temperature is less surprised by",
    }
    ends = "" if gain.low is None or gain.high is None else f" [{gain.low:+.4f}, {gain.high:+.4f}]"
    return (
        f"{words[verdict]} {source} than the best static one: {learned.loss:.4f} nats a token beside {static.loss:.4f} "
        f"at T = {static.policy}, a gain of {gain.difference:+.4f}{ends}, on {passages} passages that were held out."
    )


def warnings_of(
    *, learned: HeldOut, static: bool, at_bound: float, anchor: float, bounds: tuple[float, float], clusters: int,
    dropped: float, left_out: int, began_static: bool,
) -> list[str]:  # fmt: skip
    """Warnings to read before a learned policy is used."""
    return list(_warnings(learned, static, at_bound, anchor, bounds, clusters, dropped, left_out, began_static))


def _warnings(
    learned: HeldOut, static: bool, at_bound: float, anchor: float, bounds: tuple[float, float], clusters: int,
    dropped: float, left_out: int, began_static: bool,
) -> Iterator[str]:  # fmt: skip
    low, high = bounds
    if static:
        yield f"static temperature was the best in cross-validation: what was learned is T = {anchor:g}"
    elif not is_dynamic(Policy(learned.policy)):
        yield "the learned policy reads no signal: it is one temperature"
    if at_bound >= OFTEN:
        yield (
            f"T sits at its bound for {at_bound:.0%} of the held-out tokens, mean {learned.temperature:.3g} between "
            f"{low:g} and {high:g}: widen the bounds, or take a static temperature"
        )
    if not low * 1.01 < anchor < high / 1.01:
        yield f"the best static temperature, {anchor:g}, sits at its bound: widen the bounds"
    if not began_static:
        yield "the template cannot be the static temperature, so that the fit began in the middle of its ranges"
    if clusters < FEW:
        yield f"{clusters} different passages were held out: with fewer than {FEW}, intervals come out too narrow"
    if dropped >= DROPPED:
        yield (
            f"the filters drop {dropped:.1%} of the tokens at every temperature: these have no part in the figures, "
            "which are of the rest"
        )
    if left_out:
        yield (
            f"{left_out} passages were left out, since there were enough tokens, or since they have too few or too "
            "many: raise the number of tokens to read them"
        )
