"""Drawings of a study: intervals, best of N, the front of quality and diversity, and temperatures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log2

from dyntemp.evaluation.report.axes import Axes, Axis, label, spread
from dyntemp.evaluation.report.figures import front, fronts, mean
from dyntemp.evaluation.results import ArmResult, Comparison, Curve
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure

NAMED = 5
"""Curves with a name and a colour of their own; the others are grey."""

BAR = 240
"""Width of the drawing of one interval, in pixels."""

BINS = 24


def interval(one: Comparison, axis: Axis) -> Markup:
    """A difference and its interval as a dot on a bar, over a line at 0. The numbers stand beside it."""
    low, at, high = (BAR * axis.share(value) for value in (one.low, one.difference, one.high))
    zero = BAR * axis.share(0.0)
    kind = "dt-better" if one.low > 0 else "dt-worse" if one.high < 0 else "dt-open"
    return element(
        "svg",
        element("line", x1=f"{zero:.1f}", x2=f"{zero:.1f}", y1="0", y2="20", class_="dt-zero"),
        element("line", x1=f"{low:.1f}", x2=f"{high:.1f}", y1="10", y2="10", class_=f"dt-interval {kind}"),
        element("circle", cx=f"{at:.1f}", cy="10", r="4.5", class_=f"dt-dot {kind}"),
        class_="dt-forest", viewBox=f"-6 0 {BAR + 12} 20", aria_hidden="true",
    )  # fmt: skip


def best_of(curves: Sequence[Curve], controls: Sequence[str], metric: str) -> Markup | None:
    """Curves of best of N: the controls dashed, the best of the others in colour, the rest in grey."""
    if not curves:
        return None
    chosen = [one for one in curves if one.family in controls]
    others = sorted((one for one in curves if one.family not in controls), key=lambda one: -one.scores[-1])
    named = [*chosen, *others[:NAMED]]
    most = max(one.configurations[-1] for one in curves)
    scores = [score for one in curves for score in one.scores]
    axes = Axes(Axis(0.0, max(log2(most), 1.0), 1.0), Axis.of(scores), width=560, height=300, right=170)

    def points(one: Curve) -> list[tuple[float, float]]:
        return [axes.at(log2(n), score) for n, score in zip(one.configurations, one.scores, strict=True)]

    parts = [_path(points(one), "dt-other-curve") for one in others[NAMED:]]
    ends = [points(one)[-1] for one in named]
    for at, (one, (x, y), height) in enumerate(zip(named, ends, spread([y for _, y in ends], 14), strict=True)):
        kind = "dt-control-curve" if one in chosen else f"dt-curve dt-colour-{at - len(chosen)}"
        parts += [_path(points(one), kind), element("path", d=f"M{x} {y}L{x + 8} {height:.1f}", class_="dt-leader"),
                  label(one.family, x + 11, height + 4)]  # fmt: skip
    told = "; ".join(f"{one.family}: {figure(one.scores[0])} to {figure(one.scores[-1])}" for one in named)
    return axes.drawing(
        f"Score over the number of configurations. {told}.", "configurations tried", metric, *parts,
        named=lambda doublings: f"{2**doublings:.0f}",
    )  # fmt: skip


def quality(arms: Sequence[ArmResult]) -> tuple[Markup, list[ArmResult]] | None:
    """Quality over diversity of all configurations, and those on the front; None where two metrics are missing."""
    names = fronts(arms)
    if names is None:
        return None
    found = [
        (one, (x, y))
        for one in arms
        if (x := mean(one.values.get(names[0], ()))) is not None
        and (y := mean(one.values.get(names[1], ()))) is not None
    ]
    places = [place for _, place in found]
    axes = Axes(Axis.of([x for x, _ in places]), Axis.of([y for _, y in places]), width=480, height=320)
    on = front(places)
    steps = [axes.at(*places[at]) for at in on]
    dots = [
        element("circle", cx=x, cy=y, r="3", class_="dt-control-dot" if one.control else "dt-method-dot")
        for (one, place) in found for x, y in [axes.at(*place)]
    ]  # fmt: skip
    rings = [element("circle", cx=x, cy=y, r="5.5", class_="dt-ring") for x, y in steps]
    told = f"{len(found)} configurations, {len(on)} of them on the front."
    drawn = axes.drawing(told, names[0], names[1], _path(steps, "dt-front"), *dots, *rings)
    return drawn, [found[at][0] for at in on]


def temperatures(arm: ArmResult) -> Iterator[Markup]:
    """The histogram of an arm's temperature, and its temperature over entropy and over the largest probability."""
    if not arm.points:
        return
    entropy, likeliest, t = (list(one) for one in zip(*arm.points, strict=True))
    axis = Axis.of(t, zero=True)
    yield _figure("histogram of T", _histogram(arm, t, axis))
    if arm.spread:
        for title, values in (("entropy, nats", entropy), ("largest probability", likeliest)):
            axes = Axes(Axis.of(values, zero=True), axis)
            places = (axes.at(*one) for one in zip(values, t, strict=True))
            dots = element("path", d="".join(f"M{x} {y}h0" for x, y in places), class_="dt-points")
            yield _figure(
                f"T over {title.partition(',')[0]}",
                axes.drawing(f"{arm.name}: temperature of {len(t)} tokens.", title, "temperature", dots),
            )


def _histogram(arm: ArmResult, t: Sequence[float], axis: Axis) -> Markup:
    shares = [0.0] * BINS
    for value in t:
        shares[min(int(BINS * axis.share(value)), BINS - 1)] += 1 / len(t)
    axes = Axes(axis, Axis.of(shares, zero=True))
    width = (axis.high - axis.low) / BINS
    bars = []
    for at, share in enumerate(shares):
        (x, y), (end, floor) = axes.at(axis.low + at * width, share), axes.at(axis.low + (at + 1) * width, 0)
        bars.append(f"M{x} {floor}V{y}H{end}V{floor}z" if share else "")
    named = dict(zip(("least", "5 %", "25 %", "median", "75 %", "95 %", "most"), arm.temperatures, strict=False))
    told = ", ".join(f"{name} {figure(value)}" for name, value in named.items())
    return axes.drawing(f"{arm.name}: {told}.", "temperature", "share of tokens",
                        element("path", d="".join(bars), class_="dt-histogram"))  # fmt: skip


def _figure(title: str, drawing: Markup) -> Markup:
    return element("figure", element("figcaption", title), drawing)


def _path(points: Sequence[tuple[float, float]], kind: str) -> Markup:
    return element("polyline", points=" ".join(f"{x},{y}" for x, y in points), class_=kind)
