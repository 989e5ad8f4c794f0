"""Metrics against all choices of k among the samples, and against SciPy's hypergeometric distribution."""

from collections import Counter
from itertools import combinations
from math import log
from zlib import compress

import numpy as np
import pytest

from dyntemp.evaluation.metrics import METRICS, distinct_at, majority_at, metric_of, pass_at
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Score


def sample(text="", key="", valid=True, **numbers):
    empty = {"temperature": (), "entropy": (), "max_prob": (), "surprisal": (), "log_prob": ()}
    given = {"item": "a", "number": 0, "finish": "end", "tokens": 2, **empty, **numbers}
    return Sample(text=text, score=Score(valid or bool(key), bool(key), key), **given)


def answers(text):
    """A sample for each letter: capitals are correct answers, small ones wrong, and `-` is no answer."""
    return [sample(one, key=one if one.isupper() else "", valid=one != "-") for one in text]


def vote(letters):
    """The chance that the most frequent letter of a choice is a capital."""
    counts = Counter(letter for letter in letters if letter != "-")
    tied = [letter for letter, count in counts.items() if count == max(counts.values())]
    return np.mean([letter.isupper() for letter in tied]) if tied else 0.0


CHOICES = {
    "pass": lambda letters: any(letter.isupper() for letter in letters),
    "distinct": lambda letters: len({letter for letter in letters if letter.isupper()}),
    "maj": vote,
}


@pytest.mark.parametrize("text", ["AAABBccd-", "abc-", "AB", "AAaabb", "--", "AAA", "ABCDaab"])
@pytest.mark.parametrize("name", CHOICES)
def test_metrics_of_k_are_means_over_all_choices_of_k(name, text):
    for k in range(1, len(text) + 1):
        expected = np.mean([CHOICES[name](choice) for choice in combinations(text, k)])

        assert metric_of(f"{name}@{k}").of(answers(text)) == pytest.approx(expected, abs=1e-12)


def test_pass_and_distinct_are_the_hypergeometric_distribution():
    hypergeom = pytest.importorskip("scipy.stats").hypergeom
    for counts in ([3], [1, 5, 2], [40, 20]):
        chances = [hypergeom.sf(0, 64, count, 8) for count in counts]

        assert distinct_at(counts, 64, 8) == pytest.approx(sum(chances))
        assert pass_at(counts[0], 64, 8) == pytest.approx(chances[0])


@pytest.mark.parametrize("name", ["pass@9", "distinct@9", "maj@9"])
def test_fewer_samples_than_k_are_refused(name):
    with pytest.raises(ValueError, match="8 samples of an item were given for k = 9"):
        metric_of(name).of(answers("AAAAaaaa"))


def test_votes_of_many_samples_are_counted_without_listing_choices():
    assert majority_at((20, 10), (15, 15), 64, 1) == pytest.approx(30 / 64)
    assert majority_at((33,), (31,), 64, 64) == 1


def test_shares_and_means():
    texts = [sample("a", key="a", tokens=4, finish="length", temperature=(1.0, np.inf), entropy=(0.5, 1.5)),
             sample("b", tokens=2, temperature=(3.0,), surprisal=(0.25,), log_prob=(log(0.5),))]  # fmt: skip
    expected = {"accuracy": 0.5, "validity": 1, "length": 3, "truncated": 0.5, "temperature": 8, "entropy": 1,
                "temperature_spread": np.std([1, 20, 3]), "surprisal": 0.25, "surprisal_after": log(2)}  # fmt: skip

    assert {name: metric_of(name).of(texts) for name in expected} == pytest.approx(expected)


def test_numbers_of_tokens_that_a_server_does_not_tell_are_not_defined():
    names = ("temperature", "temperature_spread", "entropy", "surprisal", "surprisal_after")

    assert [metric_of(name).of([sample("a")]) for name in names] == [None] * len(names)


def test_ead_of_random_words_is_1_at_any_length():
    generator = np.random.default_rng(1)
    for length in (100, 20_000):
        words = " ".join(f"w{number}" for number in generator.integers(0, 30_000, length))

        assert metric_of("ead").of([sample(words)]) == pytest.approx(1, abs=0.02)
    assert metric_of("ead").of([sample("the the The the")]) == pytest.approx(0.25, abs=1e-3)
    assert metric_of("ead").of([sample("?")]) is None


def test_self_repetition_counts_what_stood_before_in_any_text_of_the_item():
    assert metric_of("self_repetition").of([sample("a b c d e"), sample("A b, c d f")]) == 0.25
    assert metric_of("self_repetition").of([sample("a b c d a b c d")]) == pytest.approx(0.2)
    assert metric_of("self_repetition").of([sample("a b c")]) is None


def test_compression_is_measured_at_equal_bytes():
    texts = [sample("one two three four " * 9), sample("x" * 400)]
    data = "\n".join(one.text for one in texts).encode()

    assert metric_of("compression@100").of(texts) == 100 / len(compress(data[:100], 9))
    assert metric_of("compression@100").of([*texts, sample("more")]) == metric_of("compression@100").of(texts)
    assert metric_of("compression@600").of(texts) is None


@pytest.mark.parametrize("name", ["accurate", "pass", "pass@", "pass@0", "pass@-1", "accuracy@3", "pass@k", "@3", ""])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match="was given; there are accuracy"):
        metric_of(name)


def test_every_metric_of_the_table_is_found_by_its_name():
    for name, metric in METRICS.items():
        found = metric_of(name.replace("@k", "@7").replace("@b", "@7"))

        assert (found.unit, found.better) == (metric.unit, metric.better)
        assert "`k`" not in found.title
