"""A sentence about a token: the model's candidates, the temperature, its effect, and the draw.

Numbers are rounded half up, by plain arithmetic, so that a browser writes the same sentences.
"""

from __future__ import annotations

from math import floor, inf
from unicodedata import category

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.traces.replay import Replayed
from dyntemp.traces.token import Alternative, Token

CERTAIN = 0.95
"""The smallest probability of a candidate of which the model is sure."""

TORN = 0.5
"""The smallest share of the first candidate's probability that makes another candidate its peer."""

MOST = 0.5
"""The smallest probability of all peers together at which the model is torn between them; below, it is undecided."""

PEERS = 3
"""Most peers that are named one by one."""

AGAINST_THE_ODDS = 2.0
"""Nats above the mean surprisal, the entropy of the draw, from which a draw is against the odds."""

ORIGINS = {
    "drawn": "drawn",
    "forced": "put here, not drawn",
    "kept": "kept from the run that it follows",
    "parted": "drawn, where it had to part from the run that it follows",
}
"""The origin of a token, in words."""

HIDDEN = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"}
"""Unicode's categories of characters that have no glyph of their own."""


def explain(token: Token) -> str:
    """The sentence about one token of a trace."""
    if not token.alternatives:
        return f"{_came(token, [])}, at {at(token.temperature)}; the trace names no alternatives"
    if token.candidates == 1:
        return f"{_only(token)}, so the temperature could not matter; {_came(token, token.alternatives[:1])}"
    standing, named = _standing(token.alternatives)
    return f"{standing}; {_effect(token, named)}; {_came(token, named)}"


def changed(token: Token, replayed: Replayed) -> str:
    """The effect of another policy at one token: the temperature, the token's probability, and the token drawn."""
    before, after = percent(token.probability_after), percent(replayed.probability)
    was, becomes = at(token.temperature), at(replayed.temperature)
    about = "about " if replayed.error >= 0.005 else ""
    same = "as before" if token.temperature == replayed.temperature else "much as before"
    first = f"{becomes} {same}" if was == becomes else f"{becomes} instead of {was.removeprefix('T = ')}"
    second = f"{quoted(token)} stays at {about}{after}" if before == after else (
        f"{quoted(token)} goes from {before} to {about}{after}"
    )  # fmt: skip
    if token.origin == "forced":
        third = "it was put here, whatever is drawn"
    elif replayed.kept:
        third = "the draw stays"
    elif replayed.instead is None:
        third = "the draw would be one of the tokens that the trace does not name"
    else:
        third = f"the draw would be {_name(token, replayed.instead)} instead"
    return f"{first}; {second}; {third}"


def _only(token: Token) -> str:
    support = token.signals.get("support")
    if support is not None and support > 1:
        return f"one of {support:,.0f} candidates survived the filters"
    return "one candidate survived"


def _standing(alternatives: tuple[Alternative, ...]) -> tuple[str, list[Alternative]]:
    """The distribution before filters and temperature in words, and the candidates that this names."""
    first, *others = alternatives
    if first.probability >= CERTAIN:
        return f"sure of {_share(first)}", [first]
    peers = [other for other in alternatives if other.probability >= TORN * first.probability]
    if 1 < len(peers) <= PEERS and sum(peer.probability for peer in peers) >= MOST:
        return f"torn between {_list(peers)}", peers
    if not others or others[0].probability == 0:
        return f"the likeliest was {_share(first)}", [first]
    if len(peers) == 1 and first.probability + others[0].probability >= MOST:
        return f"leaning to {_share(first)} over {_share(others[0])}", [first, others[0]]
    return f"undecided: {_share(first)}, {_share(others[0])}, ...", [first, others[0]]


def _effect(token: Token, named: list[Alternative]) -> str:
    """The effect of filters and temperature on the candidates that were named."""
    t, support = at(token.temperature), token.signals.get("support")
    before = [percent(alternative.probability) for alternative in named]
    after = [percent(alternative.probability_after) for alternative in named]
    if token.temperature <= GREEDY_AT:
        return f"{t} is greedy and takes the likeliest"
    if token.temperature == inf:
        return f"{t} gave each of {token.candidates:,} candidates the same chance"
    made = "hardly moved that" if before == after else f"made that {_joined(after)}"
    if support is None:
        return f"{t}, with {token.candidates:,} candidates left, {made}"
    if token.candidates < support:
        return f"the filters left {token.candidates:,} of {support:,.0f} candidates, and {t} {made}"
    if token.temperature == 1:
        return f"{t} left that as it is"
    if before == after:
        return f"{t} hardly moved that"
    return f"{t} {'sharpened' if token.temperature < 1 else 'flattened'} that to {_joined(after)}"


