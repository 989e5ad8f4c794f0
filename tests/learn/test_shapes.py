"""The shapes of learned policies against NumPy's own formulas: curves, networks, their bounds, starts and texts."""

import numpy as np
import pytest
from tests.learned import LEARNED, LEARNED_REMEMBERING, QUANTILES, anywhere, learned, shaped

from dyntemp import Policy, PolicyError
from dyntemp.engines.request_fields import MOST_CHARACTERS
from dyntemp.errors import StudyError
from dyntemp.learn.learnable import SIGNALS, Shape, learnable
from dyntemp.learn.shapes import curve, network
from dyntemp.methods import METHODS

SHAPES = [
    "curve", "curve(margin, 12)", "curve(min(position, 4), 3)", "curve(where(position < 1, 1, 0), 2)",
    "curve(ema(entropy, 0.9), 32)", "curve(top_mass(5))", "network", "network(2)", "network(27)",
    "network(top_mass(5); entropy, 5)", "network(ema(entropy, 0.9); min(position, 4); margin, 4)",
]  # fmt: skip
ROUNDED = 1e-5
"""Share by which a learned curve may part from NumPy's: widths between its points have six digits."""


def rows(rng, count):
    """Values of what the shapes above read, at one position each, [count] by name."""
    spread = {"entropy": 8, "max_prob": 1, "varentropy": 12, "margin": 1, "top_mass(5)": 1, "ema(entropy, 0.9)": 8}
    return {name: rng.uniform(0, high, count) for name, high in spread.items()}


def temperatures(policy, values, positions):
    """T of each row, [rows]; a policy that remembers has no earlier token here, so that an average is the value."""
    read = {str(one) for one in policy.signals}
    count = len(positions)
    if policy.remembers:
        positions = np.zeros(count, int)
    step = policy.step(
        {name: one for name, one in values.items() if name in read},
        state=policy.state(count) if policy.remembers else None, slot=np.arange(count), position=positions,
    )  # fmt: skip
    return np.broadcast_to(step, count)


def inputs(signals, values, positions):
    """The values of the signals' expressions, by Python."""
    own = {
        "where(position < 1, 1, 0)": (positions < 1).astype(float), "min(position, 4)": np.minimum(positions, 4.0),
        "ema(entropy, 0.9)": values["entropy"],
    }  # fmt: skip
    return [own.get(name, values.get(name)) for name in signals]


@pytest.mark.parametrize("text", [text for text in SHAPES if text.startswith("curve")])
def test_a_curve_interpolates_as_numpy(text):
    rng = np.random.default_rng(1)
    shape, found = Shape.read(text), shaped(text)
    (signal,) = shape.signals
    at = np.quantile(QUANTILES.get(signal, QUANTILES["entropy"]), np.linspace(0, 1, shape.size))
    points = sorted({float(f"{point:.3g}") for point in at})
    for _ in range(5):
        chosen = found.short(anywhere(found, rng))
        policy = found.template.bind(**chosen)
        values, positions = rows(rng, 300), rng.integers(0, 8, 300)
        if policy.remembers:
            positions[:] = 0
        expected = np.interp(inputs([signal], values, positions)[0], points, list(chosen.values()))

        np.testing.assert_allclose(temperatures(policy, values, positions), expected, rtol=ROUNDED)
        assert len(points) == len(chosen)


@pytest.mark.parametrize("text", [text for text in SHAPES if text.startswith("network")])
def test_a_network_is_a_sigmoid_of_weighted_tanh_units(text):
    rng = np.random.default_rng(2)
    low, high = 0.2, 2.0
    shape, found = Shape.read(text), shaped(text, (low, high), 0.7)
    for scale in (1e-3, 0.1, 1):
        chosen = found.short({name: scale * value for name, value in anywhere(found, rng).items()})
        policy = found.template.bind(**chosen)
        values, positions = rows(rng, 100), rng.integers(0, 8, 100)
        if policy.remembers:
            positions[:] = 0
        x = np.stack(inputs(shape.signals, values, positions))
        units = range(1, shape.size + 1)
        w = np.array([[chosen[f"w{unit}_{number + 1}"] for number in range(len(x))] for unit in units])
        b, v = (np.array([chosen[f"{name}{unit}"] for unit in units]) for name in "bv")
        anchored = (np.log(0.7) - np.log(low)) / (np.log(high) - np.log(low))
        total = np.log(anchored / (1 - anchored)) + chosen["c"] + v @ np.tanh(b[:, None] + w @ x)
        expected = low * (high / low) ** (1 / (1 + np.exp(-total)))

        np.testing.assert_allclose(temperatures(policy, values, positions), expected, rtol=3e-6)
        assert len(chosen) == 1 + shape.size * (2 + len(x))


