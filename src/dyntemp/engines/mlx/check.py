"""What `self_test` of the adapters to MLX-LM runs and compares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dyntemp.engines.batch import Step
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy
from dyntemp.sampling import temperatures

TOLERANCE = 2e-5
"""Relative error of a temperature that passes."""


def run_host(model: Any, tokenizer: Any, prompt: str, sampler: Any, processors: list[Any]) -> list[Any]:
    """What MLX-LM yields for four tokens."""
    from mlx_lm import stream_generate

    return list(stream_generate(model, tokenizer, prompt, max_tokens=4, sampler=sampler, logits_processors=processors))


def check_temperatures(
    rows: list[Any], steps: list[Step], policy: Policy, requested: float, given: Mapping[str, Any] | None
) -> None:
    """See that each step decided what the reference makes of the row.

    Raises:
        EngineError: If it did not, or there are fewer steps than rows, or none.
    """
    if not rows or len(steps) < len(rows):
        raise EngineError(f"MLX-LM yielded {len(rows)} tokens, and called {len(steps)} times: is it in the arguments?")
    if policy.reads_surprisal or requested == 0:
        return
    state = policy.state()
    for number, (row, step) in enumerate(zip(rows, steps, strict=False)):
        expected = temperatures(
            row, policy, state=state, position=number, requested=requested, given=given, backend="reference"
        )
        if not np.isclose(step.temperature[0], expected, rtol=TOLERANCE, atol=0):
            raise EngineError(f"row {number} was given T = {step.temperature[0]}, and `{policy}` makes it {expected}")
