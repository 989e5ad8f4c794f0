"""The numbers of `plots` as PNG and SVG, through matplotlib. The same numbers give the same file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dyntemp.show.colour import STOPS
from dyntemp.show.plots import WINDOW, Run, Track, Visited, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
COLD, WARM = (tuple(channel / 255 for channel in STOPS[at]) for at in (0, 4))
INK, QUIET, FAINT = "0.15", "0.4", "0.85"
RUN_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe and Ito's colours, which differ with the common colour blindnesses too."""

DASHES = ("-", "--", "-.", ":")
"""Line styles of runs, which differ in a print without colour too."""

NAMED_TOKENS = 90
"""Most tokens that are written under the axis of a text."""

PIECE = 14
"""Most characters of a token that are written."""

SETTINGS = {
    "svg.hashsalt": "dyntemp",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "text.parse_math": False,
    "text.usetex": False,
}
"""Settings of matplotlib: an SVG keeps text as text, in the reader's fonts, and `$` is an ordinary character."""


def require() -> None:
    """Check that matplotlib is installed.

    Raises:
        ValueError: If it is missing; the message says what to install.
    """
    try:
        import matplotlib as mpl  # noqa: F401
    except ImportError:
        raise ValueError(
            "a picture needs matplotlib: run `pip install 'dyntemp[plot]'`, or leave -o out to draw in the terminal"
        ) from None


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG or SVG, by the ending of the path. The file does not depend on the time.

    Raises:
        ValueError: If the path has another ending.
    """
    import matplotlib as mpl

    kind = Path(path).suffix.lower()
    if kind not in FORMATS:
        raise ValueError(f"{path} was given; a picture's name ends in {' or '.join(FORMATS)}")
    metadata: dict[str, Any] = {"Date": None, "Creator": "dyntemp"} if kind == ".svg" else {"Software": None}
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # an SVG keeps the text, for the reader's fonts
        figure.savefig(path, format=kind[1:], dpi=150, metadata=metadata)


def draw_tracks(tracks: Sequence[Track]) -> Figure:
    """Draw temperature and signal along each text: two panels for each text, on shared scales."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    longest = max(len(track.temperature) for track in tracks)
    named = longest <= NAMED_TOKENS
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(max(7.5, 0.16 * longest) if named else 11, 4.2 * len(tracks)), layout="constrained")
        axes = figure.subplots(2 * len(tracks), 1, squeeze=False)[:, 0]
        for number, track in enumerate(tracks):
            above, below = axes[2 * number], axes[2 * number + 1]
            at = np.arange(len(track.temperature))
            _steps(above, at, track.temperature, WARM, "-", "temperature")
            above.set_title(f"{track.label}   {track.policy}", color=INK)
            above.set_ylabel("temperature")
            if track.signal == "entropy":
                _steps(below, at, track.values, COLD, "-", "of the model")
                _steps(below, at, track.after, INK, ":", "of the draw, after filters and temperature")
                below.legend(loc="upper right", frameon=False, ncols=2, bbox_to_anchor=(1, 1.22), borderpad=0)
            else:
                _steps(below, at, track.values, COLD, "-", track.signal)
            below.set_ylabel(with_unit(track.signal))
            below.set_xlabel("token")
            for axis in (above, below):
                axis.set_xlim(-0.5, longest - 0.5)
                axis.grid(visible=False, axis="x")
            if named:
                below.set_xticks(at, [_short(piece) for piece in track.pieces], rotation=90, fontsize=7)
                above.set_xticks(at, [""] * len(at))
        for row in (axes[0::2], axes[1::2]):
            top = max(axis.dataLim.y1 for axis in row)
            for axis in row:
                axis.set_ylim(0, _beyond(top))
    return figure


def draw_visited(info: Visited) -> Figure:
    """Draw the policy over the signal, above a histogram of the signal's values."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(7.5, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        if info.curve is not None:
            above.plot(*info.curve, color=WARM, linewidth=2)
        else:
            above.plot(info.values, info.temperature, "o", color=WARM, markersize=3, alpha=0.5, markeredgewidth=0)
        above.set_title(info.policy, color=INK)
        above.set_ylabel("temperature")
        above.set_ylim(0, _beyond(above.dataLim.y1))
        below.stairs(info.counts, info.edges, fill=True, color=COLD)
        below.yaxis.get_major_locator().set_params(integer=True)
        below.set_ylabel("tokens")
        below.set_xlabel(with_unit(info.signal))
    return figure


def draw_runs(runs: Sequence[Run]) -> Figure:
    """Draw temperature and entropy of each run: their quantiles, and their running means along the texts."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(11, 3.6 + 0.45 * len(runs)), layout="constrained")
        grid = figure.subplots(2, 2, height_ratios=(0.6 + 0.35 * len(runs), 2.4))
        columns = (
            ("temperature", [(run.temperature, run.mean_temperature, run.running_temperature) for run in runs]),
            ("entropy (nats)", [(run.entropy, run.mean_entropy, run.running_entropy) for run in runs]),
        )
        for column, (quantity, numbers) in enumerate(columns):
            spread, along = grid[0][column], grid[1][column]
            for row, (at, mean, running) in enumerate(numbers):
                colour, dash = RUN_COLOURS[row % len(RUN_COLOURS)], DASHES[row % len(DASHES)]
                _box(spread, row, at.tolist(), mean, colour, dash)
                along.plot(running, color=colour, linestyle=dash, linewidth=1.5)
            spread.set_yticks(range(len(runs)), [_named(run) for run in runs] if column == 0 else [])
            spread.set_ylim(len(runs) - 0.4, -0.6)
            spread.set_xlim(0, _beyond(spread.dataLim.x1))
            spread.set_xlabel(quantity)
            spread.grid(visible=False, axis="y")
            along.set_ylim(0, _beyond(along.dataLim.y1))
            along.set_xlabel("token")
            along.set_ylabel(f"{quantity}, mean of {WINDOW} tokens")
        grid[0][0].set_title("line: 5 to 95 % of the tokens; box: the middle half; bar: median; dot: mean", color=QUIET)
    return figure


def _steps(axis: Axes, at: Any, values: Any, colour: Any, dash: str, label: str) -> None:
    finite = np.where(np.isfinite(values), values, np.nan)
    axis.step(at, finite, where="mid", color=colour, linestyle=dash, linewidth=1.5, label=label)


def _box(axis: Axes, row: int, at: list[float], mean: float, colour: str, dash: str) -> None:
    """Draw quantiles as a line, a box and a bar, without infinite values."""
    low, first, middle, third, high = (value if np.isfinite(value) else np.nan for value in at)
    axis.plot([low, high], [row, row], color=colour, linestyle=dash, linewidth=1.5)
    axis.barh(row, third - first, left=first, height=0.5, color=colour, alpha=0.45)
    axis.plot([middle, middle], [row - 0.25, row + 0.25], color=INK, linewidth=2)
    axis.plot([mean], [row], "o", color=INK, markersize=4)


def _beyond(highest: float) -> float:
    """The end of an axis from 0: a little above the largest value."""
    return 1.05 * highest if np.isfinite(highest) and highest > 0 else 1.0


def _named(run: Run) -> str:
    return f"{_short(run.label, 40)}\n{_short(run.policy, 40)}"


def _short(text: str, most: int = PIECE) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