@pytest.mark.parametrize("bounds", [(0.1, 3.0), (0.0625, 4.0), (0.5, 0.6)])
@pytest.mark.parametrize("text", SHAPES)
def test_temperatures_stay_between_the_bounds_wherever_the_parameters_are(text, bounds):
    """Proved for all parameters at once by the bounds of the template, and seen at some."""
    rng = np.random.default_rng(3)
    low, high = bounds
    found = shaped(text, bounds, (low + high) / 2)
    reached = found.template.bounds()
    assert low * (1 - 1e-11) <= reached.low < reached.high <= high * (1 + 1e-11)  # rounded outwards at each point
    for _ in range(5):
        corners = {name: rng.choice([one.low, one.high]) for name, one in found.template.parameters.items()}
        for values in (anywhere(found, rng), corners):
            t = temperatures(found.policy(values), rows(rng, 200), rng.integers(0, 8, 200))
            assert low * (1 - 1e-12) <= t.min() <= t.max() <= high * (1 + 1e-12)


@pytest.mark.parametrize("text", SHAPES)
def test_a_start_is_one_temperature_the_anchor(text):
    rng = np.random.default_rng(4)
    for anchor in (0.101, 0.25, 0.6, 0.9, 1.2345, 2.6, 2.9999):
        found = shaped(text, anchor=anchor, seed=int(rng.integers(99)))
        t = temperatures(found.policy(found.start), rows(rng, 50), rng.integers(0, 8, 50))

        assert found.static
        np.testing.assert_allclose(t, anchor if text.startswith("network") else float(f"{anchor:.4g}"), rtol=2e-6)
        assert set(found.start) == set(found.template.parameters)


def test_a_curve_is_level_behind_its_ends():
    template, _ = curve("entropy", [1, 2, 4], (0.1, 3), 0.9, 3)
    policy = template.bind(t0=0.5, t1=1.5, t2=0.7)

    assert policy.step({"entropy": np.array([0.0, 0.999, 1.0])}).tolist() == [0.5] * 3
    assert policy.step({"entropy": np.array([4.0, 4.01, 13.0])}) == pytest.approx(0.7)
    assert policy.step({"entropy": np.array([2.0, 3.0])}) == pytest.approx([1.5, 1.1])


def test_equal_quantiles_are_one_point():
    template, start = curve("entropy", [0, 0, 0, 0, 1, 1.0001, 4], (0.1, 3), 0.9, 7)

    assert list(start) == ["t0", "t1", "t2"]
    assert (
        str(template.bind(t0=1, t1=2, t2=3)) == "lerp(lerp(1, 2, clip(entropy, 0, 1)), 3, clip((entropy - 1)/3, 0, 1))"
    )


def test_points_below_zero():
    template, _ = curve("entropy - 3", [-3, -1, 2], (0.1, 3), 0.9, 3)
    policy = template.bind(t0=1, t1=2, t2=0.5)
    x = np.linspace(0, 7, 50)

    assert policy.step({"entropy": x}) == pytest.approx(np.interp(x - 3, [-3, -1, 2], [1, 2, 0.5]))


@pytest.mark.parametrize("values", [[0.5], [2.0, 2.0, 2.0], [1.0, 1.00001]])
def test_a_curve_of_a_signal_that_does_not_move_is_refused(values):
    with pytest.raises(StudyError, match=r"the signal margin is .* at all tokens: take another one"):
        curve("margin", values, (0.1, 3), 0.9)


def test_a_network_takes_a_signal_that_does_not_move():
    template, start = network({"margin": [0.5, 0.5], "entropy": [0, 1]}, (0.1, 3), 0.9, 2)

    assert template.bind(**start).step({"margin": [0.5], "entropy": [0.3]}) == pytest.approx(0.9, rel=1e-6)


def test_weights_are_scaled_by_the_spread_of_their_signal():
    """A signal in other units gives the same network."""
    wide = {"perplexity": [0, 100, 200, 300], "margin": [0, 0.5, 1]}
    narrow = {"entropy": [0, 1, 2, 3], "margin": [0, 0.5, 1]}
    (one, first), (other, second) = (network(given, (0.1, 3), 0.9, 3, seed=5) for given in (wide, narrow))
    first, second = (start | {"v1": 2.0, "v2": -1.0, "v3": 0.5} for start in (first, second))
    x, margin = np.linspace(0.1, 4, 9), np.linspace(0, 1, 9)
    there = one.bind(**first).step({"perplexity": 100 * x, "margin": margin})

    assert other.bind(**second).step({"entropy": x, "margin": margin}) == pytest.approx(there)
    assert one.parameters["w1_1"].high * 100 == pytest.approx(other.parameters["w1_1"].high)
    assert np.ptp(there) > 0.01


def test_other_seeds_have_other_weights():
    starts = [shaped("network", seed=seed).start for seed in (0, 0, 1)]

    assert starts[0] == starts[1]
    assert starts[0]["w1_1"] != starts[2]["w1_1"]
    assert {value for name, value in starts[0].items() if name.startswith(("v", "c"))} == {0.0}


@pytest.mark.parametrize("text", [*LEARNED, *LEARNED_REMEMBERING])
def test_a_learned_policy_is_its_text(text):
    policy = Policy(text)

    assert str(policy) == text
    assert Policy(str(policy)) == policy
    assert len(text) <= MOST_CHARACTERS


