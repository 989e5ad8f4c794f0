"""The results of a study as Markdown tables, for a page of documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dyntemp.evaluation.report.limits import limits
from dyntemp.evaluation.report.reading import (
    Reading,
    average,
    chance,
    difference,
    interval,
    readings,
    sizes,
    title_of,
    value,
)
from dyntemp.evaluation.results import ArmResult, Results


def markdown(results: Results) -> str:
    """The verdict, the best method of each task, a table for each task, the circumstances and the limits."""
    return "\n\n".join("\n".join(lines) for lines in tables(results).values()) + "\n"


def tables(results: Results) -> dict[str, list[str]]:
    """The lines of each part: `verdict`, `best`, `run`, `limits`, and for each task `task NAME` and `families NAME`.

    A page of documentation holds them between `<!-- NAME -->` and `<!-- end -->`.
    """
    found = list(readings(results))
    return {
        "verdict": [results.verdict.sentence, "", *(f"- {reason}" for reason in results.verdict.reasons)],
        "best": list(_overview(found)),
        **{f"task {one.task.name}": list(_task(one)) for one in found},
        **{f"families {one.task.name}": list(_families(one)) for one in found if one.standings},
        "run": list(_run(results)),
        "limits": [f"- {limit}" for limit in limits(results)],
    }


def filled(page: str, parts: Mapping[str, Sequence[str]]) -> str:
    """A page of documentation with its parts by name, such as those of `tables`."""
    for name, lines in parts.items():
        begin, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, behind = rest.partition("<!-- end -->")
        if mark and end:
            page = begin + mark + "\n".join([*lines, end]) + behind
    return page


def _overview(found: Sequence[Reading]) -> Iterator[str]:
    """The best method of each task, less the control that leaves it the smallest difference."""
    head = ("task", "group", "metric", "best method", "mean", "hardest control", "its mean", "difference, 95 %",
            "Holm p", "could be seen", "outcome")  # fmt: skip
    yield from table(head, [_best(one) for one in found if one.best_method is not None])


def _task(one: Reading) -> Iterator[str]:
    """The methods of a task and their controls, then each difference."""
    yield f"{one.task.about} {sizes(one.task)}"
    yield ""
    yield from _test(one)
    pairs = [pair for arm in one.arms("test") for pair in one.comparisons(arm.name)]
    if pairs:
        yield ""
        head = ("method", "less", f"difference of {one.metric}, 95 %", "p", "Wilcoxon p")
        yield from table(
            head,
            [(f"`{pair.arm}`", pair.against, f"{difference(pair.difference)} ({interval(pair)})", chance(pair.p),
              chance(pair.wilcoxon))
             for pair in pairs],
        )  # fmt: skip


def _families(one: Reading) -> Iterator[str]:
    """Every family on val, less the better one of the static controls."""
    head = ("family", "policy", "filters", one.metric, "less", "difference, 95 %")
    found = [(place, one.on_val[place.arm]) for place in one.standings]
    yield from table(head, [
        (f"`{place.family}`", f"`{arm.policy}`", f"`{arm.filters}`" if arm.filters else "", value(place.mean),
         place.against, f"{difference(place.difference)} ({interval(place)})")
        for place, arm in found
    ])  # fmt: skip


def _run(results: Results) -> Iterator[str]:
    about = {"model": results.model, "study": f"`{results.digest}`", **results.about}
    yield from table(("", ""), list(about.items()))


def _best(one: Reading) -> tuple[str, ...]:
    best = one.best_method
    assert best is not None
    return (
        one.task.name, one.task.group, best.metric, f"`{best.arm}`", value(best.mean), best.against, value(best.other),
        f"{difference(best.difference)} ({interval(best)})", chance(best.holm), value(one.detectable),
        one.outcome(best.arm),
    )  # fmt: skip


def _test(one: Reading) -> Iterator[str]:
    """The methods on test, and the controls that they share."""
    metric = one.metric or "self_repetition"
    head = ("arm", "control", "policy", "filters", metric, "difference to the hardest control, 95 %", "Holm p",
            "mean T", "tokens")  # fmt: skip
    yield from table(head, [_row(one, arm, metric) for arm in one.shown])


def _row(one: Reading, arm: ArmResult, metric: str) -> tuple[str, ...]:
    found = one.hardest(arm.name)
    told = "" if found is None else f"{difference(found.difference)} ({interval(found)}), {found.against}"
    filters = f"`{arm.filters}`" if arm.filters else ""
    return (
        f"`{arm.name}`", title_of(arm), f"`{arm.policy}`", filters, value(average(arm, metric)), told,
        "" if found is None else chance(found.holm), value(arm.temperature), f"{arm.tokens:,}",
    )  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
