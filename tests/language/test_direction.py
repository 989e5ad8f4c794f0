"""The direction in which a policy moves with each of its signals."""

import numpy as np
import pytest

from dyntemp import Policy, measure
from dyntemp.language.direction import directions
from dyntemp.language.evaluate import Evaluation
from dyntemp.language.parse import parse
from dyntemp.signals import entropy, max_prob

RULES = [
    ("0.7 + entropy", 1),
    ("1 - entropy/20", -1),
    ("-(-entropy)", 1),
    ("entropy + entropy", 1),
    ("entropy + 1/entropy", None),
    ("20 - entropy + entropy/2", None),
    ("2*entropy", 1),
    ("entropy*-2", -1),
    ("entropy*0", 0),
    ("entropy*entropy", 1),
    ("entropy*(entropy - 5)", None),
    ("entropy*max_prob", 1),
    ("entropy*(max_prob - 2)", -1),
    ("entropy*(max_prob - 0.5)", None),
    ("entropy/2", 1),
    ("entropy/-2", -1),
    ("2/entropy", -1),
    ("-2/(1 + entropy)", 1),
    ("max_prob/entropy", -1),
    ("entropy/(1 + entropy)", None),
    ("entropy**2", 1),
    ("entropy**-2", -1),
    ("entropy**0", 0),
    ("2**entropy", 1),
    ("0.5**entropy", -1),
    ("0.8**(1.5/entropy)", 1),
    ("(entropy - 5)**2", None),
    ("max_prob**entropy", -1),
    ("(1 + max_prob)**entropy", 1),
    ("exp(entropy)", 1),
    ("log(1 + entropy)", 1),
    ("sqrt(entropy)", 1),
    ("halfcos(entropy)", 1),
    ("tanh(entropy)", 1),
    ("sigmoid(5 - entropy)", -1),
    ("abs(entropy)", 1),
    ("abs(0 - entropy)", 1),
    ("abs(entropy - 5)", None),
    ("min(entropy, 2)", 1),
    ("max(2, entropy, 2*entropy)", 1),
    ("max(entropy, 1 - entropy)", None),
    ("clip(entropy, 0.1, 2)", 1),
    ("clip(1, 0.1, 2 + entropy)", 1),
    ("lerp(0.3, 1.3, entropy/20)", 1),
    ("lerp(1.3, 0.3, entropy/20)", -1),
    ("lerp(entropy, 20, max_prob)", 1),
    ("lerp(0, entropy, max_prob)", 1),
    ("lerp(max_prob, max_prob/2, entropy)", None),
    ("where(max_prob < 0.5, entropy, 2*entropy)", 1),
    ("where(max_prob < 0.5, entropy, 1 - entropy)", None),
    ("where(entropy < 0.5, 1, 2)", None),
    ("ema(entropy, 0.9)", 1),
    ("ema(max_prob, 0.9) + entropy", 1),
    ("prev(entropy)", 1),
    ("integral(entropy, 0, 2)", 1),
    ("integral(1 - entropy, 0, 2)", -1),
    ("temperature_for_entropy(0.5*entropy)", None),
    ("max_prob", 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), RULES, ids=[text for text, _ in RULES])
def test_direction_with_entropy(text, expected):
    found = directions(parse(text))

    assert expected == found.get(entropy, 0)


def test_each_signal_has_its_own():
    assert directions(parse("0.5 - 0.4*max_prob + entropy")) == {entropy: 1, max_prob: -1}
    assert directions(parse("0.7")) == {}


def test_support_can_decide():
    assert directions(parse("entropy**(support - 5)"), support=8)[entropy] == 1
    assert directions(parse("entropy**(support - 5)"), support=2)[entropy] == -1


REMEMBERING = ("ema", "prev", "integral")
NOW = [(text, way) for text, way in RULES if way is not None and not any(name in text for name in REMEMBERING)]


@pytest.mark.parametrize(("text", "expected"), NOW, ids=[text for text, _ in NOW])
def test_direction_holds_on_a_grid(text, expected):
    h = np.linspace(0, 13.8, 500)
    expression = parse(text)
    for p in (1e-6, 0.3, 0.7, 1.0):
        here = Evaluation({"entropy": h, "max_prob": np.full(500, p)}, {}, None, h, h)
        with np.errstate(all="ignore"):
            steps = np.diff(np.broadcast_to(here.value(expression), h.shape))

        assert np.nanmin(expected * steps) >= -1e-12
        if expected == 0:
            assert np.nanmax(np.abs(steps)) == 0


def test_entropy_falls_as_one_logit_rises_and_so_does_a_hotter_policy():
    rows = np.array([[x, 0.0, 0.0] for x in range(10)])

    assert directions(Policy("0.1 + 0.8*entropy").expression)[entropy] == 1
    assert (np.diff(measure(rows, "entropy")["entropy"]) < 0).all()
