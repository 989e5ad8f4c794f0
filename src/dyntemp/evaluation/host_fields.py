"""The fields of a request to a host: the seed of a job, and its policy, numbers and filters for vLLM."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from dyntemp.distribution.filters import Filters
from dyntemp.engines.request_fields import GIVEN, KEY, NEUTRAL, PLAIN
from dyntemp.errors import EngineError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.runner import Job

VLLM_FILTERS = "min_p(0.05), temperature, top_k(40), top_p(0.9)"
"""A chain in vLLM's order: min-p reads what comes at temperature 1, and the policy acts before top-k and top-p."""


def seed_of(job: Job) -> int:
    """A seed of 63 bits for a host, which knows no request numbers: equal for equal `seed` and `request`."""
    digest = hashlib.sha256(f"{job.seed} {job.request}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def given_of(arm: Arm, item: str) -> dict[str, list[float]]:
    """The numbers of `given("name")` by position, for one item."""
    return {name: list(numbers) for name, numbers in arm.given.get(item, {}).items()}


def vllm_args(arm: Arm, given: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The `extra_args` of a request to vLLM."""
    return {KEY: str(arm.policy)} | ({GIVEN: dict(given)} if given else {})


def vllm_filters(filters: Filters) -> dict[str, Any]:
    """vLLM's settings for a chain of filters, and neutral values of all others.

    Raises:
        EngineError: For a chain that vLLM does not apply in this order.
    """
    found = {step.name: step for step in filters.steps}
    known = len(found) == len(filters.steps) and found.keys() <= {"top_k", "top_p", "min_p"}
    min_p, top_p = found.get("min_p"), found.get("top_p")
    first = min_p is None or not min_p.after
    last = top_p is None or (top_p.after and top_p is filters.steps[-1])
    if not (known and first and last):
        raise EngineError(
            f"the filters `{filters}` were given, and vLLM has top_k, top_p and min_p alone, in the order of "
            f"`{VLLM_FILTERS}`: write them so, or run the arm with a model of our own loop"
        )
    return {**PLAIN, **NEUTRAL, **{name: step.arguments[0] for name, step in found.items()}}


def check_vllm(arm: Arm) -> None:
    """Refuse an arm that vLLM with our processor cannot run.

    Raises:
        PolicyError, EngineError: For its policy, its numbers or its filters; the message says what to do.
    """
    from dyntemp.engines.vllm import DynamicTemperature  # imports vLLM where it is installed

    vllm_filters(arm.filters)
    for item in arm.given or [""]:
        params = SimpleNamespace(extra_args=vllm_args(arm, given_of(arm, item)))
        DynamicTemperature.validate_params(params)
