"""Splits by content: a question belongs to the same split wherever and whenever it is made."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from dyntemp.evaluation.task import Item, Split

QUARTERS: tuple[Split, ...] = ("tune", "val", "test", "test")


def digest(text: str) -> int:
    """64 bits of a text, the same on every machine."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def split_of(text: str) -> Split:
    """The split of a content: one half of all contents are `test`, a quarter each `tune` and `val`."""
    return QUARTERS[digest(text) % len(QUARTERS)]


def first_items(task: str, split: Split, found: Sequence[Item], count: int, seed: int) -> list[Item]:
    """`count` of all the items of a split, in an order that the seed decides.

    Raises:
        ValueError: If there are fewer.
    """
    if not 1 <= count <= len(found):
        raise ValueError(
            f"{count} items of the task {task!r} were asked for; its split {split!r} has {len(found)}: ask for 1 to "
            f"{len(found)}"
        )
    return sorted(found, key=lambda item: digest(f"{seed} {item.id}"))[:count]
