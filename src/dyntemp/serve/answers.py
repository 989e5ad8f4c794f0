"""The answers to completions, in the `openai` package's own types, with further fields of ours."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from openai.types import Completion, CompletionChoice, CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessage, ChatCompletionTokenLogprob
from openai.types.chat.chat_completion import Choice, ChoiceLogprobs
from openai.types.chat.chat_completion_chunk import Choice as ChunkChoice
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from openai.types.chat.chat_completion_chunk import ChoiceLogprobs as ChunkLogprobs
from openai.types.chat.chat_completion_token_logprob import TopLogprob
from openai.types.completion_choice import Logprobs

from dyntemp._version import __version__
from dyntemp.serve.logprobs import columns
from dyntemp.serve.request_group import TokenOutput

FINISH = {"end": "stop", "stop": "stop", "length": "length"}
"""Our reasons for the end of a text -> OpenAI's."""


class Answer(Protocol):
    """One kind of response, whole or in chunks; each method returns one of the `openai` package's objects."""

    def opening(self) -> list[Any]:
        """The chunks before any token."""

    def piece(self, index: int, outputs: Sequence[TokenOutput]) -> Any | None:
        """A chunk with the new tokens of one text, or None if they add nothing to the answer yet."""

    def ending(self, index: int, finish: str) -> Any:
        """The chunk that ends one of the texts."""

    def usage(self, counts: CompletionUsage) -> Any:
        """The last chunk, for clients that want the counts."""

    def whole(self, texts: Sequence[Sequence[TokenOutput]], counts: CompletionUsage) -> Any:
        """The response in one piece."""


@dataclass(slots=True)
class Metadata:
    """The fields of a response beside its texts.

    Attributes:
        model: The model's name.
        policy: The policy that the texts are written under.
        seed: The seed that writes them again.
        prefix: Beginning of the identifiers of this kind.
        counted: Whether the client wants counts; every chunk but the last then says that it has none.
    """

    model: str
    policy: str
    seed: int
    prefix: str
    counted: bool
    identifier: str = ""
    created: int = field(default_factory=lambda: int(time.time()))
    echoed: bool = False

    def __post_init__(self) -> None:
        self.identifier = f"{self.prefix}-{secrets.token_hex(12)}"

    def fields(self, *, chunk: bool) -> dict[str, Any]:
        """The fields; the policy, the seed and the version stand in the first chunk only."""
        common = {
            "id": self.identifier, "created": self.created, "model": self.model,
            "system_fingerprint": f"dyntemp-{__version__}",
        }  # fmt: skip
        if chunk and self.counted:
            common["usage"] = None
        if not self.echoed:
            common |= {"policy": self.policy, "seed": self.seed, "dyntemp": __version__}
        self.echoed = True
        return common


@dataclass(slots=True)
class ChatAnswer:
    """The answer to a chat completion."""

    told: Metadata
    texts: int
    logprobs: bool

    def _chunk(self, choices: list[ChunkChoice]) -> ChatCompletionChunk:
        return ChatCompletionChunk(object="chat.completion.chunk", choices=choices, **self.told.fields(chunk=True))

    def _logprobs(self, outputs: Sequence[TokenOutput], kind: type[Any]) -> Any:
        if not self.logprobs:
            return None
        return kind(content=[_entry(output.told) for output in outputs], refusal=None)

    def opening(self) -> list[ChatCompletionChunk]:
        """The role of each text."""
        delta = ChoiceDelta(role="assistant", content="")
        return [
            self._chunk([ChunkChoice(index=index, delta=delta, finish_reason=None, logprobs=None)])
            for index in range(self.texts)
        ]

    def piece(self, index: int, outputs: Sequence[TokenOutput]) -> ChatCompletionChunk | None:
        """A chunk with the new tokens of one text, if they add to the answer."""
        content = _text(outputs)
        if not content and not self.logprobs:
            return None
        logprobs = self._logprobs(outputs, ChunkLogprobs)
        delta = ChoiceDelta(content=content)
        return self._chunk([ChunkChoice(index=index, delta=delta, finish_reason=None, logprobs=logprobs)])

    def ending(self, index: int, finish: str) -> ChatCompletionChunk:
        """The end of one text."""
        reason = FINISH[finish]
        return self._chunk([ChunkChoice(index=index, delta=ChoiceDelta(), finish_reason=reason, logprobs=None)])

    def usage(self, counts: CompletionUsage) -> ChatCompletionChunk:
        """The counts."""
        fields = self.told.fields(chunk=True) | {"usage": counts}
        return ChatCompletionChunk(object="chat.completion.chunk", choices=[], **fields)

    def whole(self, texts: Sequence[Sequence[TokenOutput]], counts: CompletionUsage) -> ChatCompletion:
        """All texts at once."""
        choices = [
            Choice(
                index=index,
                message=ChatCompletionMessage(role="assistant", content=_text(outputs), refusal=None),
                finish_reason=_finish(outputs),
                logprobs=self._logprobs(outputs, ChoiceLogprobs),
            )
            for index, outputs in enumerate(texts)
        ]
        return ChatCompletion(object="chat.completion", choices=choices, usage=counts, **self.told.fields(chunk=False))


