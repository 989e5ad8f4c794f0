"""The chain of filters that truncates a row before a draw, and its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import nan
from typing import Any, NamedTuple, Self

import numpy as np

from dyntemp.distribution.filter_table import FILTERS
from dyntemp.distribution.truncation import Mask, Remaining, Values

GREEDY_AT = 1e-6
"""Temperatures up to here count as 0."""

TEMPERATURE = "temperature"
"""The word of a chain's text: filters before it read probabilities at temperature 1, those after it at the draw's."""

WORD = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:\(([^()]*)\))?\s*(?:,|$)")


class Step(NamedTuple):
    """One filter of a chain.

    Attributes:
        name: Its name in `FILTERS`.
        arguments: Its arguments.
        after: True where it reads probabilities at the temperature of the draw, False at temperature 1.
    """

    name: str
    arguments: tuple[float, ...]
    after: bool = False

    def __str__(self) -> str:
        numbers = (f"{value:g}" if float(f"{value:g}") == value else repr(value) for value in self.arguments)
        return f"{self.name}({', '.join(numbers)})" if self.arguments else self.name


class Filters:  # no frozen dataclass with an `__init__` of its own: `torch.compile` does not trace one
    """The filters of a draw, in their order. Each reads what the one before it left, renormalised.

    Four settings make the usual chain of top-k, top-p and min-p; `read` makes any other from a text.

    Args:
        top_k: Keep the k likeliest; 0 keeps all. Usual values are 20 to 100.
        top_p: Keep the likeliest whose probabilities reach this sum; 1 keeps all. Usual values are 0.8 to 0.98.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all. Usual values are 0.01
            to 0.2, about as selective as top_p from 0.99 to 0.8.
        at: Where probabilities are read: `model`, at temperature 1, so that what survives does not depend on the
            temperature; or `temperature`, after it.

    Attributes:
        steps: The filters that may remove an entry.
        active: True where there is one.
        cut: True where the entries that stay are always the likeliest.

    Raises:
        ValueError: For a value outside its range.

    >>> str(Filters(40, min_p=0.05))
    'top_k(40), min_p(0.05)'
    """

    __slots__ = ("active", "cut", "steps")

    def __init__(self, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0, at: str = "model") -> None:
        if at not in ("model", TEMPERATURE):
            raise ValueError(f'filter_at = {at!r} was given; "model" and "temperature" are allowed')
        given = (("top_k", top_k), ("top_p", top_p), ("min_p", min_p))
        self._chain([(name, (value,), at == TEMPERATURE) for name, value in given])

    @classmethod
    def read(cls, text: str) -> Self:
        """The chain that a text names: filters, and perhaps the word `temperature`, with commas between them.

        Filters before the word read probabilities at temperature 1, those after it at the draw's; without it all read
        them at temperature 1.

        Raises:
            ValueError: For a text that is none, or a number outside its range.

        >>> Filters.read("min_p(0.05), temperature, xtc(0.1, 0.5)").steps[1].after
        True
        """
        found: list[tuple[str, tuple[Any, ...], bool]] = []
        at, after = 0, False
        while at < len(text.rstrip()):
            match = WORD.match(text, at)
            if match is None:
                raise ValueError(f"the filters {text!r} were given, which cannot be read from {text[at:]!r} on: {FORM}")
            name, numbers = match.groups()
            if name == TEMPERATURE:
                if after or numbers is not None:
                    raise ValueError(f"the filters {text!r} were given; they name `temperature` once, without numbers")
                after = True
            elif name in FILTERS:
                found.append((name, _numbers(name, numbers or ""), after))
            else:
                raise ValueError(f"the filter {name!r} was given; there are {', '.join(FILTERS)}")
            at = match.end()
        chain = object.__new__(cls)
        chain._chain(found)
        return chain

    def _chain(self, steps: Sequence[tuple[str, tuple[Any, ...], bool]]) -> None:
        """Check these steps, and keep those that may remove an entry."""
        read = [Step(name, FILTERS[name].read(values), after) for name, values, after in steps]
        self.steps = tuple(step for step in read if not FILTERS[step.name].keeps_all(step.arguments))
        self.active = bool(self.steps)
        self.cut = all(FILTERS[step.name].cut for step in self.steps)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filters) and self.steps == other.steps

    def __hash__(self) -> int:
        return hash(self.steps)

    def __str__(self) -> str:
        words = [str(step) for step in self.steps]
        before = sum(not step.after for step in self.steps)
        return ", ".join(words[:before] + [TEMPERATURE] * (before < len(words)) + words[before:])

    def __repr__(self) -> str:
        return f"Filters.read({str(self)!r})"

    @property
    def short(self) -> dict[str, Any] | None:
        """The arguments `top_k`, `top_p`, `min_p` and `at` that make this chain; None where none do."""
        values = {step.name: step.arguments[0] for step in self.steps if step.name in SHORT}
        places = {step.after for step in self.steps}
        if tuple(values) != tuple(name for name in SHORT if name in values) or len(values) < len(self.steps):
            return None
        if len(places) > 1:
            return None
        return {**SHORT, **values, "at": TEMPERATURE if True in places else "model"}

    def _short(self, name: str) -> Any:
        if self.short is None:
            raise ValueError(f"the filters `{self}` are more than top_k, top_p and min_p: read their `steps`")
        return self.short[name]

    @property
    def top_k(self) -> int:
        """The argument of this name, of a chain that has the short form."""
        return int(self._short("top_k"))

    @property
    def top_p(self) -> float:
        """The argument of this name, of a chain that has the short form."""
        return float(self._short("top_p"))

    @property
    def min_p(self) -> float:
        """The argument of this name, of a chain that has the short form."""
        return float(self._short("min_p"))

    @property
    def at(self) -> str:
        """The argument of this name, of a chain that has the short form."""
        return str(self._short("at"))

    def mask(self, z: Values, temperature: float = 1.0, coin: Callable[[int], float] | None = None) -> Mask:
        """The mask of the entries of a row that stay, bool [n].

        Args:
            z: Its logits, [n], float64, -inf where masked.
            temperature: The temperature it is drawn at, which matters to filters that read what comes after it.
            coin: Number of a step -> a number in (0, 1), from the noise of the draw; see `noise.coins`.
        """
        kept = z > -np.inf
        for number, step in enumerate(self.steps):
            left = np.where(kept, z, -np.inf)
            t = temperature if step.after else 1.0
            if t <= GREEDY_AT:
                kept = np.arange(len(z)) == np.argmax(left)
                continue
            remaining = Remaining(left, weights(left, t), nan if coin is None else coin(number))
            kept &= FILTERS[step.name].keep(remaining, *step.arguments)
        return kept


FIXED = ("top_k", "top_n_sigma")
"""The filters that keep the same entries at every temperature, wherever they stand."""


def check_fixed(filters: Filters, use: str) -> None:
    """Raise for a chain that leaves other entries of a row at another temperature, or in another draw.

    Args:
        filters: The chain.
        use: The subject of the message, which needs the same entries.

    Raises:
        ValueError: If a filter draws a coin, or one other than top-k and top-n-sigma stands after the temperature.
    """
    if any(FILTERS[step.name].coin for step in filters.steps):
        raise ValueError(
            f"the filters `{filters}` were given; {use} needs filters that draw no coin: leave those that do out"
        )
    if any(step.after and step.name not in FIXED for step in filters.steps):
        raise ValueError(f"the filters `{filters}` were given; {use} needs filters that stand before `temperature`")


SHORT: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
"""The filters of the short form, in their order, each with the argument that keeps all."""

FORM = "write filters such as `top_k(40), min_p(0.05), temperature, xtc(0.1, 0.5)`"


def filters_of(
    filters: Filters | str | None = None,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    filter_at: str = "model",
) -> Filters:
    """The filters that were given in their long form or in their short form.

    Raises:
        ValueError: For values outside their range, and for both forms at once.
    """
    short = Filters(top_k, top_p, min_p, filter_at)
    if filters is None:
        return short
    if short.active or filter_at != "model":
        raise ValueError(
            "filters= was given beside top_k, top_p, min_p or filter_at: write them all into filters, as in "
            f"{str(short) or 'temperature, min_p(0.05)'!r}"
        )
    return Filters.read(filters) if isinstance(filters, str) else filters


def weights(z: Values, temperature: float) -> Values:
    """exp((z - max)/T) of a row, [n], and 0 where z is -inf. At T = infinity all are 1."""
    kept = z > -np.inf
    if temperature == np.inf:
        return kept.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(kept, np.exp((z - z.max()) / temperature), 0.0)


def _numbers(name: str, text: str) -> tuple[int | float, ...]:
    """The numbers between the parentheses of a filter."""
    try:
        return tuple(_number(word) for word in text.split(",")) if text.strip() else ()
    except ValueError:
        raise ValueError(f"{name}({text}) was given; write it as `{FILTERS[name].spelling}`, with numbers") from None


def _number(word: str) -> int | float:
    try:
        return int(word)
    except ValueError:
        return float(word)
