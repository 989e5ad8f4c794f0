"""Quality against diversity, a point for each configuration, and the front of those that none beats in both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import hypot, inf
from typing import NamedTuple

from dyntemp.evaluation.report.axes import Axis, dots, drawing, frame, label, padded, path
from dyntemp.evaluation.report.reading import Reading, average, value
from dyntemp.evaluation.results import ArmResult
from dyntemp.show.markup import Markup, element
from dyntemp.show.report_parts import counted, folded

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 300, 44, 12, 26, 258
"""Size of the drawing, and the edges of its frame."""

APART = 18
"""Pixels between two numbers at least."""

QUALITY = ("accuracy", "validity")
DIVERSITY = ("distinct@", "ead", "pass@")
"""Metrics of each axis by the start of their names; the first that the arms have is taken."""


class Point(NamedTuple):
    """A configuration with its quality and its diversity.

    Attributes:
        name: Its name.
        code: Its policy and filters.
        static: Whether its temperature is one number.
        quality: The first number.
        diversity: The second.
    """

    name: str
    code: str
    static: bool
    quality: float
    diversity: float


def fronts(one: Reading) -> Iterator[Markup]:
    """A drawing for tune, with all configurations, and one for test."""
    return filter(None, (_front(one, split) for split in ("tune", "test")))


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other has at least as much of both, by falling quality."""
    found: list[Point] = []
    for one in sorted(points, key=lambda point: (-point.quality, -point.diversity)):
        if not found or one.diversity > found[-1].diversity:
            found.append(one)
    return found


def _front(one: Reading, split: str) -> Markup | None:
    arms = one.arms(split)
    quality, diversity = _named(arms, QUALITY), _named(arms, DIVERSITY)
    if quality is None or diversity is None:
        return None
    points = [
        Point(arm.name, "; ".join(filter(None, (arm.policy, arm.filters))), _is_static(arm), good, wide) for arm in arms
        if (good := average(arm, quality)) is not None and (wide := average(arm, diversity)) is not None
    ]  # fmt: skip
    return front_figure(points, quality, diversity, f"{split}: {diversity} over {quality} of {len(points):,} arms")


def front_figure(points: Sequence[Point], quality: str, diversity: str, title: str) -> Markup | None:
    """The drawing of all points, and the list of those on the front; None without a point.

    Args:
        points: The points.
        quality: Name of the first number, along x.
        diversity: Name of the second, along y.
        title: The drawing in words, without a full stop.
    """
    if not points:
        return None
    best = front(points)
    x = Axis(*padded(point.quality for point in points), LEFT, WIDTH - RIGHT)
    y = Axis(*padded(point.diversity for point in points), BOTTOM, TOP)

    def places(some: Iterable[Point]) -> list[tuple[float, float]]:
        return [(x.at(point.quality), y.at(point.diversity)) for point in some]

    return element(
        "figure",
        element("figcaption", f"{title}. Round: the temperature varies; square: it does not. The line is the front, "
                "numbered as below."),
        drawing(
            WIDTH, HEIGHT, f"{title}; the front has {len(best)}",
            *frame(x, y, quality, diversity),
            dots(places(point for point in points if point.static), "dt-static-dots"),
            dots(places(point for point in points if not point.static), "dt-dynamic-dots"),
            path(places(best), "dt-line dt-front"),
            *_numbers(places(best)),
        ),
        folded(f"The front: {counted(len(best), 'arm')}", element("ol", *map(_told, best))),
    )  # fmt: skip


def _numbers(places: Sequence[tuple[float, float]]) -> Iterator[Markup]:
    """The numbers along the front, without those that would cover another."""
    before = (inf, inf)
    for number, (x, y) in enumerate(places, start=1):
        if hypot(x - before[0], y - before[1]) >= APART:
            before = (x, y)
            yield label(str(number), x + 6, y - 5, "start", "dt-front-number")


def _named(arms: Sequence[ArmResult], starts: Sequence[str]) -> str | None:
    """The first metric with one of these starts that all arms have."""
    names = [name for name in (arms[0].values if arms else ()) if all(name in arm.values for arm in arms)]
    return next((name for start in starts for name in names if name.startswith(start)), None)


def _is_static(arm: ArmResult) -> bool:
    """True if the policy is a number, or a control that stands for one."""
    try:
        float(arm.policy)
    except ValueError:
        return arm.control == "no_op"
    return True


def _told(point: Point) -> Markup:
    return element(
        "li", f"{point.name}: {value(point.quality)}, {value(point.diversity)} ", element("code", point.code),
    )  # fmt: skip
