"""Causal language models of transformers: by name on the Hugging Face hub, folder or GGUF file."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from dyntemp.errors import ModelError
from dyntemp.models import Messages
from dyntemp.models.hidden import HiddenFunction, HiddenStates
from dyntemp.models.pieces import Pieces
from dyntemp.models.recommended import FIELDS
from dyntemp.models.torch_module import import_torch
from dyntemp.models.transformers_session import OpenTransformersSession, TransformersSession, has_plain_cache


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
    return model_of(module.to(device), tokenizer, name or str(path))


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

    @cached_property
    def recommended(self) -> dict[str, float]:
        """The sampling in the model's `generation_config.json`; see `Recommends`."""
        given = self.module.generation_config.to_diff_dict()  # without the defaults of transformers
        return {name: given[name] for name in FIELDS if name in given} if given.get("do_sample") else {}

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


class OpenTransformersModel(TransformersModel):
    """A `TransformersModel` whose cache is plain, so that its sessions are open; see `OpenModel`, `has_plain_cache`."""

    def start_open(self, places: int, kept: int = 0) -> OpenTransformersSession:
        """Start a session without sequences; see `OpenModel.start_open`."""
        return OpenTransformersSession(self, places, kept)


def model_of(module: Any, tokenizer: Any, name: str) -> TransformersModel:
    """A module of transformers as a model, with open sessions where its cache allows them."""
    model = OpenTransformersModel(module, tokenizer, name)
    return model if has_plain_cache(model) else TransformersModel(module, tokenizer, name)
