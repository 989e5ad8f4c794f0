"""A model from any PyTorch module that computes logits, and any tokenizer."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

from dyntemp.errors import ModelError
from dyntemp.models import Messages, check_advance, check_prompts

Memory = Literal["none", "hidden", "cache"]
"""The state that a module passes from one call to the next."""


class Tokenizer(Protocol):
    """A tokenizer for `TorchModel`."""

    def encode(self, text: str) -> Any:
        """The tokens of a text: a list, a tensor of shape [n] or [1, n], or an object with an attribute `ids`."""

    def decode(self, tokens: list[int]) -> str:
        """The text of these tokens."""


class TorchModel:
    """A `torch.nn.Module` as a model; see `Model`.

    The module is called with tokens of shape [batch, length], in evaluation mode, without gradients:

    - `state="none"`: `module(tokens)` returns logits [batch, length, vocabulary]. Every step computes the whole
      sequences again; sequences of equal length go through the module together.
    - `state="hidden"`: `module(tokens, hidden)` returns the logits and the next hidden state, as recurrent networks
      do. It is called with `hidden=None` for the prompt, and then with one new token at a time. Each sequence goes
      through the module by itself, since only the module knows the layout of its state.
    - `state="cache"`: `module(input_ids=..., past_key_values=..., use_cache=True)` returns an object with `logits` and
      `past_key_values`, as models of transformers do. Called like `"hidden"`, each sequence by itself;
      `dyntemp.models.transformers` computes sequences together.

    With `"none"`, and for the prompt with the others, logits may come as a tensor, as the first of a tuple, or as the
    attribute `logits`.

    The bytes of a token are `tokenizer.decode([token])` in UTF-8. They are exact for tokenizers of characters and
    words. A token that is a part of a character becomes U+FFFD.
    """

    def __init__(
        self,
        module: Any,
        tokenizer: Tokenizer,
        *,
        name: str | None = None,
        device: Any = None,
        end_tokens: Iterable[int] | None = None,
        context: int | None = None,
        state: Memory = "none",
    ) -> None:
        """Make a model of `module`. The module is put into evaluation mode, and moved to `device` if that is given.

        Args:
            module: The network.
            tokenizer: An object with `encode` and `decode`.
            name: Its name in a trace; the name of the module's class by default.
            device: The device to compute on; that of the module's parameters by default.
            end_tokens: Tokens that end a text; by default the tokenizer's `eos_token_id`, if it has one.
            context: Most tokens in a sequence; None without a limit.
            state: The state that the module passes between calls: `"none"`, `"hidden"` or `"cache"`.

        Raises:
            ModelError: If the module's output does not fit `state`.
        """
        self._torch = torch = import_torch()
        if state not in get_args(Memory):
            raise ModelError(f"state = {state!r} was given; 'none', 'hidden' and 'cache' are allowed")
        if device is not None:
            module.to(device)
        self.name = name or type(module).__name__
        self.context = context
        self.module = module.eval()
        self.tokenizer = tokenizer
        self.state = state
        self.device = torch.device(device) if device is not None else device_of(module, torch)
        end = getattr(tokenizer, "eos_token_id", None) if end_tokens is None else None
        self.end_tokens = frozenset(end_tokens or ([] if end is None else [int(end)]))
        try:
            self.vocabulary = int(self.compute([[0]], None)[0].shape[-1])
        except TypeError as error:
            raise ModelError(
                f"{self.name} cannot be called as state={state!r} says: {error}; name the state that it has, or 'none'"
            ) from error

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, from the tokenizer."""
        tokens = self.tokenizer.encode(text)
        tokens = getattr(tokens, "ids", tokens)
        return [int(token) for token in self._torch.as_tensor(tokens, dtype=self._torch.int64).reshape(-1)]

    def encode_chat(self, messages: Messages) -> list[int] | None:  # noqa: ARG002  # a protocol's method
        """None: a module has no chat template."""
        return None

    def token_bytes(self, token: int) -> bytes:
        """The tokenizer's text of this token alone, in UTF-8; empty for the tokens that end a text."""
        return b"" if token in self.end_tokens else self.tokenizer.decode([token]).encode()

    def token_name(self, token: int) -> str:
        """The tokenizer's text of this token, or its number where there is none."""
        return self.tokenizer.decode([token]) or f"<{token}>"

    def start(self, prompts: Sequence[Sequence[int]]) -> TorchSession:
        """Sequences that begin with these tokens."""
        return TorchSession(self, prompts)

    def compute(self, tokens: list[list[int]], memory: Any) -> tuple[Any, Any]:
        """The logits after the last tokens, [batch, vocabulary], and the state for the next call.

        Raises:
            ModelError: If the module's output does not fit `state`.
        """
        ids = self._torch.tensor(tokens, dtype=self._torch.int64, device=self.device)
        with self._torch.inference_mode():
            if self.state == "cache":
                output = self.module(input_ids=ids, past_key_values=memory, use_cache=True)
                memory = getattr(output, "past_key_values", None)
            elif self.state == "hidden":
                output = self.module(ids, memory)
                memory = output[1] if isinstance(output, (tuple, list)) and len(output) == 2 else None
            else:
                return self._last(self.module(ids), ids), None
        if memory is None:
            promised = "an object with `past_key_values`" if self.state == "cache" else "(logits, hidden)"
            raise ModelError(
                f"{self.name} returned {_shape(output)}, and state={self.state!r} promises {promised}: name the state "
                f"that it has, or 'none'"
            )
        return self._last(output, ids), memory

    def _last(self, output: Any, ids: Any) -> Any:
        logits = getattr(output, "logits", output)
        logits = logits[0] if isinstance(logits, (tuple, list)) and logits else logits
        shape = tuple(getattr(logits, "shape", ()))
        if len(shape) != 3 or shape[:2] != tuple(ids.shape):
            raise ModelError(
                f"{self.name} returned {_shape(logits)} for tokens of shape {list(ids.shape)}; logits of shape "
                f"{[*ids.shape, 'vocabulary']} are needed: wrap the module in one whose `forward` returns them"
            )
        return logits[:, -1]


