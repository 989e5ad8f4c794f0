"""The oracle's temperatures are those of SciPy's minimiser, and the limits on a policy hold by exhaustive search."""

from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from dyntemp.theory.oracle import Scored, constrained_oracle, oracle
from dyntemp.theory.row_summary import RowSummary, inverse


def scored(count, seed=0, texts=5):
    """Tokens of a text that is colder than the rows say where they are flat, and hotter elsewhere."""
    generator = np.random.default_rng(seed)
    tokens = []
    for at in range(count):
        flat = at % 2
        row = RowSummary.of_logits(generator.normal(0, 1 if flat else 3, 30))
        q = np.exp(row.log_p * (2.0 if flat else 0.5))
        tokens.append(Scored(row, float(row.log_p[generator.choice(30, p=q / q.sum())]), at % texts))
    return tokens


def loss(token, b):
    """The loss of a token at an inverse temperature, by its definition."""
    return float(token.row.at(b).log_partition[0]) - b * token.log_p


def mean_loss(tokens, temperatures):
    return np.mean([loss(token, float(b)) for token, b in zip(tokens, inverse(temperatures), strict=True)])


def test_the_best_temperature_of_each_token_and_of_all_are_those_of_a_minimiser():
    tokens = scored(40)

    def least(some):
        def total(x):
            return np.mean([loss(token, np.exp(x)) for token in some])

        return minimize_scalar(total, bounds=(-9, 6), method="bounded", options={"xatol": 1e-9}).fun

    for token in tokens:
        assert least([token]) == pytest.approx(oracle([token]).oracle_loss, abs=2e-3)
    assert least(tokens) == pytest.approx(oracle(tokens).static_loss, abs=1e-9)
    assert mean_loss(tokens, np.full(40, oracle(tokens).static)) == pytest.approx(oracle(tokens).static_loss, abs=1e-9)


def test_the_likeliest_token_wants_greed_and_one_below_the_mean_wants_the_uniform_draw():
    row = RowSummary.of_logits([3.0, 1.0, 0.0, -5.0])
    likeliest, second, last = (Scored(row, float(row.log_p[at]), 0) for at in (0, 1, 3))

    assert (oracle([likeliest]).static, oracle([likeliest]).static_loss) == (0.0, pytest.approx(0))
    assert (oracle([last]).static, oracle([last]).static_loss) == (np.inf, pytest.approx(np.log(4)))
    assert oracle([second], [0.0]).policy_loss == np.inf
    assert oracle([likeliest, second], [0.0, 1.0]).policy_loss == pytest.approx(-second.log_p / 2)


def test_a_policy_lies_between_static_and_oracle_as_far_as_its_signal_tells():
    tokens = scored(400)
    flat = np.arange(400) % 2

    found = oracle(tokens, np.where(flat, 0.5, 2.0), signal=flat.astype(float))

    assert found.oracle_loss < found.policy_loss < found.static_loss
    assert found.signal_loss == pytest.approx(found.policy_loss, abs=0.02)
    assert 0 < found.share < 1
    assert (found.tokens, found.texts) == (400, 5)
    assert oracle(tokens, np.full(400, found.static)).share == pytest.approx(0, abs=1e-9)


def test_a_signal_that_tells_nothing_gains_nothing_on_texts_that_it_was_not_fitted_to():
    tokens = scored(400)

    found = oracle(tokens, signal=np.random.default_rng(1).normal(size=400))

    assert found.signal_loss > found.static_loss - 0.01
    assert found.share is None


def test_no_choice_within_the_same_entropy_is_better():
    tokens, grid = scored(4, seed=3), np.array([0.2, 0.5, 1.0, 2.0, 6.0])
    choices = np.array(list(product(grid, repeat=4)))
    every_loss = np.array([mean_loss(tokens, choice) for choice in choices])
    heat = np.array(
        [
            np.mean([float(token.row.at(inverse(t)).entropy[0]) for token, t in zip(tokens, choice, strict=True)])
            for choice in choices
        ]
    )

    for limit in np.linspace(heat.min() + 0.05, heat.max(), 9):
        found = constrained_oracle(tokens, limit, grid)

        assert found.entropy <= limit
        assert every_loss[heat <= found.entropy + 1e-12].min() == pytest.approx(found.loss, abs=1e-12)
        assert mean_loss(tokens, found.temperatures) == pytest.approx(found.loss)


def test_of_all_temperatures_with_one_mean_entropy_the_static_one_surprises_the_model_least():
    rows = [token.row for token in scored(20)]
    grid = np.geomspace(0.05, 20, 2_000)
    static = [row.at(inverse(grid)) for row in rows]
    entropy = np.mean([one.entropy for one in static], axis=0)
    surprisal = -np.mean([one.log_p for one in static], axis=0)
    generator = np.random.default_rng(0)

    for _ in range(50):
        at = [row.at(inverse(np.exp(generator.normal(0, 0.7)))) for row in rows]
        mean_entropy, mean_surprisal = np.mean([s.entropy[0] for s in at]), np.mean([-s.log_p[0] for s in at])

        assert mean_surprisal > np.interp(mean_entropy, entropy, surprisal) + 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: oracle([]), "at least one"), (lambda: oracle(scored(3), [1.0]), "1 temperatures"),
     (lambda: oracle(scored(3, texts=1), signal=[1, 2, 3]), "two or more"),
     (lambda: constrained_oracle(scored(3), 0.0), "the lowest")],
)  # fmt: skip
def test_what_has_no_answer_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
