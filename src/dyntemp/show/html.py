"""Texts, cards and policies as static HTML: no script, light and dark, for a page of its own or a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from math import inf
from typing import Any

from dyntemp.errors import PolicyError, TraceError
from dyntemp.policy import Policy
from dyntemp.replay import Replayed
from dyntemp.show.card import Card, Row, as_if, card, name_of, own_replays, state, sums
from dyntemp.show.colour import Scale
from dyntemp.show.curve import curve_info
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.quantity import Quantity, figure, quantity, reach, short
from dyntemp.show.summary import Summary
from dyntemp.show.svg import curve, track
from dyntemp.show.words import explain, flowing, percent
from dyntemp.trace import Header, Token

PAGE_CARDS = 600
"""Tokens of a page that have a card; a longer text would make it slow to open."""

NOTEBOOK_TOKENS, NOTEBOOK_CARDS = 1000, 150
"""What a notebook shows of a text, which it keeps in its file."""

CURVE_VOCABULARY = 32_000
"""Entries of the rows over which a policy's curve is drawn."""

NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's own rule for what it may load: nothing."""


def page(header: Header, tokens: Sequence[Token], *, by: str = "temperature", other: Policy | None = None,
         replayed: Sequence[Replayed | None] = (), note: str = "") -> str:  # fmt: skip
    """A page of its own about a trace: each request's text, legend, tracks and cards.

    Args:
        header: Of the trace.
        tokens: Its tokens, or some of them.
        by: The quantity that colours the text.
        other: Another policy, and
        replayed: the tokens under it.
        note: A remark on what is shown.

    Raises:
        TraceError: If the tokens have no quantity of that name.
    """
    body = _trace(header, tokens, by, PAGE_CARDS, other, replayed, note)
    return "<!doctype html>\n" + element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", http_equiv="Content-Security-Policy", content=NO_SCRIPT),
            element("title", f"{header.model}: a text token by token"),
            _styles(),
        ),
        element("body", element("main", element("h1", "A text, token by token"), body), class_="dt dt-page"),
        lang="en",
    )  # fmt: skip


def notebook(header: Header | None, tokens: Iterable[Token], *, by: str = "temperature") -> str:
    """What a notebook shows of a trace, or of tokens alone: the beginning of a long one, and what is damaged, said."""
    shown: list[Token] = []
    note = ""
    try:
        for token in islice(tokens, NOTEBOOK_TOKENS + 1):
            shown.append(token)  # noqa: PERF402 (what was read before a fault is kept)
    except TraceError as error:
        note = str(error)
    if len(shown) > NOTEBOOK_TOKENS:
        shown.pop()
        note = f"The first {NOTEBOOK_TOKENS:,} tokens; `dyntemp explain TRACE --html FILE` shows all."
    return element("div", _styles(), _trace(header, shown, by, NOTEBOOK_CARDS, note=note), class_="dt")


def token_card(token: Token) -> str:
    """What a notebook shows of one token."""
    return element("div", _styles(), card_html(card(token)), class_="dt")


def policy_card(policy: Policy) -> str:
    """What a notebook shows of a policy: its text, what it can return and what it reads, and its curve."""
    reads = ", ".join(str(signal) for signal in policy.signals) or "nothing: it is one temperature for all"
    figures = [("reads", reads)]
    drawing = None
    try:
        low, high = policy.bounds()
        figures = [("returns", figure(low) if low == high else f"{figure(low)} to {figure(high)}"), *figures]
        if not policy.parameters and low < inf:
            drawing = curve(curve_info(policy, CURVE_VOCABULARY), *policy.bounds(CURVE_VOCABULARY))
    except PolicyError:
        pass  # a template: its parameters have no range yet
    if policy.parameters:
        figures.append(("parameters", ", ".join(policy.parameters)))
    caption = f"Temperature over the entropy of rows of {CURVE_VOCABULARY:,} tokens that follow Zipf's law"
    return element(
        "div", _styles(),
        element(
            "div", element("p", element("code", str(policy)), class_="dt-sentence"),
            element("p", policy.name) if policy.name else None, _figures(figures, "dt-facts"),
            element("figure", drawing, element("figcaption", caption), class_="dt-tracks") if drawing else None,
            class_="dt-card",
        ),
        class_="dt",
    )  # fmt: skip


def text(tokens: Sequence[Token], values: Sequence[float | None], title: str, scale: Scale,
         cards: Sequence[Card | None] = ()) -> Markup:  # fmt: skip
    """The tokens as running text, each tinted by its value, with that number below and its card inside.

    Args:
        tokens: In order.
        values: Of each token; None where there is none.
        title: What the values are.
        scale: Of the colours.
        cards: Of the first tokens; the others tell their sentence alone, as a title.
    """
    beside = [*cards, *[None] * (len(tokens) - len(cards))]
    written = [_token(*one, scale) for one in zip(tokens, values, beside, strict=True)]
    return element("div", *written, class_=_classes("dt-text", scale), role="group", aria_label=f"The text, by {title}")


