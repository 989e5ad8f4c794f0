"""The Lipschitz constant of a policy: each signal's, its composition, and attacks on it.

`DYNTEMP_EXAMPLES=5000` attacks with 100,000 pairs of rows instead of 4,000.
"""

from math import inf, log

import numpy as np
import pytest
from tests.theory.rows import PAIRS, POLICIES, near, random_policies, random_rows, temperatures, two_levels, untied

from dyntemp.kernels.reference import MEASURES, log_softmax
from dyntemp.language.interval import Interval
from dyntemp.language.parse import parse
from dyntemp.language.policy import Policy
from dyntemp.sampling import measure
from dyntemp.theory.lipschitz import lipschitz, steepest
from dyntemp.theory.signal_slopes import entropy_slope, largest_entropy_slope, signal_slope

SIGNALS = [
    "max_prob", "entropy", "normalized_entropy", "perplexity", "quantile(0.3)", "quantile(0.9)", "median_prob",
    "margin", "collision", "varentropy", "top_mass(2)", "support",
]  # fmt: skip


def gradient_norm(signal, row):
    """The sum of |d signal/d z_i|, by central differences of the reference."""
    arguments = [argument.value for argument in signal.arguments]
    steps = 1e-5 * np.eye(len(row))
    above, below = ([MEASURES[signal.name](log_softmax(row + sign * step), *arguments) for step in steps]
                    for sign in (1, -1))  # fmt: skip
    return np.abs(np.subtract(above, below)).sum() / 2e-5


@pytest.mark.parametrize("text", SIGNALS)
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_no_gradient_is_longer_than_the_slope_at_its_value(text, n):
    signal, generator = parse(text), np.random.default_rng(n)
    rows = [*random_rows(generator, 25, n), *(two_levels(n, 1, np.array([0.05, 0.5, 0.8])) if n > 1 else [])]
    for row in map(untied, rows):
        value = float(measure(row, signal)[text])
        slope = signal_slope(signal, Interval(value, value), Interval(n, n))
        moved = gradient_norm(signal, row)
        assert moved <= slope.absolute + 1e-7
        assert moved <= slope.relative * abs(value) + 1e-7 or slope.relative == inf


@pytest.mark.parametrize(
    ("text", "n", "likely", "mass"),
    [
        ("max_prob", 2, 1, 0.5),
        ("top_mass(2)", 5, 2, 0.5),
        ("margin", 400, 2, 0.995),
        ("collision", 400, 1, 2 / 3),
        ("entropy", 2, 1, 0.824),
        ("entropy", 400, 1, 0.58),
        ("normalized_entropy", 400, 1, 0.58),
        ("median_prob", 3, 2, 0.9),
    ],
)
def test_some_row_comes_within_a_tenth_of_the_slope(text, n, likely, mass):
    signal = parse(text)
    (row,) = untied(two_levels(n, likely, np.array([mass])))

    assert gradient_norm(signal, row) >= 0.9 * steepest(signal, n).slope


def test_the_entropy_slope_is_the_maximum_of_its_formula():
    a = np.linspace(1e-6, 1 - 1e-6, 1_000_001)
    for n in (2, 3, 10, 49_152):
        by_search = np.max(2 * a * (1 - a) * (np.log(n - 1) + np.log(a / (1 - a))))
        assert largest_entropy_slope(n) == pytest.approx(by_search, rel=1e-9)


def test_the_entropy_slope_in_a_range_holds_for_every_row_there():
    n, masses = 50, np.linspace(0.01, 0.999, 300)
    for likely in (1, 3, 20, 49):
        rows = two_levels(n, likely, masses)
        found = measure(rows, "entropy")["entropy"]
        p = np.exp(rows - np.log(np.exp(rows).sum(1, keepdims=True)))
        deviations = (p * np.abs(-np.log(p) - found[:, None])).sum(1)
        bounds = [entropy_slope(h, h, n) for h in found]
        assert np.all(deviations <= np.array(bounds) * (1 + 1e-9) + 1e-12)
        if likely == 1:
            assert np.max(deviations / bounds) > 0.99


def test_the_normalized_slope_falls_with_the_support():
    sizes = [*range(2, 2_000), *(2**k for k in range(11, 21))]

    assert np.all(np.diff([largest_entropy_slope(n) / log(n) for n in sizes]) < 0)


