"""The drawings of the rounds: the score, the temperatures and the divergence as each run learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dyntemp.evaluation.report.axes import Axis, drawing, frame, label, line, padded, path
from dyntemp.evaluation.report.reading import value
from dyntemp.learn.results import LearnResults, Round
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure
from dyntemp.show.report_parts import counted
from dyntemp.statistics.estimate import Values, interval

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 260, 52, 20, 26, 218
"""Size of a drawing, and the edges of its frame."""

LEAST_RUNS = 3
"""With fewer runs there is no interval over them."""

STATIC = 1e-9
"""A larger divergence of round 0 from the static temperature, nats a token, is not that temperature."""


class Quantity(NamedTuple):
    """A number of each round.

    Attributes:
        field: Its field in `Round`.
        title: Its name in words.
        unit: The title of its axis.
    """

    field: str
    title: str
    unit: str


SHARES = (
    Quantity("spread", "Spread of T", "standard deviation of T"),
    Quantity("divergence", "Divergence from the static temperature", "nats a token"),
    Quantity("at_bound", "Tokens whose T lies at a bound", "share of tokens"),
)
"""Quantities from 0 on."""


def note(results: LearnResults) -> str:
    """The meaning of the lines in all drawings."""
    runs = len(results.runs)
    if len(results.runs[0].rounds) < 2:
        return "There is one round, so that no course can be drawn."
    if runs == 1:
        return "Line: the only run. With fewer than three runs there is no interval over them."
    mean = f"Grey: each of {counted(runs, 'run')}. Blue: their mean"
    return f"{mean}{_band(results)}"


def _band(results: LearnResults) -> str:
    if len(results.runs) < LEAST_RUNS:
        return ". With fewer than three runs there is no interval over them."
    return ", with its 95 % interval over runs."


def drawings(results: LearnResults) -> Iterator[Markup]:
    """A drawing for each quantity; none for a single round."""
    found = [run.rounds for run in results.runs]
    if len(found[0]) > 1:
        yield _score(results)
        yield from temperatures(found, results.anchor)


def temperatures(runs: Sequence[Sequence[Round]], anchor: str, across: str = "round") -> Iterator[Markup]:
    """Drawings of the temperatures of some runs' rounds, beside the static temperature.

    Args:
        runs: The rounds of each run, two or more.
        anchor: The static temperature.
        across: The name of a round.
    """
    lines, level = lines_of(runs, "temperature"), float(anchor)
    at = range(lines.shape[1])
    y = Axis(*padded([*lines.ravel().tolist(), level]), BOTTOM, TOP)
    told = f"Mean T by {across}. Dashed: the static temperature, T = {anchor}."
    yield course(told, at, y, lines, "mean T", level, across)
    for quantity in SHARES:
        lines = lines_of(runs, quantity.field)
        y = Axis(0.0, float(lines.max()) * 1.05 or 1.0, BOTTOM, TOP)
        yield course(f"{quantity.title} by {across}.", at, y, lines, quantity.unit, None, across)


def _score(results: LearnResults) -> Markup:
    """The metric over the texts that a run had learned from when it wrote those of the round."""
    lines, level = lines_of([run.rounds for run in results.runs], "score"), static_score(results)
    before = [0, *(one.texts for one in results.runs[0].rounds[:-1])]
    told = f"{results.metric} on the prompts of learning, by the texts that a run had learned from by then."
    if level is None:
        told += " Learning did not begin at the static temperature, so that its score on these prompts is not known."
    else:
        told += f" Dashed: {value(level)}, the static temperature T = {results.anchor} on the same prompts in round 0."
    y = Axis(*padded([*lines.ravel().tolist(), *([] if level is None else [level])]), BOTTOM, TOP)
    return course(told, before, y, lines, results.metric, level, "texts learned from")


def static_score(results: LearnResults) -> float | None:
    """The mean score of the static temperature on the prompts of learning; None if no run began at it."""
    first = [run.rounds[0] for run in results.runs]
    found = [one.score for one in first if abs(one.divergence) < STATIC]
    return float(np.mean(found)) if found else None


def lines_of(runs: Sequence[Sequence[Round]], field: str) -> Values:
    """A number of each round, [runs, rounds]."""
    return np.array([[getattr(one, field) for one in rounds] for rounds in runs], np.float64)


def course(told: str, at: Sequence[int], y: Axis, lines: Values, unit: str, level: float | None, across: str) -> Markup:
    """A drawing of each run, faint, and of their mean.

    Args:
        told: The caption.
        at: The place of each round along x, rising.
        y: The axis of the numbers.
        lines: A number of each round, [runs, rounds].
        unit: The title of `y`.
        level: The number of the static temperature, a level line; None for no line.
        across: The title of x.
    """
    x = Axis(0, at[-1], LEFT, WIDTH - RIGHT)
    means = lines.mean(axis=0)
    ends = f"{unit}: the mean goes from {figure(float(means[0]))} to {figure(float(means[-1]))}"
    return element(
        "figure",
        element("figcaption", told),
        drawing(
            WIDTH, HEIGHT, ends,
            *frame(x, y, across, unit, x_ticks=[tick for tick in x.ticks() if float(tick).is_integer()]),
            _interval(lines, at, x, y),
            *_level(level, x, y),
            *(path(_places(one, at, x, y), "dt-line dt-quiet-line") for one in (lines if len(lines) > 1 else [])),
            path(_places(means, at, x, y), "dt-line dt-method-line"),
        ),
    )  # fmt: skip


def _interval(lines: Values, at: Sequence[int], x: Axis, y: Axis) -> Markup | None:
    """The interval of the mean over runs as a band; None for too few runs."""
    if len(lines) < LEAST_RUNS:
        return None
    ends = np.array([interval(column) for column in lines.T])
    edge = [*_places(ends[:, 0], at, x, y), *reversed(_places(ends[:, 1], at, x, y))]
    outline = "L".join(f"{across:g} {up:g}" for across, up in edge)
    return element("path", d=f"M{outline}z", class_="dt-mean", fill_opacity="0.16")


def _level(level: float | None, x: Axis, y: Axis) -> Iterator[Markup]:
    """The static temperature as a level line."""
    if level is not None:
        yield line(x.start, y.at(level), x.end, y.at(level), "dt-line dt-control-line")
        yield label("static", x.end, y.at(level) - 5, "end", "dt-control-line")


def _places(values: Values, at: Sequence[int], x: Axis, y: Axis) -> list[tuple[float, float]]:
    return [(x.at(across), y.at(float(up))) for across, up in zip(at, values, strict=True)]
