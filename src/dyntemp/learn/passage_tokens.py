"""The tokens of passages, as a model's tokenizer cuts them, up to a number of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dyntemp.generation.prompts import encode
from dyntemp.learn.passages import Halves, Passage
from dyntemp.models import Model, full_bytes


class PassageTokens(NamedTuple):
    """A passage as tokens.

    Attributes:
        prompt: The tokens before those that are scored, at least one.
        scored: The tokens that are scored.
        cluster: The cluster of the passage.
        held_out: True if it is only measured.
    """

    prompt: tuple[int, ...]
    scored: tuple[int, ...]
    cluster: str
    held_out: bool


def tokens_of(model: Model, passage: Passage, held_out: bool, most: int) -> PassageTokens:
    """The tokens of a passage.

    The first token of a passage without a prompt is not scored, since nothing stands before it; where the model has a
    token that begins every text, that token is the first. The end of a text is not scored.

    Args:
        model: The model.
        passage: The passage.
        held_out: Whether it is only measured.
        most: Most tokens that are scored.

    Raises:
        ValueError: For a conversation where the model has no chat template.
    """
    if passage.prompt is None:
        tokens = model.encode(passage.text)
        return PassageTokens(tuple(tokens[:1]), tuple(tokens[1 : most + 1]), passage.cluster, held_out)
    prompt = encode(model, passage.prompt, chat=False)
    before = passage.prompt if isinstance(passage.prompt, str) else full_bytes(model, prompt).decode(errors="replace")
    return PassageTokens(tuple(prompt), _after(model, before, passage.text)[:most], passage.cluster, held_out)


def first_tokens(model: Model, parts: Halves, each: int, most: int) -> list[PassageTokens]:
    """The tokens of passages, from both halves in turn, until there are `most` of them that are scored.

    Passages of which nothing is scored are left out, and so are those that do not fit into the model's context.

    Args:
        model: The model.
        parts: The passages.
        each: Most tokens of a passage that are scored.
        most: Tokens of all passages that are scored, about.

    Raises:
        ValueError: As `tokens_of`.
    """
    found: list[PassageTokens] = []
    left = most
    for passage, held_out in _in_turn(parts):
        if left <= 0:
            break
        tokens = tokens_of(model, passage, held_out, each)
        if tokens.scored and (model.context is None or len(tokens.prompt) + len(tokens.scored) <= model.context):
            found.append(tokens)
            left -= len(tokens.scored)
    return found


def _in_turn(parts: Halves) -> Iterator[tuple[Passage, bool]]:
    """The passages of both halves, one of each in turn, with their half."""
    for at in range(max(map(len, parts))):
        for half, held_out in ((parts.fitted, False), (parts.held_out, True)):
            if at < len(half):
                yield half[at], held_out


def _after(model: Model, before: str, text: str) -> tuple[int, ...]:
    """The tokens of a text behind another; where no token begins at its first letter, those of the text alone."""
    for context in (before, ""):
        base, whole = model.encode(context), model.encode(context + text)
        if whole[: len(base)] == base:
            break
    return tuple(whole[len(base) :])


def clusters_of(passages: Sequence[PassageTokens]) -> list[str]:
    """The clusters of some passages, one for each scored token."""
    return [one.cluster for one in passages for _ in one.scored]