@pytest.mark.parametrize(
    ("text", "support", "expected"),
    [
        ("0.7", None, 0),
        ("0.1 + 0.01*support", None, 0),
        ('lerp(0.3, 1.1, inside("code"))', None, 0),
        ("0.5 - 0.4*max_prob", None, 0.2),
        ("requested*(0.5 - 0.4*max_prob)", None, 0.2),
        ("1 - max_prob + max_prob", None, 0),
        ("(max_prob - 0.5)**2", None, 0.19245),  # |2x - 1|*2x(1 - x)
        ("2 - max_prob**2", None, 16 / 27),
        ("1/max_prob", 100, 198),
        ("log(1/max_prob)", 100, 1.98),
        ("exp(-max_prob)", None, 0.3222),
        ("sigmoid(4*max_prob)", None, 0.2993),
        ("tanh(max_prob)", None, 0.4108),
        ("abs(max_prob - 0.9)", None, 0.5),
        ("min(max_prob, 0.2)", None, 0.32),
        ("max(max_prob, 0.8)", None, 0.32),
        ("clip(max_prob, 0.8, 0.9)", None, 0.32),
        ("lerp(0.2, 1.2, max_prob)", None, 0.5),
        ("lerp(max_prob, 1, 0.5)", None, 0.25),
        ("sqrt(max_prob)", None, 0.3849),  # sqrt(x)*(1 - x)
        ("max_prob**0.5", None, 0.3849),
        ("2**max_prob", None, 0.5048),
        ("max_prob**max_prob", 2, 0.2153),
        ("0.1 + 0.8*entropy", 49_152, 0.8 * 5.44709),
        ("where(max_prob < 0.3, max_prob, 0.3)", None, 0.42),
        ("where(max_prob < 0.3, 0.2, 0.2)", None, 0),
        ("where(support < 3, max_prob, 0.2)", 4, 0),
        ("ema(max_prob, 0.5)", None, 0.5),
        ("prev(0.2*entropy)", 49_152, 0.2 * 5.44709),
        ("surprisal", 2, 2),
        ("integral(support, 0, 1)", None, 0),
    ],
)
def test_each_rule(text, support, expected):
    constant = steepest(parse(text), support).slope

    assert constant == pytest.approx(expected, rel=1e-2)
    assert constant >= expected * (1 - 1e-4)


@pytest.mark.parametrize("text", ["entropy**0.5", "sqrt(entropy)", "0.8**(1.5/entropy)", "exp(-(1/entropy))"])
def test_roots_and_quotients_of_entropy_are_bounded_at_0(text):
    assert steepest(parse(text), 49_152).slope < 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("where(divergence < 0.5, 0.1, 0.7)", "may jump at divergence = 0.5"),
        ("integral(0.1*(2 - entropy), 0, 1)", "adds up the moves"),
        ("ema(1, max_prob)", ""),
        ("ema(entropy, max_prob)", "has no bound"),
        ("min(temperature_for_entropy(0.5*entropy), 2)", "where tokens tie"),
        ("sqrt(varentropy)", "has no bound at varentropy = "),
    ],
)
def test_a_policy_without_a_bound_says_where(text, reason):
    verdict = lipschitz(Policy(text), 1_000)

    assert verdict.holds is None or not reason
    assert reason in verdict.evidence


@pytest.mark.parametrize("text", ["where(max_prob < 0.3, 0, 0.7)", "0.1 + where(entropy < max_prob, 0, 0.7)"])
def test_a_jump_is_shown_by_two_rows(text):
    verdict = lipschitz(Policy(text), 1_000)

    assert verdict.holds is False
    assert verdict.claim == "T jumps, on a vocabulary of 1,000"
    assert "have temperatures 0.7 apart" in verdict.evidence


def test_the_verdict_names_its_numbers():
    verdict = lipschitz(Policy("0.1 + 0.8*entropy"), 49_152)

    assert verdict.holds
    assert verdict.claim == "T moves by at most 4.358 times as far as the logits, on a vocabulary of 49,152"
    assert lipschitz(Policy(0.7)).claim == "the logits do not move T"


def test_no_pair_of_rows_is_beyond_the_bound_of_any_policy():
    generator, reached, bounded = np.random.default_rng(7), [], 0
    policies = random_policies(POLICIES, seed=7)
    for policy in policies:
        n = int(generator.choice([2, 3, 4, 6, 12]))
        constant = steepest(policy.computed, n).slope
        if constant == inf:
            continue
        bounded += 1
        rows = random_rows(generator, PAIRS, n)
        others, distance = near(generator, rows)
        one, other = temperatures(policy, rows), temperatures(policy, others)
        rounding = 1e-11 * (1 + np.abs(one) + np.abs(other) + constant)
        moved = np.abs(one - other)
        assert np.all(moved <= constant * distance + rounding), policy
        reached.append(np.max((moved - rounding) / (constant * distance)) if constant else 1.0)

    assert bounded > 0.7 * len(policies)
    assert np.median(reached) > 0.5, "the bounds are not much too wide"


def test_the_surprisal_moves_twice_as_far_as_the_logits_at_most():
    generator = np.random.default_rng(1)
    rows = random_rows(generator, 20_000, 5)
    others, distance = near(generator, rows)
    surprisals = [np.log(np.exp(z - z.max(1, keepdims=True)).sum(1)) + z.max(1) - z[:, 0] for z in (rows, others)]

    moved = np.abs(surprisals[0] - surprisals[1])
    assert np.all(moved <= 2 * distance + 1e-9)
    assert np.max((moved - 1e-9) / distance) > 1.9


def test_one_entry_never_moves():
    assert steepest(parse("1 + entropy + max_prob"), 1).slope == 0
