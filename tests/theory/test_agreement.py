"""Two models that differ a little agree a lot: attacks on the bounds of total variation and divergence.

`DYNTEMP_EXAMPLES=5000` attacks with 100,000 pairs of rows instead of 4,000.
"""

from math import inf

import numpy as np
import pytest
from tests.theory.rows import PAIRS, POLICIES, near, random_policies, random_rows, temperatures

from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.theory.agreement import agreement, divergence, of_spread, total_variation


def log_softmax(rows, temperature):
    z = rows / temperature[:, None]
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def apart(policy, rows, others):
    """Total variation and divergence of the tempered distributions, and both temperatures."""
    t, u = temperatures(policy, rows), temperatures(policy, others)
    p, q = log_softmax(rows, t), log_softmax(others, u)
    return np.abs(np.exp(p) - np.exp(q)).sum(1) / 2, (np.exp(p) * (p - q)).sum(1), t, u


def test_no_pair_of_rows_is_beyond_the_bounds_of_any_policy():
    generator, bounded = np.random.default_rng(5), 0
    for rule in random_policies(POLICIES // 2, seed=5):
        policy, n = Policy(rule, floor=0.1, ceiling=5), int(generator.choice([2, 3, 4, 6, 12]))
        rows = random_rows(generator, 2 * PAIRS, n)
        others, distance = near(generator, rows)
        variation, kl, t, u = apart(policy, rows, others)
        for i in range(2 * PAIRS):  # by the temperatures of the two rows themselves
            ratio, low = abs(np.log(t[i] / u[i])), min(t[i], u[i])
            assert variation[i] <= total_variation(distance[i], low, ratio, n) + 1e-12
            assert kl[i] <= divergence(distance[i], low, ratio, n) + 1e-12
        found = agreement(policy, distance[0], n).values  # before the rows are known
        assert variation[0] <= found["total_variation"] + 1e-12
        assert kl[0] <= found["divergence"] + 1e-12
        bounded += found["total_variation"] < 1

    assert bounded > POLICIES / 10


def test_a_known_temperature_sharpens_the_bound():
    policy, generator = Policy("0.1 + 0.8*entropy"), np.random.default_rng(6)
    rows = random_rows(generator, 50, 4)
    others = rows + 0.01 * generator.choice([-1.0, 1.0], rows.shape)
    variation, _, t, _ = apart(policy, rows, others)
    anywhere = agreement(policy, 0.01, 4).values["total_variation"]
    here = [agreement(policy, 0.01, 4, temperature=float(known)).values["total_variation"] for known in t]

    assert np.all(variation <= here)
    assert min(here) < anywhere / 3


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("distance", [1e-3, 0.1, 1.0, 3.0])
def test_two_entries_reach_the_bounds_of_a_static_temperature(temperature, distance):
    found = agreement(Policy(temperature), distance).values
    reach = 8 * temperature + 2 * distance
    logits = np.linspace(-reach, reach, 8_001)[:, None] * [0.5, -0.5]
    variation, kl, *_ = apart(Policy(temperature), logits, logits + distance * np.array([1, -1]))

    assert variation.max() == pytest.approx(found["total_variation"], rel=1e-4)
    assert variation.max() <= found["total_variation"] * (1 + 1e-9)
    assert kl.max() == pytest.approx(found["divergence"], rel=1e-3)
    assert kl.max() <= found["divergence"] * (1 + 1e-9)


@pytest.mark.parametrize("spread", [1e-3, 0.5, 4.0, 20.0, 600.0])
def test_the_largest_divergence_is_that_of_two_entries(spread):
    """ln((1 - a) + a*exp(spread)) - a*spread, over a."""
    a = np.unique(np.concatenate([np.linspace(0, 1, 200_001), np.geomspace(1e-6, 1, 10_000)]))
    with np.errstate(divide="ignore"):
        by_search = np.max(np.logaddexp(np.log1p(-a), np.log(a) + spread) - a * spread)

    assert of_spread(spread) == pytest.approx(by_search, rel=1e-4)


def test_no_distance_is_no_difference_and_greedy_has_no_bound():
    assert agreement(Policy("0.1 + 0.8*entropy"), 0.0).values["total_variation"] == 0
    assert agreement(Policy("0.8**(1.5/entropy)"), 0.0).values["divergence"] == 0
    greedy = agreement(Policy("0.8**(1.5/entropy)"), 1e-6)
    assert (None, 1.0, inf) == (greedy.holds, greedy.values["total_variation"], greedy.values["divergence"])
    assert agreement(Policy("where(max_prob < 0.3, 0.2, 0.7)"), 1e-6).holds is None


@pytest.mark.parametrize(("distance", "temperature", "message"), [(-1, None, "0 or more"), (1, 9.0, "those of")])
def test_what_cannot_be_is_refused(distance, temperature, message):
    with pytest.raises(PolicyError, match=message):
        agreement(Policy("0.1 + normalized_entropy"), distance, temperature=temperature)
