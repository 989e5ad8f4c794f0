"""The tables of a tuning's report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dyntemp.evaluation.report.reading import chance, difference, value
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure
from dyntemp.show.report_parts import headed, row, scrolling
from dyntemp.tune.report.reading import Search, searches, with_interval
from dyntemp.tune.results import TuningResults
from dyntemp.tune.sensitivity import Sensitivity


def promised_and_left(results: TuningResults) -> Markup:
    """The best trial of each search on tune and on val, the luck that was to be expected, and the winner on test."""
    head = ("search", "objective", "best trial promised", "expected luck", "left of it on val, 95 %",
            "winner on test, 95 %")  # fmt: skip
    rows = [
        _stages(search, at, objective.name)
        for search in searches(results) if search.finalists
        for at, objective in enumerate(results.objectives)
    ]  # fmt: skip
    return scrolling("What the best trials promised, and what was left", headed(head, rows))


def _stages(search: Search, at: int, objective: str) -> Markup:
    best, luck, winner = search.finalists[0], search.luck(objective), search.winner
    code = "" if winner is None else "; ".join(filter(None, (winner.policy, winner.filters)))
    name = element(
        "span", search.title, element("span", "control", class_="dt-tag") if search.space.control else None,
        element("small", element("code", code)) if code else None,
    )  # fmt: skip
    return row(
        name, objective, value(best.promised[at]), "–" if luck is None else f"+{value(luck.expected)}",
        with_interval(best.left, at), "–" if winner is None else with_interval(winner.measured, at),
        kind="dt-control" if search.space.control else None,
    )  # fmt: skip


def differences(results: TuningResults) -> Markup:
    """The policy's winner less that of the static temperature on test."""
    head = ("objective", "policy", "static", "difference, 95 %", "p", "items")
    rows = [
        row(
            one.objective, value(one.mean), value(one.other),
            f"{difference(one.difference)}"
            + ("" if one.low is None or one.high is None else f" ({difference(one.low)} to {difference(one.high)})"),
            chance(one.p), str(one.items),
        )
        for one in results.differences
    ]  # fmt: skip
    return scrolling("The policy less the tuned static temperature on test", headed(head, rows))


def finalists(search: Search) -> Markup:
    """The best trials of a search: what each promised, and what was left."""
    names = [one.name for one in search.results.objectives]
    numbers = [title for name in names for title in (f"{name} promised", "left, 95 %")]
    rows = [
        row(
            f"#{one.number}{' (chosen)' if one.chosen else ''}", *_values(search, one.number),
            *(cell for at in range(len(names)) for cell in (value(one.promised[at]), with_interval(one.left, at))),
            "" if one.feasible else "breaks the constraint",
        )
        for one in search.finalists
    ]  # fmt: skip
    head = ("trial", *search.space.parameters, *numbers, "")
    return scrolling(f"Finalists of the search: {search.title}", headed(head, rows))


def trials(search: Search) -> Markup:
    """All trials of a search, by number."""
    names = [one.name for one in search.results.objectives]
    rows = [
        row(
            f"#{one.number}", one.source, *_values(search, one.number),
            *("–" if one.state == "pruned" else value(number) for number in one.measured.values),
            "pruned" if one.state == "pruned" else "" if one.feasible else "breaks the constraint",
            "computed" if one.measured.exact else f"{one.measured.tokens:,}",
        )
        for one in search.trials
    ]  # fmt: skip
    head = ("trial", "source", *search.space.parameters, *names, "", "tokens")
    return scrolling(f"All trials of the search: {search.title}", headed(head, rows))


def _values(search: Search, number: int) -> Iterator[str]:
    """The parameters of a trial, in the order of the space."""
    one = next(trial for trial in search.trials if trial.number == number)
    return (figure(one.parameters[name]) for name in search.space.parameters)


def regions(found: Sequence[Sensitivity]) -> Markup:
    """The importance of each parameter, and the values that are as good as the best."""
    rows = [
        row(
            region.name, one.objective, "–" if region.importance is None else f"{region.importance:.0%}",
            " to ".join(dict.fromkeys(map(figure, (region.low, region.high)))), f"{region.share:.0%}",
        )
        for one in found
        for region in one.regions
    ]  # fmt: skip
    head = ("parameter", "objective", "importance", "good values", "share of its range")
    return scrolling("Sensitivity to each parameter", headed(head, rows))
