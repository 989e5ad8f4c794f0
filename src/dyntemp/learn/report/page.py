"""The report of learning as one HTML file: the answer, the controls, then how each run came to its policy."""

from __future__ import annotations

from collections.abc import Iterator

from dyntemp.evaluation.report.page import OWN, circumstances, coded, multiples
from dyntemp.learn.report import curves, rounds, tables, told
from dyntemp.learn.results import LearnResults
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.report_parts import folded, page

LONG = 300
"""Characters of a policy from which on its text is folded."""


def document(results: LearnResults) -> str:
    """The report as an HTML document without scripts and requests."""
    parts = [
        element("h1", *coded(results.sentence)),
        _listed(joined([element("b", "Warning: "), *coded(warning)]) for warning in results.warnings),
        element("p", told.extent(results), class_="dt-note"),
        tables.beside(results),
        element("p", tables.NOTE, class_="dt-note"),
        tables.forest(results),
        *_ceiling(results),
        element("h2", "The policy"),
        *_policy(results),
        element("h2", "Rounds"),
        element("p", rounds.note(results), class_="dt-note"),
        multiples(*rounds.drawings(results)),
        *_signals(results),
        element("h2", "Runs"),
        tables.runs(results),
        element("p", tables.RUNS, class_="dt-note"),
        element("h2", "Limits"),
        _listed(joined(coded(limit)) for limit in told.limits(results)),
        element("h2", "Circumstances"),
        circumstances(results.model, results.about, results.digest, results.settings),
    ]
    return page(f"Learning on {results.model}", joined(parts), sheets=(OWN,))


def _listed(sentences: Iterator[Markup]) -> Markup | None:
    """A list of sentences; None for none."""
    found = [element("li", sentence) for sentence in sentences]
    return element("ul", *found) if found else None


def _ceiling(results: LearnResults) -> Iterator[Markup]:
    if results.ceiling is not None:
        yield element("h2", "The most that temperature could do")
        yield element("p", told.ceiling(results.ceiling, results.metric))


def _policy(results: LearnResults) -> Iterator[Markup]:
    """The outcome of the kept run as text, its filters, and the shape that it was learned in."""
    yield element("p", told.outcome(results), class_="dt-note")
    yield _code("The policy", results.policy)
    yield element("p", "Filters before the temperature: ", element("code", results.filters or "none"), ".")
    yield folded("The shape", _code("", results.shape))


def _code(title: str, text: str) -> Markup:
    """A text in a block of code, folded behind a title where it is long."""
    block = element("pre", element("code", text))
    return folded(f"{title}, {len(text):,} characters", block) if title and len(text) > LONG else block


def _signals(results: LearnResults) -> Iterator[Markup]:
    """The curve of T over each signal of the kept run's policies."""
    drawn = multiples(*curves.drawings(results))
    if drawn:
        yield element("h2", "T over each signal")
        yield element("p", curves.note(results), class_="dt-note")
        yield drawn
