"""The order in which policies heat rows, and the rows on which they disagree."""

import numpy as np
import pytest

from dyntemp import generate
from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.sampling import measure, temperatures
from dyntemp.testing import FakeModel
from dyntemp.theory.order import compare_order, entropy_range, monotone, recorded_order, same_order, tried


def test_monotone_policies_say_which_way():
    assert monotone(Policy("0.5 - 0.4*max_prob")).claim == "T falls as max_prob rises"
    assert monotone(Policy("0.5 - 0.4*max_prob")).holds
    assert monotone(Policy(0.7)).claim == "T moves with no signal"
    both = monotone(Policy("entropy*(4 - entropy) + 200"), 50)
    assert both.holds is None
    assert both.claim == "T may move either way as entropy rises"


@pytest.mark.parametrize("n", [2, 3, 8])
def test_entropies_lie_in_their_range_and_reach_both_ends(n):
    generator = np.random.default_rng(n)
    rows = np.concatenate([generator.dirichlet(np.full(n, a), 3_000) for a in (0.05, 0.3, 1, 10)])
    rows = np.concatenate([rows, tried(n)]) if n > 2 else rows
    found = measure(np.log(np.maximum(rows, 1e-300)), "max_prob", "entropy")
    for m, h in zip(found["max_prob"], found["entropy"], strict=True):
        low, high = entropy_range(m, n)
        assert low - 1e-9 <= h <= high + 1e-9
    for m in (0.37, 0.5, 0.9, 1.0):
        if m * n >= 1:
            full = int(1 / m)
            packed, spread = [m] * full + [1 - full * m], [m] + [(1 - m) / (n - 1)] * (n - 1)
            ends = [float(measure(np.log(np.maximum(row, 1e-300)), "entropy")["entropy"]) for row in (packed, spread)]
            assert entropy_range(m, n) == pytest.approx(ends)


def test_a_probability_that_no_row_has_is_refused():
    with pytest.raises(PolicyError, match="rows of 4 entries have"):
        entropy_range(0.2, 4)


@pytest.mark.parametrize("pair", [("max_prob", "entropy"), ("margin", "max_prob"), ("margin", "entropy"),
                                  ("collision", "entropy"), ("collision", "max_prob")])  # fmt: skip
def test_signals_rank_rows_differently_and_two_rows_show_it(pair):
    first, second = (Policy(name if name == "entropy" else f"1 - {name}") for name in pair)
    verdict = same_order(first, second)
    logits = np.log(verdict.values["rows"])
    one, other = (temperatures(logits, policy) for policy in (first, second))

    assert verdict.holds is False
    assert (one[0] - one[1]) * (other[0] - other[1]) < -1e-3
    assert np.array([one, other]) == pytest.approx(np.array(verdict.values["temperatures"]))


def test_policies_of_one_signal_agree():
    assert same_order(Policy("0.5 - 0.4*max_prob"), Policy("2 - max_prob**2")).holds
    assert same_order(Policy("0.1 + entropy"), Policy("normalized_entropy")).holds is None
    assert same_order(Policy("max_prob"), Policy("1 - max_prob")).holds is False


@pytest.mark.parametrize("text", ["surprisal", "0.5 + 0.1*position", 'given("kl", 0, 1)'])
def test_a_policy_of_more_than_the_row_is_refused(text):
    with pytest.raises(ValueError, match="row"):
        same_order(Policy(text), Policy("entropy"))


def test_the_rank_correlation_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    generator = np.random.default_rng(0)
    one, other = np.round(generator.normal(0, 1, 80), 1), generator.normal(0, 1, 80)
    found = compare_order(one, other)

    assert found.correlation == pytest.approx(stats.spearmanr(one, other).statistic)
    signs = np.sign(one[:, None] - one) * np.sign(other[:, None] - other)
    assert found.opposed == pytest.approx((signs < 0).sum() / (80 * 79))
    assert found.tied == pytest.approx(((signs == 0).sum() - 80) / (80 * 79))


def test_recorded_rows_are_compared():
    model = FakeModel([b"a", b"b", b"c", b"d"], lambda tokens: np.random.default_rng(len(tokens)).normal(0, 2, 4))
    tokens = list(generate(model, "a", 1.0, max_tokens=40, seed=0, signals=["margin"]))
    verdict = recorded_order(tokens, Policy("1 - max_prob"), Policy("entropy"))

    assert verdict.values["rows"] == 40
    assert 0.7 < verdict.values["correlation"] < 1
    assert verdict.holds is False
    assert recorded_order(tokens, Policy("entropy"), Policy("2*entropy")).holds
    with pytest.raises(PolicyError, match="record with"):
        recorded_order(tokens, Policy("collision"), Policy("entropy"))