def _came(token: Token, named: list[Alternative] | tuple[Alternative, ...]) -> str:
    """The origin of the token: drawn, kept or put there; with its probabilities if it was not named yet."""
    match token.origin:
        case "forced":
            came = f"{quoted(token)} was put here, not drawn"
        case "kept":
            came = f"kept {quoted(token)} of the run that it follows"
        case "parted":
            came = f"parted from the run that it follows and drew {quoted(token)}"
        case _:
            came = f"{'took' if token.temperature <= GREEDY_AT else 'drew'} {quoted(token)}"
    odd = token.origin != "forced" and token.surprisal_after - token.entropy_after >= AGAINST_THE_ODDS
    against = " against the odds" if odd else ""
    if any(alternative.token == token.token for alternative in named):
        return came + against
    return f"{came}{against}, {percent(token.probability)} before and {percent(token.probability_after)} after"


def _share(alternative: Alternative) -> str:
    return f"`{visible(alternative.text)}` {percent(alternative.probability)}"


def _list(alternatives: list[Alternative]) -> str:
    """Candidates with probabilities: `a` 40%, `b` 30% and `c` 25%."""
    *first, last = map(_share, alternatives)
    return f"{', '.join(first)} and {last}"


def _joined(percentages: list[str]) -> str:
    """Probabilities in short: 40/30/25%."""
    return "/".join(text.rstrip("%") for text in percentages) + "%"


def _name(token: Token, number: int) -> str:
    """The text of the token's alternative with this number, between backticks."""
    names = [alternative.text for alternative in token.alternatives if alternative.token == number]
    return f"`{visible(names[0]) if names else f'token {number}'}`"


def quoted(token: Token) -> str:
    """The token between backticks, with visible white space; a control token by its name, if the trace has it."""
    if token.bytes:
        return f"`{visible(token.bytes.decode(errors='backslashreplace'))}`"
    return _name(token, token.token)


def flowing(token: Token) -> tuple[str, bool]:
    r"""The text of a token in a running text, and True if that text is a mark.

    A single space inside a token stays a space: the colour behind the token makes it visible. A token of white space
    alone, and several spaces in a row, get visible signs. A line break becomes ⏎ and ends the line. A token without
    text of its own gets a mark: bytes of an unfinished character, a control token, a token that a stop text cut away.
    """
    if not token.text:
        return quoted(token)[1:-1], True
    if not token.text.strip() or "  " in token.text:
        return visible(token.text), False
    return visible(token.text).replace("␣", " "), False


def visible(text: str) -> str:
    r"""`text` with white space and control characters made visible.

    >>> visible(" two\n")
    '␣two⏎'
    """
    shown = text.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥")
    return "".join(repr(character)[1:-1] if category(character) in HIDDEN else character for character in shown)


def percent(probability: float) -> str:
    """A probability in few digits: 41%, 3.2%, <0.01%, >99.9%. 0% and 100% are exact."""
    if 0 < probability < 0.0001:
        return "<0.01%"
    if 0.9995 <= probability < 1:
        return ">99.9%"
    if 0.995 <= probability < 0.9995:
        return f"{rounded(100 * probability, 1)}%"
    return f"{rounded(100 * probability, decimals(100 * probability, 2))}%"


def temperature(value: float) -> str:
    """A temperature with three digits: 0.307, 1.2, 35, <0.001, inf."""
    if 0 < value < 0.001:
        return "<0.001"
    if value > 1e6:
        return "inf" if value == inf else ">1000000"
    return rounded(value, decimals(value, 3))


def at(value: float) -> str:
    """A temperature as `T = 0.51`; `T ≈ 1` if only its three digits are 1, `T ≈ 0` if it counts as 0."""
    shown = "0" if value <= GREEDY_AT else temperature(value)
    if shown[0] in "<>":
        return f"T {shown[0]} {shown[1:]}"
    return f"T ≈ {shown}" if shown in ("0", "1") and value != float(shown) else f"T = {shown}"


def decimals(value: float, digits: int) -> int:
    """Number of decimals that show `digits` digits of a value below 10**digits, at most 5."""
    places = digits - 1
    limit = 10 - 0.5 / 10**places  # a value that rounds to 10 has one decimal less
    while value >= limit and places > 0:
        places, limit = places - 1, limit * 10
    while 0 < value < limit / 10 and places < 5:
        places, limit = places + 1, limit / 10
    return places


def rounded(value: float, places: int) -> str:
    """`value` rounded half up, without trailing zeros.

    >>> rounded(6.25, 1), rounded(12.5, 0), rounded(0.3, 2)
    ('6.3', '13', '0.3')
    """
    number = floor(value * 10**places + 0.5) / 10**places
    return str(int(number)) if number == floor(number) else repr(number)
