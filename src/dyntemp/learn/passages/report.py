"""The report of learning from texts as one HTML file: the answer, each choice of temperature, and the fit."""

from __future__ import annotations

from collections.abc import Iterator

from dyntemp.evaluation.report.axes import Axis, padded
from dyntemp.evaluation.report.page import OWN, circumstances, coded, multiples
from dyntemp.evaluation.report.reading import chance
from dyntemp.learn.passages.results import METRIC, Gain, HeldOut, PassageResults
from dyntemp.learn.report import curves, rounds
from dyntemp.learn.report.page import code, listed, over_signals, warned
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.quantity import figure
from dyntemp.show.report_parts import folded, headed, page, row, scrolling

NOTE = (
    "On the half that was held out. Surprise is the mean of −ln p over the tokens that the filters left, nats. More "
    "than learned: by how much this choice is more surprised than the learned policy, paired by token, with intervals "
    "over passages; p is one-sided. The calibration error is that of the likeliest entry, from 0 to 1; chance adds to "
    "it."
)

PULLS = (
    "Mean surprise in cross-validation on the half that was learned from, by the price of leaving the static "
    "temperature. The lowest was chosen."
)


def document(results: PassageResults) -> str:
    """The report as an HTML document without scripts and requests."""
    moments = curves.Moments.of(results.rounds, results.rounds[-1].policy)
    parts = [
        element("h1", *coded(results.sentence)),
        warned(results.warnings),
        element("p", _extent(results), class_="dt-note"),
        _choices(results),
        element("p", NOTE, class_="dt-note"),
        element("p", _oracle(results)),
        element("h2", "The policy"),
        code("The policy", results.policy),
        element("p", "Filters before the temperature: ", element("code", results.filters or "none"), "."),
        folded("The shape", code("", results.shape)),
        *over_signals(results.signals, moments, curves.note(moments, "step")),
        *_fit(results),
        element("h2", "The price of leaving the static temperature"),
        _pulls(results),
        element("p", PULLS, class_="dt-note"),
        element("h2", "Limits"),
        listed(joined(coded(limit)) for limit in _limits(results)),
        element("h2", "Circumstances"),
        circumstances(results.model, results.about, results.digest, results.settings),
    ]
    return page(f"Learning from texts on {results.model}", joined(parts), sheets=(OWN,))


def _extent(results: PassageResults) -> str:
    (learned, held_out), (own, others) = results.passages, results.tokens
    return (
        f"{results.model}; {results.source}, {results.given:,} passages; learned from {learned:,} with {own:,} tokens, "
        f"held out {held_out:,} with {others:,}; settings {results.digest[:16]}."
    )


def _choices(results: PassageResults) -> Markup:
    """Each choice of temperature on the held-out half."""
    gains = {one.other: one for one in results.gains}
    head = ("temperature", f"surprise, {METRIC}", "more than learned, 95 %", "p", "mean T", "spread",
            "calibration error, 95 %")  # fmt: skip
    rows = [
        row(
            _name(one, policy=one is not results.learned), f"{one.loss:.4f}", *_gain(gains.get(one.name)),
            figure(one.temperature), figure(one.spread), _calibration(one),
        )
        for one in results.held_out
    ]  # fmt: skip
    return scrolling("Each choice of temperature on the held-out half", headed(head, rows))


def _name(one: HeldOut, *, policy: bool) -> Markup:
    """The name of a choice, with its policy where this is short."""
    return element("span", one.name, element("small", element("code", one.policy)) if policy else None)


def _gain(one: Gain | None) -> tuple[str, str]:
    if one is None:
        return "–", "–"
    ends = "" if one.low is None or one.high is None else f" ({_signed(one.low)} to {_signed(one.high)})"
    return f"{_signed(one.difference)}{ends}", chance(one.p)


def _signed(number: float) -> str:
    return f"{number:+.4f}".replace("-", "−")


def _calibration(one: HeldOut) -> str:
    error, low, high = one.calibration
    return f"{error:.3f}" + ("" if low is None or high is None else f" ({low:.3f} to {high:.3f})")


def _oracle(results: PassageResults) -> str:
    """The part of the way from the best static temperature to the best one of each token."""
    static, learned = results.held_out[-2].loss, results.learned.loss
    way = static - results.oracle
    share = f", {(static - learned) / way:.1%} of the way".replace("-", "−") if way > 0 else ""
    return (
        f"With the best temperature of each token the surprise would be {results.oracle:.4f}: it knows the token, and "
        f"no policy can. From {static:.4f} of the best static temperature the learned policy comes to "
        f"{learned:.4f}{share}."
    )


def _fit(results: PassageResults) -> Iterator[Markup]:
    """The steps of the fit, on the tokens that it learned from; nothing for a single step."""
    if len(results.rounds) < 2:
        return
    lines = rounds.lines_of([results.rounds], "score")
    y = Axis(*padded(lines.ravel().tolist()), rounds.BOTTOM, rounds.TOP)
    told = "Surprise by step of the fit, on the tokens that it learned from."
    yield element("h2", "The fit")
    drawn = multiples(
        rounds.course(told, range(lines.shape[1]), y, lines, METRIC, None, "step"),
        *rounds.temperatures([results.rounds], results.anchor, "step"),
    )
    yield joined([drawn])


def _pulls(results: PassageResults) -> Markup:
    rows = [
        row("infinite: static" if price is None else figure(price), f"{loss:.4f}",
            "chosen" if price == results.pull else "")
        for price, loss in results.pulls
    ]  # fmt: skip
    return scrolling("Prices", headed(("price", f"surprise, {METRIC}", ""), rows))


def _limits(results: PassageResults) -> Iterator[str]:
    """Sentences about what learning from texts does not show."""
    yield (
        f"The figures hold for {results.model} and texts such as these. A policy that is less surprised by texts need "
        "not write better ones: `dyntemp learn TASK` learns from a score."
    )
    yield "The static temperature is the best one of the half that was learned from. It has one parameter."
    yield "The passages were split once. Another half would give another figure."
