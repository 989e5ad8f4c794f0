"""The tables of a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dyntemp.errors import StudyError
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.report.reading import (
    EXPLAINED,
    KINDS,
    Reading,
    average,
    chance,
    difference,
    interval,
    value,
)
from dyntemp.evaluation.results import ArmResult, Comparison, Standing
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.report_parts import headed, scrolling

MOST_ROWS = 1600
"""Most configurations of a split that a page shows; the best stand first."""


def overview(found: Sequence[Reading]) -> Markup:
    """The best method of each task against its hardest control."""
    rows = [_overview_row(one, best) for one in found if (best := one.best_method) is not None]
    head = ("task", _words("best method"), "mean", _words("hardest control"), "mean", "difference, 95 %", "Holm p",
            _words("outcome"))  # fmt: skip
    return _table("The best method of each task", head, rows) if rows else Markup("")


def _overview_row(one: Reading, best: Comparison) -> Markup:
    link = element("a", one.task.name, href=f"#{one.anchor}")
    name = element("th", link, element("small", f"{one.task.group}, {best.metric}"), scope="row")
    return _row(
        name, element("td", element("code", best.arm), class_="dt-words"), value(best.mean),
        element("td", best.against, class_="dt-words"), value(best.other), _difference(best), chance(best.holm),
        element("td", one.outcome(best.arm), class_="dt-words"),
        kind=_kind(one, best.arm),
    )  # fmt: skip


def tested(one: Reading) -> Markup:
    """The methods on test and the controls that they share, the best first; controls are marked."""
    head = ("arm", one.metric or "texts", "difference to its hardest control, 95 %", "Holm p", "mean T", "spread",
            "tokens")  # fmt: skip
    return _table(f"Methods and controls of {one.task.name} on test", head,
                  [_tested_row(one, arm) for arm in one.shown])  # fmt: skip


def _tested_row(one: Reading, arm: ArmResult) -> Markup:
    found = one.hardest(arm.name)
    name = element(
        "th", arm.name, element("span", "control", class_="dt-tag") if arm.control else None,
        element("small", *_told(arm)), scope="row",
    )  # fmt: skip
    score = value(average(arm, one.metric)) if one.metric else f"{arm.texts:,}"
    told = element("td", "") if found is None else _difference(found, element("small", f"less {found.against}"))
    return _row(
        name, score, told, chance(found.holm) if found and not arm.control else "", value(arm.temperature),
        value(arm.spread), f"{arm.tokens:,}", kind="dt-control" if arm.control else _kind(one, arm.name),
    )  # fmt: skip


def _told(arm: ArmResult) -> tuple[Markup, ...]:
    """The policy and the filters."""
    policy = element("code", arm.policy)
    return (policy, element("span", "; ", element("code", arm.filters))) if arm.filters else (policy,)


def compared(one: Reading) -> Markup:
    """Each method less each of its controls."""
    head = ("method", _words("less"), _words("kind"), "difference, 95 %", "p", "Wilcoxon p", "Holm p",
            "items")  # fmt: skip
    rows = [
        _row(
            element("th", pair.arm, scope="row"), element("td", pair.against, class_="dt-words"),
            element("td", KINDS.get(pair.control, pair.control), class_="dt-words"), _difference(pair),
            chance(pair.p), chance(pair.wilcoxon),
            chance(pair.holm), str(pair.items),
        )
        for arm in one.arms("test") for pair in one.comparisons(arm.name)
    ]  # fmt: skip
    return _table(f"All comparisons of {one.task.name}", head, rows)


def measured(one: Reading) -> Markup:
    """All metrics of the arms on test."""
    arms = one.arms("test")
    names = list(dict.fromkeys(name for arm in arms for name in arm.values))
    rows = [
        _row(element("th", arm.name, scope="row"), *(value(average(arm, name)) for name in names),
             kind="dt-control" if arm.control else None)
        for arm in arms
    ]  # fmt: skip
    return joined([
        _table(f"All metrics of {one.task.name} on test", ("arm", *names), rows),
        _meanings((name, title) for name in names if (title := _meaning(name))),
    ])  # fmt: skip


def _meaning(metric: str) -> str:
    """The title of a metric; empty for one that this version does not know."""
    try:
        return metric_of(metric).title
    except StudyError:
        return ""


def standing(one: Reading) -> Markup:
    """Every family on val, less the better one of the static controls."""
    rows = [
        _row(
            element("th", place.family, element("small", *_told(one.on_val[place.arm])), scope="row"),
            value(place.mean), _difference(place, element("small", f"less {place.against}")),
        )
        for place in one.standings
    ]  # fmt: skip
    return _table(f"Every family of {one.task.name} on val", ("family", one.metric, "difference, 95 %"), rows)


def configurations(one: Reading, split: str) -> Markup:
    """All configurations of a split, losers too."""
    arms = one.arms(split)
    rows = [
        _row(
            element("th", arm.name, scope="row"), element("td", element("code", arm.policy), class_="dt-words"),
            element("td", element("code", arm.filters) if arm.filters else "", class_="dt-words"),
            value(average(arm, one.metric)), value(arm.temperature), "computed" if arm.exact else f"{arm.tokens:,}",
            kind="dt-control" if arm.control else None,
        )
        for arm in arms[:MOST_ROWS]
    ]  # fmt: skip
    left = len(arms) - len(rows)
    note = f"The best {MOST_ROWS:,}; results.json has the {left:,} others." if left else None
    return joined([
        element("p", note, class_="dt-note") if note else None,
        _table(f"Configurations of {one.task.name} on {split}",
               ("arm", _words("policy"), _words("filters"), one.metric, "mean T", "tokens"), rows),
    ])  # fmt: skip


def kinds(found: Iterable[Reading]) -> Markup:
    """The meaning of each kind of control that was run."""
    run = {arm.control for one in found for arm in one.controls}
    return _meanings((KINDS[kind], EXPLAINED[kind]) for kind in KINDS if kind in run)


def _meanings(pairs: Iterable[tuple[str, str]]) -> Markup:
    return element("dl", *(element("div", element("dt", name), element("dd", told)) for name, told in pairs))


def _difference(one: Comparison | Standing, *more: Markup) -> Markup:
    return element("td", f"{difference(one.difference)} ({interval(one)})", *more)


def _kind(one: Reading, arm: str) -> str | None:
    return "dt-better" if one.outcome(arm) == "better than every control" else None


def _words(title: str) -> Markup:
    """The head of a column of words."""
    return element("th", title, scope="col", class_="dt-words")


def _row(head: Markup, *cells: str, kind: str | None = None) -> Markup:
    written = (cell if isinstance(cell, Markup) else element("td", cell) for cell in cells)
    return element("tr", head, *written, class_=kind)


def _table(label: str, head: Sequence[str], rows: Sequence[Markup]) -> Markup:
    return scrolling(label, headed(head, rows))
