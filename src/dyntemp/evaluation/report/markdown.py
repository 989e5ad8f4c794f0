"""The results of a study as Markdown tables, for a page of documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dyntemp.evaluation.report.limits import limits
from dyntemp.evaluation.report.reading import (
    Reading,
    average,
    chance,
    difference,
    interval,
    readings,
    title_of,
    value,
)
from dyntemp.evaluation.results import ArmResult, Results


def markdown(results: Results) -> str:
    """The verdict, the best method of each task, a table for each task, the circumstances and the limits."""
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    found = list(readings(results))
    yield f"**{results.verdict.sentence}**\n"
    yield from (f"- {reason}" for reason in results.verdict.reasons)
    yield "\nThe best method of each task, less the control that leaves it the smallest difference:\n"
    yield from _table(
        ("task", "group", "metric", "best method", "mean", "hardest control", "its mean", "difference, 95 %",
         "Holm p", "could be seen", "outcome"),
        [_best(one) for one in found if one.best_method is not None],
    )  # fmt: skip
    for one in found:
        yield f"\n### {one.task.name}\n"
        yield f"{one.task.about} {_sizes(one)}\n"
        yield from _test(one)
    about = {"model": results.model, **results.about, "study": results.digest[:16]}
    yield f"\nCircumstances: {'; '.join(f'{name} {told}' for name, told in about.items())}.\n"
    yield "Limits:\n"
    yield from (f"- {limit}" for limit in limits(results))


def _best(one: Reading) -> tuple[str, ...]:
    best = one.best_method
    assert best is not None
    return (
        one.task.name, one.task.group, best.metric, f"`{best.arm}`", value(best.mean), best.against, value(best.other),
        f"{difference(best.difference)} ({interval(best)})", chance(best.holm), value(one.detectable),
        one.outcome(best.arm),
    )  # fmt: skip


def _sizes(one: Reading) -> str:
    split = "test"
    items, clusters = one.task.items[split], set(one.task.clusters[split])
    return f"{len(items)} items in {len(clusters)} clusters, {one.task.samples[split]} texts each."


def _test(one: Reading) -> Iterator[str]:
    """The methods on test, and the controls that they share."""
    metric = one.metric or "self_repetition"
    head = ("arm", "control", "policy", "filters", metric, "difference to the hardest control, 95 %", "Holm p",
            "mean T", "tokens")  # fmt: skip
    yield from _table(head, [_row(one, arm, metric) for arm in one.shown])


def _row(one: Reading, arm: ArmResult, metric: str) -> tuple[str, ...]:
    found = one.hardest(arm.name)
    told = "" if found is None else f"{difference(found.difference)} ({interval(found)}), {found.against}"
    filters = f"`{arm.filters}`" if arm.filters else ""
    return (
        f"`{arm.name}`", title_of(arm), f"`{arm.policy}`", filters, value(average(arm, metric)), told,
        "" if found is None else chance(found.holm), value(arm.temperature), f"{arm.tokens:,}",
    )  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
