"""The bytes that a tokenizer's pieces stand for: byte-level vocabularies, sentencepiece's, and others."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")  # the spelling of a byte without a piece of its own in sentencepiece


class Pieces:
    """The tokens of a tokenizer of transformers, or of one with its methods, as bytes and by name.

    Args:
        tokenizer: The tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._spelled = _bytes_of_pieces(tokenizer)
        added = getattr(tokenizer, "added_tokens_decoder", {})
        self._added = {token: (one.content, one.special) for token, one in added.items()}

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token adds to the text, possibly a part of a character; empty for special tokens."""
        text, special = self._added.get(token, (None, False))
        if special:
            return b""
        if text is not None:
            return text.encode()
        piece = self._piece(token)
        if piece is None:
            return b""
        return self._spelled(piece) if self._spelled else self._tokenizer.decode([token]).encode()

    def token_name(self, token: int) -> str:
        """The token as the vocabulary writes it, such as `<|im_end|>`."""
        return self._piece(token) or f"<{token}>"

    def full_bytes(self, token: int) -> bytes:
        """The bytes of a token; those of a special token are its name."""
        return self.token_bytes(token) or self.token_name(token).encode()

    def _piece(self, token: int) -> str | None:
        """The spelling of a token; None for an index without a token."""
        return self._tokenizer.convert_ids_to_tokens([token])[0] if token < len(self._tokenizer) else None


def _bytes_of_pieces(tokenizer: Any) -> Callable[[str], bytes] | None:
    """The way in which the vocabulary's pieces spell bytes; None if only the tokenizer knows."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    decoder = json.loads(backend.to_str())["decoder"] if backend is not None else None
    kinds = set(_kinds(decoder))
    if "ByteLevel" in kinds or hasattr(tokenizer, "byte_decoder"):
        table = _byte_letters()
        return lambda piece: bytes(table[letter] for letter in piece) if set(piece) <= set(table) else piece.encode()
    if kinds & {"Metaspace", "ByteFallback"} or hasattr(tokenizer, "sp_model"):
        return _sentencepiece_bytes
    return None


def _kinds(decoder: Any) -> Iterator[str]:
    """The types of a decoder and of its parts, with the names of `tokenizers`."""
    if isinstance(decoder, dict):
        yield decoder["type"]
        for part in decoder.get("decoders", ()):
            yield from _kinds(part)


def _sentencepiece_bytes(piece: str) -> bytes:
    byte = BYTE_PIECE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace("\u2581", " ").encode()


def _byte_letters() -> dict[str, int]:
    """The letter for each byte in byte-level vocabularies: itself if visible, else a letter from U+0100 on."""
    seen = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    unseen = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + place): byte for place, byte in enumerate(unseen)}
