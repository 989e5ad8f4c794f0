"""The fit follows the exact gradient, static temperature is exact, and what texts were drawn with is found again."""

from importlib.util import find_spec
from math import inf

import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize_scalar
from tests.learn.passages.made import TABLE, drawn, entropy, model

from dyntemp.distribution.filters import Filters
from dyntemp.errors import StudyError
from dyntemp.language.policy import Policy
from dyntemp.learn.learnable import Shape, learnable
from dyntemp.learn.passages.fit import Objective, best_log_t, best_static, chosen_pull, fit, kept_tokens, told
from dyntemp.learn.passages.rows import rows_of
from dyntemp.learn.passages.tokens import tokens_of

NEEDS_TORCH = pytest.mark.skipif(find_spec("torch") is None, reason="needs PyTorch")
BOUNDS = (0.1, 3.0)
TEMPLATE = Policy("clip(entropy + margin + max_prob + varentropy, 0.1, 3)")
SPREAD = np.linspace(0, np.log(12), 9)
SHAPES = [
    "curve(entropy, 5)", "network(entropy; margin, 3)",
    'clip(param("a", 0.1, 3) + param("b", -1, 1)*where(max_prob < 0.5, entropy, 0), 0.1, 3)',
]  # fmt: skip


def tokens(folder, passages, filters=""):
    """The tokens of passages of the model."""
    cut = [tokens_of(model(), one, held_out=False, most=10_000) for one in passages]
    return rows_of(model(), cut, TEMPLATE, Filters.read(filters), folder).tokens


