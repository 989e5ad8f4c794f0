"""The compiled kernels on processors other than this one: Numba compiles for them, and this one runs what it can."""

import os
import platform
import subprocess
import sys

import pytest

HALVES = """
import numpy as np
from numba import njit
from dyntemp.kernels.cpu import emit, vectors
assert emit.converts_halves() == {instruction}
@njit
def widen(row, out):
    for i in range(len(row)):
        out[i] = vectors.load(row[i])
bits, found = np.arange(2**16, dtype=np.uint16), np.empty(2**16, np.float32)
widen(bits, found)
expected = bits.view(np.float16).astype(np.float32)
numbers = ~np.isnan(expected)
np.testing.assert_array_equal(found[numbers].view(np.uint32), expected[numbers].view(np.uint32))
assert np.isnan(found[~numbers]).all()
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of x86-64")
@pytest.mark.parametrize(("features", "instruction"), [("", False), ("+avx,+f16c", True)])
def test_every_float16_is_widened_with_and_without_an_instruction_for_it(features, instruction):
    target = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
    code = HALVES.format(instruction=instruction)
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | target, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
