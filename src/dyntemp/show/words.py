"""One true sentence about a token: what the model was torn between, which temperature, what that did."""

from __future__ import annotations

from math import inf

from dyntemp.filters import GREEDY_AT
from dyntemp.trace import Alternative, Token

CERTAIN = 0.95
TORN = 0.5
"""The second candidate has at least this share of the first one's probability where the model counts as torn."""


def explain(token: Token) -> str:
    """The sentence for one token of a trace."""
    drew = quoted(token)
    if not token.alternatives:
        return f"drew {drew} at T = {temperature(token.temperature)}; the trace names no alternatives"
    if token.candidates == 1:
        return f"one candidate survived, so the temperature could not matter; drew {drew}"
    first, *others = token.alternatives
    if token.temperature <= GREEDY_AT:
        return f"T = 0 is greedy: took the likeliest, {drew} {percent(token.probability)}"
    before, named = _standing(first, others)
    return f"{before}; {_effect(token, named)}; {_drawn(token, named)}"


def _standing(first: Alternative, others: list[Alternative]) -> tuple[str, list[Alternative]]:
    """How things stood before the temperature, and which candidates that names."""
    one = f"`{visible(first.text)}` {percent(first.probability)}"
    if first.probability >= CERTAIN or not others:
        return f"sure of {one}", [first]
    second = others[0]
    two = f"`{visible(second.text)}` {percent(second.probability)}"
    if second.probability >= TORN * first.probability:
        return f"torn between {one} and {two}", [first, second]
    return f"leaning to {one} over {two}", [first, second]


def _effect(token: Token, named: list[Alternative]) -> str:
    """What filters and temperature made of the candidates that were named."""
    after = "/".join(percent(alternative.probability_after).rstrip("%") for alternative in named) + "%"
    t = f"T = {temperature(token.temperature)}"
    support = token.signals.get("support")
    if token.temperature == inf:
        return f"{t} gave all {token.candidates:,} candidates the same chance"
    if support is not None and token.candidates < support:
        return f"with {token.candidates:,} candidates left, {t} made that {after}"
    if token.temperature == 1:
        return f"{t} left that as it is"
    return f"{t} {'sharpened' if token.temperature < 1 else 'flattened'} that to {after}"


def _drawn(token: Token, named: list[Alternative]) -> str:
    if any(alternative.token == token.token for alternative in named):
        return f"drew {quoted(token)}"
    return f"drew {quoted(token)}, {percent(token.probability)} before and {percent(token.probability_after)} after"


def quoted(token: Token) -> str:
    """The token between backticks, white space visible; a control token by its name where the trace knows it."""
    if token.bytes:
        return f"`{visible(token.bytes.decode(errors='backslashreplace'))}`"
    names = [alternative.text for alternative in token.alternatives if alternative.token == token.token]
    return f"`{names[0] if names else f'token {token.token}'}`"


def visible(text: str) -> str:
    r"""`text` with white space and control characters made visible.

    >>> visible(" two\n")
    '␣two⏎'
    """
    shown = text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in shown)


def percent(probability: float) -> str:
    """A probability in as few digits as say something: 41%, 3.2%, <0.01%, >99.9%; 0% and 100% only where exact."""
    if 0 < probability < 0.0001:
        return "<0.01%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    if 0.995 <= probability < 1:
        return f"{100 * probability:.1f}%"
    return f"{100 * probability:.2g}%" if 0 < probability < 0.0995 else f"{100 * probability:.0f}%"


def temperature(value: float) -> str:
    """A temperature in three digits."""
    return f"{value:.3g}" if value != inf else "inf"
