"""A card's numbers are the record's, its rows add up to everything, its sum adds up to the temperature."""

from dataclasses import replace
from math import inf, isclose, log

import pytest
from hypothesis import assume, given, settings
from tests.show.test_sentences import tokens
from tests.show.tokens import make

from dyntemp import Policy, generate
from dyntemp.show.card import Row, card, name_of, state, sums
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.replay import Term
from dyntemp.traces.replay_trace import as_if, own_replays, replays

PIECES = [f" {chr(97 + number)}".encode() for number in range(26)]


@pytest.fixture
def trace(tmp_path):
    """Twelve tokens from rows of 26, of which a filter leaves 20 and the record names 4."""
    path = tmp_path / "run.jsonl"
    model = FakeModel(PIECES, lambda seen: [((n * 7 + len(seen) * 3) % 11) / 2 for n in range(26)])
    policy = "clip(0.2 + 1.1*normalized_entropy - 0.1*max_prob, 0.05, 2)"
    list(generate(model, [0], policy, max_tokens=12, seed=3, top_k=20, alternatives=4, trace=path))
    return Trace.open(path)


@settings(max_examples=400, deadline=None)
@given(tokens())
def test_the_rows_of_a_card_account_for_everything(token):
    named = {alternative.token for alternative in token.alternatives}
    assume(token.temperature > 1e-6 or token.origin != "forced" or token.token in named)  # then it cannot be known
    shown = card(token)
    support = token.signals.get("support")

    assert isclose(sum(row.after for row in shown.rows), 1.0, abs_tol=1e-6)
    assert [True] == [row.chosen for row in shown.rows if row.chosen]
    assert token.candidates == sum(row.count for row in shown.rows if not row.dropped)
    assert all(row.after == 0 for row in shown.rows if row.dropped)
    if support is not None and (token.alternatives or token.candidates == support):
        assert isclose(sum(row.before for row in shown.rows), 1.0, abs_tol=1e-6)
        assert support == sum(row.count for row in shown.rows)


def test_what_was_dropped_stays_on_the_card_and_the_rest_is_told_apart():
    token = make([50, 20, 10, 8, 6, 3, 2, 1], 1.0, top_k=5, named=2, drawn=3)
    rows = card(token).rows

    assert [
        Row("␣a", 0.5, pytest.approx(50 / 94)),
        Row("␣b", 0.2, pytest.approx(20 / 94)),
        Row("␣d", 0.08, pytest.approx(8 / 94), chosen=True),
        Row("other", pytest.approx(0.16), pytest.approx(16 / 94), count=2),
        Row("other", pytest.approx(0.06), 0.0, dropped=True, count=3),
    ] == list(rows)
    assert ["␣a", "other (2)", "other (3)"] == [name_of(rows[at]) for at in (0, 3, 4)]


def test_a_token_that_was_put_where_filters_had_dropped_it_is_both():
    shown = card(make([5, 3, 2], 0.5, top_k=1, drawn=2, origin="forced"))

    assert ["", "dropped", "put here, dropped"] == [state(row, shown.chosen) for row in shown.rows]
    assert "put here, not drawn" == shown.came


def test_where_the_draw_is_greedy_the_least_likely_bin_tells_what_was_dropped():
    weights = [50, 20, 10, 8, 6, 0.3, 0.2, 0.1]
    kept, dropped = (make(weights, 0.0, top_k=5, named=2, drawn=drawn, origin="forced") for drawn in (3, 6))

    assert ["put here", "put here, dropped"] == [state(card(token).rows[2], "put here") for token in (kept, dropped)]


def test_figures_are_before_and_after_with_their_units():
    token = make([0.5, 0.5, 0.0], 1.0, top_k=1, varentropy=0.25)
    figures = {one.label: one.text for one in card(token).figures}

    assert {
        "temperature": "1", "entropy": "0.693 → 0 nats", "surprisal": "0.693 → 0 nats", "candidates": "2 → 1",
        "max_prob": "0.5", "varentropy": "0.25 nats^2",
    } == figures  # fmt: skip


