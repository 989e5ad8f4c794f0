"""The report of learning as one HTML file: the answer, the controls, then how each run came to its policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

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
        warned(results.warnings),
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
        listed(joined(coded(limit)) for limit in told.limits(results)),
        element("h2", "Circumstances"),
        circumstances(results.model, results.about, results.digest, results.settings),
    ]
    return page(f"Learning on {results.model}", joined(parts), sheets=(OWN,))


def listed(sentences: Iterable[Markup]) -> Markup | None:
    """A list of sentences; None for none."""
    found = [element("li", sentence) for sentence in sentences]
    return element("ul", *found) if found else None


def warned(warnings: Sequence[str]) -> Markup | None:
    """The list of warnings; None for none."""
    return listed(joined([element("b", "Warning: "), *coded(warning)]) for warning in warnings)


def _ceiling(results: LearnResults) -> Iterator[Markup]:
    if results.ceiling is not None:
        yield element("h2", "The most that temperature could do")
        yield element("p", told.ceiling(results.ceiling, results.metric))


def _policy(results: LearnResults) -> Iterator[Markup]:
    """The outcome of the kept run as text, its filters, and the shape that it was learned in."""
    yield element("p", told.outcome(results), class_="dt-note")
    yield code("The policy", results.policy)
    yield element("p", "Filters before the temperature: ", element("code", results.filters or "none"), ".")
    yield folded("The shape", code("", results.shape))


def code(title: str, text: str) -> Markup:
    """A text in a block of code, folded behind a title where it is long."""
    block = element("pre", element("code", text))
    return folded(f"{title}, {len(text):,} characters", block) if title and len(text) > LONG else block


def _signals(results: LearnResults) -> Iterator[Markup]:
    """The curve of T over each signal of the kept run's policies."""
    run = results.runs[results.kept]
    moments = curves.Moments.of(run.rounds, run.learned)
    static = " The outcome of this run is the static temperature." if run.static else ""
    yield from over_signals(results.signals, moments, f"Policies of seed {run.seed}. {curves.note(moments)}{static}")


def over_signals(signals: Mapping[str, Sequence[float]], moments: curves.Moments, note: str) -> Iterator[Markup]:
    """The curves with their heading; nothing where no signal moves."""
    drawn = multiples(*curves.drawings(signals, moments))
    if drawn:
        yield element("h2", "T over each signal")
        yield element("p", note, class_="dt-note")
        yield drawn
