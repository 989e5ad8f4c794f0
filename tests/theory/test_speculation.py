"""Speculative decoding under a policy: the probabilities of all texts, and the share of a draft that is accepted."""

import numpy as np
import pytest
from tests.theory.rows import random_rows

from dyntemp.language.policy import Policy
from dyntemp.theory.speculation import Decoder, acceptance, lossless, one_by_one, speculated, tempered


def model(seed, vocabulary=2):
    """Random logits that depend on the whole text."""
    return lambda text: np.random.default_rng([seed, *text, len(text)]).normal(0, 1.5, vocabulary)


def furthest(one, other):
    return max(abs(one.get(text, 0) - other.get(text, 0)) for text in one.keys() | other.keys())


STATELESS = ["0.7", "0.1 + 0.8*entropy", "0.5 - 0.4*max_prob", "where(max_prob < 0.7, 0, 1.5)", "0.5 + 0.3*position"]
REMEMBERING = [
    "0.2 + ema(entropy, 0.5)", "0.3 + prev(max_prob)", "0.7 + integral(0.5*(0.7 - surprisal), -0.5, 0.8)",
    "0.3 + surprisal",
]  # fmt: skip


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("text", [*STATELESS, *REMEMBERING])
def test_speculation_draws_texts_with_the_same_probabilities(text, ahead):
    decoder = Decoder(model(1), Policy(text))
    expected = one_by_one(decoder, 4)
    found = speculated(decoder, model(2), 4, ahead)

    assert sum(expected.values()) == pytest.approx(1, abs=1e-12)
    assert furthest(expected, found) < 1e-12


def test_more_tokens_than_two_do_not_matter():
    decoder = Decoder(model(3, vocabulary=3), Policy("0.2 + ema(entropy, 0.5)"))

    assert furthest(one_by_one(decoder, 3), speculated(decoder, model(4, vocabulary=3), 3, 1)) < 1e-12


@pytest.mark.parametrize("text", REMEMBERING)
def test_a_memory_that_rejected_tokens_stay_in_changes_the_texts(text):
    policy = Policy(text)
    expected = one_by_one(Decoder(model(1), policy), 4)
    found = speculated(Decoder(model(1), policy, by_position=False), model(2), 4, 2)

    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert furthest(expected, found) > 1e-3


def test_a_draft_of_the_target_itself_is_always_accepted():
    rows = random_rows(np.random.default_rng(0), 20, 6)

    assert acceptance(rows, rows, Policy("0.1 + 0.8*entropy")) == pytest.approx(np.ones(20))


def test_acceptance_is_the_overlap_of_the_two_distributions():
    generator = np.random.default_rng(1)
    target, draft = random_rows(generator, 5, 4), random_rows(generator, 5, 4)
    found = acceptance(target, draft, Policy(0.5), Policy(2.0))
    expected = [1 - np.abs(tempered(p, 0.5) - tempered(q, 2.0)).sum() / 2 for p, q in zip(target, draft, strict=True)]

    assert found == pytest.approx(expected)
    assert acceptance([[0.0, 1.0]], [[1.0, 0.0]], Policy(0.0)) == [0.0]


def test_the_verdict_speaks_of_the_memory_where_there_is_one():
    assert "memory" not in lossless(Policy("0.1 + entropy")).evidence
    assert "kept by position" in lossless(Policy("ema(entropy, 0.5)")).evidence
