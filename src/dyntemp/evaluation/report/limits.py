"""The limits of a study: what its figures do not show."""

from __future__ import annotations

from collections.abc import Iterator

from dyntemp.evaluation.report.reading import EXPLAINED, KINDS, Reading, average, readings, value
from dyntemp.evaluation.results import Results

FEW_CLUSTERS = 30
"""With fewer clusters, bootstrap intervals are too narrow."""

MANY_CUT_OFF = 0.1
"""A share of texts cut off at the limit that a report names."""


def limits(results: Results) -> Iterator[str]:
    """Sentences about what a study does not show."""
    found = list(readings(results))
    groups = sorted({one.task.group for one in found if one.metric})
    yield (
        f"The figures hold for {results.model}, on tasks that stand for {_and(groups)}, with these prompts. Another "
        "model may behave otherwise, and another prompt can move a score more than a temperature does."
    )
    yield (
        "Scores count what a program can check, not how good a text is to read. A text that cannot be read as an "
        "answer is wrong."
    )
    yield (
        "Every family had the same number of configurations. A family with more parameters is searched less densely by "
        "them: a loss may be the price of the search."
    )
    yield "Holm's correction is over the methods of one task. Over tasks, two groups have to agree."
    for one in found:
        yield from _of_task(one)
    run = {arm.control for one in found for arm in one.controls}
    yield from (f"The control {KINDS[kind]} was not run. {EXPLAINED[kind]}" for kind in KINDS if kind not in run)


def _of_task(one: Reading) -> Iterator[str]:
    name = one.task.name
    if not one.metric:
        yield f"{name} has no verifier and no part in the verdict."
        return
    clusters = len(set(one.task.clusters["test"]))
    if clusters < FEW_CLUSTERS:
        yield f"{name} has {clusters} clusters on test: with so few, intervals are too narrow."
    if one.detectable is not None:
        yield (
            f"{name}: differences of {one.metric} below {value(one.detectable)} are missed in more than one of five "
            "such studies. Nothing found does not mean nothing there."
        )
    if any(arm.exact for arm in one.arms("tune")):
        yield f"{name}: values on tune and val were computed from the model's logits, not sampled; test is sampled."
    cut = [(share, arm.name) for arm in one.arms("test") if (share := average(arm, "truncated")) is not None]
    if cut and max(cut)[0] > MANY_CUT_OFF:
        share, arm_name = max(cut)
        yield f"{name}: up to {share:.0%} of the texts of an arm were cut off at the limit (`{arm_name}`)."


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
