"""Histograms and quantiles, counted by hand."""

from math import inf

import numpy as np
import pytest

from dyntemp.statistics.spread import distribution, quantiles


def test_histograms_have_the_same_bars_for_all_and_sum_to_one():
    spread = distribution([np.array([0.0, 0.5, 2.0]), np.array([1.0])])

    assert (0.0, 2.0) == (spread.edges[0], spread.edges[-1])
    assert [pytest.approx(1.0)] * 2 == [sum(shares) for shares in spread.shares]
    assert 1.0 == distribution([np.zeros(3)]).edges[-1]


def test_a_quantile_is_one_of_the_values():
    assert [1.0, 2.0, inf] == quantiles(np.array([1.0, 2.0, 4.0, inf]), [0.25, 0.5, 0.95])