@pytest.fixture(scope="module")
def two_heats(tmp_path_factory):
    """Texts drawn at T = 0.5 where the model is sure, and at 1.5 elsewhere."""
    passages = drawn(lambda z: 0.5 if entropy(z) < 1 else 1.5, 36, 81)
    return tokens(tmp_path_factory.mktemp("rows"), passages)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Texts drawn at T = 1."""
    return tokens(tmp_path_factory.mktemp("rows"), drawn(lambda _: 1, 24, 81, seed=7))


def shaped(text, anchor=0.9, seed=1):
    """A shape at a static temperature."""
    shape = Shape.read(text)
    return learnable(shape, BOUNDS, anchor, dict.fromkeys(shape.signals, SPREAD), seed)


@NEEDS_TORCH
@pytest.mark.parametrize("filters", ["", "top_k(4)"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pull", [0.0, 0.3])
def test_the_gradient_is_that_of_finite_differences(tmp_path, shape, pull, filters):
    own = tokens(tmp_path, drawn(lambda _: 1.2, 4, 30), filters)
    objective = Objective(shaped(shape), own, 0.8, pull)
    at = np.random.default_rng(4).uniform(0.35, 0.65, len(objective.names))

    value, gradient = objective(at)

    numeric = approx_fprime(at, lambda shares: objective(shares)[0], 1e-5)
    np.testing.assert_allclose(gradient, numeric, rtol=2e-3, atol=2e-4)
    assert value == objective(objective.shares(objective.values(at)))[0]


@NEEDS_TORCH
def test_the_objective_is_surprise_and_divergence_by_the_formulas(tmp_path):
    own = tokens(tmp_path, passages := drawn(lambda _: 1, 3, 15))
    found = shaped("curve(entropy, 3)")
    values = {"t0": 0.4, "t1": 1.1, "t2": 2.0}
    total = count = 0
    for one in passages:
        letters = [ord(letter) - 97 for letter in one.text]
        for at in range(1, len(letters)):
            z = TABLE[([0, *letters[:at]])[-2], letters[at - 1]]
            t = np.interp(entropy(z), [0, 1.24, 2.48], [0.4, 1.1, 2.0])
            log_p = z / t - np.log(np.exp(z / t).sum())
            log_q = z / 0.8 - np.log(np.exp(z / 0.8).sum())
            total += -log_p[letters[at]] + 0.25 * (np.exp(log_p) * (log_p - log_q)).sum()
            count += 1

    objective = Objective(found, own, 0.8, 0.25)

    assert objective(objective.shares(values))[0] == pytest.approx(total / count, rel=1e-4)


def test_the_best_static_temperature_is_that_of_a_plain_search(two_heats):
    def mean(log_t):
        return -two_heats.curves.at(log_t).log_prob.mean()

    found = minimize_scalar(mean, bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-9})

    assert best_static(two_heats, BOUNDS) == pytest.approx(np.exp(found.x), rel=1e-4)
    assert best_static(two_heats, (0.1, 0.2)) == pytest.approx(0.2)
    assert best_static(two_heats, (2.5, 3.0)) == pytest.approx(2.5)


def test_the_best_temperature_of_each_token_is_best_on_a_grid(two_heats):
    part = two_heats.part(np.arange(36) < 3)
    grid = np.linspace(*np.log(BOUNDS), 400)
    best = np.array([part.curves.at(log_t).log_prob for log_t in grid]).max(axis=0)

    found = part.curves.at(best_log_t(part.curves, np.arange(len(part.text)), BOUNDS)).log_prob

    assert np.all(found >= best - 1e-6)
    assert np.all(found <= best + 1e-3)


def test_filters_that_drop_everything_are_told(tmp_path):
    own = tokens(tmp_path, drawn(lambda _: 1, 3, 15))
    none = own._replace(curves=own.curves._replace(value=np.full_like(own.curves.value, -np.inf)))

    with pytest.raises(StudyError, match="the filters drop every token"):
        best_static(none, BOUNDS)


@NEEDS_TORCH
def test_the_temperatures_that_texts_were_drawn_at_are_found_again(two_heats):
    """Within four standard errors: where the surprisal varies by V, ln T is known to 1/sqrt(n*V)."""
    text = 'where(entropy < 1, param("cold", 0.1, 3), param("hot", 0.1, 3))'
    fitted = fit(shaped(text), two_heats, 1.0, 0.0)

    now = told(shaped(text), fitted.values, two_heats)
    sure = two_heats.signals["entropy"] < 1
    for name, own, truth in (("cold", sure, 0.5), ("hot", ~sure, 1.5)):
        error = now.draws.varentropy[own].sum() ** -0.5
        assert error < 0.1
        assert np.log(fitted.values[name]) == pytest.approx(np.log(truth), abs=4 * error)


@NEEDS_TORCH
@pytest.mark.parametrize("shape", ["curve(entropy, 8)", "network(entropy; max_prob, 6)"])
def test_a_smooth_shape_comes_near_them(two_heats, shape):
    """Away from the step, which such a shape cannot take, T is right within a quarter."""
    found = shaped(shape, best_static(two_heats, BOUNDS))

    now = told(found, fit(found, two_heats, 1.0, 0.0).values, two_heats)

    sure = two_heats.signals["entropy"] < 1
    far = np.abs(two_heats.signals["entropy"] - 1) > 0.35
    for own, truth in ((sure & far, 0.5), (~sure & far, 1.5)):
        mean = np.average(np.exp(now.log_t[own]), weights=now.draws.varentropy[own])
        assert mean == pytest.approx(truth, rel=0.25)


@NEEDS_TORCH
def test_no_price_is_best_where_signals_matter_and_static_where_they_do_not(two_heats, plain):
    def make(anchor):
        return shaped("curve(entropy, 5)", anchor)

    matter = chosen_pull(make, two_heats, np.arange(36) % 3, BOUNDS)
    do_not = chosen_pull(make, plain, np.arange(24) % 3, BOUNDS)

    assert max(matter[0.0], matter[0.1]) < matter[1.0] < matter[inf]
    assert do_not[inf] == pytest.approx(min(do_not.values()), abs=2e-3)
    assert best_static(plain, BOUNDS) == pytest.approx(1.0, abs=0.06)


def test_an_infinite_price_keeps_the_static_temperature(two_heats):
    fitted = fit(shaped("curve(entropy, 3)", 0.7), two_heats, 0.7, inf)

    assert fitted.values == {"t0": 0.7, "t1": 0.7, "t2": 0.7}
    assert fitted.visited == [fitted.values]


@NEEDS_TORCH
def test_steps_begin_at_static_temperature_and_fall(two_heats):
    found = shaped("curve(entropy, 5)", 0.9)

    fitted = fit(found, two_heats, 0.9, 0.01)

    objective = Objective(found, two_heats, 0.9, 0.01)
    values = [objective(objective.shares(one))[0] for one in fitted.visited]
    assert set(fitted.visited[0].values()) == {0.9}
    assert values == sorted(values, reverse=True)
    assert kept_tokens(two_heats).all()