def legend(measure: Quantity, scale: Scale) -> Markup:
    """What the colours stand for, between the ends of the scale."""
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
        _figures([("position", str(shown.position)), *figures, ("came", shown.came)]),
        class_="dt-card",
    )


def _trace(header: Header | None, tokens: Sequence[Token], by: str, most_cards: int, other: Policy | None = None,
           replayed: Sequence[Replayed | None] = (), note: str = "") -> Markup:  # fmt: skip
    """The facts of a run, and its requests one after the other."""
    if not tokens:
        return element("p", note or "no tokens")
    others = replayed or [None] * len(tokens)
    coloured = [as_if(token, now) if now else token for token, now in zip(tokens, others, strict=True)]
    bounds = other.bounds() if other else reach(header.policy if header else "")
    measure = quantity(by, tokens)
    scale = measure.scale(coloured, bounds)
    owns = own_replays(header, tokens)
    told = [card(*one) for one in zip(tokens[:most_cards], owns, others, strict=False)]
    if len(tokens) > most_cards:
        note = f"{note} The first {most_cards:,} of {len(tokens):,} tokens have a card.".strip()
    summary = Summary.of(tokens)
    facts = [("tokens", f"{summary.count:,}"), ("temperature", _span(summary))]
    if header:
        facts = [("model", header.model), ("policy", header.policy), ("seed", str(header.seed)), *facts]
    if other:
        differ = sum(now is not None and not now.kept for now in others)
        facts.append(("replayed under", f"{other}: {differ:,} of {len(tokens):,} tokens would differ"))
    requests = sorted({token.request for token in tokens})
    sections = []
    for request in requests:
        own = [at for at, token in enumerate(tokens) if token.request == request]
        mine = [coloured[at] for at in own]
        prompt = header.prompts[request] if header and request < len(header.prompts) else None
        sections.append(
            element(
                "section", _prompt(prompt, request if len(requests) > 1 else None),
                text(
                    [tokens[at] for at in own], [measure.value(token) for token in mine], measure.title, scale,
                    [told[at] for at in own if at < len(told)],
                ),
                track("temperature", [token.temperature for token in mine], Scale.of(bounds)),
                _second_track(mine, measure, scale),
            )
        )  # fmt: skip
    switch = element("label", element("input", type="checkbox", checked=True, class_="dt-switch"), " numbers")
    return joined(
        [
            _figures(facts, "dt-facts"), element("p", note, class_="dt-note") if note else None,
            element("div", legend(measure, scale), switch, class_="dt-bar"),
            element("p", "Open a token to see how it came about.", class_="dt-note") if told else None, *sections,
        ]
    )  # fmt: skip


def _second_track(tokens: Sequence[Token], measure: Quantity, scale: Scale) -> Markup:
    """The quantity of the colours along the text, or the entropy where that is the temperature."""
    if measure.name == "temperature":
        measure = quantity("entropy", tokens)
        scale = measure.scale(tokens)
    return track(measure.title, [value for token in tokens if (value := measure.value(token)) is not None], scale)


def _token(token: Token, value: float | None, shown: Card | None, scale: Scale) -> Markup:
    """One token of a running text, and the line breaks that it writes."""
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


def _figures(pairs: Iterable[tuple[str, str]], more: str = "") -> Markup:
    rows = (element("div", element("dt", label), element("dd", value)) for label, value in pairs)
    return element("dl", *rows, class_=f"dt-figures {more}".rstrip())


def _prompt(prompt: Any, request: int | None) -> Markup:
    """What was asked: text, or the messages of a conversation."""
    number = "" if request is None else f" {request}"
    if isinstance(prompt, str):
        asked = element("blockquote", prompt)
    elif isinstance(prompt, list) and prompt and all(isinstance(one, dict) and "content" in one for one in prompt):
        asked = element("blockquote", *(element("p", f"{one.get('role', '')}: {one['content']}") for one in prompt))
    elif prompt is None:
        asked = None
    else:
        asked = element("blockquote", f"{len(prompt):,} tokens")
    return joined([element("h2", f"Prompt{number}") if asked or number else None, asked])


def _span(summary: Summary) -> str:
    """`0.52, from 0.3 to 0.83`."""
    mean = figure(summary.mean) if summary.finite else "inf"
    return f"mean {mean}, from {figure(summary.low)} to {figure(summary.high)}"


def _classes(name: str, scale: Scale) -> str:
    return name if scale.diverging else f"{name} dt-sequential"


@cache
def _styles() -> Markup:
    """The style sheet of texts and cards, as an element."""
    return Markup(f"<style>{files('dyntemp.show').joinpath('tokens.css').read_text(encoding='utf-8')}</style>")
