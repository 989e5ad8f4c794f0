"""The quantities that colour a text: their scales, and their numbers in few characters."""

from math import inf

import pytest
from tests.show.tokens import make

from dyntemp.errors import TraceError
from dyntemp.language.interval import Interval
from dyntemp.show.colour import Scale
from dyntemp.show.quantity import figure, quantities, quantity, reach, short

TOKENS = [
    make([0.6, 0.3, 0.1], 0.5, drawn=1, normalized_entropy=0.8),
    make([0.2, 0.3, 0.5], 2.0, drawn=0, **{"top_mass(2)": 0.8}),
]


def test_every_number_of_a_record_is_a_quantity():
    token = TOKENS[0]
    found = {name: one.value(token) for name, one in quantities(TOKENS).items()}

    assert found == {
        "temperature": 0.5, "entropy_after": token.entropy_after, "surprisal": token.surprisal,
        "surprisal_after": token.surprisal_after, "probability": token.probability,
        "probability_after": token.probability_after, "candidates": 3.0, **token.signals, "top_mass(2)": None,
    }  # fmt: skip
    assert "nats" == quantities(TOKENS)["entropy"].unit


def test_an_unknown_quantity_is_refused_with_the_nearest_and_all():
    with pytest.raises(
        TraceError, match=r"no `entropi`; did you mean `entropy`\? It holds temperature, .*top_mass\(2\)"
    ):
        quantity("entropi", TOKENS)
    with pytest.raises(TraceError, match=r"no `xyz`\. It holds"):
        quantity("xyz", TOKENS)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("temperature", Scale(0.3, 1.0)), ("probability", Scale(0.0, 1.0, diverging=False)),
        ("normalized_entropy", Scale(0.0, 1.0, diverging=False)), ("surprisal", Scale(0.0, 2.0, diverging=False)),
        ("candidates", Scale(0.0, 3.0, diverging=False)),
    ],
)  # fmt: skip
def test_each_scale_spends_its_colours_on_what_can_be(name, scale):
    assert scale == quantity(name, TOKENS).scale(TOKENS, Interval(0.3, 1.0))


def test_what_nothing_finite_was_recorded_of_has_a_scale_too():
    token = make([1, 1], 1.0, oddity=inf)

    assert Scale(0.0, 1.0, diverging=False) == quantity("oddity", [token]).scale([token])


def test_a_scale_reaches_what_the_policy_can_return():
    assert (0.5, 1.5) == reach("clip(entropy, 0.5, 1.5)")
    assert (0.0, 2.0) == reach("a later(dyntemp)")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.418, ".42"), (0.0, "0"), (0.001, "0"), (0.005, ".01"), (0.999, "1.00"), (1.3, "1.30"), (9.994, "9.99"),
     (9.996, "10"), (12.4, "12"), (12.5, "13"), (-0.5, "-.50"), (49152, "49152"), (2.5e6, "2e6"), (inf, "∞"),
     (-inf, "-∞")],
)  # fmt: skip
def test_a_number_below_a_token_is_short(value, text):
    assert text == short(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.3071, "0.307"), (12.44, "12.4"), (49152.0, "49,152"), (1.2e-5, "1.2e-05"), (3e9, "3.0e+09"), (0.0, "0"),
     (-0.4, "-0.4"), (inf, "inf"), (-inf, "-inf"), (1234.5, "1,235")],
)  # fmt: skip
def test_a_figure_has_three_digits(value, text):
    assert text == figure(value)
