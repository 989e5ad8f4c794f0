"""All recipes by name, family by family."""

from __future__ import annotations

from itertools import chain

from dyntemp.methods import (
    constant,
    controllers,
    exponential,
    learned,
    linear,
    maps,
    normalized,
    polynomial,
    programs,
    rules,
    schedules,
    target,
    threshold,
    zones,
)
from dyntemp.methods.method import Method

FAMILIES = (
    normalized, constant, linear, exponential, polynomial, threshold, maps, rules, target, schedules, zones,
    controllers, learned, programs,
)  # fmt: skip

METHODS: dict[str, Method] = {
    method.name: method for method in chain.from_iterable(family.METHODS for family in FAMILIES)
}
"""The recipes by name, in the order in which they are listed."""
