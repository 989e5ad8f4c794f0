"""Best-of-N curves: what a budget of configurations buys, on items that did not choose among them."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from dyntemp.evaluation.report.axes import Axis, drawing, frame, label, padded, path
from dyntemp.evaluation.report.reading import Reading, value
from dyntemp.evaluation.results import Curve
from dyntemp.show.markup import Markup, element
from dyntemp.show.report_parts import folded, headed, row, scrolling

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 280, 44, 146, 26, 238
"""Size of the drawing, and the edges of its frame; names stand to the right."""

NAMED = 4
"""Methods whose curves are named: those that end highest."""

LINE, LONGEST = 13, 19
"""Height of a name, and its most characters."""


def best_of(one: Reading) -> Markup | None:
    """The curves of a task: a few are named, all are in a table."""
    found = sorted(
        (curve for curve in one.results.curves if curve.task == one.task.name), key=lambda curve: -curve.scores[-1]
    )
    if not found:
        return None
    controls = [curve for curve in found if _is_control(one, curve)]
    others = [curve for curve in found if curve not in controls]
    named, rest = [*controls, *others[:NAMED]], others[NAMED:]
    most = max(curve.configurations[-1] for curve in found)
    x = Axis(0, max(log2(most), 1), LEFT, WIDTH - RIGHT)
    y = Axis(*padded(score for curve in found for score in curve.scores), BOTTOM, TOP)
    ends = apart([y.at(curve.scores[-1]) for curve in named])
    told = f"Best of N of {len(found)} families; highest with {most}: {found[0].family}, {value(found[0].scores[-1])}"
    caption = (
        f"{one.metric} of the best of N configurations of a family: chosen on one half of tune, scored on the other. "
        f"Dashed: controls; blue: the {len(others[:NAMED])} other families that end highest; grey: the rest."
    )
    return element(
        "figure",
        element("figcaption", caption),
        drawing(
            WIDTH, HEIGHT, told,
            *_grid(x, y, most, one.metric),
            *(path(_places(curve, x, y), "dt-line dt-quiet-line") for curve in rest),
            *(path(_places(curve, x, y), f"dt-line {_kind(curve in controls)}") for curve in named),
            *(label(_short(curve.family), x.end + 8, at + 4, "start", _kind(curve in controls))
              for curve, at in zip(named, ends, strict=True)),
        ),
        folded(f"The numbers of all {len(found)} families", _table(one, found)),
    )  # fmt: skip


def _is_control(one: Reading, curve: Curve) -> bool:
    return any(arm.family == curve.family for arm in one.controls if arm.of is None)


def _kind(control: object) -> str:
    return "dt-control-line" if control else "dt-method-line"


def _grid(x: Axis, y: Axis, most: int, metric: str) -> list[Markup]:
    """The frame; N stands at powers of two."""
    numbers = [2**at for at in range(0, int(x.high) + 1, 1 if x.high < 6 else 2) if 2**at <= most]
    bare = frame(x, y, "N, configurations tried", metric, x_ticks=[])
    return [*bare, *(label(str(n), x.at(log2(n)), y.start + 17, "middle") for n in numbers)]


def _places(curve: Curve, x: Axis, y: Axis) -> list[tuple[float, float]]:
    return [(x.at(log2(n)), y.at(score)) for n, score in zip(curve.configurations, curve.scores, strict=True)]


def apart(heights: Sequence[float]) -> list[float]:
    """The heights of names, moved so that none covers another and all are inside."""
    order = sorted(range(len(heights)), key=lambda at: heights[at])
    placed = list(heights)
    above: float = TOP - LINE
    for at in order:
        above = placed[at] = max(placed[at], above + LINE)
    below: float = BOTTOM + LINE
    for at in reversed(order):
        below = placed[at] = min(placed[at], below - LINE)
    return placed


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _table(one: Reading, found: Sequence[Curve]) -> Markup:
    numbers = sorted({n for curve in found for n in curve.configurations})
    rows = [
        row(
            curve.family,
            *(value(dict(zip(curve.configurations, curve.scores, strict=True)).get(n)) for n in numbers),
            f"{curve.tokens[-1]:,.0f}" if curve.tokens[-1] else "computed",
        )
        for curve in found
    ]
    table = headed(("family", *(f"N = {n}" for n in numbers), "tokens for all"), rows)
    return scrolling(f"Best of N on {one.task.name}", table)
