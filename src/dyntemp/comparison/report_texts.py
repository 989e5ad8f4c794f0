"""The texts of a report: those to one prompt side by side, coloured by temperature, with the point where each parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dyntemp.comparison.measures import parted_at, written
from dyntemp.comparison.report_parts import LETTERS, number
from dyntemp.language.interval import Interval
from dyntemp.show.colour import Scale
from dyntemp.show.fragments import legend, text
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.quantity import RECORDED, reach
from dyntemp.traces.token import Token

LONGEST = 250
"""Tokens of a text that are shown."""

LONGEST_PROMPT = 600
"""Characters of a prompt that are shown."""

ENDS = {"end": "ended by the model", "stop": "ended at a stop text", "length": "ended at the limit"}


class Sample(NamedTuple):
    """The texts to one prompt with one seed.

    Attributes:
        prompt: Text, a conversation or tokens.
        seed: The seed in the manifest.
        texts: The tokens of each policy's text, the leader's first.
        files: The path of each trace.
    """

    prompt: Any
    seed: int
    texts: Sequence[Sequence[Token]]
    files: Sequence[str]


def scale_of(policies: Sequence[str]) -> Scale:
    """One scale for all texts, over all temperatures that any of the policies can return."""
    spans = [reach(policy) for policy in policies]
    return Scale.of(Interval(min(span.low for span in spans), max(span.high for span in spans)))


def key(scale: Scale) -> Markup:
    """The legend of the colours, with a switch for the numbers."""
    switch = element("label", element("input", type="checkbox", checked=True, class_="dt-switch"), " numbers")
    return element("div", legend(RECORDED["temperature"], scale), switch, class_="dt-bar")


def sample(one: Sample, scale: Scale) -> Markup:
    """The texts side by side, below their prompt."""
    tokens = [written(records).tokens for records in one.texts]
    columns = [
        _column(LETTERS[at % len(LETTERS)], records, parted_at(tokens[at], tokens[0]) if at else None, file, scale,
                leads=at == 0)
        for at, (records, file) in enumerate(zip(one.texts, one.files, strict=True))
    ]  # fmt: skip
    return element(
        "section",
        element("h3", _asked(one.prompt), " ", element("small", f"seed {one.seed}")),
        element("div", *columns, class_="dt-columns"),
    )


def _column(
    letter: str, records: Sequence[Token], parts: int | None, file: str, scale: Scale, *, leads: bool
) -> Markup:
    shown = records[:LONGEST]
    temperatures = [token.temperature for token in records]
    told = [f"{len(records)} tokens", f"T mean {number(sum(temperatures) / len(records))}" if records else ""]
    told.append(ENDS.get(records[-1].finish or "", "") if records else "")
    where = "leads" if leads else "same as A to the end" if parts is None else f"parts from A at token {parts}"
    if parts is None or parts >= len(shown):
        content = _coloured(shown, scale)
    else:
        mark = element("span", f"parts from A at token {parts}", class_="dt-parting")
        content = joined([
            _coloured(shown[:parts], scale) if parts else None,
            mark,
            _coloured(shown[parts:], scale),
        ])  # fmt: skip
    left_out = len(records) - len(shown)
    return element(
        "article",
        element("h4", letter, " ", element("small", where)),
        element("div", content, class_="dt-halves"),
        element("p", f"... and {left_out} tokens more", class_="dt-note") if left_out else None,
        element("p", "; ".join(filter(None, told)), " ", element("code", file), class_="dt-note"),
    )


def _coloured(tokens: Sequence[Token], scale: Scale) -> Markup:
    return text(tokens, [token.temperature for token in tokens], "temperature", scale)


def _asked(prompt: Any) -> str:
    """A prompt in few words: its text, or the last message of a conversation."""
    if isinstance(prompt, str):
        shown = prompt
    elif prompt and isinstance(prompt[-1], dict):
        shown = str(prompt[-1].get("content", ""))
    else:
        shown = f"{len(prompt)} tokens"
    return shown if len(shown) <= LONGEST_PROMPT else f"{shown[: LONGEST_PROMPT - 1]}…"
