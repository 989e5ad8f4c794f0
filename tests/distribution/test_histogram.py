import numpy as np
import pytest

from dyntemp.distribution.histogram import LAST, WIDTH, binned, count, tempered


def surprisals(seed, n=5_000, scale=3.0):
    z = np.random.default_rng(seed).normal(0, scale, n)
    p = np.exp(z - z.max())
    p /= p.sum()
    return -np.log(p)


def test_bins_hold_every_entry_and_all_the_probability():
    x = surprisals(1)
    bins = binned(x)

    assert count(bins) == len(x)
    assert sum(mass for _, mass in bins) == pytest.approx(1, rel=1e-6)


def test_bins_begin_at_the_likeliest_and_none_is_empty():
    bins = binned(np.array([0.1, 0.2, 5.0, 300.0, 400.0]))

    assert [n for n, _ in bins] == [2, 1, 2]
    assert bins[0][1] == pytest.approx(np.exp(-0.1) + np.exp(-0.2), rel=1e-6)


@pytest.mark.parametrize("a", [0.0, 0.3, 0.5, 1.0, 1.5, 2.0, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_mass_at_another_temperature_lies_within_its_limits_and_near_its_estimate(a, seed):
    x = surprisals(seed)
    highest = -x.min()
    masses = [tempered(one, a, highest, highest) for one in binned(x)]
    exact = np.exp(-a * x - a * highest).sum()

    assert sum(m.low for m in masses) * (1 - 1e-6) <= exact <= sum(m.high for m in masses) * (1 + 1e-6)
    assert sum(m.value for m in masses) == pytest.approx(exact, rel=0.004 * max(a, 1) ** 2)


def test_at_temperature_one_and_infinity_the_mass_is_exact():
    one = (1000, 0.25)

    assert tempered(one, 1.0, 0.0, 0.0).value == pytest.approx(0.25, rel=1e-12)
    assert tempered(one, 0.0, 0.0, 0.0).value == 1000
    assert tempered((3, 0.0), 0.5, 0.0, 0.0).value == 0


def test_what_is_beyond_the_last_edge_is_held_by_the_last_bin():
    (one,) = binned(np.array([LAST * WIDTH + 1, LAST * WIDTH + 40]))
    mass = tempered(one, 0.5, 0.0, 0.0)
    exact = np.exp(-0.5 * (LAST * WIDTH + 1)) + np.exp(-0.5 * (LAST * WIDTH + 40))

    assert mass.low <= exact <= mass.high
