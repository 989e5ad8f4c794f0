"""The numbers of `plots` drawn with characters. 80 columns are enough; colours only repeat the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, isfinite

import numpy as np
from rich.cells import cell_len
from rich.text import Text

from dyntemp.language.policy import Policy
from dyntemp.show.colour import Scale
from dyntemp.show.curve import curve_info, held
from dyntemp.show.plots import WINDOW, Run, Track, Values, Visited, with_unit
from dyntemp.show.terminal import plot

COLUMNS = 80
BARS = " ▁▂▃▄▅▆▇█"
CHART, HEIGHT = 56, 8
"""Columns and lines of a chart."""

NAMED_TOKENS = 400
"""Most tokens of a text that have a bar each; of a longer text, the first ones."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BRAILLE = 0x2800
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character, by line and column."""


def draw_track(track: Track) -> Iterator[Text]:
    """Draw charts of the whole text, then the text itself with bars over its tokens."""
    count = len(track.temperature)
    scale = _scale(track.temperature)
    yield Text(f"{track.label}   {track.policy}", style="bold")
    quantities = [("temperature", track.temperature), (with_unit(track.signal), track.values)]
    if track.signal == "entropy":
        quantities.append(("entropy of the draw (nats)", track.after))
    for name, values in quantities:
        yield Text(f"\n{name}: {_figures(values)}")
        yield from _columns(values, scale if name == "temperature" else None)
    highest = _highest(track.values)
    yield Text(f"\nT: temperature, █ is {_number(scale.high)};  S: {track.signal}, █ is {highest:.3g}")
    for first, last in _lines(track.pieces[:NAMED_TOKENS]):
        yield from _aligned(track, first, last, scale, highest)
    if count > NAMED_TOKENS:
        yield Text(f"... and {count - NAMED_TOKENS:,} tokens more, which the charts above hold")


def draw_visited(info: Visited) -> Iterator[Text]:
    """Draw the policy over the signal, above a histogram of the signal."""
    scale = _scale(info.temperature)
    yield Text(info.policy, style="bold")
    yield Text(f"\ntemperature: {_figures(info.temperature)}")
    x, y = info.curve if info.curve is not None else (info.values, info.temperature)
    yield from _dots(x, y, (float(info.edges[0]), float(info.edges[-1])), scale)
    yield Text(f"\ntokens at each {with_unit(info.signal)}: {_figures(info.values)}")
    counts = np.asarray(np.histogram(info.values, CHART, (info.edges[0], info.edges[-1]))[0], np.float64)
    yield from _bars(counts, None, 4, "{:8.0f}")
    yield _under(f"{info.edges[0]:.3g}", f"{info.edges[-1]:.3g}")


def draw_policy(policy: Policy, vocabulary: int) -> Iterator[Text]:
    """Draw a policy without free parameters over the entropy of rows, from certain to uniform."""
    curve = curve_info(policy, vocabulary)
    still = [f"{signal} = {value:g}" for signal, value in held(policy).items()]
    if policy.remembers:
        still.append("at the first token")
    yield Text(f"\n  temperature over the row's entropy in nats ({'; '.join(['Zipf-shaped rows', *still])})")
    for line in plot(curve.entropy.tolist(), curve.temperature.tolist()):
        yield Text(f"  {line}")


def draw_runs(runs: Sequence[Run]) -> Iterator[Text]:
    """Draw quantiles of temperature and entropy, a line for each run, and then their running means."""
    letters = [LETTERS[number] if number < len(LETTERS) else "·" for number in range(len(runs))]
    for letter, run in zip(letters, runs, strict=True):
        texts = f"{run.texts} texts, " if run.texts > 1 else ""
        yield Text(f"{letter}  {run.label}: {texts}{run.tokens:,} tokens   {run.policy}", style="bold")
    quantities = (
        ("temperature", [(run.temperature, run.mean_temperature, run.running_temperature) for run in runs]),
        ("entropy (nats)", [(run.entropy, run.mean_entropy, run.running_entropy) for run in runs]),
    )
    for name, numbers in quantities:
        top = _highest(np.concatenate([at for at, _, _ in numbers]))
        yield Text(f"\n{name:<51}    mean    5 %   50 %   95 %")
        for letter, (at, mean, _) in zip(letters, numbers, strict=True):
            figures = "".join(f"{_number(value):>7}" for value in (mean, at[0], at[2], at[4]))
            yield Text(f"{letter} {_box(at, top, 49)} {figures}")
        yield Text(f"  0{top:>48.3g}")
    yield Text("  ├ 5 to 95 % of the tokens ┤   ▒ the middle half   ┃ median")
    for name, numbers in quantities:
        yield Text(f"\n{name}, mean of {WINDOW} tokens, along the text")
        yield from _letters(letters, [running for _, _, running in numbers])


def draw_curve(name: str, x: Values, y: Values) -> Iterator[Text]:
    """Draw a line through points, from the lowest y to the highest; x rises."""
    yield Text(f"{name}: {_figures(y)}")
    across = np.linspace(x[0], x[-1], 2 * CHART)
    low, high = float(y.min()), float(y.max())
    yield from _dots(
        across, np.interp(across, x, y), (float(x[0]), float(x[-1])), Scale(low, high if high > low else low + 1)
    )
    yield _under(f"{x[0]:.3g}", f"{x[-1]:.3g}")


def _columns(values: Values, scale: Scale | None) -> Iterator[Text]:
    """A bar chart of a text in at most `CHART` columns; each bar is the mean of its tokens."""
    size = max(1, ceil(len(values) / CHART))
    parts = [_mean(values[at : at + size]) for at in range(0, len(values), size)]
    yield from _bars(np.array(parts), scale, 4, "{:8.3g}")
    each = "" if size == 1 else f"; a column is the mean of {size} tokens"
    yield Text(f"{'':10}tokens 0 to {len(values) - 1}{each}")


def _bars(values: Values, scale: Scale | None, height: int, form: str) -> Iterator[Text]:
    """Upright bars from 0, one column each, in eighths of a line."""
    top = _highest(values)
    for row in reversed(range(height)):
        label = form.format(top) if row == height - 1 else form.format(0) if row == 0 else " " * 8
        line = Text(f"{label} ┤")
        for value in values:
            share = (min(value, top) if value > 0 else 0.0) / top * height - row
            eighths = min(max(round(8 * share), 0), 8)
            if row == 0 and value > 0:
                eighths = max(eighths, 1)  # a value above 0 is always visible
            line.append(BARS[eighths], style=scale.style(float(value)) if scale else "")
        yield line


def _dots(x: Values, y: Values, ends: tuple[float, float], scale: Scale) -> Iterator[Text]:
    """A chart of points in braille, two by four points to a character, between the ends of the scale."""
    low, top = scale.low, scale.high
    cells = np.zeros((HEIGHT, CHART), int)
    for across, up in zip(x, np.minimum(y, top), strict=True):
        column = min(int((across - ends[0]) / (ends[1] - ends[0]) * 2 * CHART), 2 * CHART - 1)
        down = 4 * HEIGHT - 1 - min(int((up - low) / (top - low) * 4 * HEIGHT), 4 * HEIGHT - 1)
        cells[down // 4, column // 2] |= DOTS[down % 4][column % 2]
    for row, line_cells in enumerate(cells.tolist()):
        label = f"{top:8.3g}" if row == 0 else f"{low:8.3g}" if row == HEIGHT - 1 else " " * 8
        height = low + (top - low) * (HEIGHT - row - 0.5) / HEIGHT
        line = Text(f"{label} ┤")
        line.append("".join(chr(BRAILLE + bits) if bits else " " for bits in line_cells), style=scale.style(height))
        yield line


def _letters(letters: Sequence[str], series: Sequence[Values]) -> Iterator[Text]:
    """A chart of several lines, each drawn with its letter, with `*` where lines meet."""
    length = max(map(len, series))
    top = _highest(np.concatenate(list(series)))
    rows = [[" "] * min(CHART, length) for _ in range(HEIGHT)]
    for letter, values in zip(letters, series, strict=True):
        for column in range(min(CHART, length)):
            at = round(column * (length - 1) / max(min(CHART, length) - 1, 1))
            if at < len(values) and isfinite(values[at]):
                row = HEIGHT - 1 - min(int(values[at] / top * HEIGHT), HEIGHT - 1)
                rows[row][column] = letter if rows[row][column] == " " else "*"
    for row, cells in enumerate(rows):
        label = f"{top:8.3g}" if row == 0 else f"{0:8.3g}" if row == HEIGHT - 1 else " " * 8
        yield Text(f"{label} ┤{''.join(cells)}")
    yield _under("token 0", f"{length - 1}", min(CHART, length))


def _aligned(track: Track, first: int, last: int, scale: Scale, highest: float) -> Iterator[Text]:
    """A line of the text below its bars, with the means of the line at its end."""
    hot, signal, words = Text("T "), Text("S "), Text("  ")
    for at in range(first, last):
        width = cell_len(track.pieces[at])
        temperature, value = float(track.temperature[at]), float(track.values[at])
        style = scale.style(temperature)
        hot.append(_bar(temperature, scale.high) * width, style=style)
        signal.append(_bar(value, highest) * width)
        words.append(track.pieces[at], style=style)
    room = COLUMNS - 7
    for line, values in ((hot, track.temperature), (signal, track.values)):
        yield line.append(" " * max(1, room - line.cell_len)).append(f"{_number(_mean(values[first:last])):>6}")
    yield words


def _lines(pieces: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The tokens on each line of the text, as (first, one past the last)."""
    room = COLUMNS - 10
    first = width = 0
    for at, piece in enumerate(pieces):
        if width and (width + cell_len(piece) > room or "⏎" in pieces[at - 1]):
            yield first, at
            first, width = at, 0
        width += cell_len(piece)
    if first < len(pieces):
        yield first, len(pieces)


