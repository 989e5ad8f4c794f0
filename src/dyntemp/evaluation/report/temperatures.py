"""The temperatures that each method chose: how they spread, and over entropy and the largest probability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dyntemp.evaluation.report.axes import Axis, dots, drawing, label, line
from dyntemp.evaluation.report.reading import Reading, value
from dyntemp.evaluation.results import ArmResult
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure

WIDTH, HEIGHT, TOP, BOTTOM = 420, 150, 10, 116
PANELS = ((34.0, 120.0), (140.0, 270.0), (290.0, 412.0))
"""Left and right edge of each panel: shares, entropy, largest probability."""

BINS = 24

NOTE = (
    "Left: how the temperatures spread. Middle: temperature over the entropy of the model. Right: over its largest "
    "probability. All methods have one scale; hotter tokens lie at its edge."
)


def temperatures(one: Reading) -> Iterator[Markup]:
    """A drawing for each method on test whose tokens were recorded."""
    recorded = [arm for arm in one.methods if arm.points]
    if not recorded:
        return
    hottest = max(arm.temperatures[-2] for arm in recorded) * 1.1 or 1.0
    widest = max(max(entropy for entropy, *_ in arm.points) for arm in recorded) or 1.0
    y = Axis(0.0, hottest, BOTTOM, TOP)
    for arm in recorded:
        yield element("figure", element("figcaption", *_caption(arm)), _drawing(arm, y, widest))


def _caption(arm: ArmResult) -> Sequence[str]:
    low, high = arm.temperatures[1], arm.temperatures[-2]
    told = f" mean T {value(arm.temperature)} ± {value(arm.spread)}; 90 % of the tokens {figure(low)} to {figure(high)}"
    return element("b", arm.name), told


def _drawing(arm: ArmResult, y: Axis, widest: float) -> Markup:
    shares, entropy, likeliest = (
        Axis(0.0, most, *edges) for most, edges in zip((1.0, widest, 1.0), PANELS, strict=True)
    )
    told = f"Temperatures of {arm.name}: median {figure(arm.temperatures[3])}"
    return drawing(
        WIDTH, HEIGHT, told,
        *(line(axis.start, BOTTOM, axis.end, BOTTOM, "dt-axis") for axis in (shares, entropy, likeliest)),
        *(line(axis.start, BOTTOM, axis.start, TOP, "dt-axis") for axis in (shares, entropy, likeliest)),
        *(label(figure(at), shares.start - 5, y.at(at) + 4, "end") for at in y.ticks(3)),
        _bars([temperature for *_, temperature in arm.points], shares, y),
        dots([(entropy.at(h), y.at(t)) for h, _, t in arm.points], "dt-dynamic-dots"),
        dots([(likeliest.at(p), y.at(t)) for _, p, t in arm.points], "dt-dynamic-dots"),
        label("T", shares.start, HEIGHT - 18, "start"),
        label("0", entropy.start, HEIGHT - 18, "start"),
        label(f"{figure(widest)} nats", entropy.end, HEIGHT - 18, "end"),
        label("0", likeliest.start, HEIGHT - 18, "start"),
        label("1", likeliest.end, HEIGHT - 18, "end"),
        label("share", shares.end, HEIGHT - 4, "end"),
        label("entropy", entropy.end, HEIGHT - 4, "end"),
        label("largest probability", likeliest.end, HEIGHT - 4, "end"),
    )  # fmt: skip


def _bars(values: Sequence[float], x: Axis, y: Axis) -> Markup:
    """A histogram that lies on its side, so that it shares the temperature's axis with the dots."""
    counts = [0] * BINS
    for one in values:
        counts[min(int(one / y.high * BINS), BINS - 1)] += 1
    most = max(counts)
    tall = (y.start - y.end) / BINS
    bars = "".join(
        f"M{x.start:g} {y.start - tall * at:.1f}H{x.at(count / most):g}v{-tall:.1f}H{x.start:g}z"
        for at, count in enumerate(counts)
        if count
    )
    return element("path", d=bars, class_="dt-histogram")
