"""Credits on a model so small that all groups of texts can be enumerated: what is estimated, and how well."""

from itertools import combinations, product

import numpy as np
import pytest
from tests.learn.made import entropy_of, log_softmax, tokens_of

from dyntemp.errors import StudyError
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Score
from dyntemp.language.policy import Policy
from dyntemp.learn.credit import credits_of

FIRST = np.array([1.5, 0.0, -0.7])
SECOND = np.array([[0.4, 1.9, -1.0], [2.5, 0.2, 0.1], [0.0, 0.3, -0.2]])
"""The row behind each first token."""
TEXTS = list(product(range(3), repeat=2))
KEYS = {(0, 1): "x", (1, 0): "x", (2, 1): "y", (0, 2): "z"}
"""The answers of the correct texts."""
VALUES = {"a": 0.8, "b": 0.3}
N, K = 3, 2
METRICS = ["distinct@2", "pass@2"]
TEMPLATE = 'clip(param("a", 0.1, 2) + param("b", -1, 1)*entropy, 0.1, 3)'


def sample(text, **more):
    key = KEYS.get(text, "")
    given = {"item": "one", "number": 0, "finish": "length", "tokens": 2, "temperature": (), "entropy": (),
             "max_prob": (), "surprisal": (), "log_prob": ()}  # fmt: skip
    return Sample(**given | {"text": str(text), "score": Score(valid=True, correct=bool(key), key=key)} | more)


SAMPLES = {text: sample(text) for text in TEXTS}


def rows(text):
    return FIRST, SECOND[text[0]]


def log_prob(text, a, b):
    return sum(log_softmax(row, a + b * entropy_of(row))[token] for row, token in zip(rows(text), text, strict=True))


def slope(text):
    """The gradient of ln of a text's probability by a and b: (surprisal - entropy) times that of ln T."""
    found = np.zeros(2)
    for row, token in zip(rows(text), text, strict=True):
        signal = entropy_of(row)
        t = VALUES["a"] + VALUES["b"] * signal
        found += (-log_softmax(row, t)[token] - entropy_of(row, t)) * np.array([1, signal]) / t
    return found


def worth(metric, a, b):
    """The metric's expected value over two texts, from their probabilities."""
    by_key = {}
    for text, key in KEYS.items():
        at = key if metric.startswith("distinct") else "correct"
        by_key[at] = by_key.get(at, 0.0) + np.exp(log_prob(text, a, b))
    return sum(1 - (1 - p) ** K for p in by_key.values())


def exact_gradient(metric, step=1e-5):
    a, b = VALUES.values()
    ends = [(worth(metric, a + step * x, b + step * y), worth(metric, a - step * x, b - step * y))
            for x, y in ((1, 0), (0, 1))]  # fmt: skip
    return np.array([above - below for above, below in ends]) / (2 * step)


def of_pairs(group, metric):
    """The metric of each two texts of a group."""
    keys = {pair: [KEYS[group[at]] for at in pair if group[at] in KEYS] for pair in combinations(range(N), K)}
    return {pair: float(len(set(found)) if metric.startswith("distinct") else bool(found))
            for pair, found in keys.items()}  # fmt: skip


def with_each(group, metric):
    """The mean over the pairs that hold each text."""
    worth_of = of_pairs(group, metric)
    return np.array([np.mean([value for pair, value in worth_of.items() if at in pair]) for at in range(N)])


def whole(group, metric):
    return np.full(N, np.mean(list(of_pairs(group, metric).values())))


def left_out(group, metric):
    return credits_of([SAMPLES[text] for text in group], metric)


ESTIMATES = {
    "left out": left_out,
    "no baseline": lambda group, metric: K / N * with_each(group, metric),
    "the whole group": whole,
    "the group's mean": lambda group, metric: K / N * (with_each(group, metric) - whole(group, metric)),
}


