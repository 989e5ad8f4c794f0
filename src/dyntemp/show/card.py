"""The card of one token, as numbers and words; the terminal and the page draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isclose, log

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.histogram import WIDTH
from dyntemp.language.signals import SIGNALS
from dyntemp.show.quantity import figure
from dyntemp.show.words import ORIGINS, changed, explain, quoted, visible
from dyntemp.traces.replay import Replayed, Term
from dyntemp.traces.token import Token


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a card.

    Attributes:
        label: The name of the number.
        value: The value before filters and temperature.
        unit: Its unit; may be empty.
        after: The value in the draw, if that differs; else None.
    """

    label: str
    value: float
    unit: str = ""
    after: float | None = None

    @property
    def text(self) -> str:
        """The number, or `before → after`, with its unit."""
        numbers = figure(self.value) if self.after is None else f"{figure(self.value)} → {figure(self.after)}"
        return f"{numbers} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate of a card, or several in one row.

    Attributes:
        text: The token, with visible white space.
        before: Probability before filters and temperature.
        after: Probability in the draw.
        now: Probability in the draw under the other policy; None without another policy.
        chosen: True for the token of this record.
        dropped: True if the filters removed it.
        instead: True if the draw under the other policy takes it.
        count: Number of tokens in the row.
    """

    text: str
    before: float
    after: float
    now: float | None = None
    chosen: bool = False
    dropped: bool = False
    instead: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Card:
    """One token, and how it was chosen.

    Attributes:
        position: Number of tokens generated before it.
        name: The token, with visible white space.
        sentence: How the token was chosen.
        change: The effect of the other policy; empty without one.
        came: The origin of the token, in words.
        chosen: The word for its own row: drawn, kept or put here.
        figures: Its numbers.
        temperature: The sum of the terms.
        terms: The policy's sum, term by term; empty if the record lacks them.
        rows: The alternatives by falling probability, then the token itself if it is none of them, then all others.
    """

    position: int
    name: str
    sentence: str
    change: str
    came: str
    chosen: str
    figures: tuple[Figure, ...]
    temperature: float
    terms: tuple[Term, ...]
    rows: tuple[Row, ...]


CHOSEN = {"drawn": "drawn", "forced": "put here", "kept": "kept", "parted": "drawn"}
"""The word for the row of the token itself, by its origin."""


def card(token: Token, replayed: Replayed | None = None, other: Replayed | None = None) -> Card:
    """The card of a token.

    Args:
        token: The record.
        replayed: The token under the policy that it was drawn with, for the terms of the policy's sum.
        other: The token under another policy, for comparison.
    """
    told = other or replayed
    return Card(
        position=token.position,
        name=quoted(token)[1:-1],
        sentence=explain(token),
        change=changed(token, other) if other else "",
        came=ORIGINS[token.origin],
        chosen=CHOSEN[token.origin],
        figures=tuple(_figures(token, other)),
        temperature=told.temperature if told else token.temperature,
        terms=told.terms if told else (),
        rows=tuple(_rows(token, other)),
    )


def state(row: Row, chosen: str) -> str:
    """The state of a row in words: chosen, dropped, or taken instead."""
    said = [chosen if row.chosen else "", "dropped" if row.dropped else "", "drawn instead" if row.instead else ""]
    return ", ".join(filter(None, said))


def name_of(row: Row) -> str:
    """A row's name, with its number of tokens if there are several."""
    return row.text if row.count == 1 and row.text != "other" else f"{row.text} ({row.count:,})"


def sums(card: Card) -> str:
    """The policy's sum as text, in numbers, and its result. A limit without effect is left out.

    `0.3 + 0.7*normalized_entropy**0.5 = 0.3 + 0.213 = 0.513`, with `≈` where the rounded numbers have another sum.
    """
    terms = [term for term in card.terms if "..." not in term.text or term.value != 0]
    texts, result = _added([term.text for term in terms]), figure(card.temperature)
    if len(terms) == 1:
        return result if texts == result else f"{texts} = {result}"
    exact = isclose(sum(_shown(term.value) for term in terms), _shown(card.temperature), abs_tol=1e-9)
    return f"{texts} = {_added([figure(term.value) for term in terms])} {'=' if exact else '≈'} {result}"


