"""Texts, cards and policies as static HTML without scripts, light and dark, for a page or a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import islice
from math import inf
from typing import Any

from dyntemp.errors import PolicyError, TraceError
from dyntemp.language.policy import Policy
from dyntemp.page.security import content_security_policy
from dyntemp.show.card import card
from dyntemp.show.colour import Scale
from dyntemp.show.curve import curve_info
from dyntemp.show.fragments import card_html, figure_list, legend, text
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.quantity import Quantity, figure, quantity, reach
from dyntemp.show.summary import Summary
from dyntemp.show.svg import curve, track
from dyntemp.traces.header import Header
from dyntemp.traces.replay import Replayed
from dyntemp.traces.replay_trace import as_if, own_replays
from dyntemp.traces.token import Token

PAGE_CARDS = 600
"""Most tokens of a page that have a card; more would make the page slow to open."""

NOTEBOOK_TOKENS, NOTEBOOK_CARDS = 1000, 150
"""Most tokens that a notebook shows, and most cards. A notebook keeps them in its file."""

CURVE_VOCABULARY = 32_000
"""Number of logits in the rows for a policy's curve."""

NO_SCRIPT = content_security_policy()
"""The page's own rule for what it may load: nothing."""


def page(header: Header, tokens: Sequence[Token], *, by: str = "temperature", other: Policy | None = None,
         replayed: Sequence[Replayed | None] = (), note: str = "") -> str:  # fmt: skip
    """An HTML page about a trace: each request's text, legend, tracks and cards.

    Args:
        header: The header of the trace.
        tokens: Its tokens, or some of them.
        by: The quantity that colours the text.
        other: Another policy, or None.
        replayed: The tokens under the other policy.
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
    """The HTML of a trace, or of tokens alone, for a notebook. A long text is cut, and damage is reported."""
    shown: list[Token] = []
    note = ""
    try:
        for token in islice(tokens, NOTEBOOK_TOKENS + 1):
            shown.append(token)  # noqa: PERF402 (tokens before a damaged line are kept)
    except TraceError as error:
        note = str(error)
    if len(shown) > NOTEBOOK_TOKENS:
        shown.pop()
        note = f"The first {NOTEBOOK_TOKENS:,} tokens; `dyntemp explain TRACE --html FILE` shows all."
    return element("div", _styles(), _trace(header, shown, by, NOTEBOOK_CARDS, note=note), class_="dt")


def token_card(token: Token) -> str:
    """The HTML of one token for a notebook."""
    return element("div", _styles(), card_html(card(token)), class_="dt")


def policy_card(policy: Policy) -> str:
    """The HTML of a policy for a notebook: its text, its bounds, its signals and its curve."""
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
            element("p", policy.name) if policy.name else None, figure_list(figures, "dt-facts"),
            element("figure", drawing, element("figcaption", caption), class_="dt-tracks") if drawing else None,
            class_="dt-card",
        ),
        class_="dt",
    )  # fmt: skip


def _trace(header: Header | None, tokens: Sequence[Token], by: str, most_cards: int, other: Policy | None = None,
           replayed: Sequence[Replayed | None] = (), note: str = "") -> Markup:  # fmt: skip
    """The settings of a run, and its requests one after the other."""
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
        facts = [
            ("model", header.model),
            ("policy", header.policy),
            ("drawn by", header.host) if header.host else ("seed", str(header.seed)),
            *facts,
        ]
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
            figure_list(facts, "dt-facts"), element("p", note, class_="dt-note") if note else None,
            element("div", legend(measure, scale), switch, class_="dt-bar"),
            element("p", "Open a token to see how it came about.", *_marks(tokens, others), class_="dt-note"),
            *sections,
        ]
    )  # fmt: skip


def _marks(tokens: Sequence[Token], others: Sequence[Replayed | None]) -> Iterator[str]:
    """Sentences about the lines below tokens, for those lines that there are."""
    if any(now is not None and not now.kept for now in others):
        yield " Dashed: the other policy would have drawn another token."
    elif any(token.origin == "parted" for token in tokens):
        yield " Dashed: it had to part from the text that it follows."
    if any(token.origin == "forced" for token in tokens):
        yield " Dotted: put here, not drawn."


def _second_track(tokens: Sequence[Token], measure: Quantity, scale: Scale) -> Markup:
    """The quantity of the second track: that of the colours, or the entropy if that is the temperature."""
    if measure.name == "temperature":
        measure = quantity("entropy", tokens)
        scale = measure.scale(tokens)
    return track(measure.title, [value for token in tokens if (value := measure.value(token)) is not None], scale)


def _prompt(prompt: Any, request: int | None) -> Markup:
    """The prompt: a text, or the messages of a conversation."""
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
    """A mean and its range as text: `0.52, from 0.3 to 0.83`."""
    mean = figure(summary.mean) if summary.finite else "inf"
    return f"mean {mean}, from {figure(summary.low)} to {figure(summary.high)}"


@cache
def _styles() -> Markup:
    """The style sheet of texts and cards as an element, without comments."""
    sheet = files("dyntemp.show").joinpath("tokens.css").read_text(encoding="utf-8")
    return Markup(f"<style>{re.sub(r'/[*].*?[*]/', '', sheet, flags=re.DOTALL).strip()}</style>")
