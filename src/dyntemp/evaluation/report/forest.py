"""Differences with their intervals on one scale, a line each: a forest plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dyntemp.evaluation.report.axes import padded, ticks
from dyntemp.evaluation.report.reading import Reading, difference, interval
from dyntemp.evaluation.results import Comparison
from dyntemp.show.markup import Markup, element

NOTE = (
    "The dot is the mean difference to the control that leaves the method least, the bar its 95 % interval; small "
    "marks are the differences to its other controls. A method has to lie right of 0 against all."
)


class Span(NamedTuple):
    """The differences at the left and the right edge."""

    low: float
    high: float

    def place(self, value: float) -> str:
        """The place of a difference in per cent of the width."""
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}%"


def span(found: Iterable[Comparison], more: Sequence[float] = ()) -> Span:
    """A scale that holds 0 and the intervals."""
    ends = [end for one in found for end in (one.low, one.high)]
    return Span(*padded([0.0, *ends, *more]))


def forest(one: Reading) -> Markup | None:
    """The methods of a task against their hardest controls."""
    arms = (*one.methods, *one.controls)  # the no-op has a difference too, and stands last
    found = [pairs for arm in arms if (pairs := one.comparisons(arm.name))]
    if not found:
        return None
    seen = one.detectable
    scale = span([pair for pairs in found for pair in pairs], [] if seen is None else [seen])
    rows = [
        element(
            "tr", element("th", pairs[0].arm, scope="row"), element("td", bar(pairs[0], scale, pairs[1:], seen)),
        )
        for pairs in found
    ]  # fmt: skip
    told = "" if seen is None else f" Dashed: {difference(seen)}, the least that test was said to show."
    table = element(
        "table", element("caption", NOTE, told), element("tbody", *rows),
        element("tfoot", element("tr", element("th", one.metric, scope="row"), element("td", axis(scale)))),
        class_="dt-forest",
    )  # fmt: skip
    return element("figure", table)


def bar(one: Comparison, scale: Span, others: Sequence[Comparison] = (), seen: float | None = None) -> Markup:
    """One difference with its interval."""
    zero, place = scale.place(0.0), scale.place(one.difference)
    return element(
        "svg",
        element("line", x1=zero, x2=zero, y1="0", y2="100%", class_="dt-zero"),
        None if seen is None else element("line", x1=scale.place(seen), x2=scale.place(seen), y1="0", y2="100%",
                                          class_="dt-seen"),
        *(element("line", x1=scale.place(other.difference), x2=scale.place(other.difference), y1="30%", y2="70%",
                  class_="dt-other-control") for other in others),
        element("line", x1=scale.place(one.low), x2=scale.place(one.high), y1="50%", y2="50%", class_="dt-interval"),
        element("circle", cx=place, cy="50%", r="4.5", class_="dt-mean"),
        class_="dt-bar-line", role="img", aria_label=f"{difference(one.difference)}, {interval(one)}",
    )  # fmt: skip


def axis(scale: Span) -> Markup:
    """The numbers below."""
    numbers = [
        element("text", difference(value).rstrip("0").rstrip(".") if value else "0", x=scale.place(value), y="14",
                style="text-anchor:middle")
        for value in ticks(*scale, 4)
    ]  # fmt: skip
    return element("svg", *numbers, class_="dt-bar-line dt-numbers", aria_hidden="true")
