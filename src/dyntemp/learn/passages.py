r"""Texts of the user's own, from which a temperature is learned without a reward.

A file of JSON lines (`.jsonl`, `.ndjson`) has an object a line:

    {"text": "The bridge had been closed since March."}
    {"prompt": "Question: What is the capital of France?\nAnswer:", "text": " Paris."}
    {"prompt": [{"role": "user", "content": "Name a hue."}], "text": "Red."}
    {"messages": [{"role": "user", "content": "Name a hue."}, {"role": "assistant", "content": "Red."}]}

- `text` is scored, and a `prompt` before it is not. A prompt that is a text is continued as it is; a conversation goes
  into the chat template of the model.
- `messages` end with a message of the assistant. That one is scored, and the others are the prompt.

Any other file is plain text: each paragraph is a text, and blank lines stand between paragraphs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dyntemp.errors import StudyError
from dyntemp.evaluation.tasks.splits import digest
from dyntemp.generation.prompts import Prompt
from dyntemp.language.signals import suggestion
from dyntemp.textfile import read_text

FIELDS = ("text", "prompt", "messages")

FEWEST = 4
"""Fewest passages: two to learn from, and two to be held out."""

CHAT = 'a list of messages such as {"role": "user", "content": "..."}'


class Passage(NamedTuple):
    """A text to learn from.

    Attributes:
        text: The text that is scored.
        prompt: A text or a conversation before it; None where there is none.
    """

    text: str
    prompt: Prompt | None = None

    @property
    def cluster(self) -> str:
        """The prompt, or the text where there is none: those of one cluster stay in one half."""
        return self.text if self.prompt is None else json.dumps(self.prompt, ensure_ascii=False)


def read_passages(path: str | Path) -> list[Passage]:
    """The passages of a file.

    Raises:
        StudyError: If the file cannot be read, for a line that is no passage, or for fewer than four different
            passages.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StudyError(f"{path}: {error}") from None
    if Path(path).suffix.lower() in (".jsonl", ".ndjson"):
        found = _lines(path, text)
    else:
        found = [Passage(part.strip()) for part in re.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+", text) if part.strip()]
    if (count := len({one.cluster for one in found})) < FEWEST:
        why = "passages of one prompt count once" if len(found) > count else "a blank line ends a passage of plain text"
        raise StudyError(
            f"{path} has {count} different passages; {FEWEST} or more are needed, since half are held out: {why}"
        )
    return found


class Halves(NamedTuple):
    """Passages by their use; both halves have whole clusters.

    Attributes:
        fitted: Those to learn from.
        held_out: Those that are only measured.
    """

    fitted: list[Passage]
    held_out: list[Passage]


def halves(passages: Sequence[Passage]) -> Halves:
    """The halves of the passages, by a digest of their content: the order in the file does not matter.

    Each half is sorted by the digest of the clusters, so that the first few are a sample of the rest.
    """
    order = sorted({one.cluster for one in passages}, key=digest)
    place = {cluster: at for at, cluster in enumerate(order)}
    first = sorted(passages, key=lambda one: (place[one.cluster], digest(one.text)))
    middle = len(order) // 2
    return Halves(
        [one for one in first if place[one.cluster] < middle], [one for one in first if place[one.cluster] >= middle]
    )


def _lines(path: str | Path, text: str) -> list[Passage]:
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append(_passage(line))
            except ValueError as error:
                raise StudyError(f"{path}, line {number}: {error}") from None
    return found


def _passage(line: str) -> Passage:
    """The passage of a line of JSON."""
    try:
        data = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"this is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise ValueError(f"a JSON object is needed, and this is {line:.40}")  # noqa: TRY004  # of a file, not of a call
    for name in data:
        if name not in FIELDS:
            raise ValueError(f"unknown field {name!r}{suggestion(name, FIELDS)}; allowed are {', '.join(FIELDS)}")
    if "messages" in data:
        return _of_messages(data)
    if not isinstance(data.get("text"), str) or not data["text"].strip():
        raise ValueError(f"`text` is a text that is not empty, and {_given(data, 'text')} was given")
    prompt = data.get("prompt")
    if prompt is not None and not isinstance(prompt, str) and not _is_chat(prompt):
        raise ValueError(f"`prompt` is a text, or {CHAT}, and {_given(data, 'prompt')} was given")
    return Passage(data["text"], prompt or None)


def _of_messages(data: dict[str, Any]) -> Passage:
    if len(data) > 1:
        raise ValueError("a line has either `messages` or `text`, and both were given")
    messages = data["messages"]
    if not _is_chat(messages):
        raise ValueError(f"`messages` is {CHAT}, and {_given(data, 'messages')} was given")
    *before, last = messages
    if last["role"] != "assistant" or not before or not last["content"].strip():
        raise ValueError(
            "`messages` end with a message of the assistant that is not empty, which is scored, and have others before "
            f"it; {len(messages)} messages were given, and the last one is of {last['role']!r}"
        )
    return Passage(last["content"], before)


def _given(data: dict[str, Any], name: str) -> str:
    return f"{data[name]!r:.60}" if name in data else "nothing"


def _is_chat(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(
            isinstance(one, dict) and isinstance(one.get("role"), str) and isinstance(one.get("content"), str)
            for one in value
        )
    )