def _entry(told: dict[str, Any]) -> ChatCompletionTokenLogprob:
    return ChatCompletionTokenLogprob(**told | {"top_logprobs": [TopLogprob(**one) for one in told["top_logprobs"]]})


@dataclass(slots=True)
class CompletionAnswer:
    """The answer to a completion.

    Attributes:
        echo: The prompt of each text, where the answer begins with it; else an empty text.
    """

    told: Metadata
    echo: Sequence[str]
    logprobs: bool
    written: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.written = [len(prompt) for prompt in self.echo]

    def _chunk(self, choices: list[CompletionChoice]) -> Completion:
        return Completion(object="text_completion", choices=choices, **self.told.fields(chunk=True))

    def _choice(self, index: int, text: str, finish: str | None, outputs: Sequence[TokenOutput]) -> CompletionChoice:
        logprobs = None
        if self.logprobs and outputs:
            logprobs = Logprobs(**columns(outputs, self.written[index]))
        self.written[index] += len(_text(outputs))
        # the type needs a reason, and a chunk has none until its text has ended
        return CompletionChoice.model_construct(
            {"index", "text", "finish_reason", "logprobs"}, index=index, text=text, finish_reason=finish,
            logprobs=logprobs,
        )  # fmt: skip

    def opening(self) -> list[Completion]:
        """The prompt of each text, where it is echoed."""
        return [self._chunk([self._choice(at, prompt, None, [])]) for at, prompt in enumerate(self.echo) if prompt]

    def piece(self, index: int, outputs: Sequence[TokenOutput]) -> Completion | None:
        """A chunk with the new tokens of one text, if they add to the answer."""
        text = _text(outputs)
        return self._chunk([self._choice(index, text, None, outputs)]) if text or self.logprobs else None

    def ending(self, index: int, finish: str) -> Completion:
        """The end of one text."""
        return self._chunk([self._choice(index, "", FINISH[finish], [])])

    def usage(self, counts: CompletionUsage) -> Completion:
        """The counts."""
        return Completion(object="text_completion", choices=[], **self.told.fields(chunk=True) | {"usage": counts})

    def whole(self, texts: Sequence[Sequence[TokenOutput]], counts: CompletionUsage) -> Completion:
        """All texts at once."""
        choices = [
            self._choice(
                index, self.echo[index] + _text(outputs), _finish(outputs), outputs
            )
            for index, outputs in enumerate(texts)
        ]  # fmt: skip
        return Completion(object="text_completion", choices=choices, usage=counts, **self.told.fields(chunk=False))


def _text(outputs: Sequence[TokenOutput]) -> str:
    return "".join(output.token.text for output in outputs)


def _finish(outputs: Sequence[TokenOutput]) -> str:
    return FINISH[outputs[-1].token.finish or ""]


def counts(prompt: int, written: int) -> CompletionUsage:
    """The counts of tokens that were read and written."""
    return CompletionUsage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written)


def as_json(answer: Any) -> bytes:
    """One of the `openai` package's objects, with the fields that were given."""
    return answer.model_dump_json(exclude_unset=True).encode()
