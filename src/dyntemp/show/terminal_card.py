"""The card of a token for a terminal: the sentence, the policy's sum, candidates with bars, all figures."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dyntemp.show.card import Card, Row, name_of, state, sums
from dyntemp.show.words import percent

BAR, NARROW_BAR = 14, 6
"""Columns of the largest bar; the second number where three bars stand side by side."""

EIGHTHS = " ▏▎▍▌▋▊▉█"


def card_view(shown: Card) -> Iterator[RenderableType]:
    """The card as parts for Rich, one below the other."""
    yield Text.assemble(f"{shown.position:>5}  ", (f"`{shown.name}`", "bold"), f"  {shown.came}")
    yield Padding(Text(shown.sentence), (1, 0, 0, 7), expand=False)
    if shown.change:
        yield Padding(Text(f"under the other policy: {shown.change}"), (0, 0, 0, 7), expand=False)
    if shown.terms:
        yield Padding(Text(f"T = {sums(shown)}"), (0, 0, 0, 7), expand=False)
    if shown.rows:
        yield Padding(_candidates(shown), (1, 0, 1, 7), expand=False)
    figures = Table.grid(padding=(0, 2))
    for at in range(0, len(shown.figures), 2):
        pair = shown.figures[at : at + 2]
        figures.add_row(*(cell for one in pair for cell in (Text(one.label, style="dim"), Text(one.text))))
    yield Padding(figures, (0, 0, 1, 7), expand=False)


def bar(share: float, columns: int) -> str:
    """A bar of up to `columns` columns, in eighths; a share above 0 has at least one eighth.

    >>> bar(0.5, 4), bar(0.01, 4), bar(0.0, 4)
    ('██  ', '▏   ', '    ')
    """
    eighths = max(round(share * columns * 8), 1 if share > 0 else 0)
    full, part = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[part] if part else "")).ljust(columns)


def _candidates(shown: Card) -> Table:
    """The candidates with bars before and after; dropped candidates stay, dimmed."""
    compared = any(row.now is not None for row in shown.rows)
    largest = max(max(row.before, row.after, row.now or 0.0) for row in shown.rows) or 1.0
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for head in ("token", "before", "", "after", "", *(("replay", "") if compared else ()), ""):
        table.add_column(head, no_wrap=True, justify="right" if head in ("before", "after", "replay") else "left")
    for row in shown.rows:
        table.add_row(*_cells(row, shown, largest, compared=compared), style=_style(row))
    return table


def _cells(row: Row, shown: Card, largest: float, *, compared: bool) -> Iterator[Text]:
    yield Text(name_of(row))
    for share in (row.before, row.after, *((row.now or 0.0,) if compared else ())):
        yield Text(percent(share))
        yield Text(bar(share / largest, NARROW_BAR if compared else BAR))
    yield Text(state(row, shown.chosen))


def _style(row: Row) -> str:
    return "bold" if row.chosen else "dim" if row.dropped else ""