def moments(metric, credit):
    """The mean of the estimate over all groups, and the sum of the variances of its parts."""
    slopes = {text: slope(text) for text in TEXTS}
    chances = {text: np.exp(log_prob(text, **VALUES)) for text in TEXTS}
    mean, square, total = np.zeros(2), 0.0, 0.0
    for group in product(TEXTS, repeat=N):
        chance = np.prod([chances[text] for text in group])
        estimate = credit(group, metric) @ np.array([slopes[text] for text in group])
        mean, square, total = mean + chance * estimate, square + chance * estimate @ estimate, total + chance
    assert total == pytest.approx(1, abs=1e-12)
    return mean, float(square - mean @ mean)


@pytest.fixture(scope="module", params=METRICS)
def estimates(request):
    return exact_gradient(request.param), {
        name: moments(request.param, credit) for name, credit in ESTIMATES.items()
    }  # fmt: skip


@pytest.mark.parametrize("name", ["left out", "no baseline", "the whole group"])
def test_the_estimate_is_unbiased(estimates, name):
    exact, found = estimates

    assert np.abs(exact).min() > 0.01
    np.testing.assert_allclose(found[name][0], exact, rtol=0, atol=1e-8)


def test_the_mean_of_the_group_as_a_baseline_shrinks_the_gradient(estimates):
    """The mean holds the text itself, and takes k/n of its credit away."""
    exact, found = estimates

    np.testing.assert_allclose(found["the group's mean"][0], (1 - K / N) * exact, rtol=0, atol=1e-8)


def test_leaving_a_text_out_has_the_least_variance_of_unbiased_estimates(estimates):
    _, found = estimates
    variance = {name: variance for name, (_, variance) in found.items()}

    assert variance["left out"] < 0.8 * variance["no baseline"] < variance["the whole group"]
    assert variance["the group's mean"] / (1 - K / N) ** 2 == pytest.approx(variance["left out"])


def test_the_gradient_of_a_text_is_what_tokens_and_objective_make_of_it():
    pytest.importorskip("torch")
    from dyntemp.learn.objective import clipped
    from dyntemp.learn.tokens import temperatures

    tokens = tokens_of([row for text in TEXTS for row in rows(text)], [at for text in TEXTS for at in text], [2] * 9)
    now = temperatures(Policy(TEMPLATE), VALUES, tokens)
    credit = np.arange(9.0) - 4
    found = now.jacobian.T @ clipped(now.draws, now.draws.log_prob, credit[tokens.text], 0.2).by_log_t

    expected = sum(one * slope(text) for one, text in zip(credit, TEXTS, strict=True))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("metric", ["distinct@2", "pass@2", "maj@2", "accuracy", "validity"])
def test_a_credit_is_what_the_metric_loses_without_the_text(metric):
    from dyntemp.evaluation.metrics import metric_of

    of = metric_of(metric).of
    group = [SAMPLES[text] for text in [(0, 1), (1, 0), (2, 1), (2, 2), (1, 1), (2, 2)]]
    group += [sample((1, 2), score=Score(valid=False, correct=False, key=""))]
    expected = [of(group) - of(group[:at] + group[at + 1 :]) for at in range(len(group))]

    np.testing.assert_allclose(credits_of(group, metric), expected)
    assert np.ptp(credits_of(group, metric)) > 0


def test_answers_that_no_other_text_has_are_worth_more_than_shared_ones_and_wrong_texts_cost():
    group = [SAMPLES[text] for text in [(0, 1), (1, 0), (2, 1), (2, 2)]]
    shared, same, alone, wrong = credits_of(group, "distinct@2")

    assert (0, 0, 1 / 3, -1 / 3) == pytest.approx((shared, same, alone, wrong))


@pytest.mark.parametrize(("metric", "count"), [("distinct@2", 2), ("pass@8", 8), ("accuracy", 1)])
def test_too_few_texts_are_refused(metric, count):
    with pytest.raises(StudyError, match=f"{count} texts of an item were given; credit by {metric} needs {count + 1}"):
        credits_of([SAMPLES[0, 1]] * count, metric)


def test_a_metric_that_is_not_defined_is_refused_with_the_item():
    with pytest.raises(StudyError, match=r"not defined for the texts of the item 'one': take another"):
        credits_of([SAMPLES[0, 1]] * 3, "surprisal")
