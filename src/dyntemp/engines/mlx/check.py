"""The self-tests of the adapters to MLX-LM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dyntemp.engines.batch import Step
from dyntemp.errors import EngineError
from dyntemp.language.given import numbers_at
from dyntemp.language.policy import Policy
from dyntemp.sampling import temperatures

TOLERANCE = 2e-5
"""Largest relative error of a temperature that passes."""


def run_host(model: Any, tokenizer: Any, prompt: str, sampler: Any, processors: list[Any]) -> list[Any]:
    """Generate four tokens with MLX-LM, and return all that it yields."""
    from mlx_lm import stream_generate

    return list(stream_generate(model, tokenizer, prompt, max_tokens=4, sampler=sampler, logits_processors=processors))


def check_temperatures(
    rows: list[Any], steps: list[Step], policy: Policy, requested: float, given: Mapping[str, Any] | None
) -> None:
    """Check that each step's temperature is the reference's.

    Raises:
        EngineError: If one is not, if there are no rows, or fewer steps than rows.
    """
    if not rows or len(steps) < len(rows):
        raise EngineError(f"MLX-LM yielded {len(rows)} tokens, and called {len(steps)} times: is it in the arguments?")
    if policy.reads_surprisal or policy.zones or requested == 0:
        return
    state = policy.state()
    for number, (row, step) in enumerate(zip(rows, steps, strict=False)):
        expected = temperatures(
            row,
            policy,
            state=state,
            position=number,
            requested=requested,
            given=numbers_at(given, number),
            backend="reference",
        )
        if not np.isclose(step.temperature[0], expected, rtol=TOLERANCE, atol=0):
            raise EngineError(f"row {number} was given T = {step.temperature[0]}, and `{policy}` makes it {expected}")
