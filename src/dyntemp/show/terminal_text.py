"""A running text for a terminal: coloured by a quantity, and its numbers below each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from dyntemp.show.colour import Scale
from dyntemp.show.quantity import Quantity, short
from dyntemp.show.words import flowing
from dyntemp.traces.token import Token


@dataclass(frozen=True, slots=True)
class Cell:
    """One token as it stands in a line.

    Attributes:
        text: As it is shown.
        number: What stands below it; may be empty.
        style: How Rich writes it.
        breaks: How many lines end behind it.
    """

    text: str
    number: str
    style: str
    breaks: int = 0

    @property
    def joins(self) -> bool:
        """Whether it goes on with the word before it."""
        return not self.text.startswith((" ", "␣"))


class Line(NamedTuple):
    """A line of text and, where numbers are shown, the line below it."""

    text: Text
    numbers: Text | None


def lines(
    tokens: Sequence[Token], measure: Quantity, scale: Scale, width: int, *, numbers: bool = False,
    marked: Sequence[bool] = (),
) -> Iterator[Line]:  # fmt: skip
    """The tokens in lines of at most `width` columns, broken between words where that is possible.

    Args:
        tokens: Of one request, in order.
        measure: What colours them, and what the numbers tell.
        scale: Of the colours.
        width: Columns.
        numbers: Whether each token's number stands below it.
        marked: For each token, whether it is underlined, and its number starred.
    """
    marks = marked or [False] * len(tokens)
    cells = [_cell(token, measure, scale, marked=mark) for token, mark in zip(tokens, marks, strict=True)]
    line: list[Cell] = []
    for word in _words(cells):
        if line and _width([*line, *word], numbers=numbers) > width:
            yield _line(line, numbers=numbers)
            line = []
        for cell in word:
            if line and _width([*line, cell], numbers=numbers) > width:
                yield _line(line, numbers=numbers)
                line = []
            line.append(cell)
        if word[-1].breaks:
            yield _line(line, numbers=numbers)
            yield from (_line([], numbers=False) for _ in range(word[-1].breaks - 1))
            line = []
    if line:
        yield _line(line, numbers=numbers)


def _cell(token: Token, measure: Quantity, scale: Scale, *, marked: bool) -> Cell:
    shown, is_mark = flowing(token)
    value = measure.value(token)
    style = "" if value is None else scale.style(value)
    style += " italic" if is_mark else ""
    number = "" if value is None else short(value)
    return Cell(
        shown, f"*{number}" if marked else number, f"{style} underline" if marked else style, token.text.count("\n")
    )


def _words(cells: Sequence[Cell]) -> Iterator[list[Cell]]:
    """Runs of cells that a line keeps together."""
    word: list[Cell] = []
    for cell in cells:
        if word and (not cell.joins or word[-1].breaks):
            yield word
            word = []
        word.append(cell)
    if word:
        yield word


def _placed(line: Sequence[Cell], *, numbers: bool) -> list[tuple[int, int]]:
    """(columns, column of the number) of each cell; what follows a number without a space keeps one from it."""
    placed = []
    for at, cell in enumerate(line):
        inset = len(cell.text) - len(cell.text.lstrip(" "))
        gap = 1 if at + 1 < len(line) and not line[at + 1].text.startswith(" ") else 0
        below = inset + len(cell.number) + gap if numbers and cell.number else 0
        placed.append((max(cell_len(cell.text), below), inset))
    return placed


def _width(line: Sequence[Cell], *, numbers: bool) -> int:
    return sum(columns for columns, _ in _placed(line, numbers=numbers))


def _line(line: Sequence[Cell], *, numbers: bool) -> Line:
    text, below = Text(), Text(style="dim")
    for cell, (columns, inset) in zip(line, _placed(line, numbers=numbers), strict=True):
        text.append(cell.text, style=cell.style).append(" " * (columns - cell_len(cell.text)))
        below.append((" " * inset + cell.number).ljust(columns))
    return Line(text, below if numbers else None)