def _shown(value: float) -> float:
    return float(figure(value).replace(",", ""))


def _added(parts: Sequence[str]) -> str:
    """The terms `a`, `b` and `-c` as the text `a + b - c`."""
    first, *others = parts
    return first + "".join(f" - {part[1:]}" if part.startswith("-") else f" + {part}" for part in others)


def _figures(token: Token, other: Replayed | None) -> list[Figure]:
    """The numbers of a card: the temperature, the changes in the draw, and every signal."""
    recorded = [
        Figure("temperature", token.temperature, "", other.temperature if other else None),
        Figure("entropy", token.signals["entropy"], "nats", other.entropy_after if other else token.entropy_after),
        Figure("surprisal", token.surprisal, "nats", None if other else token.surprisal_after),
        Figure("candidates", token.signals.get("support", token.candidates), "", float(token.candidates)),
    ]
    measured = [
        Figure(name, value, _unit(name)) for name, value in token.signals.items() if name not in ("entropy", "support")
    ]
    return [*(one if one.after != one.value else replace(one, after=None) for one in recorded), *measured]


def _unit(signal: str) -> str:
    """The unit of a signal; empty if the name says it."""
    record = SIGNALS.get(signal.partition("(")[0])
    return record.unit if record and record.unit in ("nats", "nats^2", "tokens") else ""


def _rows(token: Token, other: Replayed | None) -> list[Row]:
    now: Sequence[float | None] = other.alternatives if other else [None] * len(token.alternatives)
    parted = other.instead if other else None
    rows = [
        Row(
            visible(alternative.text) or f"token {alternative.token}", alternative.probability,
            alternative.probability_after, share, chosen=alternative.token == token.token,
            dropped=not left, instead=alternative.token == parted,
        )
        for alternative, share, left in zip(token.alternatives, now, token.left, strict=True)
    ]  # fmt: skip
    if not any(row.chosen for row in rows):
        rows.append(
            Row(
                quoted(token)[1:-1], token.probability, token.probability_after, other.probability if other else None,
                chosen=True, dropped=_left_out(token),
            )
        )  # fmt: skip
    return [*rows, *_others(token, other, rows, parted)]


def _left_out(token: Token) -> bool:
    """True if filters dropped a token that is none of the alternatives.

    In a greedy draw, kept tokens have probability 0 too. Then the token counts as dropped if it lies below the least
    likely histogram bin that was kept.
    """
    if token.surprisal_after < inf or token.temperature > GREEDY_AT or not token.rest:
        return token.surprisal_after == inf
    entries, mass = token.rest[-1]
    return token.surprisal > -log(mass / entries) + WIDTH


def _others(token: Token, other: Replayed | None, rows: list[Row], parted: int | None) -> list[Row]:
    """Rows for all tokens without a row of their own: those that the filters kept, and those that they dropped."""
    kept = [row for row in rows if not row.dropped]
    left = token.candidates - len(kept)
    unnamed = max(1 - sum(row.before for row in rows), 0.0)
    beside = sum(row.before for row in kept if row not in rows[: len(token.alternatives)])
    before = min(max(sum(mass for _, mass in token.rest) - beside, 0.0), unnamed)
    found = []
    if left > 0:
        found.append(
            Row(
                "other", before if token.rest else unnamed, max(1 - sum(row.after for row in rows), 0.0),
                max(1 - sum(row.now or 0.0 for row in rows), 0.0) if other else None,
                instead=bool(other and not other.kept and parted is None), count=left,
            )
        )  # fmt: skip
    dropped = int(token.signals.get("support", token.candidates)) - len(rows) - left
    if dropped > 0 and (token.rest or left <= 0):  # old traces do not split the rest
        found.append(Row("other", unnamed - before, 0.0, 0.0 if other else None, dropped=True, count=dropped))
    return found
