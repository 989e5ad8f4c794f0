"""The trace of learning, which the page opens: the policy of each round, and the signals that it reads."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from dyntemp.learn.learnable import Shape
from dyntemp.learn.results import LearnResults, Run
from dyntemp.learn.run import last_of

FORMAT = "dyntemp.learning"

VERSION = 1


NAMES = ("round", "texts", "policy", "score", "temperature", "spread", "at_bound")
"""The figures of a round."""


def trace(results: LearnResults) -> dict[str, Any]:
    """The JSON object of the trace.

    The last entry of a run has the mean parameters of the last rounds, which go to test; its figures are the means of
    theirs.
    """
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
                "rounds": [*({name: getattr(one, name) for name in NAMES} for one in run.rounds), _learned(run)],
                "chosen": None if run.static else len(run.rounds),
            }
            for run in results.runs
        ],
        "sentence": results.sentence,
    }


def _learned(run: Run) -> dict[str, Any]:
    last = last_of(run.rounds)
    means = {name: fmean(getattr(one, name) for one in last) for name in NAMES[3:]}
    return {"round": len(run.rounds), "texts": run.rounds[-1].texts, "policy": run.learned, **means}
