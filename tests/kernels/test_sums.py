"""The exponential of the compiled kernels, and their sums in the vectors of each kind of processor."""

import mpmath
import numpy as np
import pytest
from numba import njit
from numba.extending import intrinsic

from dyntemp.kernels.cpu import sums
from dyntemp.kernels.cpu.vectors import LOWEST32, LOWEST64, exponential

rng = np.random.default_rng(0)


def test_the_exponential_in_float32_is_as_exact_as_it_says():
    """1.6e-7 where |d| < ln 2/2; beyond it, 2e-9 more for each ln 2, whose own rounding counts so often."""
    d = np.concatenate([np.linspace(LOWEST32, 60, 50_001), rng.uniform(-0.4, 0.4, 20_000), [0]]).astype(np.float32)

    found = exponentials(d)

    expected = np.exp(d.astype(np.float64))
    assert found[-1] == 1
    assert (np.abs(found / expected - 1) <= 1.6e-7 + 2e-9 * np.abs(np.rint(d / np.log(2)))).all()


def test_the_exponential_in_float64_is_exact_to_the_last_digits():
    d = np.concatenate([np.linspace(LOWEST64, 60, 501), rng.uniform(-0.4, 0.4, 200), [0]])

    found = exponentials(d)

    assert found[-1] == 1
    with mpmath.workdps(40):
        worst = max(abs(mpmath.mpf(float(e)) / mpmath.exp(float(x)) - 1) for e, x in zip(found, d, strict=True))
    assert worst <= 3e-16


def exponentials(d):
    @njit(error_model="numpy")
    def fill(d, out):
        for i in range(len(d)):
            out[i] = exponential(d[i], d[i] - d[i])

    found = np.empty_like(d)
    fill(d, found)
    return found


BLOCKS = {
    "normal": rng.normal(0, 2.5, 2_048),
    "equal": np.full(2_048, 1.3),
    "far apart": rng.uniform(-200, 3, 2_048),
    "short": rng.normal(0, 2.5, 320),
}


@pytest.mark.parametrize(("kind", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize(("size", "at_once"), [(32, 1), (64, 4)])
def test_sums_in_vectors_of_any_size_are_those_of_the_formulas(monkeypatch, size, at_once, kind, tolerance):
    monkeypatch.setattr(sums, "VECTOR", size)
    monkeypatch.setattr(sums, "AT_ONCE", at_once)
    emitted = intrinsic(sums.vector_sums.__wrapped__)  # Numba keeps the code of an intrinsic

    @njit(error_model="numpy")
    def vector_sums(block, groups, reference, centre):
        return emitted(block, groups, reference, centre)

    for name, numbers in BLOCKS.items():
        block, reference, centre = numbers.astype(kind), kind(1.25), kind(-1.5)

        found = vector_sums(block, block.nbytes // (size * at_once), reference, centre)

        d = np.maximum(block.astype(np.float64) - 1.25, -86.6 if kind == np.float32 else -707)
        e = np.exp(d)
        terms = np.array([e, np.abs(d) * e, e * e, (d + 1.5) ** 2 * e])
        expected = [e.sum(), (d * e).sum(), *terms[2:].sum(axis=1)]
        assert found[:2] == (block.max(), block.min()), name
        np.testing.assert_array_less(np.abs(found[2:] - np.array(expected)), tolerance * terms.sum(axis=1), name)


def test_a_nan_in_a_block_shows_in_its_sums():
    @njit(error_model="numpy")
    def weighted(block, groups):
        return sums.vector_sums(block, groups, np.float32(0), None)[3]

    block = np.zeros(256, np.float32)
    block[77] = np.nan

    assert np.isnan(weighted(block, block.nbytes // (sums.VECTOR * sums.AT_ONCE)))
