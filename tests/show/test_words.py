"""The sentence about a token, case by case; that every claim holds for any token is tested in `test_sentences`."""

from dataclasses import replace
from math import inf
from types import SimpleNamespace

import pytest
from tests.show.tokens import make

from dyntemp.show.words import at, changed, decimals, explain, flowing, percent, rounded, temperature, visible

ANIMALS = [" cat", " dog", " cow", "\n", " ox"]


def sentence(weights, policy, **settings):
    return explain(make(weights, policy, texts=ANIMALS, **settings))


def test_torn_between_two_that_the_temperature_flattened():
    text = sentence([0.41, 0.38, 0.2, 0.01, 0], 1.32, drawn=1)

    assert "torn between `␣cat` 41% and `␣dog` 38%; T = 1.32 flattened that to 39/37%; drew `␣dog`" == text


def test_torn_between_three():
    text = sentence([0.34, 0.33, 0.32, 0.01, 0], 0.5, drawn=2)

    assert (
        "torn between `␣cat` 34%, `␣dog` 33% and `␣cow` 32%; T = 0.5 sharpened that to 35/33/31%; drew `␣cow`" == text
    )


def test_more_than_three_alike_are_undecided():
    text = sentence([1, 1, 1, 1, 1], 0.5, drawn=4)

    assert text.startswith("undecided: `␣cat` 20%, `␣dog` 20%, ...; ")
    assert text.endswith("; drew `␣ox`, 20% before and 20% after")


def test_two_that_are_little_together_do_not_tear():
    text = explain(make([2, 1.9, *[1e-1] * 961], 1.0))

    assert text.startswith("undecided: `␣a` 2%, `␣b` 1.9%, ...; ")


def test_leaning_to_one_that_the_temperature_sharpened():
    text = sentence([0.6, 0.2, 0.1, 0.1, 0], 0.5)

    assert "leaning to `␣cat` 60% over `␣dog` 20%; T = 0.5 sharpened that to 86/9.5%; drew `␣cat`" == text


def test_sure_of_one():
    assert "sure of `␣cat` 97%; T = 1 left that as it is; drew `␣cat`" == sentence([0.97, 0.01, 0.01, 0.01, 0], 1)


def test_one_named_alternative_is_not_what_the_model_was_sure_of():
    text = sentence([0.3, 0.3, 0.2, 0.2, 0], 1, named=1)

    assert text.startswith("the likeliest was `␣cat` 30%; ")


def test_what_rounds_to_the_same_was_hardly_moved():
    text = sentence([0.41, 0.38, 0.2, 0.01, 0], 1.002)

    assert "; T = 1 hardly" not in text
    assert "; T ≈ 1 hardly moved that; " in text
    kept = explain(make([50, 49, 1e-4, 1e-5], 1.0, top_k=3))
    assert "; the filters left 3 of 4 candidates, and T = 1 hardly moved that; " in kept
    assert "; T = 1.01 hardly moved that; " in sentence([0.501, 0.499, 0, 0, 0], 1.01)


def test_with_an_infinite_temperature_all_have_the_same_chance():
    text = sentence([0.5, 0.3, 0.1, 0.1, 0], inf, drawn=2)

    assert text.startswith("torn between `␣cat` 50% and `␣dog` 30%; T = inf gave each of 4 candidates the same chance")
    assert text.endswith("; drew `␣cow`, 10% before and 25% after")


def test_a_draw_against_the_odds_is_called_that():
    text = sentence([0.97, 0.01, 0.01, 0.01, 0], 1, drawn=2)

    assert text.endswith("; drew `␣cow` against the odds, 1% before and 1% after")


def test_one_candidate_cannot_be_moved():
    survived = "one of 4 candidates survived the filters, so the temperature could not matter; drew `␣cat`"

    assert survived == sentence([0.5, 0.3, 0.1, 0.1, 0], 2.0, top_k=1)
    assert sentence([1, 0, 0, 0, 0], 2.0).startswith("one candidate survived, so the temperature could not matter")


def test_filters_share_the_credit():
    text = sentence([0.5, 0.4, 0.06, 0.04, 0], 1.0, top_k=2)

    assert "; the filters left 2 of 4 candidates, and T = 1 made that 56/44%; " in text


def test_without_the_support_it_does_not_say_who_is_to_be_thanked():
    text = sentence([0.5, 0.4, 0.06, 0.04, 0], 0.5, support=False)

    assert "; T = 0.5, with 4 candidates left, made that 60/39%; " in text


def test_greedy_says_so():
    text = sentence([0.5, 0.3, 0.1, 0.1, 0], 0.0)

    assert text.endswith("; T = 0 is greedy and takes the likeliest; took `␣cat`")
    assert "; T ≈ 0 is greedy" in sentence([0.5, 0.3, 0.1, 0.1, 0], 1e-7)