def _box(at: Values, top: float, width: int) -> str:
    """Quantiles drawn on a line from 0 to `top`."""
    low, first, middle, third, high = (
        min(round(min(max(value, 0.0), top) / top * (width - 1)), width - 1) for value in at
    )
    cells = [" "] * width
    cells[low : high + 1] = "─" * (high + 1 - low)
    cells[low], cells[high] = "├", "┤"
    cells[first : third + 1] = "▒" * (third + 1 - first)
    cells[middle] = "┃"
    return "".join(cells)


def _bar(value: float, top: float) -> str:
    """One of eight bars, by height; the lowest stands for 0 too."""
    return BARS[1 + min(int(min(max(value, 0.0), top) / top * 8), 7)] if value == value else " "  # noqa: PLR0124 (NaN)


def _under(left: str, right: str, columns: int = CHART) -> Text:
    return Text(" " * 10 + left + " " * max(1, columns - len(left) - len(right)) + right)


def _figures(values: Values) -> str:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return "nothing finite"
    beyond = f"; {len(values) - len(finite)} infinite" if len(finite) < len(values) else ""
    return (
        f"mean {_number(_mean(values))}, from {_number(float(finite.min()))} to {_number(float(finite.max()))}{beyond}"
    )


def _mean(values: Values) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _highest(values: Values) -> float:
    """The largest finite value; 1 if that is 0 or there is none."""
    finite = values[np.isfinite(values)]
    return (float(finite.max()) if len(finite) else 0.0) or 1.0


def _scale(temperature: Values) -> Scale:
    return Scale(0.0, _highest(temperature))


def _number(value: float) -> str:
    return "inf" if value == float("inf") else "-" if not isfinite(value) else f"{value:.3g}"
