"""Texts of some arms to one item, side by side."""

from __future__ import annotations

from dyntemp.evaluation.results import TextPair
from dyntemp.show.markup import Markup, element

LONGEST = 600
"""Characters of a text, or of a prompt's end, that are shown."""


def side_by_side(one: TextPair) -> Markup:
    """The prompt, and a column for each arm."""
    columns = [
        element("article", element("h4", arm), element("ul", *(element("li", _cut(text)) for text in texts)))
        for arm, texts in one.texts.items()
    ]
    asked = one.prompt if len(one.prompt) <= LONGEST else f"…{one.prompt[-LONGEST:]}"
    return element(
        "section",
        element("blockquote", asked),
        element("div", *columns, class_="dt-columns"),
        class_="dt-texts",
    )  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
