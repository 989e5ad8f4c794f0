"""Order statistics and the copies that they rest on, against a sorted row."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from dyntemp.kernels.cpu.compare import between
from dyntemp.kernels.cpu.select import FEW, order_statistics


@njit
def select(values, k, room):
    return order_statistics(values, k, room)


@njit
def copy(values, low, high, out):
    return between(values, low, high, out)


def rows(dtype, n):
    """Name -> values, [n]."""
    rng = np.random.default_rng(n)
    normal = rng.normal(0, 2.5, n)
    return {
        "normal": normal,
        "whole numbers": np.round(normal),
        "one value": np.full(n, 3.0),
        "mostly masked": np.where(rng.random(n) < 0.9, -np.inf, normal),
        "sorted": np.sort(normal),
        "falling": np.sort(normal)[::-1],
        "zeros of both signs": np.where(rng.random(n) < 0.6, 0.0, normal) * rng.choice([-1, 1], n),
        "denormal": normal * np.finfo(dtype).smallest_subnormal * 100,
        "periodic": normal[np.arange(n) % 148],  # so that a sample at equal distances misleads
    }


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 200, FEW, FEW + 1, 40_000, 151_936])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_order_statistics_are_those_of_the_sorted_values(dtype, n):
    room = np.empty((2, n + 16), dtype)
    for name, row in rows(dtype, n).items():
        values = row.astype(dtype)
        ordered = np.sort(values)
        for k in {0, n // 100, n // 4, (n - 1) // 2, n // 2, max(n - 40, 0), n - 1}:
            following = ordered[min(k + 1, n - 1)]
            expected = ordered[k], following, np.sum(values > ordered[k]), np.sum(values == ordered[k])

            assert expected == select(values, k, room), (name, k)


@pytest.mark.parametrize("n", [0, 1, 7, 8, 31, 1_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_lies_between_two_bounds_is_copied_in_order_and_what_lies_below_is_counted(dtype, n):
    values = np.random.default_rng(n).normal(0, 1, n).astype(dtype)
    out = np.empty(n + 16, dtype)
    for low, high in [(-0.5, 0.5), (-np.inf, np.inf), (-np.inf, 0), (0, np.inf), (2, -2), (9, 10)]:
        kept, below = copy(values, low, high, out)

        assert out[:kept].tolist() == values[(values >= low) & (values <= high)].tolist()
        assert below == np.sum(values < low)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names processors of x86-64")
def test_a_processor_that_llvm_copies_lane_by_lane_for_copies_the_same():
    """The test above, compiled for one without AVX2: in a process of its own, since Numba reads the target once."""
    target = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-k", "in_order", __file__]
    done = subprocess.run(command, env=os.environ | target, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
