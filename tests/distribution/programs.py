"""Shared by the tests against other programs: random rows, and llama.cpp's samplers without a model."""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROWS, GROUP = 10_000, 25
SIZES = (1, 2, 3, 5, 8, 17, 40, 100, 300, 1000)
LARGE = 32_000
KINDS = ("plain", "ties", "half", "bfloat", "masked", "sharp")


def row_groups(seed: int, *, large: bool = True) -> Iterator[tuple[np.random.Generator, np.ndarray]]:
    """10,000 rows in groups of one size, float32 [25, n], with the generator that made them; then a group of 32,000.

    Rows have ties (whole logits), numbers of half precision, masked entries, or one entry far above the others. The
    largest entry of a row is never masked.
    """
    rng = np.random.default_rng(seed)
    for number in range(ROWS // GROUP):
        yield rng, _rows(rng, KINDS[number % len(KINDS)], GROUP, int(rng.choice(SIZES, p=_SHARES)))
    if large:
        for kind in ("plain", "half"):
            yield rng, _rows(rng, kind, 3, LARGE)


_SHARES = np.array([2, 2, 2, 3, 4, 4, 4, 3, 2, 1]) / 27
"""Shares of the sizes: most rows are short."""


def _rows(rng: np.random.Generator, kind: str, count: int, n: int) -> np.ndarray:
    rows = rng.normal(0, rng.uniform(0.1, 5), (count, n))
    if kind == "ties":
        rows = np.round(rows)
    elif kind == "half":
        rows = rows.astype(np.float16)
    elif kind == "bfloat":
        rows = (rows.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    elif kind == "masked":
        rows[(rng.random(rows.shape) < rng.uniform(0, 1)) & (rows < rows.max(axis=1, keepdims=True))] = -np.inf
    elif kind == "sharp":
        rows[:, rng.integers(n)] += rng.uniform(0, 40)
    return rows.astype(np.float32)


CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Candidates(ctypes.Structure):
    """llama_token_data_array."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("selected", ctypes.c_int64),
                ("sorted", ctypes.c_bool))  # fmt: skip


ARGUMENTS = {
    "top_k": (ctypes.c_int32,),
    "top_p": (ctypes.c_float, ctypes.c_size_t),
    "min_p": (ctypes.c_float, ctypes.c_size_t),
    "typical": (ctypes.c_float, ctypes.c_size_t),
    "top_n_sigma": (ctypes.c_float,),
    "xtc": (ctypes.c_float, ctypes.c_float, ctypes.c_size_t, ctypes.c_uint32),
    "temp": (ctypes.c_float,),
    "temp_ext": (ctypes.c_float, ctypes.c_float, ctypes.c_float),
}
"""The arguments of `llama_sampler_init_NAME`."""


class LlamaSamplers:
    """llama.cpp's own samplers, out of the shared library of xllamacpp, which is skipped where it is not installed."""

    def __init__(self) -> None:
        module = pytest.importorskip("xllamacpp")
        (path,) = Path(module.__file__).parent.glob("*.so")
        self.library = ctypes.CDLL(str(path))
        for name, arguments in ARGUMENTS.items():
            make = getattr(self.library, f"llama_sampler_init_{name}")
            make.restype, make.argtypes = ctypes.c_void_p, arguments
        self.library.llama_sampler_apply.argtypes = [ctypes.c_void_p, ctypes.POINTER(Candidates)]
        self.library.llama_sampler_free.argtypes = [ctypes.c_void_p]

    def make(self, name: str, *arguments: float) -> int:
        """A sampler, to be freed with `free`."""
        return int(getattr(self.library, f"llama_sampler_init_{name}")(*arguments))

    def free(self, *samplers: int) -> None:
        """Free samplers."""
        for sampler in samplers:
            self.library.llama_sampler_free(sampler)

    def apply(self, row: np.ndarray, *samplers: int) -> np.ndarray:
        """The logits after these samplers, one after the other; -inf where a candidate was removed."""
        records = np.zeros(len(row), CANDIDATE)
        records["id"], records["logit"] = np.arange(len(row)), row
        array = Candidates(records.ctypes.data, len(row), -1, False)
        for sampler in samplers:
            self.library.llama_sampler_apply(sampler, ctypes.byref(array))
        start = (array.data - records.ctypes.data) // CANDIDATE.itemsize  # XTC moves the pointer
        left = records[start : start + array.size]
        found = np.full(len(row), -np.inf, np.float32)
        found[left["id"]] = left["logit"]
        return found
