"""The trace of learning, which the page opens: the policy of each round, and the signals that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from dyntemp.learn.learnable import Shape
from dyntemp.learn.results import LearnResults, Round, Run
from dyntemp.learn.run import last_of

if TYPE_CHECKING:
    from dyntemp.learn.passages.results import PassageResults

FORMAT = "dyntemp.learning"

VERSION = 1

NAMES = ("round", "texts", "policy", "score", "temperature", "spread", "at_bound")
"""The figures of a round."""


class Traced(NamedTuple):
    """A run, as a trace has it.

    Attributes:
        seed: Its number.
        rounds: The figures of its rounds, by `NAMES`.
        chosen: The round whose policy is its outcome; None where that stayed static.
    """

    seed: int
    rounds: Sequence[Mapping[str, Any]]
    chosen: int | None


def trace_of(results: LearnResults | PassageResults, task: str, metric: str, runs: Iterable[Traced]) -> dict[str, Any]:
    """The JSON object of a trace.

    Args:
        results: The results.
        task: Name of the task, or of the file of texts.
        metric: Name of the score of a round.
        runs: The runs.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": results.model,
        "task": task,
        "metric": metric,
        "shape": Shape.read(results.shape).kind,
        "bounds": list(results.bounds),
        "filters": results.filters,
        "anchor": float(results.anchor),
        "signals": dict(results.signals),
        "runs": [one._asdict() for one in runs],
        "sentence": results.sentence,
    }


def figures(one: Round) -> dict[str, Any]:
    """The figures of a round, by `NAMES`."""
    return {name: getattr(one, name) for name in NAMES}


def trace(results: LearnResults) -> dict[str, Any]:
    """The trace of learning on a task.

    The last entry of a run has the mean parameters of the last rounds, which go to test; its figures are the means of
    theirs.
    """
    runs = (
        Traced(run.seed, [*map(figures, run.rounds), _learned(run)], None if run.static else len(run.rounds))
        for run in results.runs
    )
    return trace_of(results, results.task.name, results.metric, runs)


def _learned(run: Run) -> dict[str, Any]:
    last = last_of(run.rounds)
    means = {name: fmean(getattr(one, name) for one in last) for name in NAMES[3:]}
    return {"round": len(run.rounds), "texts": run.rounds[-1].texts, "policy": run.learned, **means}
