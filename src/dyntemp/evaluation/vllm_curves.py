"""The curves of draws that vLLM makes, from the trace of our processor and from vLLM's own log probabilities.

The processor sees a row before its token is drawn, and asynchronous scheduling and the second runner never tell it the
last token of a text. So it records the totals of the row alone. The logit of the token less the largest one is the
difference of their log probabilities, which vLLM returns with the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dyntemp.distribution.draw_curve import DrawCurves
from dyntemp.distribution.packed import unpacked
from dyntemp.errors import EngineError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.read_signals import read_signals
from dyntemp.evaluation.runner import Job

RAW = "raw_logprobs"
"""vLLM's `logprobs_mode` whose log probabilities are those of the model, at temperature 1 and before any filter."""


def check_curves(arm: Arm, mode: str) -> None:
    """Refuse an arm whose curves vLLM cannot tell.

    Args:
        arm: The arm.
        mode: The engine's `logprobs_mode`.

    Raises:
        EngineError: For top-k and top-p, which vLLM applies after the temperature, and for an engine that returns other
            log probabilities than the model's.
    """
    if any(step.name != "min_p" for step in arm.filters.steps):
        raise EngineError(
            f"curves of draws were asked for under the filters `{arm.filters}`, and vLLM applies top-k and top-p after "
            "the temperature: take min_p alone, before it, or write these texts with a model of our own loop"
        )
    if mode != RAW:
        raise EngineError(f'logprobs_mode = "{mode}" was given, and curves of draws need "{RAW}": leave the option out')


def told_curves(job: Job, output: Any, traced: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The `curves`, `signals` and `surprisal` of a sample.

    Args:
        job: The job.
        output: vLLM's output of its text, with log probabilities.
        traced: The lines of the processor's trace, by position.

    Raises:
        EngineError: If a token lacks its line, or the totals in it.
    """
    tokens = list(output.token_ids)
    lines = [traced.get(position, {}) for position in range(len(tokens))]
    logprobs = output.logprobs or []
    lacking = sum("totals" not in line for line in lines)
    if lacking or len(logprobs) != len(tokens):
        raise EngineError(
            f"vLLM told the curves of {len(tokens) - lacking} and the log probabilities of {len(logprobs)} of the "
            f"{len(tokens)} tokens of a text to {job.item.id!r}: its log says why, as `vllm.dyntemp`. The folder for "
            "temporary files has to be shared by all workers"
        )
    drawn = np.array([of[token].logprob for of, token in zip(logprobs, tokens, strict=True)], np.float64)
    most = np.array([max(one.logprob for one in of.values()) for of in logprobs], np.float64)
    totals = [unpacked(line["totals"]) for line in lines]
    return {
        "curves": DrawCurves.of(np.column_stack([drawn - most, np.array(totals).reshape(len(tokens), -1)])),
        "signals": read_signals(job.arm.policy, lines),
        "surprisal": tuple((-drawn).tolist()),
    }
