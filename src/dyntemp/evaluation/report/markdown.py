"""The results of a study as tables in Markdown, for documentation that is written from them."""

from __future__ import annotations

from collections.abc import Iterator

from dyntemp.evaluation.report.figures import Row, chance, comparisons, described, mean, rows
from dyntemp.evaluation.report.limits import limits
from dyntemp.evaluation.results import Comparison, Results, TaskResult
from dyntemp.show.quantity import figure
from dyntemp.show.report_parts import signed

BEST = 5
"""The number of best methods of each task that are listed."""


def markdown(results: Results) -> str:
    """The verdict, the best methods, a table for each task, the circumstances and the limits."""
    return "\n\n".join("\n".join(lines) for lines in tables(results).values()) + "\n"


def tables(results: Results) -> dict[str, list[str]]:
    """The lines of each part by name: `verdict`, `best`, `task NAME` for each task, `run` and `limits`.

    A page of documentation holds them between `<!-- NAME -->` and `<!-- end -->`.
    """
    return {
        "verdict": [results.verdict.sentence, "", *(f"- {one}" for one in results.verdict.reasons)],
        "best": list(_best(results)),
        **{f"task {task.name}": list(_task(results, task)) for task in results.tasks},
        "run": list(_run(results)),
        "limits": [f"- {one}" for one in limits(results)],
    }


def filled(page: str, results: Results) -> str:
    """A page of documentation with its parts as the results have them; see `tables`."""
    for name, lines in tables(results).items():
        begin, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, behind = rest.partition("<!-- end -->")
        if mark and end:
            page = begin + mark + "\n".join([*lines, end]) + behind
    return page


def interval(one: Comparison) -> str:
    """A difference with its interval: `+0.25 [−0.1, +0.6]`."""
    return f"{signed(one.difference)} [{signed(one.low)}, {signed(one.high)}]"


def _best(results: Results) -> Iterator[str]:
    yield "| task | metric | method | mean | hardest control | difference [95 %] | Holm p | beats all controls |"
    yield "|---|---|---|---|---|---|---|---|"
    for task in results.tasks:
        methods = [one for one in rows(results, task) if one.hardest is not None and one.arm.control is None]
        for row in sorted(methods, key=lambda one: -_difference(one))[:BEST]:
            one = row.hardest
            assert one is not None
            yield _line(task.name, task.metric, f"`{one.arm}`", figure(one.mean), f"{one.against}", interval(one),
                        chance(one.holm), "yes" if row.beats else "no")  # fmt: skip


def _task(results: Results, task: TaskResult) -> Iterator[str]:
    yield f"{task.about} {len(task.items['test'])} items on test, {task.samples['test']} texts of each arm to an item."
    yield ""
    lines = rows(results, task)
    names = [] if task.metric else described(lines)
    own = [task.metric, "less hardest control [95 %]", "Holm p"] if task.metric else names
    yield _line("arm", "control", "policy", "filters", *own, "mean T")
    yield "|---" * (5 + len(own)) + "|"
    for arm, value, hardest in lines:
        compared = (value, interval(hardest) if hardest else None, chance(hardest.holm) if hardest else None)
        means = [mean(arm.values.get(name, ())) for name in names]
        yield _line(
            f"`{arm.name}`", arm.control, f"`{arm.policy}`", f"`{arm.filters}`" if arm.filters else None,
            *(_cell(one) for one in (compared if task.metric else means)), _cell(arm.temperature),
        )  # fmt: skip
    found = comparisons(results, task)
    if found:
        yield ""
        yield f"| method | less | difference of {task.metric} [95 %] | p |"
        yield "|---|---|---|---|"
        for one in (one for of_method in found for one in of_method):
            yield _line(f"`{one.arm}`", one.against, interval(one), chance(one.p))


def _run(results: Results) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for name, value in {"model": results.model, "configuration": f"`{results.digest}`", **results.about}.items():
        yield _line(name, value)


def _cell(value: float | str | None) -> str | None:
    return figure(value) if isinstance(value, float) else value


def _line(*cells: str | None) -> str:
    return f"| {' | '.join((cell or '').replace('|', chr(92) + '|') for cell in cells)} |"


def _difference(row: Row) -> float:
    assert row.hardest is not None
    return row.hardest.difference
