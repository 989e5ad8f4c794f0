"""Temperatures along recorded tokens: their derivatives against the policy's own temperatures."""

from dataclasses import replace

import numpy as np
import pytest
from tests.learn.made import tokens_of

from dyntemp.errors import PolicyError
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Score
from dyntemp.language.policy import Policy
from dyntemp.learn.learnable import Shape, learnable
from dyntemp.learn.tokens import Tokens, check_learnable, temperatures, values_along

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

RANDOM = np.random.default_rng(5)
LENGTHS = [4, 1, 6, 3]
ROWS = RANDOM.normal(0, 2, (sum(LENGTHS), 7))
TOKENS = tokens_of(ROWS, RANDOM.integers(7, size=len(ROWS)), LENGTHS)
SHAPES = [
    'clip(param("a", 0, 1) + param("b", -1, 2)*entropy**param("c", 0.5, 2), 0.1, 3)',
    "curve(entropy, 4)",
    "network(entropy; max_prob; min(position, 4), 3)",
    'clip(param("a", 0, 1) + param("b", -1, 2)*ema(entropy*param("c", 0.5, 2), 0.7), 0.1, 3)',
    'clip(param("a", 0.1, 1) + param("b", 0, 1)*ema(prev(surprisal), 0.5), 0.1, 3)',
]


def found(text):
    """A shape and values of its parameters off the static temperature."""
    shape = Shape.read(text)
    quantiles = {one: np.quantile(values_along(one, TOKENS), np.linspace(0, 1, 9)) for one in shape.signals}
    made = learnable(shape, (0.1, 3.0), 0.8, quantiles, 0)
    spans = made.template.parameters.items()
    drawn = np.random.default_rng(1)
    moved = {
        name: made.start[name] + 0.1 * drawn.uniform(0.2, 1) * (one.high - made.start[name]) for name, one in spans
    }
    return made.template, moved


def own(template, values, at=None, changed=None):
    """The policy's own temperatures, token after token; at one token it gets other values, which it then forgets."""
    result = np.empty(len(ROWS))
    for text in range(len(LENGTHS)):
        state = template.state(slots=1) if template.remembers else None
        for token in np.flatnonzero(TOKENS.text == text):
            place = {"position": int(TOKENS.position[token]), "slot": [0]} if state else {
                "position": int(TOKENS.position[token])
            }  # fmt: skip
            read = {name: [numbers[token]] for name, numbers in TOKENS.signals.items()}
            given = changed if token == at else values
            (result[token],) = template.step(read, state=state, parameters=given, **place)
            if state is not None:
                state.observe([0], [int(TOKENS.position[token])], [TOKENS.surprisal[token]])
    return result


@pytest.mark.parametrize("text", SHAPES)
def test_temperatures_and_their_derivatives_are_the_policys_own(text):
    template, values = found(text)
    now = temperatures(template, values, TOKENS)

    np.testing.assert_allclose(np.exp(now.log_t), own(template, values), rtol=1e-12)
    step = 1e-6
    for column, name in enumerate(values):
        for token in range(len(ROWS)):
            ends = [own(template, values, token, {**values, name: values[name] + sign * step})[token]
                    for sign in (1, -1)]  # fmt: skip
            slope = (np.log(ends[0]) - np.log(ends[1])) / (2 * step)
            assert now.jacobian[token, column] == pytest.approx(slope, abs=1e-8), (name, token)
    assert np.abs(now.jacobian).sum(axis=0).min() > 0


def test_a_signal_with_a_parameter_inside_is_refused():
    with pytest.raises(PolicyError, match=r"has the parameter `h` inside.*dyntemp tune"):
        check_learnable(Policy('clip(temperature_for_entropy(param("h", 1, 2)), 0.1, 3)'))
    check_learnable(Policy(SHAPES[0]))


def written(number, tokens):
    one = {"temperature": (1.0,) * tokens, "entropy": (1.0,) * tokens, "max_prob": (0.5,) * tokens}
    part = np.flatnonzero(TOKENS.text == number)
    return Sample(
        item="one", number=number, text="", finish="end", tokens=tokens, **one,
        surprisal=tuple(TOKENS.surprisal[part]), log_prob=(0.0,) * tokens, score=Score(True, True, ""),
        signals={name: tuple(values[part]) for name, values in TOKENS.signals.items()},
        curves=type(TOKENS.curves)(TOKENS.curves.value[part], TOKENS.curves.totals[part]),
    )  # fmt: skip


def test_samples_are_put_one_after_another_and_parts_of_them_are_numbered_anew():
    whole = Tokens.of([written(number, tokens) for number, tokens in enumerate(LENGTHS)])
    part = whole.part(np.array([False, True, True, False]))

    for name in ("text", "position", "surprisal"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(TOKENS, name))
    np.testing.assert_array_equal(whole.curves.totals, TOKENS.curves.totals)
    assert (4, 2) == (whole.texts, part.texts)
    assert [0] + [1] * 6 == part.text.tolist()
    assert [0, *range(6)] == part.position.tolist()
    np.testing.assert_array_equal(part.signals["entropy"], TOKENS.signals["entropy"][4:11])
    np.testing.assert_array_equal(part.curves.value, TOKENS.curves.value[4:11])


def test_a_text_that_has_no_token_keeps_its_number():
    empty = replace(
        written(1, 1), tokens=0, surprisal=(), signals=dict.fromkeys(TOKENS.signals, ()),
        curves=type(TOKENS.curves).of([]),
    )  # fmt: skip
    found = Tokens.of([written(0, 4), empty, written(3, 3)])

    assert [0] * 4 + [2] * 3 == found.text.tolist()
    assert 3 == found.texts