def test_the_sum_is_the_temperature_that_was_recorded(trace):
    for token, replayed in zip(trace, replays(trace.header, list(trace)), strict=True):
        shown = card(token, replayed)
        assert isclose(token.temperature, sum(term.value for term in shown.terms), rel_tol=1e-12)
        written, numbers, result = sums(shown).replace(" ≈ ", " = ").split(" = ")
        assert "0.2 + 1.1*normalized_entropy - 0.1*max_prob" == written  # a limit that changes nothing is not told
        assert isclose(eval(numbers), float(result), abs_tol=6e-3)
        assert isclose(token.temperature, float(result), rel_tol=5e-3)


def test_a_limit_that_matters_is_told(trace):
    (token, *_) = tokens_of = list(trace)
    now = replays(trace.header, tokens_of, Policy("clip(2 + entropy, 0.05, 1.5)"))

    assert sums(card(token, other=now[0])).startswith("2 + entropy + clip(..., 0.05, 1.5) = 2 + ")
    assert sums(card(token, other=now[0])).endswith(" = 1.5")


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ({"0.8": 0.8}, "0.8"),
        ({"1/(0*max_prob)": inf}, "1/(0*max_prob) = inf"),
        ({"0.3": 0.3, "-0.4*max_prob": -0.2}, "0.3 - 0.4*max_prob = 0.3 - 0.2 = 0.1"),
        ({"a": 1 / 3, "b": 1 / 3}, "a + b = 0.333 + 0.333 ≈ 0.667"),
        ({"a": 1.0, "clip(..., 0, 2)": 0.0}, "a = 1"),
        ({"0.3": 0.3, "0.7*entropy": 0.0}, "0.3 + 0.7*entropy = 0.3 + 0 = 0.3"),
        ({"a": 3.0, "clip(..., 0, 2)": -1.0}, "a + clip(..., 0, 2) = 3 - 1 = 2"),
    ],
)
def test_a_sum_is_written_once_in_words_and_once_in_numbers(terms, text):
    shown = replace(
        card(make([1, 1])), terms=tuple(Term(*term) for term in terms.items()), temperature=sum(terms.values())
    )

    assert text == sums(shown)


def test_a_card_under_another_policy_has_three_columns_and_says_what_changes(trace):
    recorded = list(trace)
    now = replays(trace.header, recorded, Policy("3"))
    parted = [(token, one) for token, one in zip(recorded, now, strict=True) if not one.kept]

    assert parted
    for token, one in parted:
        shown = card(token, other=one)
        instead = [row for row in shown.rows if row.instead]
        assert 1 == len(instead)
        assert not instead[0].chosen
        assert isclose(sum(row.now for row in shown.rows), 1.0, abs_tol=1e-6)
        assert shown.change.startswith("T = 3 instead of ")
        assert 3.0 == shown.temperature == as_if(token, one).temperature
        assert shown.figures[0].after == 3.0
        seen = as_if(token, one)
        assert (one.probability, one.entropy_after) == (seen.probability_after, seen.entropy_after)
        assert isclose(seen.surprisal_after, -log(one.probability))


def test_several_texts_are_replayed_each_by_itself(tmp_path):
    path = tmp_path / "two.jsonl"
    model = FakeModel(PIECES, lambda seen: [((n * 5 + len(seen)) % 7) / 2 for n in range(26)])
    list(generate(model, [[0], [1, 2]], "0.5 + 0.1*ema(entropy, 0.9)", max_tokens=5, seed=1, trace=path))
    trace = Trace.open(path)
    found = replays(trace.header, list(trace))

    assert [token.temperature for token in trace] == pytest.approx([one.temperature for one in found], rel=1e-12)


def test_without_enough_of_a_record_there_is_no_sum():
    token = make([5, 3, 2], 0.5, named=0)

    assert [None] == own_replays(None, [token])
    assert () == card(token).terms
