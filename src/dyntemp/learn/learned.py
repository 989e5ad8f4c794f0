"""The file of a learned policy: with its filters, its score on test and where it comes from."""

from __future__ import annotations

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.generation.policy_file import PolicyFile, Provenance, Score
from dyntemp.language.policy import Policy
from dyntemp.learn.results import LearnResults
from dyntemp.statistics.estimate import interval


def learned(results: LearnResults) -> PolicyFile:
    """The file of the run that is best on val."""
    values = results.runs[results.kept].test
    clusters = results.task.clusters["test"]
    known = [(value, cluster) for value, cluster in zip(values, clusters, strict=True) if value is not None]
    numbers = np.array([value for value, _ in known], np.float64)
    low, high = interval(numbers, clusters=[cluster for _, cluster in known]) or (None, None)
    return PolicyFile(
        policy=Policy(results.policy),
        filters=Filters.read(results.filters),
        provenance=Provenance(
            sentence=results.sentence,
            model=results.model,
            trials=len(results.runs),
            scores=(
                Score(task=results.task.name, metric=results.metric, mean=float(numbers.mean()), low=low, high=high,
                      items=len(known)),
            ),
            digest=results.digest,
            about=results.about,
        ),
    )  # fmt: skip
