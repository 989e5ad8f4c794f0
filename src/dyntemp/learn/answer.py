"""The answer of learning: whether what was learned is better than static temperature, and than heat alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.controls import is_dynamic
from dyntemp.evaluation.pairs import LEVEL, compare
from dyntemp.evaluation.verdict import OWN
from dyntemp.language.policy import Policy
from dyntemp.learn.results import Answer, Beside, Control, Run
from dyntemp.learn.run import Course
from dyntemp.tune.answer import MATTERS

OFTEN = 0.2
"""The share of tokens at a bound from which on the bounds decide, not the signals."""


def beside(runs: Sequence[Run], kept: int, controls: Sequence[Control], clusters: Sequence[str]) -> list[Beside]:
    """The learned policies less each control on test, paired by item.

    Static temperatures are compared with the mean of all runs, so that no choice among runs counts. A control that was
    made from the kept run is compared with that run.
    """
    tests = np.array([[np.nan if value is None else value for value in run.test] for run in runs], np.float64)
    means = tests[0] + (tests - tests[0]).mean(axis=0)  # equal runs have their own value, to the bit
    of_all = [None if np.isnan(value) else float(value) for value in means]
    found = []
    for control in controls:
        own = control.kind in OWN
        pair = compare(runs[kept].test if own else of_all, control.test, clusters)
        known = bool(np.isfinite(pair.low))
        found.append(
            Beside(
                control=control.name,
                kind=control.kind,
                mean=pair.mean,
                other=pair.other,
                difference=pair.difference,
                low=pair.low if known else None,
                high=pair.high if known else None,
                p=pair.p,
            )
        )
    return found


def answer_of(runs: Sequence[Run], compared: Sequence[Beside]) -> Answer:
    """The answer, from the comparisons on test.

    `helps` needs every control to be beaten, by its interval and its p-value; `heat`, those that are static by tuning
    alone. `not better` is said where an interval ends below a gain that matters, or where every run stayed static.
    """
    static = [one for one in compared if one.kind not in OWN]
    if all(run.static for run in runs):
        return "not better"
    if all(map(_beaten, static)):
        return "helps" if {one.kind for one in compared} >= set(OWN) and all(map(_beaten, compared)) else "heat"
    if any(one.high is not None and one.high < MATTERS * abs(one.other) for one in static):
        return "not better"
    return "open"


def sentence(
    answer: Answer, task: str, metric: str, compared: Sequence[Beside], rival: Arm, runs: int, texts: int
) -> str:
    """The answer in one sentence."""
    words = {
        "helps": "A learned temperature helped",
        "heat": "A learned temperature was better than a tuned one, but not than its own heat without the signals",
        "not better": "A learned temperature was not better than a static one",
        "open": "It cannot be told if a learned temperature was better than a static one",
    }
    hardest = min((one for one in compared if one.kind not in OWN), key=lambda one: one.difference)
    own = [one for one in compared if one.kind in OWN]
    several = f"the mean of {runs} runs" if runs > 1 else "one run"
    beside_static = rival.filters if rival.filters.active else "no filter"
    told = (
        f"{words[answer]} on {task}: {metric} is {hardest.mean:.3f} on test, {several}, {_ends(hardest)} beside "
        f"{hardest.other:.3f} of {hardest.control} (tuned by {texts:,} texts, as many as each run learned from; T = "
        f"{rival.policy} with {beside_static})"
    )
    if own:
        worst = min(own, key=lambda one: one.difference)
        told += f"; the run that is best on val is {_ends(worst)} beside its {worst.kind} control"
    return told + "."


def warnings_of(courses: Sequence[Course], runs: Sequence[Run], kept: int) -> list[str]:
    """Warnings to read before a learned policy is used."""
    return list(_warnings(courses, runs, kept))


def _warnings(courses: Sequence[Course], runs: Sequence[Run], kept: int) -> Iterator[str]:
    low, high = courses[kept].bounds
    last = runs[kept].rounds[-1]
    if last.at_bound >= OFTEN:
        yield (
            f"T sits at its bound for {last.at_bound:.0%} of the tokens, mean {last.temperature:.3g} between {low:g} "
            f"and {high:g}: what was learned is heat or cold, not a function of the signals; widen the bounds, or "
            "take a static temperature"
        )
    if same := sum(run.static for run in runs):
        yield f"{same} of {len(runs)} runs were no better on val than the static temperature, and stay static"
    if not all(course.static for course in courses):
        yield (
            "the shape could not begin at the static temperature beside it: a template began in the middle of its "
            "ranges, a curve or network at the nearest temperature inside its bounds"
        )
    if not is_dynamic(Policy(runs[kept].learned)):
        yield "the learned policy reads no signal: it is one temperature"


def _beaten(one: Beside) -> bool:
    return one.low is not None and one.low > 0 and one.p < LEVEL


def _ends(one: Beside) -> str:
    return f"{one.difference:+.3f}" + ("" if one.low is None else f" [{one.low:+.3f}, {one.high:+.3f}]")