def test_who_put_a_token_there_is_told():
    weights = [0.5, 0.3, 0.1, 0.1, 0]

    assert sentence(weights, 0.5, origin="forced", drawn=1).endswith("; `␣dog` was put here, not drawn")
    assert "`⏎` was put here, not drawn, 10% before and 0% after" in sentence(
        weights, 0.5, origin="forced", drawn=3, top_k=2
    )
    assert sentence(weights, 0.5, origin="kept").endswith("; kept `␣cat` of the run that it follows")
    assert sentence(weights, 0.5, origin="parted").endswith("; parted from the run that it follows and drew `␣cat`")


def test_without_alternatives_it_says_only_what_it_knows():
    text = sentence([0.5, 0.3, 0.1, 0.1, 0], 0.5, named=0)

    assert "drew `␣cat`, 50% before and 69% after, at T = 0.5; the trace names no alternatives" == text


def test_control_tokens_go_by_their_name():
    token = make([0.01, 0.01, 0.98], 1, drawn=2, texts=[" cat", " dog", "<|end|>"])

    assert explain(replace(token, bytes=b"", text="")).endswith("; drew `<|end|>`")


def replayed(**changes):
    return SimpleNamespace(
        **{"temperature": 0.8, "probability": 0.3, "error": 0.0, "kept": True, "instead": None} | changes
    )


def test_a_replay_tells_what_another_policy_changes():
    token = make([0.41, 0.38, 0.2, 0.01, 0], 1.0, drawn=1, texts=ANIMALS)

    assert "T = 0.8 instead of 1; `␣dog` goes from 38% to 30%; the draw stays" == changed(token, replayed())
    assert changed(token, replayed(temperature=1.0)).startswith("T = 1 as before; ")
    assert changed(token, replayed(temperature=1.001)).startswith("T ≈ 1 instead of 1; ")
    assert "; `␣dog` stays at 38%; " in changed(token, replayed(probability=0.38))
    assert "; `␣dog` goes from 38% to about 30%; " in changed(token, replayed(error=0.01))
    assert changed(token, replayed(kept=False, instead=0)).endswith("; the draw would be `␣cat` instead")
    assert changed(token, replayed(kept=False)).endswith(
        "; the draw would be one of the tokens that the trace does not name"
    )
    forced = replace(token, origin="forced")
    assert changed(forced, replayed(kept=False, instead=0)).endswith("; it was put here, whatever is drawn")


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "0%"), (1e-9, "<0.01%"), (0.0012, "0.12%"), (0.032, "3.2%"), (0.41, "41%"), (0.0994, "9.9%"), (0.0996, "10%"),
     (0.994, "99%"), (0.998, "99.8%"), (0.99999, ">99.9%"), (1, "100%"), (0.125, "13%"), (0.0625, "6.3%"),
     (0.0001, "0.01%"), (0.000999, "0.1%")],
)  # fmt: skip
def test_percentages_never_claim_more_than_they_know(probability, text):
    assert text == percent(probability)


def test_white_space_and_control_characters_are_visible():
    assert "␣a⏎⇥\\x1b\\u200b\\xa0\\ud800" == visible(" a\n\t\x1b\u200b\xa0\ud800")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.30712, "T = 0.307"), (1.2, "T = 1.2"), (inf, "T = inf"), (0.0, "T = 0"), (1.125, "T = 1.13"), (9.996, "T = 10"),
     (1234.5, "T = 1235"), (0.0012345, "T = 0.00123"), (1.0004, "T ≈ 1"), (0.9996, "T ≈ 1"), (2e6, "T > 1000000"),
     (1e-4, "T < 0.001"), (1e-7, "T ≈ 0")],
)  # fmt: skip
def test_temperatures_have_three_digits(value, text):
    assert text == at(value)
    assert "<0.001" == temperature(1e-7)


def test_numbers_are_rounded_half_up():
    assert ["0.3", "2.7", "13", "-1"] == [rounded(0.25, 1), rounded(2.65, 1), rounded(12.5, 0), rounded(-1.5, 0)]
    assert [2, 1, 0, 0, 3, 5, 2] == [decimals(value, 3) for value in (1.0, 12.0, 123.0, 1234.0, 0.5, 1e-9, 0.0)]


@pytest.mark.parametrize(
    ("text", "raw", "shown", "mark"),
    [(" cat", b" cat", " cat", False), ("\n\n", b"\n\n", "⏎⏎", False), ("    ", b"    ", "␣␣␣␣", False),
     ("a\n", b"a\n", "a⏎", False), (" \t", b" \t", "␣⇥", False), ("", b"\xe2\x82", "\\xe2\\x82", True),
     ("€", b"\xac", "€", False), ("", b"", "<|end|>", True), ("", b"END", "END", True),
     ("\x1b[2J", b"\x1b[2J", "\\x1b[2J", False)],
)  # fmt: skip
def test_a_running_text_reads_as_one_and_hides_nothing(text, raw, shown, mark):
    token = replace(make([1, 1], texts=["<|end|>", " dog"]), text=text, bytes=raw)

    assert (shown, mark) == flowing(token)
