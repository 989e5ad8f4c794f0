"""The verdict of a study: comparisons on test, and the sentence that follows from them.

A method beats the controls of a task if its difference to every one of them is positive: the largest of its one-sided
p-values (the intersection-union test, Berger 1982), after Holm over the methods declared for the task, is below 0.05,
and every 95 % interval lies above 0. A method helps if it beats the controls in two groups of tasks or more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from dyntemp.errors import StudyError
from dyntemp.evaluation.pairs import LEVEL, compare, holm
from dyntemp.evaluation.results import ArmResult, Comparison, TaskResult, Verdict

SHARED = ("greedy", "static", "static + min_p", "no_op")
"""The kinds of control that all methods of a task share."""

OWN = ("matched", "placebo", "shuffled")
"""The kinds of control that belong to one method. A method whose temperature is static has none of them."""

GROUPS = 2
"""Groups of tasks in which a method beats the controls before it is said to help."""


def compare_all(task: TaskResult, arms: Sequence[ArmResult], declared: Collection[str]) -> list[Comparison]:
    """Each method on test against each control that it has to beat, and the no-op against the tuned static one.

    Args:
        task: The task, with the clusters of its items.
        arms: Its arms on test, methods and controls.
        declared: Names of the methods that were declared before test was read. Holm's correction counts these. The
            corrected p-value of a method, from its largest one, stands in all its comparisons.

    Raises:
        StudyError: If the task has no metric, a declared method has no values, or the `evaluate` extra is missing.
    """
    if task.metric is None:
        raise StudyError(f"the task {task.name!r} has no metric, so that nothing can be compared on it")
    test = [one for one in arms if one.task == task.name and one.split == "test"]
    controls = [one for one in test if one.control is not None]
    methods = [one for one in test if one.control is None]
    if absent := sorted(set(declared) - {one.name for one in methods}):
        raise StudyError(
            f"{', '.join(map(repr, absent))} was declared for {task.name!r}, and has no values on test: declared "
            "methods are all compared, losers too"
        )
    found = {
        one.name: [_against(task, one, control) for control in controls if control.of in (None, one.name)]
        for one in methods
    }
    counted = [one.name for one in methods if one.name in declared and found[one.name]]
    corrected = dict(zip(counted, holm([max(each.p for each in found[name]) for name in counted]), strict=True))
    compared = [replace(each, holm=corrected.get(name)) for name, each_of in found.items() for each in each_of]
    static = next((one for one in controls if one.control == "static"), None)
    no_ops = [_against(task, one, static) for one in controls if one.control == "no_op" and static is not None]
    return compared + no_ops


def _against(task: TaskResult, arm: ArmResult, control: ArmResult) -> Comparison:
    assert task.metric is not None
    found = compare(arm.values[task.metric], control.values[task.metric], task.clusters["test"])
    return Comparison(
        task=task.name,
        metric=task.metric,
        arm=arm.name,
        against=control.name,
        control=str(control.control),
        mean=found.mean,
        other=found.other,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=found.p,
        holm=None,
        items=found.items,
        wilcoxon=found.wilcoxon,
    )


def best_control(comparisons: Sequence[Comparison]) -> Comparison:
    """The comparison with the strongest control, among those of one method on one task."""
    return max(comparisons, key=lambda one: one.other)


def verdict(
    tasks: Sequence[TaskResult], comparisons: Sequence[Comparison], detectable: Mapping[str, float], model: str
) -> Verdict:
    """The verdict.

    Args:
        tasks: The tasks; those without a metric have no part in it.
        comparisons: All of `compare_all`.
        detectable: By task: the smallest difference that test was said to show.
        model: Name of the model.
    """
    judged = [task for task in tasks if task.metric is not None]
    by_task = {task.name: _by_method(task, comparisons) for task in judged}
    dynamic: dict[str, list[str]] = {}
    static: dict[str, list[str]] = {}
    for task in judged:
        for name, found in by_task[task.name].items():
            kinds = {one.control for one in found}
            wins = static if not kinds & set(OWN) else dynamic
            if _beats(found) and not _missing(found):
                groups = wins.setdefault(name, [])
                groups += [task.group] * (task.group not in groups)
    helps = [name for name, groups in dynamic.items() if len(groups) >= GROUPS]
    reasons = [reason for task in judged for reason in _reasons(task, by_task[task.name], comparisons, detectable)]
    reasons += [f"`{name}` beat every control in {_and(groups)}; {GROUPS} groups are needed to say that it helps."
                for name, groups in dynamic.items() if name not in helps]  # fmt: skip
    reasons += [
        f"`{name}` beat every shared control in {_and(groups)}, but has no controls of its own: it is a filter beside "
        "a static temperature, or its temperatures were not recorded. Nothing is claimed of dynamic temperature."
        for name, groups in static.items()
    ]
    return Verdict(
        sentence=_sentence(judged, by_task, helps, dynamic, model), helps=helps, groups=dynamic | static,
        reasons=reasons,
    )  # fmt: skip


def _by_method(task: TaskResult, comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """The comparisons of each declared method on a task."""
    found: dict[str, list[Comparison]] = {}
    for one in comparisons:
        if one.task == task.name and one.holm is not None:
            found.setdefault(one.arm, []).append(one)
    return found


def _beats(found: Sequence[Comparison]) -> bool:
    return all(one.holm is not None and one.holm < LEVEL and one.low > 0 for one in found)


def _missing(found: Sequence[Comparison]) -> list[str]:
    """The kinds of control that a method was not compared with. One own control means that all are needed."""
    kinds = {one.control for one in found}
    needed = SHARED + OWN if kinds & set(OWN) else SHARED
    return [kind for kind in needed if kind not in kinds]


def _sentence(
    tasks: Sequence[TaskResult], by_task: Mapping[str, Mapping[str, Sequence[Comparison]]], helps: Sequence[str],
    dynamic: Mapping[str, Sequence[str]], model: str,
) -> str:  # fmt: skip
    items = sum(len(task.items["test"]) for task in tasks)
    where = f"on {model}, {items} test items of {len(tasks)} task{'s' * (len(tasks) != 1)}"
    if helps:
        told = _and([f"`{name}` helped in {_and(dynamic[name])}" for name in helps])
        return f"{told}: better than every control, {where}."
    tried = len({name for found in by_task.values() for name in found})
    return (
        f"No dynamic temperature helped: none of {tried} method{'s' * (tried != 1)} was better than every control in "
        f"{GROUPS} groups of tasks, {where}."
    )


def _reasons(
    task: TaskResult, methods: Mapping[str, Sequence[Comparison]], comparisons: Sequence[Comparison],
    detectable: Mapping[str, float],
) -> list[str]:  # fmt: skip
    """The best method of a task, its missing controls, the no-op's difference, and the difference test can show."""
    reasons = []
    if methods:
        best = best_control(methods[max(methods, key=lambda name: methods[name][0].mean)])
        reasons.append(
            f"{task.name}: the best method, `{best.arm}`, had {task.metric} {best.mean:.3g}; its difference to the "
            f"best control, {best.against}, is {_interval(best)}, p after Holm {best.holm:.2g}."
        )
    absent = {name: _missing(found) for name, found in methods.items()}
    reasons += [
        f"{task.name}: `{name}` was not compared with {_and(kinds)}, so nothing is claimed of it."
        for name, kinds in absent.items()
        if kinds
    ]
    no_ops = {one.against for one in comparisons if one.control == "no_op"}
    reasons += [
        f"{task.name}: the no-op differs from the tuned static temperature by {_interval(one)}; about 0 is expected."
        for one in comparisons
        if one.task == task.name and one.arm in no_ops
    ]
    if (least := detectable.get(task.name)) is not None:
        reasons.append(f"{task.name}: a true difference of {least:.3g} would have been seen with a power of 80 %.")
    else:
        reasons.append(f"{task.name}: val does not show how small a difference would have been seen on test.")
    return reasons


def _interval(one: Comparison) -> str:
    return f"{one.difference:+.3g} [{one.low:+.3g}, {one.high:+.3g}]"


def _and(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
