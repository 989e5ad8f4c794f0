"""The bytes of a token of a loaded `llama_cpp.Llama`."""

from __future__ import annotations

import ctypes
from typing import Any


def token_bytes(llama: Any, token: int) -> bytes:
    """The bytes of a token; those of a control token are its name, such as `<|im_end|>`."""
    import llama_cpp

    size = 64
    while True:
        buffer = ctypes.create_string_buffer(size)
        count = llama_cpp.llama_token_to_piece(llama._model.vocab, token, buffer, size, 0, True)  # noqa: SLF001
        if count >= 0:
            return buffer.raw[:count]
        size = -count
