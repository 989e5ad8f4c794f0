"""The trace of learning, which the page opens: the policy of each round, and the signals that it reads."""

from __future__ import annotations

from typing import Any

from dyntemp.learn.learnable import Shape
from dyntemp.learn.results import LearnResults

FORMAT = "dyntemp.learning"

VERSION = 1


def trace(results: LearnResults) -> dict[str, Any]:
    """The JSON object of the trace."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": results.model,
        "task": results.task.name,
        "metric": results.metric,
        "shape": Shape.read(results.shape).kind,
        "bounds": list(results.bounds),
        "filters": results.filters,
        "anchor": float(results.anchor),
        "signals": dict(results.signals),
        "runs": [
            {
                "seed": run.seed,
                "rounds": [
                    {
                        name: getattr(one, name)
                        for name in ("round", "texts", "policy", "score", "temperature", "spread", "at_bound")
                    }
                    for one in run.rounds
                ],
                "chosen": None if run.static else len(run.rounds) - 1,
            }
            for run in results.runs
        ],
        "sentence": results.sentence,
    }