@pytest.mark.parametrize("text", SHAPES)
def test_a_template_is_its_text_where_a_text_is_short_enough_to_be_read(text):
    template = shaped(text).template

    assert Policy(str(template)) == template


def test_numbers_have_four_digits_and_stay_in_their_ranges():
    found = shaped("curve", (0.123456, 2.0), 0.9)

    assert found.short(dict.fromkeys(found.start, 1.23456)) == dict.fromkeys(found.start, 1.235)
    assert found.short(dict.fromkeys(found.start, 0.0)) == dict.fromkeys(found.start, 0.123456)


@pytest.mark.parametrize(("text", "expected"), [
    ("curve", ("curve", ("entropy",), 6)),
    (" curve ( 8 ) ", ("curve", ("entropy",), 8)),
    ("curve(margin)", ("curve", ("margin",), 6)),
    ("curve(min(position, 4))", ("curve", ("min(position, 4)",), 6)),
    ("curve(min(position, 4), 3)", ("curve", ("min(position, 4)",), 3)),
    ("curve(where(position < 1, 1, 0), 2)", ("curve", ("where(position < 1, 1, 0)",), 2)),
    ("curve(ema(entropy, 0.9), 32)", ("curve", ("ema(entropy, 0.9)",), 32)),
    ("curve(top_mass(5))", ("curve", ("top_mass(5)",), 6)),
    ("network", ("network", SIGNALS["network"], 16)),
    ("network(4)", ("network", SIGNALS["network"], 4)),
    ("network(entropy)", ("network", ("entropy",), 16)),
    ("network(entropy; margin; ema(entropy, 0.9), 12)", ("network", ("entropy", "margin", "ema(entropy, 0.9)"), 12)),
])  # fmt: skip
def test_shapes_are_read(text, expected):
    found = Shape.read(text)

    assert (found.kind, found.signals, found.size) == expected
    assert Shape.read(str(found)) == found


@pytest.mark.parametrize("text", ['clip(param("a", 0.1, 2)*entropy, 0.1, 2)', "edt"])
def test_other_texts_are_templates(text):
    assert Shape.read(text) == Shape("template", text)
    assert str(Shape.read(text)) == text
    assert "edt" in METHODS


@pytest.mark.parametrize(("text", "message"), [
    ("curve(1)", "curve of size 1 was given; whole numbers from 2 to 32 are allowed"),
    ("curve(entropy, 33)", "curve of size 33 was given; whole numbers from 2 to 32"),
    ("network(0)", "network of size 0 was given; whole numbers from 1 to 32"),
    ("network(33)", "whole numbers from 1 to 32"),
    ("curve(entropy; margin)", "a curve of entropy; margin was given; a curve reads one signal: take `network`"),
    ("curve(entropi)", "unknown name `entropi`; did you mean `entropy`"),
    ("network(entropy; maxprob, 4)", "unknown name `maxprob`"),
    ("network(32)", "at most 1,000 parts, a depth of 100, .* 6,000 characters: take a network of size 27 or less"),
    (f"network({'; '.join(f'quantile(0.{at})' for at in range(1, 97))}, 3)", "take fewer or shorter signals"),
    ("curv(entropy)", "unknown"),
    ("0.7", "no parameters|has no"),
])  # fmt: skip
def test_what_is_no_shape_is_refused_with_the_reason(text, message):
    with pytest.raises(ValueError, match=message):
        Shape.read(text)


@pytest.mark.parametrize("anchor", [0.1, 3.0, 0.05, 5.0])
@pytest.mark.parametrize("text", ["curve", "network"])
def test_an_anchor_outside_the_bounds_is_refused(text, anchor):
    with pytest.raises(StudyError, match=f"static temperature {anchor:g} was given .* between 0.1 and 3 is allowed"):
        shaped(text, anchor=anchor)


@pytest.mark.parametrize("bounds", [(0.05, 3), (0.1, 5), (1, 1), (2, 1)])
def test_bounds_outside_what_a_draw_is_known_for_are_refused(bounds):
    with pytest.raises(StudyError, match=r"two numbers from 0.0625 to 4 are allowed"):
        learnable(Shape.read("curve"), bounds, 0.9, QUANTILES, 0)


def test_random_networks_differ_in_what_they_do():
    """The texts that the other tests send around are no constants."""
    rng = np.random.default_rng(8)
    values, positions = rows(rng, 200), rng.integers(0, 8, 200)
    for text in [*LEARNED, learned("network(2)", 9)]:
        assert np.ptp(temperatures(Policy(text), values, positions)) > 0.05, text


def test_a_signal_that_is_no_expression_is_refused_by_curve_and_network():
    with pytest.raises(PolicyError, match="unknown name"):
        curve("entropi", [0, 1], (0.1, 3), 0.9)
    with pytest.raises(PolicyError, match="unknown name"):
        network({"entropi": [0, 1]}, (0.1, 3), 0.9)
