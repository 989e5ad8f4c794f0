"""The tokens of a host's model: their bytes, their names, and those that end a text."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any

from dyntemp.errors import EngineError
from dyntemp.models.pieces import Pieces


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The tokens of a host's model.

    Attributes:
        token_bytes: Returns the bytes that a token adds to the text; empty for control tokens.
        token_name: Returns the name of a token without bytes, such as `<|im_end|>`.
        ends: The tokens that end a text.
    """

    token_bytes: Callable[[int], bytes]
    token_name: Callable[[int], str]
    ends: Container[int] = ()

    @classmethod
    def of(cls, tokenizer: Any, ends: Container[int] = ()) -> Vocabulary:
        """The tokens of a tokenizer of transformers, or of a function that returns the bytes of a token.

        Raises:
            EngineError: If there is neither.
        """
        if hasattr(tokenizer, "convert_ids_to_tokens"):
            pieces = Pieces(tokenizer)
            return cls(pieces.token_bytes, pieces.token_name, ends)
        if callable(tokenizer):
            return cls(tokenizer, "<{}>".format, ends)
        raise EngineError(
            "record= was given, and a trace holds the text of its tokens: pass tokenizer=, the model's tokenizer or a "
            "function that returns the bytes of a token"
        )

    def text(self, tokens: Iterable[int]) -> str:
        """The text of tokens as the model reads it: control tokens are written by their names."""
        raw = b"".join(self.token_bytes(token) or self.token_name(token).encode() for token in tokens)
        return raw.decode(errors="replace")

    def shown(self, token: int) -> str:
        """The text of an alternative."""
        return self.token_bytes(token).decode(errors="backslashreplace") or self.token_name(token)
