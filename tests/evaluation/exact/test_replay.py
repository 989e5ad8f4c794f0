"""Importance weights on a model whose texts can be enumerated."""

import numpy as np
import pytest
from tests.evaluation.exact.toy import enumerated, row, toy_item, toy_model

from dyntemp import generate
from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.exact.replay import replayed, weights_of_summaries, weights_of_traces
from dyntemp.evaluation.exact.summaries import Summaries, Visits
from dyntemp.language.policy import Policy

OLD, NEW = "0.5 + 0.5*normalized_entropy", "0.9 - 0.3*max_prob"
ITEM = toy_item()


def recorded(count):
    runs = generate(toy_model(), [ITEM.prompt] * count, OLD, max_tokens=3, seed=3, stop=["\n"], chat=False,
                    alternatives=9)  # fmt: skip
    tokens = [[] for _ in range(count)]
    for token in runs:
        tokens[token.request].append(token)
    return tokens


SAMPLES = recorded(1500)
TEXTS = ["".join(token.text for token in tokens).split("\n")[0] for tokens in SAMPLES]
CORRECT = np.array([text in ITEM.answers for text in TEXTS])


def accuracy(policy, filters=Filters()):
    found = enumerated(policy, filters, ITEM)
    return sum(sum(found[text].values()) for text in ITEM.answers)


def summaries_of(samples):
    """The summaries of the drawn tokens, as a run would make them."""
    prompt = toy_model().encode(ITEM.prompt)
    rows, sets, visits = [], [], []
    for text, tokens in enumerate(samples):
        path = [token.token for token in tokens]
        for at, token in enumerate(path):
            visits.append((len(rows), text, at, tokens[at].surprisal))
            rows.append(row([*prompt, *path[:at]]))
            sets.append([[token]])
    numbers = np.array(visits).T
    found = Visits(*numbers[:3].astype(np.int64), numbers[3])
    return Summaries.joined([Summaries.of(np.array(rows), sets)], found)


def test_traces_tell_the_accuracy_of_another_policy():
    weights = weights_of_traces(SAMPLES, Policy(NEW), seed=3)

    found = replayed(weights, CORRECT)

    assert np.exp(weights).mean() == pytest.approx(1, abs=0.1)
    assert abs(found.mean - accuracy(NEW)) < 4 * found.error
    assert 30 < found.effective < found.samples == len(SAMPLES)
    assert found.error < 0.03


@pytest.mark.parametrize("policy", [NEW, OLD, "0.4 + 0.2*ema(entropy, 0.5) + 0.05*surprisal"])
def test_traces_and_summaries_give_equal_weights(policy):
    samples = SAMPLES[:60]
    log_prob = [-token.surprisal_after for tokens in samples for token in tokens]

    found = weights_of_summaries(summaries_of(samples), log_prob, Policy(policy))

    np.testing.assert_allclose(found, weights_of_traces(samples, Policy(policy), seed=3), atol=1e-5)
    if policy == OLD:
        np.testing.assert_allclose(found, 0, atol=1e-5)


def test_every_text_with_its_probability_gives_the_exact_value():
    """All texts, each with the weight that its probability under the recorded policy has: no noise is left."""
    old, new = enumerated(OLD), enumerated(NEW, Filters.read("top_k(5)"))
    texts = [(text, path, p) for text, paths in old.items() for path, p in paths.items()]
    with np.errstate(divide="ignore"):
        weights = np.log([new[text].get(path, 0.0) for text, path, _ in texts])

    found = replayed(weights, [text in ITEM.answers for text, _, _ in texts], share=0, least=0)

    assert found.mean == pytest.approx(accuracy(NEW, Filters.read("top_k(5)")), rel=1e-9)


def test_too_few_effective_samples_are_refused():
    weights = np.log([1.0] * 10 + [1e-9] * 990)
    with pytest.raises(ValueError, match=r"1000 samples are worth 10\.0 of the policy's own; 100 are needed"):
        replayed(weights, np.ones(1000))
    with pytest.raises(ValueError, match=r"20 samples are worth 20\.0 of the policy's own; 30 are needed"):
        replayed(np.zeros(20), np.ones(20))
    with pytest.raises(ValueError, match=r"are worth 0\.0"):
        replayed(np.full(50, -np.inf), np.ones(50))
    with pytest.raises(ValueError, match="pass one per sample"):
        replayed(np.zeros(3), np.ones(4))


def test_equal_weights_give_the_plain_mean():
    found = replayed(np.full(100, 2.0), np.arange(100) < 25)

    assert found.mean == pytest.approx(0.25)
    assert found.effective == pytest.approx(100)
    assert found.error == pytest.approx(np.sqrt(0.25 * 0.75 / 100))
