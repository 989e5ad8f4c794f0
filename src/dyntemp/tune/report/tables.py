"""The tables of a tuning's report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dyntemp.evaluation.report.reading import chance, difference, value
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure
from dyntemp.show.report_parts import headed, row, scrolling
from dyntemp.tune.report.reading import Search, searches, with_interval
from dyntemp.tune.results import Finalist, TuningResults
from dyntemp.tune.sensitivity import Sensitivity


def promised_and_left(results: TuningResults) -> Markup:
    """The winner of each search at every stage: on tune, on val, on test; and the luck that was to be expected."""
    head = ("winner", "objective", "promised on tune", "expected luck", "left on val, 95 %", "test, 95 %")
    rows = [
        _stages(search, finalist, at, objective.name)
        for search in searches(results)
        for finalist in search.finalists if finalist.chosen
        for at, objective in enumerate(results.objectives)
    ]  # fmt: skip
    return scrolling("What the best trials promised, and what was left", headed(head, rows))


def _stages(search: Search, one: Finalist, at: int, objective: str) -> Markup:
    luck, winner = search.luck(objective), search.winner
    return row(
        _named(search), objective, value(one.promised[at]), "–" if luck is None else f"+{value(luck.expected)}",
        with_interval(one.left, at), "–" if winner is None else with_interval(winner.measured, at),
        kind="dt-control" if search.space.control else None,
    )  # fmt: skip


def _named(search: Search) -> Markup:
    """The cell of a search: its name, with the winner's policy and filters."""
    winner = search.winner
    code = "" if winner is None else "; ".join(filter(None, (winner.policy, winner.filters)))
    name = element("span", search.space.family, element("span", "control", class_="dt-tag"))
    shown = name if search.space.control else element("span", search.space.family)
    return element("span", shown, element("small", element("code", code)) if code else None)


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
    return scrolling(f"Finalists of {search.space.family}", headed(head, rows))


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
    return scrolling(f"All trials of {search.space.family}", headed(head, rows))


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
