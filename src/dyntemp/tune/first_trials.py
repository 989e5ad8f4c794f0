"""The first trials of a search: what people use already, in the parameters of the policy that is tuned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from math import inf
from typing import NamedTuple

from dyntemp.distribution.filter_table import Argument
from dyntemp.evaluation.families import Family
from dyntemp.language.policy import Policy
from dyntemp.tune.results import Parameter
from dyntemp.tune.space import filter_of, parameters, rounded

MOST_PARAMETERS = 4
"""Policies with more parameters are not asked for a static temperature: bounds of many combinations take minutes."""

EXACT = 1e-9
"""Bounds of a policy that lie closer than this to a number make the policy that number."""


class Static(NamedTuple):
    """A temperature for all tokens with filters.

    Attributes:
        name: Its name in a trial's source.
        temperature: The temperature.
        numbers: The number of each filter; filters that are not named are as weak as their range allows.
    """

    name: str
    temperature: float
    numbers: Mapping[str, float] = {}


COLDEST = Static("coldest", 0.0)
"""Greedy, or the coldest static temperature that the policy can be."""

USUAL = (Static("T = 0.7", 0.7), Static("T = 1", 1.0))


def first_trials(
    family: Family, card: Mapping[str, float], best: Static | None, most: int
) -> dict[str, dict[str, float]]:
    """The first trials of a search, by their source; each is another configuration.

    A policy with parameters is a static temperature where its bounds meet in one number. A static temperature that no
    tried values of the parameters give is left out.

    Args:
        family: The policy and filters that are tuned.
        card: The temperature and the numbers of filters that the model's makers recommend; empty if none are known.
            Filters that the space lacks are left out.
        best: The tuned static temperature; None where it is not known.
        most: Most trials.
    """
    found: dict[str, dict[str, float]] = {}
    told: set[tuple[str, str]] = set()
    for name, wanted in _wanted(family, card, best):
        values = rounded(family, wanted)
        arm = family.arm(name, values)
        key = str(arm.policy), str(arm.filters)
        if key not in told:
            told.add(key)
            found[name] = values
    return dict(islice(found.items(), most))


def _wanted(family: Family, card: Mapping[str, float], best: Static | None) -> Iterator[tuple[str, dict[str, float]]]:
    """The trials, the most important first."""
    if best is not None and (values := as_static(family, best)) is not None:
        yield best.name, values
    if family.default:
        yield "published", {**family.default, **_weak(family, {})}
    low = max(0.0, family.policy.bounds().low)
    name = "greedy" if low == 0 else COLDEST.name
    of_makers = [Static("model card", card.get("temperature", 1.0), card)] if card else []
    for static in (*USUAL, Static(name, low), *of_makers):
        if (values := as_static(family, static)) is not None:
            yield static.name, values


def as_static(family: Family, static: Static) -> dict[str, float] | None:
    """Values of a family's parameters that make it a static temperature; None where none of those tried do.

    Tried are the temperature itself, 0, and the ends of each range.
    """
    names = family.policy.parameters
    if len(names) > MOST_PARAMETERS:
        return None
    own = [
        [value for value in dict.fromkeys((static.temperature, 0.0, low, high)) if low <= value <= high]
        for low, high in ((found.low or 0.0, found.high or 0.0) for found in names.values())
    ]
    for values in product(*own):
        bound = dict(zip(names, values, strict=True))
        if _is_constant(family.policy.bind(**bound), static.temperature):
            return {**bound, **_weak(family, static.numbers)}
    return None


def _is_constant(policy: Policy, value: float) -> bool:
    low, high = policy.bounds()
    return abs(low - value) < EXACT and abs(high - value) < EXACT


def _weak(family: Family, numbers: Mapping[str, float]) -> dict[str, float]:
    """These numbers of the filters, inside their ranges; of the others, the end where the filter keeps most."""
    spans = parameters(family)
    weakest = {name: _weakest(filter_of(name).arguments[0], spans[name]) for name in family.ranges}
    return {name: min(max(numbers.get(name, end), spans[name].low), spans[name].high) for name, end in weakest.items()}


def _weakest(argument: Argument, span: Parameter) -> float:
    """The value at which a filter keeps most: the one that keeps all, else the end of the range on that side."""
    if argument.off is not None and span.low <= argument.off <= span.high:
        return argument.off
    falling = argument.off == 0 and argument.high < inf  # a threshold; a count or a width keeps more as it grows
    return span.low if falling else span.high
