"""Prompts of users -> tokens. A prompt is text, a conversation, tokens, or a list of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from dyntemp.models import Messages, Model

Prompt = str | Messages | Sequence[int]
"""Text, a conversation, or tokens."""


def encode(model: Model, prompt: Prompt, system: str | None = None, chat: bool | None = None) -> list[int]:
    """The tokens of one prompt; see `generate` for the arguments.

    Raises:
        ValueError: If a chat is asked for of a model without a chat template.
    """
    if isinstance(prompt, str):
        messages: list[Mapping[str, str]] = [{"role": "user", "content": prompt}]
    elif _all_are(Integral, prompt):
        return [int(part) for part in prompt if isinstance(part, Integral)]
    else:
        messages, chat = [part for part in prompt if isinstance(part, Mapping)], True
    if system is not None:
        messages, chat = [{"role": "system", "content": system}, *messages], True
    if chat is not False and (tokens := model.encode_chat(messages)) is not None:
        return tokens
    if chat:
        raise ValueError(f"{model.name} has no chat template: pass plain text, without a system message")
    assert isinstance(prompt, str)
    return model.encode(prompt)


def prompts_of(prompt: Any) -> list[Any]:
    """The prompts of a run: one, or those of a batch; tokens as lists.

    Raises:
        ValueError: For a value that is neither text, nor a conversation, nor tokens, nor a list of these.
    """
    given = prompt.tolist() if hasattr(prompt, "tolist") else prompt  # an array or a tensor of tokens
    if _is_prompt(given):
        return [given]
    batch = [one.tolist() if hasattr(one, "tolist") else one for one in given] if _is_list(given) else []
    if not batch or not all(_is_prompt(one) for one in batch):
        raise ValueError(
            f"the prompt {prompt!r:.200} was given; a prompt is text, a conversation "
            '([{"role": "user", "content": "..."}]) or tokens, and a list of prompts is a batch'
        )
    return batch


def _is_prompt(value: Any) -> bool:
    return isinstance(value, str) or (
        _is_list(value) and len(value) > 0 and (_all_are(Mapping, value) or _all_are(Integral, value))
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _all_are(kind: type, parts: Any) -> bool:
    return all(isinstance(part, kind) and not isinstance(part, bool) for part in parts)
