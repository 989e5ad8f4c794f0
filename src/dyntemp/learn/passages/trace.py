"""The trace of learning from texts, which the page opens; a step of the fit is a round."""

from __future__ import annotations

from typing import Any

from dyntemp.learn.passages.results import METRIC, PassageResults
from dyntemp.learn.trace import Traced, figures, trace_of


def trace(results: PassageResults) -> dict[str, Any]:
    """The JSON object of the trace."""
    chosen = None if results.pull is None else len(results.rounds) - 1
    run = Traced(results.settings["seed"], [*map(figures, results.rounds)], chosen)
    return trace_of(results, results.source, METRIC, [run])
