"""Controls: arms that a method has to beat, some of them made from the method's own temperatures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import fsum

import numpy as np
from numpy.typing import NDArray

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.metrics import HOTTEST
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Item
from dyntemp.language.policy import Policy

NAME = "temperature"
"""The name under which controls give their temperatures."""

GREEDY = Arm(name="greedy", family="greedy", policy=Policy(0), control="greedy")
"""The likeliest token, always."""

Samples = Sequence[Sequence[Sample]]
"""The samples of an arm on a split, by item."""


def no_op(static: Arm) -> Arm:
    """The tuned static temperature again, written as a policy that reads the row: its difference should be 0."""
    policy = Policy(f"{static.policy} + 0*entropy")
    return Arm(name="no-op", family="no-op", policy=policy, filters=static.filters, control="no_op")


def is_dynamic(policy: Policy) -> bool:
    """True if its temperature may differ between tokens."""
    return bool(policy.signals)


def own_controls(arm: Arm, samples: Samples, items: Sequence[Item], seed: int) -> list[Arm]:
    """The controls that show whether a method's signal matters, or only its temperatures.

    Args:
        arm: The method's arm.
        samples: Its samples on val.
        items: The items of test, for which series of temperatures are made.
        seed: The seed of the series.

    Returns:
        A static temperature at the policy's mean, temperatures drawn from its own without order, and those of another
        text in order, all with its filters; none for a policy that is static itself, or where no temperatures were
        recorded.
    """
    if not is_dynamic(arm.policy) or not _temperatures(samples).size:
        return []
    mean = float(f"{mean_temperature(samples):.6g}")
    replayed = Policy(f'given("{NAME}", 0, {HOTTEST:g})')
    return [
        _control("matched", "matched static of", arm, Policy(mean)),
        _control("placebo", "placebo of", arm, replayed, _placebo(samples, items, f"{seed} {arm.digest}")),
        _control("shuffled", "shuffled of", arm, replayed, _shuffled(samples, items, f"{seed} {arm.digest}")),
    ]


def mean_temperature(samples: Samples) -> float:
    """The mean of the temperature over all tokens."""
    values = _temperatures(samples)
    return fsum(values) / len(values)


def _control(
    kind: str, title: str, arm: Arm, policy: Policy, series: Mapping[str, Sequence[float]] | None = None
) -> Arm:
    given = {item: {NAME: values} for item, values in (series or {}).items()}
    name = f"{title} {arm.name}"
    return Arm(name=name, family=arm.family, policy=policy, filters=arm.filters, control=kind, of=arm.name, given=given)


def _placebo(samples: Samples, items: Sequence[Item], seed: str) -> dict[str, list[float]]:
    """For each item, temperatures drawn at random from all that the policy chose."""
    values = _temperatures(samples)
    return {item.id: _generator(seed, item).choice(values, item.max_tokens).tolist() for item in items}


def _shuffled(samples: Samples, items: Sequence[Item], seed: str) -> dict[str, list[float]]:
    """For each item, the temperatures of a random text to another item, in their order."""
    found = {}
    for item in items:
        others = [one for of_item in samples for one in of_item if one.temperature and one.item != item.id]
        if others:
            other = others[_generator(seed, item).integers(len(others))]
            found[item.id] = np.minimum(other.temperature, HOTTEST).tolist()
    return found


def _temperatures(samples: Samples) -> NDArray[np.float64]:
    """The temperature of every token, [tokens]; infinite ones are `HOTTEST`."""
    lists = [np.asarray(one.temperature, np.float64) for of_item in samples for one in of_item]
    return np.minimum(np.concatenate([*lists, np.empty(0)]), HOTTEST)


def _generator(seed: str, item: Item) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"{seed} {item.id}".encode()).digest()[:8]))
