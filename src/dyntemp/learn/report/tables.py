"""The tables of a report of learning, and its differences on one scale."""

from __future__ import annotations

from dyntemp.evaluation.pairs import LEVEL
from dyntemp.evaluation.report import forest as plot
from dyntemp.evaluation.report.reading import EXPLAINED, KINDS, chance, difference, interval, value
from dyntemp.evaluation.results import Comparison
from dyntemp.evaluation.verdict import OWN
from dyntemp.learn.results import Beside, Control, LearnResults, Run
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure
from dyntemp.show.report_parts import headed, row, scrolling
from dyntemp.tune.report.reading import with_interval

NOTE = (
    "Learned: the mean of all runs beside static temperatures, the kept run beside controls that were made from it. "
    "Differences are paired by item, their intervals are over clusters. p is one-sided: small where the learned one "
    "is better."
)

RUNS = (
    "Scores are on the prompts of learning; T and its spread are those of the last round. A run whose policy is not "
    "better on val than the static temperature ends as that temperature. The kept run is the best on val."
)


def beside(results: LearnResults) -> Markup:
    """A row for each control on test, beside the learned policies."""
    controls = {one.name: one for one in results.controls}
    head = ("control", f"learned, {results.metric}", "control", "difference, 95 %", "p")
    rows = [
        row(
            _control(controls[one.control]), value(one.mean), value(one.other), _difference(results, one),
            chance(one.p), kind="dt-better" if one.low is not None and one.low > 0 and one.p < LEVEL else None,
        )
        for one in results.beside
    ]  # fmt: skip
    return scrolling("What was learned beside each control on test", headed(head, rows))


def forest(results: LearnResults) -> Markup | None:
    """The differences with their intervals on one scale; None with a single cluster."""
    found = [_comparison(results, one) for one in results.beside if one.low is not None]
    if not found:
        return None
    scale = plot.span(found)
    rows = [
        element("tr", element("th", _short(one), scope="row"), element("td", plot.bar(one, scale))) for one in found
    ]
    caption = (
        "The dot is the mean difference to the control, the bar its 95 % interval. What was learned has to lie right "
        "of 0 against all."
    )
    foot = element("tr", element("th", results.metric, scope="row"), element("td", plot.axis(scale)))
    return element("figure", element("table", element("caption", caption), element("tbody", *rows),
                                     element("tfoot", foot), class_="dt-forest"))  # fmt: skip


def runs(results: LearnResults) -> Markup:
    """Each run from its first to its last round, and what became of it; the static temperature last."""
    head = ("seed", "first score", "last score", "mean T", "spread", "on val, 95 %", "outcome")
    rows = [
        row(
            str(run.seed), value(run.rounds[0].score), value(run.rounds[-1].score),
            figure(run.rounds[-1].temperature), figure(run.rounds[-1].spread), with_interval(run.on_val, 0),
            _outcome(run, kept=at == results.kept),
        )
        for at, run in enumerate(results.runs)
    ]  # fmt: skip
    static = row(
        "static", "–", "–", results.anchor, "0", with_interval(results.anchor_on_val, 0), "", kind="dt-control",
    )  # fmt: skip
    return scrolling("Runs", headed(head, [*rows, static]))


def _outcome(run: Run, *, kept: bool) -> str:
    return ("static temperature" if run.static else "learned policy") + (", kept" if kept else "")


def _control(one: Control) -> Markup:
    """The name of a control, with its meaning and its policy."""
    code = "; ".join(filter(None, (one.policy, one.filters)))
    meaning = EXPLAINED[one.kind] if one.kind in OWN else ""
    small = element("small", meaning) if meaning else element("small", element("code", code))
    return element("span", one.name, small)


def _short(one: Comparison) -> str:
    """The name of a control without that of the policy that it was made from."""
    return KINDS[one.control] if one.control in OWN else one.against


def _difference(results: LearnResults, one: Beside) -> str:
    told = difference(one.difference)
    return told if one.low is None else f"{told} ({interval(_comparison(results, one))})"


def _comparison(results: LearnResults, one: Beside) -> Comparison:
    """A difference as the drawings of studies have it."""
    assert one.low is not None
    assert one.high is not None
    return Comparison(
        task=results.task.name, metric=results.metric, arm="learned", against=one.control, control=one.kind,
        mean=one.mean, other=one.other, difference=one.difference, low=one.low, high=one.high, p=one.p, holm=None,
        items=len(results.task.items["test"]),
    )  # fmt: skip
