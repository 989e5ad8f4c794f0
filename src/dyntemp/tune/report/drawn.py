"""The drawings of a search: its values over each parameter, and over two of them, with the trials as points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dyntemp.evaluation.report.axes import Axis, dots, drawing, frame, padded
from dyntemp.evaluation.report.fronts import Point, front_figure
from dyntemp.evaluation.report.reading import value
from dyntemp.show.markup import Markup, element
from dyntemp.statistics.estimate import Values
from dyntemp.tune.report.reading import Search, searches
from dyntemp.tune.results import Parameter, TuningResults
from dyntemp.tune.sensitivity import place

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 260, 48, 12, 26, 218
"""Size of a drawing, and the edges of its frame."""

CELLS = 24
"""Cells of a surface along each side."""

NEAR = 0.12
"""Standard deviation of the kernel of a surface, as a share of each range."""

FAR = 2.5
"""Cells whose nearest trial is farther than so many standard deviations stay empty."""

SHADES = 8
"""Shades of a surface."""


def slices(search: Search) -> Iterator[Markup]:
    """A drawing for each parameter and objective: the value of every complete trial over the parameter."""
    for at, objective in enumerate(search.results.objectives):
        for name, parameter in search.space.parameters.items():
            if search.complete:
                yield _slice(search, name, parameter, at, objective.name)


def _slice(search: Search, name: str, parameter: Parameter, at: int, objective: str) -> Markup:
    x = Axis(parameter.low, parameter.high, LEFT, WIDTH - RIGHT, parameter.log)
    y = Axis(*padded(one.measured.values[at] for one in search.complete), BOTTOM, TOP)
    shown = [(x.at(one.parameters[name]), y.at(one.measured.values[at])) for one in search.complete]
    told = f"{objective} over {name} of {len(shown)} trials"
    return element(
        "figure",
        element("figcaption", f"{told}; the ring is the winner."),
        drawing(
            WIDTH, HEIGHT, told,
            *frame(x, y, name, objective),
            dots(shown, "dt-dynamic-dots"),
            *_ring(search, shown),
        ),
    )  # fmt: skip


def surface(search: Search, names: Sequence[str], at: int = 0) -> Markup | None:
    """The value over two parameters, between the trials by a Gaussian kernel; None with fewer parameters or trials.

    Args:
        search: The search.
        names: Its parameters, the most important first; the first two are drawn.
        at: Number of the objective.
    """
    if len(names) < 2 or not search.complete:
        return None
    across, up = names[:2]
    first, second = search.space.parameters[across], search.space.parameters[up]
    x = Axis(first.low, first.high, LEFT, WIDTH - RIGHT, first.log)
    y = Axis(second.low, second.high, BOTTOM, TOP, second.log)
    values = np.array([one.measured.values[at] for one in search.complete])
    places = np.array([[place(first, one.parameters[across]), place(second, one.parameters[up])]
                       for one in search.complete])  # fmt: skip
    smooth = smoothed(places, values)
    low, high = float(np.nanmin(smooth)), float(np.nanmax(smooth))
    objective = search.results.objectives[at].name
    told = f"{objective} over {across} and {up}, from {value(low)} (light) to {value(high)} (dark)"
    shown = [(x.at(one.parameters[across]), y.at(one.parameters[up])) for one in search.complete]
    return element(
        "figure",
        element("figcaption", f"{told}. Points: {len(shown)} trials; the ring is the winner. Between them, a mean of "
                "the trials near by, whatever their other parameters; empty where none is near."),
        drawing(
            WIDTH, HEIGHT, told,
            *_shades(smooth, low, high),
            *frame(x, y, across, up),
            dots(shown, "dt-trial-dots"),
            *_ring(search, shown),
        ),
    )  # fmt: skip


def smoothed(places: Values, values: Values) -> Values:
    """The mean of the trials near the middle of each cell of the unit square (Nadaraya 1964, Watson 1964).

    Args:
        places: The place of each trial, [trials, 2], from 0 to 1.
        values: The value of each, [trials].

    Returns:
        [CELLS, CELLS], by the first parameter, then by the second; NaN where no trial is near.
    """
    middles = (np.arange(CELLS) + 0.5) / CELLS
    distances = sum(
        ((middles.reshape(shape) - places[:, side].reshape(1, 1, -1)) / NEAR) ** 2
        for side, shape in enumerate(((-1, 1, 1), (1, -1, 1)))
    )
    weights = np.exp(-np.asarray(distances) / 2)
    means = weights @ values / np.maximum(weights.sum(axis=-1), 1e-300)
    return np.where(np.min(distances, axis=-1) <= FAR**2, means, np.nan)


def front(results: TuningResults) -> Markup | None:
    """The complete trials of both searches by two objectives, and their front; None for one objective."""
    if len(results.objectives) != 2:
        return None
    quality, diversity = (one.name for one in results.objectives)
    points = [
        Point(f"{one.family} #{one.number}", "; ".join(filter(None, (one.policy, one.filters))), search.space.control,
              *one.measured.values)
        for search in searches(results) for one in search.complete
    ]  # fmt: skip
    return front_figure(points, quality, diversity, f"tune: {diversity} over {quality} of {len(points):,} trials")


def _shades(smooth: Values, low: float, high: float) -> Iterator[Markup]:
    """A path for each shade, of all cells that have it."""
    wide, tall = (WIDTH - RIGHT - LEFT) / CELLS, (BOTTOM - TOP) / CELLS
    shares = (smooth - low) / (high - low) if high > low else np.where(np.isnan(smooth), np.nan, 0.5)
    for shade in range(SHADES):
        cells = np.argwhere(np.clip(np.floor(shares * SHADES), 0, SHADES - 1) == shade)
        if len(cells):
            rectangles = (f"M{LEFT + wide * at:.1f} {BOTTOM - tall * up:.1f}h{wide:.1f}v-{tall:.1f}h-{wide:.1f}z"
                          for at, up in cells.tolist())  # fmt: skip
            opacity = f"{(shade + 1) / (SHADES + 1):.2f}"
            yield element("path", d="".join(rectangles), class_="dt-mean", fill_opacity=opacity)


def _ring(search: Search, places: Sequence[tuple[float, float]]) -> Iterator[Markup]:
    """A ring around the winner."""
    for (x, y), one in zip(places, search.complete, strict=True):
        if search.winner is not None and one.number == search.winner.number:
            yield element("circle", cx=x, cy=y, r=6, class_="dt-line dt-front")
