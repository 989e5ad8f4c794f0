import numpy as np
import pytest
from scipy.stats import chisquare

from dyntemp.distribution.coupling import keeps, parts

P = np.array([0.4, 0.3, 0.2, 0.1])
Q = np.array([0.1, 0.35, 0.15, 0.4])


def coupled(seed):
    theirs = int(np.random.default_rng(seed).choice(4, p=P))
    if keeps(Q[theirs], P[theirs], seed, 0, 5):
        return theirs, theirs
    return theirs, parts(Q - P, seed, 0, 5)


def test_ours_is_distributed_as_if_alone_and_agrees_as_often_as_can_be():
    drawn = np.array([coupled(seed) for seed in range(20_000)])
    agree = np.mean(drawn[:, 0] == drawn[:, 1])

    assert chisquare(np.bincount(drawn[:, 1], minlength=4), Q * len(drawn)).pvalue > 1e-4
    assert agree == pytest.approx(np.minimum(P, Q).sum(), abs=0.015)


def test_equal_distributions_never_part():
    assert all(keeps(0.3, 0.3, seed, request, 7) for seed in range(200) for request in range(20))


def test_what_ours_cannot_draw_is_never_kept():
    assert not any(keeps(0.0, 0.3, seed, 0, 0) for seed in range(500))


def test_only_what_gained_is_drawn_instead():
    assert {parts(Q - P, seed, 0, 0) for seed in range(300)} == {1, 3}
    assert parts([], 1, 0, 0) == parts([0.0, -0.1], 1, 0, 0) == -1
