"""The frame of a report: one HTML file with tables and drawings, without scripts and requests."""

from __future__ import annotations

from importlib.resources import files

from dyntemp.page.security import content_security_policy
from dyntemp.show.markup import Markup, element

SHEETS = (("dyntemp.show", "tokens.css"), ("dyntemp.show", "report.css"))
"""Style sheets of every report: the package and the file of each."""


def document(title: str, *parts: str | None, sheets: tuple[tuple[str, str], ...] = ()) -> str:
    """The whole file.

    Args:
        title: The title of the window.
        parts: Contents of the page.
        sheets: Further style sheets, each as its package and its file.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=content_security_policy()),
        element("title", title),
        styles(*sheets),
    )
    body = element("body", element("main", *parts, class_="dt dt-report"))
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def styles(*sheets: tuple[str, str]) -> Markup:
    """The styles of a report, with further sheets after them."""
    read = (files(package).joinpath(name).read_text(encoding="utf-8") for package, name in (*SHEETS, *sheets))
    return element("style", *map(Markup, read))


def scrolling(label: str, table: Markup) -> Markup:
    """A table that scrolls within the page where it is wider."""
    return element("div", table, class_="dt-scroll", role="region", aria_label=label, tabindex="0")
