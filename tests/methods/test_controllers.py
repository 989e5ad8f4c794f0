"""Feedback, against the recurrences written out, and what it does to a text."""

from math import exp

import numpy as np
import pytest

from dyntemp.methods import METHODS


def follow(policy, **signals):
    """The temperatures along one text."""
    state = policy.state(window=len(next(iter(signals.values()))) + 1)
    columns = zip(*signals.values(), strict=True)
    return [
        float(policy.step(dict(zip(signals, ([x] for x in row), strict=True)), state=state, position=position)[0])
        for position, row in enumerate(columns)
    ]


def follow_draws(policy, surprises):
    """The temperatures along a text, by the surprisal before each token; before the first it is the row's entropy."""
    state = policy.state(window=len(surprises) + 1)
    found = []
    for position, surprise in enumerate(surprises):
        if position:
            state.observe(0, position - 1, surprise)
        found.append(float(policy.step({"entropy": [surprises[0]]}, state=state, position=position)[0]))
    return found


def test_surprise_control_is_the_clipped_sum():
    surprises = np.random.default_rng(0).exponential(2.5, 200).tolist()
    total, expected = 0.0, []
    for surprise in surprises:
        total = min(max(total + 0.1 * (2.5 - surprise), -0.5), 0.8)
        expected.append(0.7 + total)

    assert expected == pytest.approx(follow_draws(METHODS["surprise_control"].make(), surprises))


def test_adaptive_p_moves_against_the_mean_of_what_was_drawn():
    surprises = [0.1, 0.1, 0.1, 3.0, 3.0, 0.1]
    mean, expected = None, []
    for surprise in surprises:
        p = exp(-surprise)
        mean = p if mean is None else 0.9 * mean + 0.1 * p
        expected.append(1.3 - min(max(1.0 - mean, 0.0), 1.0))
    found = follow_draws(METHODS["adaptive_p"].make(), surprises)

    assert expected == pytest.approx(found)
    assert found[2] > found[3] > found[4]


def test_entropy_control_is_proportion_sum_and_change():
    entropies = np.random.default_rng(1).exponential(1.5, 200)
    total, before, expected = 0.0, None, []
    for entropy in entropies:
        error = 1.0 - entropy
        before = error if before is None else before
        total = min(max(total + 0.02 * error, -0.4), 0.4)
        expected.append(min(max(0.7 + 0.1 * error + total + 0.05 * (error - before), 0.1), 1.5))
        before = error

    assert expected == pytest.approx(follow(METHODS["entropy_control"].make(), entropy=entropies))


def test_entropy_control_does_not_have_to_unwind():
    """After a hundred open rows the sum is at its limit, and leaves it at once."""
    policy = METHODS["entropy_control"].policy(kp=0, kd=0, ki=0.1, windup=0.4)
    found = follow(policy, entropy=[6.0] * 100 + [0.0] * 10)

    assert found[99] == pytest.approx(0.3)
    assert np.allclose(np.diff(found[99:108]), 0.1)


def test_entropy_cooling_follows_the_moving_average():
    entropies = [4.0] * 30 + [1.0] * 30
    mean, expected = None, []
    for entropy in entropies:
        mean = entropy if mean is None else 0.9 * mean + 0.1 * entropy
        expected.append(min(max(0.8 * (1 - 0.5 * max(mean / 2.0 - 1, 0)), 0.1), 0.8))
    found = follow(METHODS["entropy_cooling"].make(), entropy=entropies)

    assert expected == pytest.approx(found)
    assert (0.4, 0.8) == pytest.approx((found[0], found[-1]))


def test_drift_is_measured_from_the_average_of_the_position_before():
    """As qr-sampler does: the first distance is 0, and the next one does not depend on lambda."""
    policy = METHODS["hvh_drift"].policy(t_base=0.6, alpha_h=0.1, alpha_vh=0.05, gamma_dh=0.2, delta_dvh=0.3)
    h, v = [1.0, 2.0, 0.5, 1.5], [0.4, 0.3, 0.9, 0.2]
    mean_h, mean_v, expected = h[0], v[0], []
    for at in range(4):
        drift = 0.2 * (h[at] - mean_h) + 0.3 * (v[at] - mean_v)
        expected.append(0.6 + 0.1 * h[at] + 0.05 * v[at] + drift)
        if at:
            mean_h, mean_v = 0.98 * mean_h + 0.02 * h[at], 0.98 * mean_v + 0.02 * v[at]

    assert expected == pytest.approx(follow(policy, entropy=h, varentropy=v))
