"""The bytes of the tokens of fake hosts, and a zone of a user's own, for tests of policies that read `inside`."""

from __future__ import annotations

from itertools import combinations

OWN_ZONE = "note=<note>...</note>"
"""The zone that every fake host defines beside the known ones."""

TEXTS = ("a<think>b</think>c", "d<note>e</note>f")
"""Texts that go into a zone and leave it."""

_PIECES = sorted({text[at:end].encode() for text in TEXTS for at, end in combinations(range(len(text) + 1), 2)})


def spelled(token: int) -> bytes:
    """The bytes of a token: each part of `TEXTS` is one, and all others are a letter."""
    return _PIECES[token] if 0 <= token < len(_PIECES) else b"x"


def token_of(piece: str) -> int:
    """The token with these bytes."""
    return _PIECES.index(piece.encode())
