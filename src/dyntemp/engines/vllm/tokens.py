"""The tokens of a request in vLLM's first runner, and their bytes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dyntemp.engines.zones import TokenBytes, token_bytes


class Tokens:
    """The tokens of a prompt, and those generated after it.

    Args:
        prompt: The prompt's tokens; None for a prompt of embeddings, which has no text.
        output: The host's own list, which grows; -1 where a token is not known yet.

    Attributes:
        prompt, output: As given; an empty prompt where it is None.
    """

    def __init__(self, prompt: list[int] | None, output: list[int]) -> None:
        self.prompt = prompt or []
        self.output = output

    def __len__(self) -> int:
        return len(self.prompt) + len(self.output)

    def __getitem__(self, part: slice) -> list[int]:
        """The tokens from `part.start` on; the prompt is not copied for those after it."""
        return self.prompt[part.start :] + self.output[max(0, part.start - len(self.prompt)) :]

    def generated(self, first: int) -> list[int]:
        """The tokens that were generated, from a position on."""
        return self.output[first:]


class SlotTokens:
    """The tokens of a request in vLLM's second runner.

    Args:
        held: The tokens of its slot, a tensor.
        prompt: Number of tokens in its prompt.
        end: Number of all its tokens.
    """

    def __init__(self, held: Any, prompt: int, end: int) -> None:
        self._held, self._prompt, self._end = held, prompt, end

    @property
    def prompt(self) -> list[int]:
        """The tokens of its prompt. The call waits for a device."""
        return list(self._held[: self._prompt].tolist())

    def generated(self, first: int) -> list[int]:
        """The tokens that were generated, from a position on. The call waits for a device."""
        return list(self._held[self._prompt + first : self._end].tolist())


class ServedTokenizer:
    """The bytes of each token of the served model. The tokenizer is loaded when they are first needed.

    Args:
        model_config: vLLM's configuration of the model; None where the bytes are never asked for.

    Attributes:
        exists: False on a server without a tokenizer (`--skip-tokenizer-init`).
    """

    def __init__(self, model_config: Any = None) -> None:
        self._model_config = model_config
        self._bytes: TokenBytes | None = None
        self.exists = not getattr(model_config, "skip_tokenizer_init", False)

    def __call__(self, token: int) -> bytes:
        """The bytes of a token."""
        if self._bytes is None:
            self._bytes = token_bytes(self.load())
        return self._bytes(token)

    def load(self) -> Any:
        """The tokenizer as vLLM loads it."""
        return import_module("vllm.tokenizers").cached_tokenizer_from_config(self._model_config)
