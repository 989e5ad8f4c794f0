"""Quality against diversity, a point for each configuration, and the front of those that none beats in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """An arm with its quality and its diversity."""

    arm: ArmResult
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
        Point(arm, good, wide) for arm in arms
        if (good := average(arm, quality)) is not None and (wide := average(arm, diversity)) is not None
    ]  # fmt: skip
    if not points:
        return None
    best = front(points)
    x = Axis(*padded(point.quality for point in points), LEFT, WIDTH - RIGHT)
    y = Axis(*padded(point.diversity for point in points), BOTTOM, TOP)
    places = [(x.at(point.quality), y.at(point.diversity)) for point in points]
    static = [_is_static(point.arm) for point in points]
    told = f"{len(points)} arms on {split}; the front has {len(best)}"
    return element(
        "figure",
        element("figcaption", f"{split}: {diversity} over {quality} of {len(points):,} arms. Round: the temperature "
                "varies; square: it does not. The line is the front, numbered as below."),
        drawing(
            WIDTH, HEIGHT, told,
            *frame(x, y, quality, diversity),
            dots([at for at, fixed in zip(places, static, strict=True) if fixed], "dt-static-dots"),
            dots([at for at, fixed in zip(places, static, strict=True) if not fixed], "dt-dynamic-dots"),
            path([(x.at(point.quality), y.at(point.diversity)) for point in best], "dt-line dt-front"),
            *_numbers([(x.at(point.quality), y.at(point.diversity)) for point in best]),
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
    filters = f"; {point.arm.filters}" if point.arm.filters else ""
    return element(
        "li", f"{point.arm.name}: {value(point.quality)}, {value(point.diversity)} ",
        element("code", f"{point.arm.policy}{filters}"),
    )  # fmt: skip
