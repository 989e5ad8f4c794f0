"""Parts of a page in static HTML: a running text, its legend, the card of a token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dyntemp.show.card import Card, Row, name_of, state, sums
from dyntemp.show.colour import Scale
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.quantity import Quantity, figure, short
from dyntemp.show.words import explain, flowing, percent
from dyntemp.traces.token import Token


def text(tokens: Sequence[Token], values: Sequence[float | None], title: str, scale: Scale,
         cards: Sequence[Card | None] = ()) -> Markup:  # fmt: skip
    """The tokens as running text, each coloured by its value, with the number below and its card inside.

    Args:
        tokens: The tokens in order.
        values: The value of each token; None where the record lacks it.
        title: The name of the values.
        scale: The scale of the colours.
        cards: Cards of the first tokens; the others have only their sentence, as a tooltip.
    """
    beside = [*cards, *[None] * (len(tokens) - len(cards))]
    written = [_token(*one, scale) for one in zip(tokens, values, beside, strict=True)]
    return element("div", *written, class_=_classes("dt-text", scale), role="group", aria_label=f"The text, by {title}")


def legend(measure: Quantity, scale: Scale) -> Markup:
    """The legend of the colours: the title, between the ends of the scale."""
    return element(
        "div", element("span", measure.title), element("b", figure(scale.low)), element("span", class_="dt-ramp"),
        element("b", f"{figure(scale.high)} {measure.unit if measure.unit != measure.title else ''}".rstrip()),
        class_=_classes("dt-legend", scale),
    )  # fmt: skip


def card_html(shown: Card) -> Markup:
    """The card of one token."""
    figures = [(one.label, one.text) for one in shown.figures]
    compared = any(row.now is not None for row in shown.rows)
    largest = max(max(row.before, row.after, row.now or 0.0) for row in shown.rows) if shown.rows else 1.0
    head = ["token", "before", "after", *(["other policy"] if compared else []), ""]
    return element(
        "div",
        element("p", shown.sentence, class_="dt-sentence"),
        element("p", shown.change) if shown.change else None,
        element("p", sums(shown), class_="dt-terms") if shown.terms else None,
        element(
            "table",
            element("caption", "Probability before filters and temperature, and in the draw"),
            element("thead", element("tr", *(element("th", name, scope="col") for name in head))),
            element("tbody", *(_row(row, shown, largest, compared=compared) for row in shown.rows)),
            class_="dt-alternatives",
        )
        if shown.rows
        else None,
        figure_list([("position", str(shown.position)), *figures, ("came", shown.came)]),
        class_="dt-card",
    )


def figure_list(pairs: Iterable[tuple[str, str]], more: str = "") -> Markup:
    """A list of labels and values; `more` is a further class of the element."""
    rows = (element("div", element("dt", label), element("dd", value)) for label, value in pairs)
    return element("dl", *rows, class_=f"dt-figures {more}".rstrip())


def _token(token: Token, value: float | None, shown: Card | None, scale: Scale) -> Markup:
    """One token of a running text, with the line breaks that it contains."""
    written, is_mark = flowing(token)
    kinds = ["dt-token", *(["dt-mark"] if is_mark else []), *(["dt-unmeasured"] if value is None else [])]
    if token.origin in ("forced", "parted"):
        kinds.append(f"dt-{token.origin}")
    if shown and any(row.instead for row in shown.rows):
        kinds.append("dt-changed")
    number = element("sub", short(value), class_="dt-number", aria_hidden="true") if value is not None else None
    attributes: dict[str, Any] = {
        "class_": " ".join(kinds),
        "style": f"--heat:{scale.share(value or 0.0):.3g}",
        "data_at": token.position,
    }
    breaks = [element("br")] * token.text.count("\n")
    if shown is None:
        return joined([element("span", written, number, title=explain(token), **attributes), *breaks])
    summary = element("summary", written, number, title=shown.sentence)
    return joined([element("details", summary, card_html(shown), name="dt", **attributes), *breaks])


def _row(row: Row, shown: Card, largest: float, *, compared: bool) -> Markup:
    kinds = {"dt-drawn": row.chosen, "dt-dropped": row.dropped, "dt-other": row.text == "other" and row.count > 0}
    last = row.now if compared and row.now is not None else row.after
    bars = f"--before:{row.before / (largest or 1):.3g};--after:{last / (largest or 1):.3g}"
    return element(
        "tr",
        element("th", element("code", name_of(row)), scope="row"),
        element("td", percent(row.before), class_="dt-before"),
        element("td", percent(row.after), class_=None if compared else "dt-after"),
        element("td", percent(last), class_="dt-after") if compared else None,
        element("td", state(row, shown.chosen), class_="dt-state"),
        class_=" ".join(kind for kind, holds in kinds.items() if holds) or None,
        style=bars,
    )


def _classes(name: str, scale: Scale) -> str:
    return name if scale.diverging else f"{name} dt-sequential"
