"""Numbers and small drawings of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dyntemp.comparison.figures import Figures
from dyntemp.show.markup import Markup, element
from dyntemp.show.quantity import figure
from dyntemp.statistics.spread import Distribution

LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
TITLES = {"temperature": "temperature", "entropy": "entropy of the model, nats",
          "entropy_after": "entropy of the draw, nats"}  # fmt: skip
WIDTH, BAND, AXIS, LEFT = 300, 46, 18, 22
"""Width of a drawing, height of one policy's band, height of the axis, and width of the letters, in pixels."""


def number(value: float) -> str:
    """A figure in three digits."""
    return figure(value)


def distributions(figures: Figures) -> Iterator[Markup]:
    """A drawing for each quantity: the policies' histograms below one another, on one scale."""
    for field, spread in figures.distributions.items():
        quantiles = [one.quantiles[field] for one in figures.policies]
        told = "; ".join(
            f"{letter}: median {number(at[2])}, 90% of the tokens between {number(at[0])} and {number(at[-1])}"
            for letter, at in zip(LETTERS, quantiles, strict=False)
        )
        yield element(
            "figure",
            element("figcaption", TITLES[field]),
            _drawing(spread, [at[2] for at in quantiles], f"{TITLES[field]}: {told}"),
        )


def _drawing(spread: Distribution, medians: Sequence[float], told: str) -> Markup:
    top = spread.edges[-1]
    height = BAND * len(spread.shares) + AXIS
    parts: list[Markup] = []
    for row, (shares, median) in enumerate(zip(spread.shares, medians, strict=True)):
        floor, most = BAND * (row + 1), max(shares) or 1.0
        bar = (WIDTH - LEFT) / len(shares)
        path = "".join(
            f"M{LEFT + bar * at:.1f} {floor}v{-(BAND - 6) * share / most:.1f}h{bar:.1f}V{floor}z"
            for at, share in enumerate(shares)
            if share
        )
        parts.append(element("path", d=path, class_="dt-histogram"))
        parts.append(element("line", x1=LEFT, x2=WIDTH, y1=floor, y2=floor, class_="dt-axis"))
        if median <= top:
            x = f"{LEFT + (WIDTH - LEFT) * median / top:.1f}"
            parts.append(element("line", x1=x, x2=x, y1=floor, y2=floor - BAND + 6, class_="dt-median"))
        parts.append(element("text", LETTERS[row % len(LETTERS)], x="4", y=str(floor - 6)))
    parts.append(element("text", "0", x=str(LEFT), y=str(height - 4)))
    parts.append(element("text", number(top), x=str(WIDTH), y=str(height - 4), style="text-anchor:end"))
    return element("svg", *parts, class_="dt-drawing", viewBox=f"0 0 {WIDTH} {height}", role="img", aria_label=told)
