"""The space of a search: a policy and a chain of filters whose numbers have ranges, from text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from dyntemp.distribution.filter_table import FILTERS, Filter
from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError, StudyError
from dyntemp.evaluation.families import HIGH, LOW, WIDE, Family, Range, free_families, method_family, policy_family
from dyntemp.functions import param
from dyntemp.language.policy import Policy
from dyntemp.methods.table import METHODS
from dyntemp.tune.results import Parameter, Space

CONTROL = "static + min_p"
"""The name of the control: one temperature for all tokens and min-p before it, tuned with the same budget."""

TEMPERATURE = "T"
"""The control's parameter."""

MOST_CUT = 0.3
"""The largest min-p of the control, whose range begins at 0, where it keeps everything."""

CALL = re.compile(r"([A-Za-z_]\w*)\s*\(([^()]*)\)")
"""A filter with its numbers, in a chain's text."""


def control() -> Family:
    """One temperature for all tokens, and min-p before it."""
    return Family(
        name=CONTROL,
        policy=Policy(param(TEMPERATURE, LOW, HIGH)),
        chain="min_p({min_p})",
        ranges={"min_p": (0.0, MOST_CUT)},
        control=CONTROL,
    )


def family_of(template: str, filters: str = "") -> Family:
    """The configurations of a template and a chain of filters with ranges.

    Args:
        template: A policy whose parameters have ranges, or the name of a method or a sign-free template.
        filters: A chain as `Filters.read` takes it, where a number may be a range: `min_p(0:0.3), temperature`.

    Raises:
        ValueError: For an unknown name, a parameter or a filter without a range or outside its own, two parameters of
            one name, or where nothing has a range.

    >>> sorted(parameters(family_of("edt", "min_p(0:0.3)")))
    ['floor', 'min_p', 'n', 't0', 'theta']
    """
    family = _template(template)
    chain, ranges = chain_of(filters)
    if twice := sorted(family.policy.parameters.keys() & ranges.keys()):
        raise StudyError(f"the policy has a parameter `{twice[0]}`, as the filter has: give the policy's another name")
    if not family.policy.parameters and not ranges:
        raise StudyError(
            f"`{template}` has nothing to tune: write numbers as parameters with a range, such as "
            f'param("a", 0, 1), or filters with one, such as min_p(0:0.3)'
        )
    name = f"{family.name} + {filters}" if filters else family.name
    return Family(name=name, policy=family.policy, chain=chain, ranges=ranges, default=family.default)


def chain_of(filters: str) -> tuple[str, dict[str, Range]]:
    """A chain of filters with a field for each number that has a range, and the ranges.

    Raises:
        ValueError: For an unknown filter, a range that is none, or a number that its filter refuses.

    >>> chain_of("min_p(0:0.3), temperature, xtc(0.02:0.3, 0.5)")
    ('min_p({min_p}), temperature, xtc({xtc}, 0.5)', {'min_p': (0.0, 0.3), 'xtc': (0.02, 0.3)})
    """
    ranges: dict[str, Range] = {}
    seen: Counter[str] = Counter()

    def call(found: re.Match[str]) -> str:
        filter_, numbers = found[1], [number.strip() for number in found[2].split(",")]
        if filter_ not in FILTERS:
            raise StudyError(f"the filter {filter_!r} was given; there are {', '.join(FILTERS)}")
        for at, number in enumerate(numbers):
            if ":" in number:
                seen[filter_] += 1
                name = filter_ if seen[filter_] == 1 else f"{filter_}_{seen[filter_]}"
                ranges[name] = _range(filters, number)
                numbers[at] = f"{{{name}}}"
        return f"{filter_}({', '.join(numbers)})"

    chain = CALL.sub(call, filters)
    for end in (0, 1):
        Filters.read(chain.format(**{name: _number(name, span[end]) for name, span in ranges.items()}))
    return chain, ranges


def parameters(family: Family) -> dict[str, Parameter]:
    """The parameters of the policy and of the filters, by name."""
    own = {name: (found.low or 0.0, found.high or 0.0) for name, found in family.policy.parameters.items()}
    return {name: _parameter(*span) for name, span in own.items()} | {
        name: _parameter(*span, whole=is_whole(name)) for name, span in family.ranges.items()
    }


def filter_of(name: str) -> Filter:
    """The filter that has a parameter of a chain."""
    return FILTERS[re.sub(r"_\d+$", "", name)]


def is_whole(name: str) -> bool:
    """True if the parameter of a chain is a whole number."""
    return filter_of(name).arguments[0].whole


def space_of(family: Family) -> Space:
    """The record of a space."""
    return Space(
        family=family.name,
        policy=str(family.policy),
        chain=family.chain,
        parameters=parameters(family),
        control=family.control is not None,
    )


def rounded(family: Family, values: Mapping[str, float]) -> dict[str, float]:
    """The values to 4 significant digits, inside their ranges."""
    found = parameters(family)
    return {name: min(max(float(f"{value:.4g}"), found[name].low), found[name].high) for name, value in values.items()}


def _template(text: str) -> Family:
    """The family of a method, of a sign-free template, or of a policy of the user's own."""
    if text in METHODS:
        if needs := METHODS[text].needs:
            raise PolicyError(f"the method {text!r} was given: it needs {', '.join(needs)}, which no task gives")
        return method_family(METHODS[text])
    free = {family.name: family for family in free_families()}
    return free[text] if text in free else policy_family(Policy(text))


def _range(filters: str, text: str) -> Range:
    """The numbers on both sides of a colon."""
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise StudyError(f"{filters!r} has the range {text!r}; write two numbers, the smaller one first, such as 0:0.3")
    return low, high


def _parameter(low: float, high: float, *, whole: bool = False) -> Parameter:
    """The parameter of a range: a wide one is searched by its logarithm."""
    return Parameter(low=low, high=high, log=low > 0 and high / low > WIDE, whole=whole)


def _number(name: str, value: float) -> float:
    return round(value) if is_whole(name) else value
