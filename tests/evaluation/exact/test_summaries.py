"""Summaries against softmax over full rows, derivatives against differences, temperatures against the kernels."""

import numpy as np
import pytest

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.evaluation.exact.summaries import Summaries, Visits
from dyntemp.language.policy import Policy
from dyntemp.sampling import temperatures

GENERATOR = np.random.default_rng(5)
ROWS = (GENERATOR.normal(0, 3, (12, 600))).astype(np.float32)
ROWS[3, 200:] = -np.inf
SETS = [[[int(row.argmax())], [5], sorted(set(GENERATOR.integers(0, 600, 6).tolist()))] for row in ROWS]
SUMMARIES = Summaries.of(ROWS, SETS)
TEMPERATURES = np.array([0, 0.02, 0.1, 0.3, 0.7, 1, 1.3, 2, 5, 50, np.inf, 0.9])


def log_prob(rows, temperatures, filters):
    found = []
    for row, t, sets in zip(rows.astype(np.float64), temperatures, SETS, strict=True):
        kept = np.where(filters.mask(row, t), row, -np.inf)
        p = (np.arange(len(row)) == row.argmax()) * 1.0 if t == 0 else np.exp((kept - row.max()) / min(t, 1e300))
        p = np.where(kept > -np.inf, p, 0)
        found += [p[tokens].sum() / p.sum() for tokens in sets]
    with np.errstate(divide="ignore"):
        return np.log(found)


@pytest.mark.parametrize("text", ["", "top_p(0.9)", "top_k(20), temperature, min_p(0.05)"])
def test_log_probabilities_of_tokens_and_of_sets(text):
    filters = Filters.read(text) if text else Filters()

    found = SUMMARIES.log_prob(TEMPERATURES, filters)

    np.testing.assert_allclose(found, log_prob(ROWS, TEMPERATURES, filters), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("text", ["", "min_p(0.02)"])
def test_the_gradient_is_the_derivative(text):
    filters = Filters.read(text) if text else Filters()
    t = np.clip(TEMPERATURES, 0.3, 5)
    step = 1e-4
    up, down = (SUMMARIES.log_prob(t * np.exp(by), filters) for by in (step, -step))
    drawn = up > -np.inf

    found = SUMMARIES.gradient(t, filters)

    np.testing.assert_allclose(found[drawn], (up[drawn] - down[drawn]) / (2 * step), rtol=1e-6, atol=1e-8)
    assert not found[~drawn].any()


def test_the_gradient_is_surprisal_less_entropy():
    row = ROWS[:1].astype(np.float64) / 0.8
    p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()

    found = SUMMARIES.gradient(0.8)[1]

    assert found == pytest.approx(-np.log(p[0, 5]) + (p * np.log(p)).sum(), abs=1e-6)


@pytest.mark.parametrize("text", [
    "0.3 + 0.5*entropy*margin", "median_prob + varentropy/(1 + support)", "0.1*entries/600 + collision",
    "top_mass(5)", "temperature_for_entropy(2)", "temperature_for_entropy(6.1)", "perplexity/10",
])  # fmt: skip
def test_temperatures_are_those_of_the_kernels(text):
    found = SUMMARIES.temperatures(Policy(text))

    np.testing.assert_allclose(found, temperatures(ROWS, text), rtol=1e-5)


@pytest.mark.parametrize("text", [
    "0.2 + 0.5*ema(entropy, 0.7)", "0.3 + 0.1*surprisal", "0.5 + integral(0.1*(1 - surprisal), -0.4, 1)",
    "0.1 + prev(max_prob)", "0.1 + 0.1*position",
])  # fmt: skip
def test_memory_runs_along_each_text(text):
    """Two texts that share their first row, each row of which the kernels see in order."""
    texts = [[0, 1, 2], [0, 4]]
    drawn = [[11, 22, 33], [44, 55]]
    row, number, position, token = (
        np.array(values)
        for values in zip(
            *[(r, n, p, drawn[n][p]) for n, rows in enumerate(texts) for p, r in enumerate(rows)],
            strict=True,
        )
    )
    z = ROWS.astype(np.float64) - ROWS.max(axis=1, keepdims=True)
    surprisal = np.log(np.exp(z).sum(axis=1))[row] - z[row, token]
    part = Summaries.of(ROWS[:5], SETS[:5])
    summaries = Summaries.joined([part], Visits(row, number, position, surprisal))
    policy = Policy(text)

    found = summaries.temperatures(policy)

    for n, rows in enumerate(texts):
        state = policy.state() if policy.remembers else None
        for p, r in enumerate(rows):
            wanted = temperatures(ROWS[r], policy, state=state, position=p)
            assert found[r] == pytest.approx(float(wanted), rel=1e-6)
            if state is not None:
                state.observe(0, p, surprisal[(number == n) & (position == p)])


def test_given_numbers_are_taken_per_row():
    policy = Policy('where(inside("think") > 0.5, 1, given("x", 0, 2))')
    inside, x = np.arange(12) % 2, np.linspace(0, 2, 12)

    found = SUMMARIES.temperatures(policy, {'inside("think")': inside, "x": x})

    np.testing.assert_allclose(found, np.where(inside == 1, 1, x))


def test_what_is_not_held_is_named():
    with pytest.raises(PolicyError, match=r"reads `quantile\(0.9\)`, which summaries of rows do not hold"):
        SUMMARIES.temperatures(Policy("quantile(0.9)"))
    with pytest.raises(ValueError, match="a target without tokens"):
        Summaries.of(ROWS[:1], [[[]]])
