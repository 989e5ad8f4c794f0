"""The gradient in the temperature is surprisal less entropy, without bias, by enumeration of a small model."""

from itertools import product

import numpy as np
import pytest

from dyntemp import Policy, generate
from dyntemp.testing import FakeModel
from dyntemp.theory.gradient import parameter_scores, reward_gradient, score_variance, temperature_score
from dyntemp.theory.row_summary import RowSummary, inverse

POLICY = Policy('0.3 + param("theta", 0, 2)*entropy + 0.2*max_prob')
LENGTH = 3


def row(prefix):
    """The logits after a prefix of a model of four tokens."""
    return np.sin(1.7 * np.arange(4) * (1 + sum((k + 1) * token for k, token in enumerate(prefix))) + 0.5 * len(prefix))


def draws(prefix, theta):
    """ln p of the draw, its score in theta, both for each token, in float64."""
    z = row(prefix)
    p = np.exp(z) / np.exp(z).sum()
    entropy = -(p * np.log(p)).sum()
    signals = {"entropy": [entropy], "max_prob": [p.max()]}
    t = float(POLICY.step(signals, parameters={"theta": theta})[0])
    log_pi = z / t - np.log(np.exp(z / t).sum())
    own = -(np.exp(log_pi) * log_pi).sum()
    return log_pi, (-log_pi - own) * entropy / t


def reward(text):
    return text[0] * 1.5 - (text[1] == text[2]) + 0.3 * text[-1] ** 2


def enumerate_texts(theta):
    """Probability, score and reward of each of the 64 texts."""
    for text in product(range(4), repeat=LENGTH):
        log_p = score = 0.0
        for at, token in enumerate(text):
            log_pi, slope = draws(text[:at], theta)
            log_p, score = log_p + log_pi[token], score + slope[token]
        yield np.exp(log_p), score, reward(text)


def test_the_mean_of_the_estimate_is_the_gradient_with_a_baseline_and_without():
    p, score, r = np.array(list(enumerate_texts(0.8))).T
    h = 1e-5
    above, below = (sum(p * r for p, _, r in enumerate_texts(0.8 + side)) for side in (h, -h))

    assert (above - below) / (2 * h) == pytest.approx(float(p @ (score * r)), abs=1e-8)
    assert (above - below) / (2 * h) == pytest.approx(float(p @ (score * (r - 7.0))), abs=1e-8)


def test_the_variance_of_the_score_is_the_varentropy_of_the_draw():
    z = row((1, 2))
    for t in (0.4, 1.0, 3.0):
        q = np.exp(z / t) / np.exp(z / t).sum()
        score = -np.log(q) - -(q * np.log(q)).sum()

        assert float(q @ score) == pytest.approx(0, abs=1e-14)
        assert float(q @ score**2) == pytest.approx(score_variance(RowSummary.of_logits(z), t)[0], rel=1e-12)

    assert score_variance(RowSummary.of_logits(z), 0.0) == 0


def test_scores_of_a_recorded_text_are_its_slope_in_each_parameter():
    model = FakeModel([b"a", b"b", b"c", b"d"], row)
    policy = Policy('param("theta", 0, 2)*entropy + param("base", 0.2, 1) + 0.1*ema(surprisal, 0.5)')
    values = {"theta": 0.8, "base": 0.5}
    tokens = list(generate(model, "ab", policy, max_tokens=12, seed=4, parameters=values, alternatives=4))

    def log_probability(**changed):
        from dyntemp.traces.replay import replay

        found = replay(tokens, policy, seed=4, parameters=values | changed)
        rows = [RowSummary.of_token(token) for token in tokens]
        b = [float(inverse(one.temperature)) for one in found]
        pairs = zip(rows, b, tokens, strict=True)
        return sum(-one * token.surprisal - float(row.at(one).log_partition[0]) for row, one, token in pairs)

    scores = parameter_scores(tokens, policy, values, seed=4)

    for name, value in values.items():
        slope = (log_probability(**{name: value + 1e-4}) - log_probability(**{name: value - 1e-4})) / 2e-4
        assert slope == pytest.approx(scores[name], rel=1e-4, abs=1e-5)
    assert temperature_score(tokens[0]) == tokens[0].surprisal_after - tokens[0].entropy_after


def test_the_estimate_over_texts_is_unbiased_and_says_how_far_it_may_be_off():
    p, score, r = np.array(list(enumerate_texts(0.8))).T
    true = float(p @ (score * r))
    texts = np.random.default_rng(2).choice(len(p), 20_000, p=p / p.sum())

    found = reward_gradient(score[texts], r[texts] + 100)

    assert abs(found.value - true) < 4 * found.error
    assert found.error < 0.05
    assert found.texts == 20_000


@pytest.mark.parametrize(("scores", "rewards"), [([1.0], [1.0]), ([1.0, 2.0], [1.0])])
def test_too_few_texts_are_refused(scores, rewards):
    with pytest.raises(ValueError, match="two or more"):
        reward_gradient(scores, rewards)
