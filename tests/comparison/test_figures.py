"""Figures are what their definitions say, counted by hand."""

from math import inf

import numpy as np
import pytest

from dyntemp import generate
from dyntemp.comparison.figures import figures, overlap, parting
from dyntemp.comparison.measures import MEASURES, Written, distinct, parted_at, repetition, written
from dyntemp.testing import FakeModel


def text(*tokens, temperature=1.0, entropy=0.5, after=0.25, surprisal=2.0, finish="length"):
    """A text whose draws all have the same numbers."""
    draws = len(tokens) + (finish == "end")
    return Written(tokens, *(np.full(draws, value) for value in (temperature, entropy, after, surprisal)), finish)


def test_distinct_n_counts_n_grams_of_all_texts_to_a_prompt_over_all_tokens():
    texts = [text(1, 2, 1, 2), text(1, 2, 3)]

    assert [3 / 7, 3 / 7, 3 / 7] == [distinct(n)(texts) for n in (1, 2, 3)], "1 2 3; 12 21 23; 121 212 123"
    assert distinct(1)([text(), text(finish="end")]) is None


def test_no_n_gram_spans_two_texts():
    assert 2 / 4 == distinct(2)([text(1, 2), text(3, 4)])


def test_repetition_is_the_share_of_four_grams_that_came_before():
    assert 0.0 == repetition([text(1, 2, 3, 4, 9, 1, 2, 3)]), "no four of them come again"
    assert pytest.approx(4 / 5) == repetition([text(1, 1, 1, 1, 1, 1, 1, 1)])
    assert pytest.approx((2 / 6 + 0) / 2) == repetition([text(1, 2, 3, 4, 1, 2, 3, 4, 1), text(1, 2, 3, 4)])
    assert repetition([text(1, 2, 3)]) is None


def test_short_texts_do_not_count_in_a_repetition():
    assert pytest.approx(1 / 2) == repetition([text(1, 1, 1, 1, 1), text(1)])


@pytest.mark.parametrize(
    ("a", "b", "at"),
    [((1, 2), (1, 2), None), ((), (), None), ((1, 2), (1, 3), 1), ((1,), (1, 2), 1), ((1, 2), (1,), 1), ((), (1,), 0)],
)
def test_texts_part_at_the_first_difference_or_where_one_ends(a, b, at):
    assert at == parted_at(a, b)


@pytest.mark.parametrize("limit", [3, 50])
def test_a_trace_gives_its_numbers_and_the_token_that_ends_it_is_no_token_of_the_text(limit):
    model = FakeModel([b"a", b""], lambda tokens: [0.0, 9.0 if len(tokens) == 8 else -9.0], end=[1])
    tokens = list(generate(model, "a", "0.5 + entropy", seed=1, max_tokens=limit))
    text = written(tokens)

    assert ((0,) * min(limit, 7), "end" if limit == 50 else "length") == (text.tokens, text.finish)
    assert [token.temperature for token in tokens] == text.temperature.tolist()
    assert [token.signals["entropy"] for token in tokens] == text.entropy.tolist()
    assert [token.entropy_after for token in tokens] == text.entropy_after.tolist()
    assert [token.surprisal for token in tokens] == text.surprisal.tolist()


def test_parting_counts_tokens_kept_and_texts_that_never_part():
    leader = [[text(1, 2, 3, 4), text(1, 2)], [text(5, 6, 7, 8), text(9)]]
    follower = [[text(1, 2, 9, 9), text(1, 2)], [text(6, 6, 7), text(9, 1)]]

    part = parting(follower, leader)

    assert (4, 1 / 4, (2 + 2 + 0 + 1) / 4) == (part.texts, part.never, part.kept)
    assert pytest.approx((2 / 4 + 1 + 0 + 1) / 4) == part.kept_share
    assert 1.0 == part.position, "of 0, 1, 2 and never, the lower middle one"
    assert parting(leader, leader).position is None


def test_overlap_is_the_f_measure_of_shared_tokens():
    assert pytest.approx(2 * 2 / (3 + 4)) == overlap([[text(1, 1, 2)]], [[text(1, 2, 2, 3)]])
    assert 1.0 == overlap([[text()]], [[text()]])


def test_the_mean_of_a_text_counts_as_one_whatever_its_length():
    long, short = text(*range(9), temperature=1.0), text(1, temperature=2.0)

    assert 1.5 == MEASURES["temperature"].of([long, short])
    assert 5.0 == MEASURES["length"].of([long, short])
    assert 0.25 == MEASURES["ended"].of([long, short, long, text(1, finish="end")])


def test_differences_are_paired_by_prompt_and_seeds_are_averaged_within_it():
    leader = [
        [text(1, temperature=0.5), text(1, temperature=0.7)],
        [text(1, temperature=1.0), text(1, temperature=1.0)],
    ]
    other = [[text(1, temperature=1.0), text(1, temperature=1.0)], [text(1, temperature=1.0), text(1, temperature=2.0)]]

    found = figures([leader, other], [("0.6", None), ("1", "static")])
    a, b = (one.measures["temperature"] for one in found.policies)

    assert pytest.approx((0.6 + 1.0) / 2) == a.mean
    assert (None, None, None, 2) == a[1:]
    assert pytest.approx(1.25) == b.mean
    assert pytest.approx(((1.0 - 0.6) + (1.5 - 1.0)) / 2) == b.difference
    assert pytest.approx((0.4, 0.5)) == (b.low, b.high), "with two prompts the ends are the two differences"
    assert (None, 4) == (found.policies[0].parting, found.policies[1].parting.texts)
    assert (2, 2, ("1", "static")) == (found.prompts, found.seeds, found.policies[1][:2])


def test_infinite_temperatures_are_said_and_not_subtracted():
    texts = [[text(1, 2, temperature=inf)]]
    found = figures([texts, texts], [("1", None), ("2", None)])

    assert (inf, None, None) == found.policies[1].measures["temperature"][:3]
    assert [inf] * 5 == found.policies[0].quantiles["temperature"]
    assert 0.0 == sum(found.distributions["temperature"].shares[0])


def test_a_prompt_without_a_value_on_one_side_is_in_neither_mean_of_the_difference():
    leader = [[text(1, 2, 3, 4, 5)], [text(1)], [text(1, 1, 1, 1, 1)]]
    other = [[text(2, 2, 2, 2, 2)], [text(1, 1, 1, 1, 1)], [text(1, 1, 1, 1, 1)]]

    estimate = figures([leader, other], [("1", None), ("2", None)]).policies[1].measures["repetition"]

    assert (2, pytest.approx(0.25)) == (estimate.prompts, estimate.difference)


def test_quantiles_are_over_all_tokens():
    texts = [[text(1, temperature=0.0), text(*range(9), temperature=1.0)]]
    found = figures([texts, texts], [("1", None), ("2", None)]).policies[0]

    assert [0.0, 1.0, 1.0, 1.0, 1.0] == found.quantiles["temperature"]
    assert {"length": 2} == found.finishes
