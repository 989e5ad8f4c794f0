"""Every sentence about a token is true, and says what mattered."""

import numpy as np
import pytest

from dyntemp import generate
from dyntemp.show.words import explain, percent, temperature, visible
from dyntemp.testing import FakeModel

PIECES = [b" cat", b" dog", b" cow", b"\n", b""]


def sentence(probabilities, policy, drawn=0, **settings):
    """The sentence for a row of these probabilities from which the token `drawn` came."""
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities)
    model = FakeModel(PIECES, lambda _: logits, end=[4])
    draws = (next(generate(model, [0], policy, seed=seed, **settings)) for seed in range(10_000))
    return explain(next(token for token in draws if token.token == drawn))


def test_torn_between_two_that_the_temperature_flattened():
    text = sentence([0.41, 0.38, 0.2, 0.01, 0], 1.32, drawn=1)

    assert "torn between `␣cat` 41% and `␣dog` 38%; T = 1.32 flattened that to 39/37%; drew `␣dog`" == text


def test_leaning_to_one_that_the_temperature_sharpened():
    text = sentence([0.6, 0.2, 0.1, 0.1, 0], 0.5)

    assert "leaning to `␣cat` 60% over `␣dog` 20%; T = 0.5 sharpened that to 86/9.5%; drew `␣cat`" == text


def test_sure_of_one():
    assert "sure of `␣cat` 97%; T = 1 left that as it is; drew `␣cat`" == sentence([0.97, 0.01, 0.01, 0.01, 0], 1)


def test_against_the_odds_the_drawn_token_has_its_own_figures():
    text = sentence([0.5, 0.3, 0.1, 0.1, 0], "1/0", drawn=2)

    assert text.startswith("torn between `␣cat` 50% and `␣dog` 30%; T = inf gave all 4 candidates the same chance")
    assert text.endswith("; drew `␣cow`, 10% before and 25% after")


def test_one_candidate_cannot_be_moved():
    text = sentence([0.5, 0.3, 0.1, 0.1, 0], 2.0, top_k=1)

    assert "one candidate survived, so the temperature could not matter; drew `␣cat`" == text


def test_filters_share_the_credit():
    text = sentence([0.5, 0.4, 0.06, 0.04, 0], 1.0, min_p=0.5)

    assert "with 2 candidates left, T = 1 made that 56/44%" in text


def test_greedy_says_so():
    assert "T = 0 is greedy: took the likeliest, `␣cat` 50%" == sentence([0.5, 0.3, 0.1, 0.1, 0], 0)


def test_without_alternatives_it_says_only_what_it_knows():
    text = sentence([0.5, 0.3, 0.1, 0.1, 0], 0.5, alternatives=0)

    assert text.endswith("at T = 0.5; the trace names no alternatives")


def test_control_tokens_go_by_their_name():
    assert "drew `<4>`" in sentence([0.01, 0.01, 0.01, 0, 0.97], 1, drawn=4)


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "0%"), (1e-9, "<0.01%"), (0.0012, "0.12%"), (0.032, "3.2%"), (0.41, "41%"), (0.0994, "9.9%"), (0.0996, "10%"),
     (0.994, "99%"), (0.998, "99.8%"), (0.99999, ">99.9%"), (1, "100%")],
)  # fmt: skip
def test_percentages_never_claim_more_than_they_know(probability, text):
    assert text == percent(probability)


def test_white_space_and_control_characters_are_visible():
    assert "␣a⏎⇥\\x1b" == visible(" a\n\t\x1b")


def test_temperatures_have_three_digits():
    assert ["0.307", "1.2", "inf", "0"] == [temperature(t) for t in (0.30712, 1.2, float("inf"), 0.0)]
