"""Causal language models of transformers: by name on the Hugging Face hub, folder or GGUF file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dyntemp.errors import ModelError
from dyntemp.models import Messages, check_advance, check_prompts
from dyntemp.models.hidden import HiddenFunction, HiddenStates
from dyntemp.models.pieces import Pieces
from dyntemp.models.torch_module import import_torch


def load(
    path: str | Path,
    name: str | None = None,
    *,
    device: Any = None,
    dtype: Any = None,
    gguf_file: str | None = None,
    **options: Any,
) -> TransformersModel:
    """Load a model with transformers.

    Args:
        path: A name on the hub, a folder, or a GGUF file, which is converted to full precision while it loads.
        name: Its name in a trace; `path` by default.
        device: The device to compute on; by default a GPU if PyTorch has one, else the CPU.
        dtype: Precision of the weights, such as `"bfloat16"`; that of the saved model by default.
        gguf_file: The name of the GGUF file, if `path` is its folder or repository.
        options: Passed to `AutoModelForCausalLM.from_pretrained`; `revision`, `token`, `cache_dir`,
            `local_files_only` and `trust_remote_code` to the tokenizer too.

    Raises:
        ModelError: If transformers or PyTorch is not installed, or the model cannot be found or loaded.
    """
    torch = import_torch()
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise ModelError("transformers is not installed: run `pip install 'dyntemp[transformers]'`") from error
    folder = str(path)
    if gguf_file is None and folder.lower().endswith(".gguf"):
        if not Path(folder).is_file():
            raise ModelError(f"there is no file {folder!r}")
        folder, gguf_file = str(Path(folder).parent), Path(folder).name
    file = {} if gguf_file is None else {"gguf_file": gguf_file}
    both = {"revision", "token", "cache_dir", "local_files_only", "trust_remote_code"}
    shared = {key: value for key, value in options.items() if key in both}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **file, **shared)
        module = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype or "auto", **file, **options)
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, AttributeError, TypeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(
            f"transformers cannot load {str(path)!r}: {reason}; give a name on huggingface.co, or a folder or GGUF "
            f"file that is here"
        ) from error
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    return TransformersModel(module.to(device), tokenizer, name or str(path))


class TransformersModel:
    """A causal language model of transformers with its tokenizer; see `Model`, and `load`, which makes it."""

    def __init__(self, module: Any, tokenizer: Any, name: str) -> None:
        import_torch()
        self.name = name
        self.module = module.eval()
        self.tokenizer = tokenizer
        self._takes = frozenset(inspect.signature(module.forward).parameters)
        if "past_key_values" not in self._takes:
            raise ModelError(
                f"{name} has no KV cache that transformers can be asked for: wrap it as "
                f"`dyntemp.models.torch_module.TorchModel(module, tokenizer)`"
            )
        config = module.config.get_text_config()
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self.vocabulary = int(config.vocab_size)
        ends = [getattr(module.generation_config, "eos_token_id", None), tokenizer.eos_token_id]
        self.end_tokens = frozenset(
            token for end in ends if end is not None for token in (end if isinstance(end, list) else [end])
        )
        self._pieces = Pieces(tokenizer)

    def encode(self, text: str) -> list[int]:
        """The tokens of a plain prompt, with the special tokens that the tokenizer adds."""
        return list(self.tokenizer.encode(text))

    def encode_chat(self, messages: Messages) -> list[int] | None:
        """The tokens of a conversation by the tokenizer's chat template, or None without one."""
        if not self.tokenizer.chat_template:
            return None
        conversation = [dict(message) for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        except Exception as error:  # a template is a program, and may raise any error
            raise ModelError(f"the chat template of {self.name} refuses this conversation: {error}") from error
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token adds to the text; empty for special tokens and end tokens."""
        return b"" if token in self.end_tokens else self._pieces.token_bytes(token)

    def token_name(self, token: int) -> str:
        """The token as the vocabulary writes it, such as `<|im_end|>`."""
        return self._pieces.token_name(token)

    def start(self, prompts: Sequence[Sequence[int]]) -> TransformersSession:
        """Start sequences that every step computes together, padded on the left."""
        return TransformersSession(self, prompts)

    def hidden_states(self, functions: Sequence[HiddenFunction]) -> HiddenStates:
        """The hidden states that these functions need, of every step from now on; see `HiddenStates`."""
        return HiddenStates(self.module, functions)

    def compute(self, ids: Any, mask: Any, cache: Any) -> tuple[Any, Any]:
        """The logits after the last column of `ids`, [batch, vocabulary], and the cache."""
        torch = import_torch()
        arguments = {"attention_mask": mask}
        if "position_ids" in self._takes:
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            arguments["position_ids"] = positions[:, -ids.shape[1] :]
        if "logits_to_keep" in self._takes:
            arguments["logits_to_keep"] = 1
        with torch.inference_mode():
            output = self.module(input_ids=ids, past_key_values=cache, use_cache=True, **arguments)
        return output.logits[:, -1], output.past_key_values


class TransformersSession:
    """Sequences of a `TransformersModel` in one padded batch with one KV cache; see `Session`.

    Logits are a tensor on the CPU.
    """

    def __init__(self, model: TransformersModel, prompts: Sequence[Sequence[int]]) -> None:
        check_prompts(model, prompts)
        self._torch = torch = import_torch()
        self._model = model
        self._lengths = {row: len(prompt) for row, prompt in enumerate(prompts)}
        self._cache: Any = None
        self._logits: Any = torch.empty(0, model.vocabulary)
        if not prompts:
            return
        longest = max(self._lengths.values())
        device = model.module.device
        padding = [longest - len(prompt) for prompt in prompts]
        ids = [[0] * pad + [int(token) for token in prompt] for pad, prompt in zip(padding, prompts, strict=True)]
        self._mask = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in padding], device=device)
        self._compute(torch.tensor(ids, device=device))

    def logits(self) -> Any:
        """Logits of the next token, a tensor [live sequences, vocabulary]."""
        if self._logits is None:
            raise ModelError("the session is closed: start another")
        return self._logits

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append `tokens[row]` to the sequence `row`. Live sequences without a token end."""
        if self._logits is None:
            raise ModelError("the session is closed: start another")
        check_advance(self._model, self._lengths, tokens)
        torch, device = self._torch, self._model.module.device
        kept = [place for place, row in enumerate(self._lengths) if row in tokens]
        if len(kept) < len(self._lengths):
            self._lengths = {row: length for row, length in self._lengths.items() if row in tokens}
            if not kept:
                self._cache, self._logits = None, self._logits[:0]
                return
            self._mask = self._mask[kept]
            self._cache.reorder_cache(torch.tensor(kept, device=device))
        ids = [[int(tokens[row])] for row in self._lengths]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(ids), 1)], dim=1)
        self._lengths = {row: length + 1 for row, length in self._lengths.items()}
        self._compute(torch.tensor(ids, device=device))

    def close(self) -> None:
        """Free the cache."""
        self._cache = self._logits = None

    def _compute(self, ids: Any) -> None:
        logits, self._cache = self._model.compute(ids, self._mask, self._cache)
        self._logits = logits.cpu()
