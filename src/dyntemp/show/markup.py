"""HTML built from elements, so that every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from dyntemp.show.words import visible

VOID = {"br", "input", "meta"}

UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Characters that HTML cannot hold: control characters, and halves of surrogate pairs."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: str | None, **attributes: object) -> Markup:
    """One element with its children, which are escaped unless they are elements themselves.

    Args:
        name: The name of the element.
        children: Text and elements; None is skipped.
        attributes: By name; `class_` is `class`, other underscores are hyphens. None and False are left out, True is
            an attribute without a value.

    >>> element("p", "1 < 2", element("b", "!"), class_="note")
    '<p class="note">1 &lt; 2<b>!</b></p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(children: Iterable[str | None]) -> Markup:
    """The children one after the other, text escaped."""
    return Markup("".join(child if isinstance(child, Markup) else _text(child) for child in children if child))


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{_text(str(value))}"'


def _text(text: str) -> str:
    """`text` escaped; characters of `UNFIT` are made visible."""
    return escape(UNFIT.sub(lambda found: visible(found.group()), text))
