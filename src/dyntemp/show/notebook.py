"""Tokens in a notebook, coloured by any quantity. A `Trace` shows itself in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from dyntemp.show.html import notebook
from dyntemp.traces.header import Header
from dyntemp.traces.token import Token


@dataclass(frozen=True, slots=True)
class View:
    """Tokens that a notebook shows as coloured text, with a card each.

    `View(list(generate(model, "Once upon a time", policy)), by="surprisal")` at the end of a cell.

    Attributes:
        tokens: The tokens of one run.
        header: The header of its trace, with the policy and its terms; a `Generation` has it as `header`.
        by: The quantity that colours the text; see `dyntemp.show.quantity`.
    """

    tokens: Sequence[Token] = field(repr=False)
    header: Header | None = field(default=None, repr=False)
    by: str = "temperature"

    def __str__(self) -> str:
        return "".join(token.text for token in self.tokens)

    def _repr_html_(self) -> str:
        return notebook(self.header, self.tokens, by=self.by)
