"""Logits in memory: buffers that are read again and again (hot), or that no cache can still hold (cold)."""

import os
from pathlib import Path

import numpy as np

MEGABYTE = 1_000_000
COLD_BYTES = 160 * MEGABYTE
"""What the cold buffers cover together at least."""


def last_cache_bytes() -> int:
    """The size of the largest cache that the first processor can see, as the operating system tells it; else 32 MB."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    units = {"K": 1024, "M": 1024**2}
    return max((int(size[:-1]) * units[size[-1]] for size in sizes if size[-1:] in units), default=32 * MEGABYTE)


def cold_bytes(buffer: int) -> int:
    """Bytes to rotate through: twice the last cache and twice a buffer, but a quarter of the memory at most."""
    wanted = max(COLD_BYTES, 2 * last_cache_bytes())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(min(wanted, memory // 4), 2 * buffer)


def synthetic(size: int, vocabulary: int, seed: int = 0) -> np.ndarray:
    """Logits, float32: normal with a standard deviation of 2.5, and about 8 of each row 4 to 14 above that."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal(size, np.float32) * np.float32(2.5)
    spikes = rng.integers(0, size, 8 * size // vocabulary)
    logits[spikes] += rng.uniform(4, 14, len(spikes)).astype(np.float32)
    return logits


class Pool:
    """Memory full of logits, float32 or the bits of bfloat16 as uint16, handed out as [rows, vocabulary]."""

    def __init__(self, dtype: str, rows: int, vocabulary: int) -> None:
        tile = synthetic(max(2**22, 4 * vocabulary), vocabulary)
        if dtype == "bfloat16":
            import ml_dtypes

            tile = tile.astype(ml_dtypes.bfloat16).view(np.uint16)
        self.bytes = cold_bytes(rows * vocabulary * tile.itemsize)
        self.memory = np.resize(tile, self.bytes // tile.itemsize)
        self.at = 0

    def hot(self, shape: tuple[int, int]) -> np.ndarray:
        """The same buffer at every call."""
        return self.memory[: shape[0] * shape[1]].reshape(shape)

    def cold(self, shape: tuple[int, int]) -> np.ndarray:
        """The buffer after the one before, so that all the others are read before it comes again."""
        size = shape[0] * shape[1]
        if self.at + size > len(self.memory):
            self.at = 0
        self.at += size
        return self.memory[self.at - size : self.at].reshape(shape)
