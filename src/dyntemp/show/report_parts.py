"""Parts that reports share: the file around them, style sheets, tables that scroll, and figures as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files

from dyntemp.page.security import content_security_policy
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.quantity import figure

SHEETS = (("dyntemp.show", "tokens.css"), ("dyntemp.show", "report.css"))
"""The style sheets of every report: package and file."""


def page(title: str, body: Markup, *, sheets: Sequence[tuple[str, str]] = ()) -> str:
    """A whole HTML file without scripts and requests.

    Args:
        title: The title of the file.
        body: Its contents.
        sheets: Further style sheets, each a package and a file in it.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=content_security_policy()),
        element("title", title),
        style(sheets),
    )
    main = element("body", element("main", body, class_="dt dt-report"))
    return f"<!doctype html>\n{element('html', head, main, lang='en')}\n"


def style(sheets: Sequence[tuple[str, str]] = ()) -> Markup:
    """The style sheets of a report as one element."""
    found = (files(where).joinpath(name).read_text(encoding="utf-8") for where, name in (*SHEETS, *sheets))
    return element("style", *map(Markup, found))


def scrolling(label: str, table: Markup) -> Markup:
    """A table that scrolls within the page where it is wider."""
    return element("div", table, class_="dt-scroll", role="region", aria_label=label, tabindex="0")


def headed(titles: Iterable[str], rows: Iterable[Markup]) -> Markup:
    """A table with a row of titles; a title may be a cell of its own."""
    cells = (title if isinstance(title, Markup) else element("th", title, scope="col") for title in titles)
    head = element("tr", *cells)
    return element("table", element("thead", head), element("tbody", *rows))


def row(name: str | Markup, *cells: str | Markup, kind: str | None = None) -> Markup:
    """A row of a table: what it is about, then its cells."""
    return element("tr", element("th", name, scope="row"), *(element("td", cell) for cell in cells), class_=kind)


def folded(title: str, *contents: Markup) -> Markup:
    """Contents that are shown once their title is opened."""
    return element("details", element("summary", title), joined(contents))


def signed(value: float) -> str:
    """A difference with its sign, a true minus.

    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.25', '−0.25', '0')
    """
    return "0" if value == 0 else f"{'−' if value < 0 else '+'}{figure(abs(value))}"


def counted(count: int, name: str) -> str:
    """A number of things: `1 prompt`, `1,200 prompts`."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"
