"""The comparisons on test, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dyntemp.evaluation.pairs import compare, needed
from dyntemp.evaluation.results import ArmResult, Comparison, TaskResult, Verdict
from dyntemp.evaluation.selection import mean

ALPHA = 0.05

GROUPS = 2
"""In so many groups of tasks a family has to beat its controls before it is said to help."""

ALWAYS = ("greedy", "static", "static + min_p", "no_op")
"""Kinds of control that every method has."""


def compare_all(task: TaskResult, arms: Sequence[ArmResult], declared: Sequence[str]) -> list[Comparison]:
    """Each declared method less each of its controls.

    The p-value of a method is the largest over its controls, since it has to beat all of them. Holm's correction is
    over the methods. All comparisons of a method have the corrected value.

    Args:
        task: The task.
        arms: Its arms on test.
        declared: Names of the methods.
    """
    assert task.metric is not None
    by_name = {one.name: one for one in arms}
    found = [
        [_comparison(task, by_name[name], one) for one in arms if one.control in ALWAYS or one.of == name]
        for name in declared
    ]
    largest = [max(one.p for one in of_method) for of_method in found]
    if not largest:
        return []
    corrected = needed("statsmodels.stats.multitest").multipletests(largest, alpha=ALPHA, method="holm")[1]
    return [replace(one, holm=float(p)) for of_method, p in zip(found, corrected, strict=True) for one in of_method]


def _comparison(task: TaskResult, arm: ArmResult, control: ArmResult) -> Comparison:
    metric = task.metric or ""
    values, other = arm.values[metric], control.values[metric]
    difference, low, high, p = compare(values, other, task.clusters["test"])
    return Comparison(
        task=task.name, metric=metric, arm=arm.name, against=control.name, control=control.control or "",
        mean=mean(values), other=mean(other), difference=difference, low=low, high=high, p=p, holm=None,
        items=sum(a is not None and b is not None for a, b in zip(values, other, strict=True)),
    )  # fmt: skip


def verdict(
    tasks: Sequence[TaskResult], comparisons: Sequence[Comparison], detectable: Mapping[str, float], model: str
) -> Verdict:
    """The verdict: a family helps if it beats every control after Holm in two groups of tasks or more."""
    groups: dict[str, list[str]] = {}
    reasons = []
    for task in tasks:
        own = [one for one in comparisons if one.task == task.name]
        methods = dict.fromkeys(one.arm for one in own)
        worst = {name: min((one for one in own if one.arm == name), key=lambda one: one.difference) for name in methods}
        for name, one in worst.items():
            if one.holm is not None and one.holm < ALPHA and one.low > 0 and task.group not in groups.get(name, ()):
                groups.setdefault(name, []).append(task.group)
        if worst:
            reasons.append(_best(task, max(worst.values(), key=lambda one: one.difference), detectable.get(task.name)))
    helps = [name for name, found in groups.items() if len(found) >= GROUPS]
    return Verdict(sentence=_sentence(model, tasks, helps, groups), helps=helps, groups=groups, reasons=reasons)


def _sentence(
    model: str, tasks: Sequence[TaskResult], helps: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> str:
    scored = [f"{len(task.items['test'])} items of {task.name}" for task in tasks if task.metric is not None]
    where = ", ".join([model, *scored])
    if helps:
        told = "; ".join(f"`{name}` helped in {' and '.join(groups[name])}" for name in helps)
        return f"{told}: better than every control after Holm's correction ({where})."
    if groups:
        told = "; ".join(f"`{name}` beat every control in {found[0]}" for name, found in groups.items())
        return f"Nothing helped in two groups of tasks; {told} ({where})."
    return f"Nothing helped: no policy beat every control in any group of tasks ({where})."


def _best(task: TaskResult, one: Comparison, detectable: float | None) -> str:
    seen = "" if detectable is None else f"; test shows differences from {detectable:.3g} with a power of 80 %"
    return (
        f"{task.name}: `{one.arm}` comes best off against its hardest control, {one.against}: {one.metric} "
        f"{one.difference:+.3g} [{one.low:+.3g}, {one.high:+.3g}]{seen}."
    )
