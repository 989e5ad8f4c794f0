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
    """One token in a line.

    Attributes:
        text: Its visible text.
        number: The number below it; may be empty.
        style: Its style for Rich.
        breaks: Number of line breaks after it.
    """

    text: str
    number: str
    style: str
    breaks: int = 0

    @property
    def joins(self) -> bool:
        """True if the token continues the word before it."""
        return not self.text.startswith((" ", "␣"))


class Line(NamedTuple):
    """A line of text and, where numbers are shown, the line below it."""

    text: Text
    numbers: Text | None


def lines(
    tokens: Sequence[Token], measure: Quantity, scale: Scale, width: int, *, numbers: bool = False,
    marked: Sequence[bool] = (),
) -> Iterator[Line]:  # fmt: skip
    """The tokens in lines of at most `width` columns, broken between words if possible.

    Args:
        tokens: The tokens of one request, in order.
        measure: The quantity of the colours and numbers.
        scale: The scale of the colours.
        width: Most columns of a line.
        numbers: True writes each token's number below it.
        marked: True for tokens that are underlined, with a star at their number; [tokens].
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
    """Groups of cells that stay on one line."""
    word: list[Cell] = []
    for cell in cells:
        if word and (not cell.joins or word[-1].breaks):
            yield word
            word = []
        word.append(cell)
    if word:
        yield word


def _placed(line: Sequence[Cell], *, numbers: bool) -> list[tuple[int, int]]:
    """(columns, column of the number) of each cell. One space at least separates a number from the next."""
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
