"""The bytes of the tokens of a loaded `llama_cpp.Llama`."""

from __future__ import annotations

import ctypes
from functools import partial
from typing import Any

from dyntemp.engines.vocabulary import Vocabulary


class EndTokens:
    """The tokens that end a text of a model, as a container.

    Args:
        llama: The loaded `llama_cpp.Llama`.
    """

    def __init__(self, llama: Any) -> None:
        self._llama = llama

    def __contains__(self, token: object) -> bool:
        import llama_cpp

        return bool(llama_cpp.llama_cpp.llama_vocab_is_eog(self._llama._model.vocab, token))  # noqa: SLF001


def vocabulary(llama: Any) -> Vocabulary:
    """The tokens of a loaded `llama_cpp.Llama`, for a trace."""
    return Vocabulary(
        partial(token_bytes, llama, names=False), lambda token: token_bytes(llama, token).decode(errors="replace"),
        EndTokens(llama),
    )  # fmt: skip


def token_bytes(llama: Any, token: int, *, names: bool = True) -> bytes:
    """The bytes of a token; those of a control token are its name, such as `<|im_end|>`, or empty without `names`."""
    import llama_cpp

    size = 64
    while True:
        buffer = ctypes.create_string_buffer(size)
        count = llama_cpp.llama_token_to_piece(llama._model.vocab, token, buffer, size, 0, names)  # noqa: SLF001
        if count >= 0:
            return buffer.raw[:count]
        size = -count
