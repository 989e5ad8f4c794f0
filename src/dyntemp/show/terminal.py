"""Text coloured by temperature, legends, tables and plots for a terminal, through Rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, Literal

from rich.cells import cell_len, set_cell_size
from rich.color import ColorSystem
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.style import Style
from rich.text import Text

from dyntemp.show.colour import Scale
from dyntemp.show.quantity import RECORDED, Quantity, figure
from dyntemp.show.words import explain, percent, quoted, temperature
from dyntemp.traces.token import Token

Colour = Literal["auto", "always", "never"]
COLOUR_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}

CONTROL_PICTURES = 0x2400
SIGNS: dict[int, int | str] = {
    **{code: CONTROL_PICTURES + code for code in range(32) if chr(code) not in "\t\n"},
    127: "\N{SYMBOL FOR DELETE}",
    **dict.fromkeys(range(128, 160), "\N{REPLACEMENT CHARACTER}"),
}
"""Visible signs for control characters."""


class _Console(Console):
    """A console that raises on a closed pipe, so that the command decides."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError

    def print(self, *objects: Any, **settings: Any) -> None:
        """Print, with signs in place of control characters, since a terminal would execute these."""
        super().print(*map(_harmless, objects), **settings)


def _harmless(what: Any) -> Any:
    if isinstance(what, str):
        return what.translate(SIGNS)
    if isinstance(what, Text) and what.plain != (plain := what.plain.translate(SIGNS)):
        what = what.copy()
        what.plain = plain  # one sign for each character, so that colours stay in place
    return what


def console(colour: Colour = "auto", *, stderr: bool = False) -> Console:
    """A console that writes text unchanged: no markup, no wrapping of streamed text, no guessed highlights.

    Args:
        colour: `auto` follows the terminal, `NO_COLOR` and `FORCE_COLOR`; `always` and `never` override them.
        stderr: True writes to the standard error.
    """
    return _Console(
        stderr=stderr,
        force_terminal=True if colour == "always" else None,
        color_system="truecolor" if colour == "always" else "auto" if colour == "auto" else None,
        no_color={"always": False, "never": True, "auto": None}[colour],
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )


def has_colours(out: Console) -> bool:
    """True if text on `out` is coloured."""
    return out.color_system is not None and not out.no_color


def write(out: Console, token: Token, scale: Scale) -> None:
    """Write the token's text unchanged, in the colour of its temperature if `out` has colours.

    Rich's own printing turns tabs into spaces and drops control characters. Only the escape character is replaced, and
    only on a terminal, which would execute the sequence after it.
    """
    text = token.text.replace("\x1b", "␛") if out.is_terminal else token.text
    if out.color_system is not None and has_colours(out):
        style = Style.parse(scale.style(token.temperature))
        text = style.render(text, color_system=COLOUR_SYSTEMS[out.color_system])
    out.file.write(text)
    out.file.flush()


def padded(text: str, columns: int) -> str:
    """Text filled with spaces to a number of columns. A wide character has two columns, a combining mark none.

    >>> padded("ab", 4) + "|", padded("東", 4) + "|"
    ('ab  |', '東  |')
    """
    return text + " " * max(columns - cell_len(text), 0)


def shortened(text: str, columns: int) -> str:
    """Text on one line, cut to a number of columns; an ellipsis in the last column marks a cut.

    >>> shortened("Name a  river.", 20), shortened("Name a river.", 8)
    ('Name a river.', 'Name a…')
    """
    line = " ".join(text.split())
    return line if cell_len(line) <= columns else set_cell_size(line, columns - 1).rstrip() + "…"


def legend(scale: Scale, name: str = "T", width: int = 24) -> Text:
    """A bar of the scale between its ends."""
    text = Text(f"{name} {scale.low:.2f} ")
    for cell in range(width):
        text.append("━", style=scale.style(scale.low + (scale.high - scale.low) * cell / (width - 1)))
    return text.append(f" {scale.high:.2f}")


def explanation(
    token: Token,
    scale: Scale,
    by: Quantity = RECORDED["temperature"],
    coloured: Token | None = None,
    change: str = "",
) -> Iterator[RenderableType]:
    """Two lines about one token: its figures, before and after filters and temperature, and a sentence.

    Args:
        token: The record.
        scale: The scale of the colours.
        by: The quantity that colours the token; its value is among the figures.
        coloured: The record whose value is the colour, if not `token`.
        change: The effect of another policy, for a third line.
    """
    value = by.value(coloured or token)
    style = "" if value is None else scale.style(value)
    figures = Text(f"{token.position:>5}  ")
    figures.append(f"{padded(quoted(token), 18)} ", style=f"bold {style}")
    if by.name != "temperature":
        figures.append(f"{by.name} {'-' if value is None else figure(value):<6} ", style=style)
    figures.append(f"T {temperature(token.temperature):<6} ", style=style if by.name == "temperature" else "")
    figures.append(
        f"entropy {token.signals['entropy']:5.2f} → {token.entropy_after:<5.2f} "
        f"p {percent(token.probability):>6} → {percent(token.probability_after)}"
    )
    yield figures
    yield Padding(Text(explain(token), style="dim"), (0, 0, 0, 7), expand=False)
    if change:
        yield Padding(Text(change), (0, 0, 0, 7), expand=False)


def plot(x: Sequence[float], y: Sequence[float], height: int = 10) -> list[str]:
    """A curve as lines of text, one column for each point; y goes in equal steps from the smallest to the largest."""
    shown = [value for value in y if isfinite(value)]
    if not shown:
        return ["nothing finite to draw"]
    low, high = min(shown), max(shown)
    span = high - low
    levels = [round((value - low) / span * (height - 1)) if span else 0 for value in shown]
    rows = range(height - 1, -1, -1) if span else range(1)
    lines = []
    for row in rows:
        at = low + span * row / (height - 1)
        cells = "".join("●" if level == row else "·" if row < level else " " for level in levels)
        shown_at = f"{at:8.3f}" if at == 0 or 1e-3 <= abs(at) < 1e4 else f"{at:8.2g}"
        lines.append(f"{shown_at} ┤{cells}")
    lines.append(" " * 9 + "└" + "─" * len(shown))
    first, last = f"{x[0]:.2f}", f"{x[-1]:.2f}"
    lines.append(" " * 10 + first + " " * max(1, len(shown) - len(first) - len(last)) + last)
    return lines
