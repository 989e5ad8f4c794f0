"""Prompts and conversations as clients send them -> tokens."""

from __future__ import annotations

from typing import Any

from dyntemp.generation import prompts
from dyntemp.language.signals import suggestion
from dyntemp.models import Model
from dyntemp.serve.errors import shown, wrong
from dyntemp.serve.fields import Unfit, encodable

ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
EMPTY = ("refusal", "audio", "tool_calls", "function_call", "annotations", "reasoning_content", "name")
"""Fields of a message that clients send back empty, as they received them."""

MOST_MESSAGES = 2000


def messages_of(value: Any, ignored: list[str] | None = None, place: str = "messages") -> list[dict[str, str]]:
    """A conversation of texts, from messages whose content is text or a list of parts of text.

    Args:
        value: The value that the client sent.
        ignored: A list for the names that a lenient server ignores, each once: fields of messages beside `role` and
            `content`, and the missing content of an assistant, which is read as empty. None refuses them.
        place: The name of the field.

    Raises:
        ApiError: 400 for any other value.
    """
    if not isinstance(value, list) or not 0 < len(value) <= MOST_MESSAGES:
        raise wrong(
            place,
            f"`{place}` = {shown(value)} was given; a list of 1 to {MOST_MESSAGES} messages is expected, such as "
            '[{"role": "user", "content": "Hello"}]',
        )
    found: dict[str, None] = {}
    lenient = ignored is not None
    messages = [_message(f"{place}[{at}]", message, found if lenient else None) for at, message in enumerate(value)]
    if ignored is not None:
        ignored += found
    return messages


def _message(place: str, message: Any, ignored: dict[str, None] | None) -> dict[str, str]:
    if not isinstance(message, dict):
        raise wrong(place, f"`{place}` = {shown(message)} was given; an object with `role` and `content` is expected")
    for name, value in message.items():
        if name in ("role", "content") or (name in EMPTY and value in (None, [], {}, "")):
            continue
        if ignored is not None:
            ignored[f"messages.{name}"] = None
            continue
        if name in EMPTY:
            text = f"`{place}.{name}` was given, which is not supported: messages hold text alone"
            raise wrong(f"{place}.{name}", text, "unsupported_value")
        known = ("role", "content", *EMPTY)
        cut = shown(name)[1:-1]
        raise wrong(f"{place}.{cut}", f"unknown field `{cut}` in `{place}`{suggestion(name, known)}", "unknown_field")
    role = message.get("role")
    if not isinstance(role, str) or role not in ROLES:
        raise wrong(f"{place}.role", f"`{place}.role` = {shown(role)} was given; {', '.join(ROLES)} are supported")
    content = message.get("content")
    if content is None and role == "assistant" and ignored is not None:
        ignored["messages.content"] = None
        content = ""
    return {"role": ROLES[role], "content": _content(f"{place}.content", content)}


def _content(place: str, value: Any) -> str:
    parts = value if isinstance(value, list) else [{"type": "text", "text": value}]
    for part in parts:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            what = part.get("text") if value is not parts and isinstance(part, dict) else part
            raise wrong(
                place,
                f"`{place}` holds {shown(what)}; text, or a list of parts "
                '{"type": "text", "text": "..."}, is expected: pictures, sounds and files are not read',
            )
    return _text(place, "".join(part["text"] for part in parts))


def prompts_of(value: Any, most: int, place: str = "prompt") -> list[str | list[int]]:
    """The prompts of a completion, from the field `place`: text or tokens, or a list of these.

    Raises:
        ApiError: 400 for any other value, and for more than `most` prompts.
    """
    if isinstance(value, str) or _is_tokens(value):
        found = [value]
    elif isinstance(value, list) and value and all(isinstance(one, str) or _is_tokens(one) for one in value):
        found = value
    else:
        raise wrong(place, f"`{place}` = {shown(value)} was given; text, tokens, or a list of these is expected")
    if len(found) > most:
        raise wrong(place, f"{len(found)} prompts were given; at most {most} are allowed")
    return [_text(place, one) if isinstance(one, str) else one for one in found]


def _text(place: str, value: str) -> str:
    try:
        return encodable(value)
    except Unfit as error:
        raise wrong(place, f"`{place}` was given; {error}") from None


def tokens_of(place: str, value: Any, vocabulary: int, most: int) -> list[int]:
    """A list of at most `most` tokens, perhaps empty.

    Raises:
        ApiError: 400 for any other value.
    """
    if value != [] and not _is_tokens(value) and value != ():
        raise wrong(place, f"`{place}` = {shown(value)} was given; a list of tokens is expected")
    if len(value) > most:
        raise wrong(place, f"`{place}` has {len(value)} tokens; at most {most} are allowed")
    if unknown := [token for token in value if not 0 <= token < vocabulary]:
        raise wrong(place, f"`{place}` holds {unknown[0]}; tokens are 0 to {vocabulary - 1}")
    return list(value)


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(type(token) is int for token in value)


def encode(
    model: Model, place: str, given: list[Any], *, chat: bool | None, system: str | None = None
) -> list[list[int]]:
    """The tokens of each prompt. It uses the model, and so runs in the model's thread.

    Raises:
        ApiError: 400 for a prompt that the model cannot begin with.
    """
    return [_encoded(model, place, one, chat, system) for one in given]


def _encoded(model: Model, place: str, one: Any, chat: bool | None, system: str | None) -> list[int]:
    is_tokens = _is_tokens(one)
    try:
        tokens = prompts.encode(model, one, system, chat)
    except ValueError as error:
        raise wrong(place, str(error)) from None
    if not tokens:
        raise wrong(place, f"`{place}` holds no token: give at least one to continue")
    if is_tokens:
        tokens_of(place, tokens, model.vocabulary, len(tokens))
    if model.context is not None and len(tokens) > model.context:
        text = f"`{place}` has {len(tokens)} tokens, and the model's context holds {model.context}: shorten it"
        raise wrong(place, text, "context_length_exceeded")
    return tokens


def spelled(model: Model, tokens: list[int]) -> str:
    """The text of a prompt that was given as tokens."""
    return b"".join(model.token_bytes(token) for token in tokens).decode(errors="replace")