class TorchSession:
    """Sequences of a `TorchModel`; see `Session`. Logits are a tensor on the CPU."""

    def __init__(self, model: TorchModel, prompts: Sequence[Sequence[int]]) -> None:
        check_prompts(model, prompts)
        self._model = model
        self._sequences = {row: [int(token) for token in prompt] for row, prompt in enumerate(prompts)}
        self._memory: dict[int, Any] = dict.fromkeys(self._sequences)
        self._rows: dict[int, Any] | None = {}
        self._compute(self._sequences)

    def logits(self) -> Any:
        """Logits of the next token, a tensor [live sequences, vocabulary]."""
        if self._rows is None:
            raise ModelError("the session is closed: start another")
        torch = import_torch()
        if not self._rows:
            return torch.empty(0, self._model.vocabulary)
        return torch.stack([self._rows[row] for row in self._sequences]).cpu()

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append `tokens[row]` to the sequence `row`. Live sequences without a token end."""
        if self._rows is None:
            raise ModelError("the session is closed: start another")
        check_advance(self._model, {row: len(sequence) for row, sequence in self._sequences.items()}, tokens)
        for row in [row for row in self._sequences if row not in tokens]:
            del self._sequences[row], self._memory[row], self._rows[row]
        for row, sequence in self._sequences.items():
            sequence.append(int(tokens[row]))
        whole = self._model.state == "none"
        self._compute(self._sequences if whole else {row: [tokens[row]] for row in self._sequences})

    def close(self) -> None:
        """Free the sequences' tokens and states."""
        self._rows = None
        self._memory = {}

    def _compute(self, new: Mapping[int, list[int]]) -> None:
        """The rows after these new tokens of each sequence."""
        assert self._rows is not None
        groups: dict[int, list[int]] = {}
        for row, tokens in new.items():
            groups.setdefault(len(tokens) if self._model.state == "none" else -row, []).append(row)
        for rows in groups.values():
            logits, memory = self._model.compute([new[row] for row in rows], self._memory[rows[0]])
            for row, found in zip(rows, logits, strict=True):
                self._rows[row] = found
                self._memory[row] = memory


def import_torch() -> Any:
    """Import PyTorch.

    Raises:
        ModelError: If it is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ModelError("PyTorch is not installed: run `pip install 'dyntemp[torch]'`") from error


def device_of(module: Any, torch: Any) -> Any:
    """The device of a module's parameters; the CPU if it has none."""
    parameter = next(iter(module.parameters()), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _shape(value: Any) -> str:
    """The type and shape of a value, for a message."""
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} of shape {list(value.shape)}" if hasattr(value, "shape") else type(value).__name__
