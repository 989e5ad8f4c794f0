"""Families: a policy and a chain of filters with parameters in ranges, and as many configurations of each as asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import log

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.evaluation.arm import Arm
from dyntemp.functions import param
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.policy import Policy
from dyntemp.language.signals import suggestion
from dyntemp.methods.method import Method
from dyntemp.methods.table import METHODS

Range = tuple[float, float]

WIDE = 10.0
"""A positive range whose ends differ by more than this factor is drawn on a logarithmic scale."""

LOW, HIGH = 0.05, 3.0
"""The temperatures of static families and the limits of sign-free ones."""

MIN_P = "min_p"
"""The truncation that every policy is crossed with, before the temperature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Configurations that are compared by one budget.

    Attributes:
        name: Its name, such as `edt + min_p`.
        policy: The policy; its parameters have ranges.
        chain: The filters as `str.format` takes them, such as `min_p({min_p})`.
        ranges: The range of each number in the chain, both ends included.
        default: The published values, which make the first configuration; empty without any.
        control: The kind of control that its best configuration is; None for a family under study.
    """

    name: str
    policy: Policy
    chain: str = ""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    default: Mapping[str, float] = field(default_factory=dict)
    control: str | None = None

    def configurations(self, count: int, seed: int = 0) -> list[Arm]:
        """`count` configurations, the same for equal arguments; one where there is nothing to choose.

        The first has the published values. The others are the points of an additive recurrence with the generalised
        golden ratio (Roberts 2018), which fills the ranges evenly for any count. Its start comes from the seed.
        """
        ranges = {name: (found.low or 0.0, found.high or 0.0) for name, found in self.policy.parameters.items()}
        ranges |= self.ranges
        found = [dict(self.default)] if self.default.keys() == ranges.keys() else []
        if ranges:
            drawn = points(len(ranges), count - len(found), f"{seed} {self.name}")
            found += [
                {name: scaled(u, *ranges[name]) for name, u in zip(ranges, point, strict=True)} for point in drawn
            ]
        return [self.arm(f"{self.name} #{number}", values) for number, values in enumerate(found[:count], start=1)]

    def arm(self, name: str, values: Mapping[str, float]) -> Arm:
        """The configuration with these values of all parameters, under a name."""
        numbers = {name: values[name] for name in self.ranges}
        whole = {name: round(value) if name == "top_k" else value for name, value in numbers.items()}
        return Arm(
            name=name,
            family=self.name,
            policy=self.policy.bind(**{name: values[name] for name in self.policy.parameters}),
            filters=Filters.read(self.chain.format(**whole)),
            control=self.control,
        )


def points(dimensions: int, count: int, seed: str) -> Sequence[Sequence[float]]:
    """`count` points that fill the unit cube evenly, [count, dimensions], from a start that `seed` decides."""
    ratio = 2.0
    for _ in range(64):  # the root of x**(dimensions + 1) = x + 1
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    start = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])).random(dimensions)
    steps = ratio ** -np.arange(1.0, dimensions + 1)
    return ((start + np.outer(np.arange(1, count + 1), steps)) % 1.0).tolist()


def scaled(u: float, low: float, high: float) -> float:
    """The place u in [0, 1] of a range, to 4 significant digits: by its logarithm where the range is wide."""
    wide = low > 0 and high / low > WIDE
    value = low * float(np.exp(u * log(high / low))) if wide else low + u * (high - low)
    return min(max(float(f"{value:.4g}"), low), high)


def crossed(family: Family) -> Family:
    """The family with min-p before the temperature, its share as one more parameter."""
    default = {**family.default, MIN_P: 0.05} if family.default.keys() == family.policy.parameters.keys() else {}
    return Family(
        name=f"{family.name} + {MIN_P}",
        policy=family.policy,
        chain=f"{MIN_P}({{{MIN_P}}})",
        ranges={MIN_P: CHAINS[MIN_P][1]},
        default=default,
        control=family.control and f"{family.control} + {MIN_P}",
    )


FREE_SIGNALS: dict[str, tuple[str, float]] = {
    "max_prob": ("max_prob", 3.0),
    "normalized_entropy": ("normalized_entropy", 3.0),
    "margin": ("margin", 3.0),
    "varentropy": ("varentropy", 0.5),
    "median_gap": ("min(-log(median_prob), 30)", 0.15),
}
"""Signals of the sign-free templates: formula, and the largest slope of either sign."""

CHAINS: dict[str, tuple[str, Range]] = {
    "min_p": ("min_p({min_p})", (0.01, 0.3)),
    "min_p_after": ("temperature, min_p({min_p_after})", (0.01, 0.3)),
    "top_p": ("top_p({top_p})", (0.2, 0.98)),
    "top_p_after": ("temperature, top_p({top_p_after})", (0.2, 0.98)),
    "top_k": ("top_k({top_k})", (2, 200)),
    "top_n_sigma": ("top_n_sigma({top_n_sigma})", (0.5, 4)),
    "typical": ("typical({typical})", (0.1, 0.98)),
    "epsilon": ("epsilon({epsilon})", (1e-4, 0.05)),
    "eta": ("eta({eta})", (1e-4, 0.05)),
    "top_a": ("top_a({top_a})", (0.01, 0.8)),
    "tfs": ("tfs({tfs})", (0.5, 0.99)),
    "top_h": ("top_h({top_h})", (0.1, 0.9)),
    "xtc": ("xtc({xtc}, 0.5)", (0.02, 0.3)),
    "p_less": ("p_less", (0, 0)),
    "p_less_after": ("temperature, p_less", (0, 0)),
}
"""The neighbours among filters, with the range of their number; they run beside one static temperature."""

SAME = {"log(perplexity)": "entropy", "min(entropy/log(max(entries, 2)), 1)": "normalized_entropy"}
"""Spellings of a signal that are one on rows without masked entries."""


def static() -> Family:
    """One temperature for all tokens, chosen by the budget: the first control."""
    return Family(name="static", policy=Policy(param("T", LOW, HIGH)), default={"T": 0.7}, control="static")


def filter_family(name: str) -> Family:
    """One static temperature beside a filter.

    Raises:
        ValueError: For a name that is not in `CHAINS`.
    """
    if name not in CHAINS:
        raise PolicyError(f"the filter {name!r} was given; there are {', '.join(CHAINS)}{suggestion(name, CHAINS)}")
    chain, span = CHAINS[name]
    ranges = {name: span} if "{" in chain else {}
    return Family(name=f"static + {name}", policy=static().policy, chain=chain, ranges=ranges)


def free_families() -> Iterator[Family]:
    """Templates that may heat or cool where the model is unsure, as the search finds."""
    for name, (formula, slope) in FREE_SIGNALS.items():
        text = f'clip(param("a", 0, {HIGH}) + param("b", {-slope}, {slope})*{formula}, {LOW}, {HIGH})'
        yield Family(name=f"free {name}", policy=Policy(text))
    ends = f'param("low", 0, {HIGH}), param("high", 0, {HIGH})'
    text = f'clip(lerp({ends}, normalized_entropy**param("g", 0.1, 5)), {LOW}, {HIGH})'
    yield Family(name="free curve", policy=Policy(text))


def method_family(method: Method) -> Family:
    """A published method in its ranges."""
    default = {name: found.default for name, found in method.parameters.items()}
    return Family(name=method.name, policy=method.template(), default=default)


def policy_family(policy: Policy, filters: Filters = Filters()) -> Family:
    """A policy of the user's own, perhaps with filters: one configuration, or as many as parameters with ranges allow.

    Raises:
        ValueError: If a parameter has no range.
    """
    for name, found in policy.parameters.items():
        if found.low is None:
            raise PolicyError(
                f'`{policy}` has the parameter `{name}` without a range: write param("{name}", low, high)'
            )
    name = policy.name or str(policy)
    return Family(name=f"{name} + {filters}" if filters.active else name, policy=policy, chain=str(filters))


@cache
def published() -> tuple[dict[str, Family], dict[str, str]]:
    """The families of published methods and of sign-free templates by name, and the methods left out with the reason.

    Methods that are the same policy under other names count once.
    """
    found: dict[str, Family] = {}
    formulas: dict[str, str] = {}
    without: dict[str, str] = {}
    for method in METHODS.values():
        if method.needs:
            without[method.name] = f"it needs {', '.join(method.needs)}, which no task gives"
            continue
        family = method_family(method)
        other = formulas.setdefault(shape(family.policy), method.name)
        if not method.signals:
            without[method.name] = "it is a control of every study"
        elif other != method.name:
            without[method.name] = f"it is `{other}` under another name"
        else:
            found[method.name] = family
    found |= {family.name: family for family in free_families()}
    return found, without


def shape(policy: Policy) -> str:
    """The text of a policy in which parameters are numbered: equal for policies that differ in names and ranges."""
    text = str(policy)
    for number, name in enumerate(policy.parameters):
        text = re.sub(rf'param\("{name}", [^()]*\)', f"p{number}", text)
    for spelling, signal in SAME.items():
        text = text.replace(spelling, signal)
    return text


def chosen(methods: Sequence[str], filters: Sequence[str], policies: Iterable[PolicyFile]) -> list[Family]:
    """The families of a study, the controls first: each policy without truncation and with min-p, then filters.

    A policy with filters of its own runs with these alone.

    Args:
        methods: Names of methods and sign-free templates.
        filters: Names of `CHAINS`.
        policies: Policies of the user's own.

    Raises:
        ValueError: For an unknown name, or a method that no runner can run; the message says why.
    """
    known, without = published()
    for name in methods:
        if name in without:
            raise PolicyError(f"the method {name!r} was given: {without[name]}")
        if name not in known:
            raise PolicyError(f"the method {name!r} was given; there are {', '.join(known)}{suggestion(name, known)}")
    rules = [known[name] for name in methods] + [policy_family(one.policy, one.filters) for one in policies]
    pairs = [pair for rule in rules for pair in ([rule] if rule.chain else [rule, crossed(rule)])]
    neighbours = [filter_family(name) for name in filters if name != MIN_P]
    return [static(), crossed(static()), *pairs, *neighbours]
