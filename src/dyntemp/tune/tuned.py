"""The files of a tuning's winners: each policy with its filters, its scores on test and where it comes from."""

from __future__ import annotations

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.selection import mean
from dyntemp.generation.policy_file import PolicyFile, Provenance, Score
from dyntemp.language.policy import Policy
from dyntemp.statistics.estimate import interval
from dyntemp.tune.results import Tested, TuningResults


def tuned(results: TuningResults, winner: Tested) -> PolicyFile:
    """The file of a winner of the policy's search, or of the static temperature's."""
    return PolicyFile(
        policy=Policy(winner.policy),
        filters=Filters.read(winner.filters),
        provenance=Provenance(
            sentence=results.sentence,
            model=results.model,
            trials=sum(one.family == winner.family for one in results.trials),
            scores=tuple(
                _score(results, winner, task.name, metric)
                for task in results.tasks
                for metric in dict.fromkeys(objective.metrics[task.name] for objective in results.objectives)
                if any(value is not None for value in winner.measured.items[task.name][metric])
            ),
            digest=results.digest,
            about=results.about,
        ),
    )


def _score(results: TuningResults, winner: Tested, task: str, metric: str) -> Score:
    """The mean of a metric over the test items of a task, with its interval over clusters."""
    values = winner.measured.items[task][metric]
    clusters = next(one.clusters["test"] for one in results.tasks if one.name == task)
    known = [(value, cluster) for value, cluster in zip(values, clusters, strict=True) if value is not None]
    numbers = np.array([value for value, _ in known], np.float64)
    low, high = interval(numbers, clusters=[cluster for _, cluster in known]) or (None, None)
    return Score(task=task, metric=metric, mean=mean(values), low=low, high=high, items=len(known))
