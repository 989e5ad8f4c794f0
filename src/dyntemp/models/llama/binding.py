"""The functions of llama.h that models use, with their types.

A struct that is passed by value is a `Block`, which is longer than the struct. On x86-64 and AArch64 a struct of more
than 16 bytes lies in memory, and a function reads only the bytes that it knows. So the longer block does no harm,
unless another argument in memory follows the struct. In llama.h each such struct comes last.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import c_bool, c_char_p, c_float, c_int32, c_size_t, c_uint32, c_void_p
from types import SimpleNamespace
from typing import Any

from dyntemp.errors import ModelError
from dyntemp.models.llama.layout import Block, Layout

Log = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
"""A callback for a line of llama.cpp's log: its level, its text, and an unused pointer."""

FUNCTIONS: Mapping[str, tuple[Any, list[Any]]] = {
    "llama_backend_init": (None, []),
    "llama_log_set": (None, [Log, c_void_p]),
    "llama_model_default_params": (Block, []),
    "llama_model_load_from_file": (c_void_p, [c_char_p, Block]),
    "llama_model_free": (None, [c_void_p]),
    "llama_model_has_encoder": (c_bool, [c_void_p]),
    "llama_model_has_decoder": (c_bool, [c_void_p]),
    "llama_model_n_ctx_train": (c_int32, [c_void_p]),
    "llama_model_meta_val_str": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_vocab_is_eog": (c_bool, [c_void_p, c_int32]),
    "llama_vocab_bos": (c_int32, [c_void_p]),
    "llama_vocab_eos": (c_int32, [c_void_p]),
    "llama_vocab_get_add_bos": (c_bool, [c_void_p]),
    "llama_vocab_get_text": (c_char_p, [c_void_p, c_int32]),
    "llama_tokenize": (c_int32, [c_void_p, c_char_p, c_int32, c_void_p, c_int32, c_bool, c_bool]),
    "llama_token_to_piece": (c_int32, [c_void_p, c_int32, c_char_p, c_int32, c_int32, c_bool]),
    "llama_context_default_params": (Block, []),
    "llama_init_from_model": (c_void_p, [c_void_p, Block]),
    "llama_free": (None, [c_void_p]),
    "llama_n_ctx": (c_uint32, [c_void_p]),
    "llama_n_seq_max": (c_uint32, [c_void_p]),
    "llama_n_threads": (c_int32, [c_void_p]),
    "llama_n_threads_batch": (c_int32, [c_void_p]),
    "llama_get_memory": (c_void_p, [c_void_p]),
    "llama_memory_clear": (None, [c_void_p, c_bool]),
    "llama_memory_seq_cp": (None, [c_void_p, c_int32, c_int32, c_int32, c_int32]),
    "llama_state_seq_get_size": (c_size_t, [c_void_p, c_int32]),
    "llama_state_seq_get_data": (c_size_t, [c_void_p, c_void_p, c_size_t, c_int32]),
    "llama_state_seq_set_data": (c_size_t, [c_void_p, c_void_p, c_size_t, c_int32]),
    "llama_batch_get_one": (Block, [c_void_p, c_int32]),
    "llama_decode": (c_int32, [c_void_p, Block]),
    "llama_get_logits": (ctypes.POINTER(c_float), [c_void_p]),
}
"""Result and arguments of each function."""

VERSIONS = ("llama_version", "ggml_version")
"""Functions that return a version as text."""


class Api(SimpleNamespace):
    """The functions of `FUNCTIONS` as attributes, and `layout`, the places of the fields in their structs."""

    layout: Layout


def bind(library: Any, name: str, layout: Layout) -> Api:
    """The functions of an open library.

    Args:
        library: A `ctypes.CDLL`.
        name: Its name in messages.
        layout: The places of the fields in its structs.

    Raises:
        ModelError: If the library lacks a function.
    """
    if missing := [function for function in (*FUNCTIONS, *VERSIONS) if not hasattr(library, function)]:
        raise ModelError(
            f"{name} lacks {', '.join(missing)}, which models need: install another build, or name another library in "
            f"DYNTEMP_LLAMA"
        )
    api = Api(layout=layout)
    for function, (result, arguments) in FUNCTIONS.items():
        bound = getattr(library, function)
        bound.restype, bound.argtypes = result, arguments
        setattr(api, function, bound)
    for function in VERSIONS:
        bound = getattr(library, function)
        bound.restype, bound.argtypes = c_char_p, []
        setattr(api, function, bound)
    return api
