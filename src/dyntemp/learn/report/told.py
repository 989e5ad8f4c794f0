"""The sentences of a report of learning: its extent, its outcome, the ceiling and the limits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dyntemp.evaluation.report.limits import FEW_CLUSTERS
from dyntemp.evaluation.report.reading import difference, value
from dyntemp.learn.report.rounds import LEAST_RUNS
from dyntemp.learn.results import Ceiling, LearnResults
from dyntemp.show.report_parts import counted
from dyntemp.statistics.estimate import FEW_PROMPTS, interval


def extent(results: LearnResults) -> str:
    """The size of the study in one sentence."""
    tokens = sum(one.tokens for run in results.runs for one in run.rounds)
    return (
        f"{results.model}; {results.task.name}, {results.metric}; {counted(len(results.runs), 'run')} of "
        f"{counted(len(results.runs[0].rounds), 'round')}; {tokens:,} tokens learned from; settings "
        f"{results.digest[:16]}."
    )


def outcome(results: LearnResults) -> str:
    """The run that the policy comes from."""
    run = results.runs[results.kept]
    if run.static:
        return (
            "No learned policy was better on val than the static temperature at which learning began. The outcome is "
            "this temperature."
        )
    return f"The outcome of seed {run.seed}, the best run on val. Its parameters are means over its last rounds."


def ceiling(found: Ceiling, metric: str) -> str:
    """The part of the way from the static temperature to the oracle that the learned policy comes."""
    way, gain = found.oracle - found.static, found.learned - found.static
    share = f", {gain / way:.0%} of the way".replace("-", "−") if way > 0 else ""
    return (
        f"On the items of test the expected {metric} is {value(found.static)} at the static temperature, "
        f"{value(found.learned)} with the learned policy ({difference(gain)}{share}), and {value(found.oracle)} with a "
        f"temperature of its own for each row ({difference(way)}), which was found by its gradient and knows the "
        "answers: no policy can know so much."
    )


def limits(results: LearnResults) -> Iterator[str]:
    """Sentences about what a study of learning does not show."""
    yield (
        f"The figures hold for {results.model}, {results.task.name} and these prompts. Learn on the model and the task "
        "that the policy is for."
    )
    own, static = results.budget
    yield (
        f"Each run learned from {own:,} texts. The static temperature was tuned with {static:,}"
        f"{', as many' if own == static else ''}. The learned policy has more parameters to spend them on."
    )
    yield _longer(results)
    clusters = len(set(results.task.clusters["test"]))
    if clusters < FEW_CLUSTERS:
        yield f"{results.task.name} has {clusters} clusters on test: with so few, intervals are too narrow."
    if LEAST_RUNS <= len(results.runs) < FEW_PROMPTS:
        yield (
            f"There are {len(results.runs)} runs: with so few, intervals over runs are too narrow, and never wider "
            "than the runs themselves."
        )
    yield (
        "Static temperatures are compared with the mean of all runs. Own controls are compared with the run that is "
        "best on val."
    )


def _longer(results: LearnResults) -> str:
    """The change of the score near the end, from which one can guess what a longer run would add."""
    third = len(results.runs[0].rounds) // 3
    if not third:
        return (
            f"There are {len(results.runs[0].rounds)} rounds, too few to tell if a longer run would add to the score."
        )
    scores = np.array([[one.score for one in run.rounds] for run in results.runs], np.float64)
    changes = scores[:, -third:].mean(axis=1) - scores[:, -2 * third : -third].mean(axis=1)
    told = (
        f"From the middle third of the rounds to the last third, the score on the prompts of learning changed by "
        f"{difference(float(changes.mean()))}"
    )
    found = interval(changes) if len(changes) >= LEAST_RUNS else None
    if found is None:
        return f"{told}. With fewer than {LEAST_RUNS} runs, noise hides if a longer run would add to it."
    ends = f" ({difference(found[0])} to {difference(found[1])} over runs)"
    more = "it still rose, and a longer run may add to it" if found[0] > 0 else "no sign that a longer run would add"
    return f"{told}{ends}: {more}."
