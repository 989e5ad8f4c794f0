"""Options of `dyntemp learn` that learning on a task and learning from texts share."""

from __future__ import annotations

from dyntemp.cli import UsageError


def span(text: str) -> tuple[float, float]:
    """The two numbers on both sides of a colon.

    Raises:
        UsageError: For another text.

    >>> span("0.1:3")
    (0.1, 3.0)
    """
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise UsageError(f"--bounds {text} was given; two numbers are expected, such as 0.1:3") from None
