"""What learning makes large: values and gradients against the probabilities of the rows."""

import numpy as np
import pytest
from tests.learn.made import entropy_of, log_softmax, tokens_of

from dyntemp.learn.objective import Valued, clipped, divergence, entropy
from dyntemp.learn.passages.fit import loss_of

RANDOM = np.random.default_rng(3)
ROWS = [*RANDOM.normal(0, 2, (12, 9)), *RANDOM.normal(0, 0.2, (4, 9)), np.r_[8.0, np.zeros(8)]]
DRAWN = RANDOM.integers(9, size=len(ROWS))
TOKENS = tokens_of(ROWS, DRAWN, [len(ROWS)])
LOG_T = RANDOM.uniform(np.log(0.3), np.log(2.5), len(ROWS))
ANCHOR, STEP = 0.9, 1e-5


def kl(row, t):
    at, static = log_softmax(row, t), log_softmax(row, ANCHOR)
    return float(np.exp(at) @ (at - static))


DIRECT = {
    "divergence": lambda row, token, t: kl(row, t),
    "entropy": lambda row, token, t: entropy_of(row, t),
    "surprise": lambda row, token, t: -log_softmax(row, t)[token],
}


def valued(name, log_t):
    draws = TOKENS.curves.at(log_t)
    if name == "divergence":
        return divergence(draws, TOKENS.curves, log_t, ANCHOR)
    if name == "entropy":
        return entropy(draws)
    loss = loss_of(draws, np.full(len(ROWS), True))
    return Valued(loss.each.sum(), loss.by_log_t * len(ROWS))  # the derivative is that of the mean


@pytest.mark.parametrize("name", DIRECT)
def test_values_and_gradients_are_those_of_the_rows(name):
    of, found = DIRECT[name], valued(name, LOG_T)
    pairs = list(zip(ROWS, DRAWN, np.exp(LOG_T), strict=True))
    by_log_t = [
        (of(row, token, t * np.exp(STEP)) - of(row, token, t * np.exp(-STEP))) / (2 * STEP) for row, token, t in pairs
    ]

    assert found.value == pytest.approx(sum(of(*one) for one in pairs), abs=1e-6)
    np.testing.assert_allclose(found.by_log_t, by_log_t, rtol=0, atol=1e-5)


def test_nothing_diverges_at_the_static_temperature():
    found = valued("divergence", np.full(len(ROWS), np.log(ANCHOR)))

    assert found.value == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.by_log_t, 0, atol=1e-12)


def test_the_first_step_is_reinforce():
    draws, credit = TOKENS.curves.at(LOG_T), RANDOM.normal(size=len(ROWS))
    found = clipped(draws, draws.log_prob, credit, 0.2)
    t = np.exp(LOG_T)
    exact = [-log_softmax(row, at)[token] - entropy_of(row, at) for row, token, at in zip(ROWS, DRAWN, t, strict=True)]

    np.testing.assert_allclose(found.by_log_t, credit * exact, rtol=0, atol=1e-5)
    assert found.value == pytest.approx(credit.sum())


@pytest.mark.parametrize(("change", "credit", "free"), [
    (0.1, 1, True), (-0.1, 1, True), (0.3, 1, False), (-0.3, 1, True),
    (0.1, -1, True), (-0.1, -1, True), (0.3, -1, True), (-0.3, -1, False),
])  # fmt: skip
def test_a_token_that_has_moved_far_enough_along_its_credit_is_held(change, credit, free):
    draws = TOKENS.curves.at(LOG_T)
    before = draws.log_prob - np.log1p(change)
    found = clipped(draws, before, np.full(len(ROWS), float(credit)), 0.2)

    held = change if free else np.clip(change, -0.2, 0.2)
    assert found.value == pytest.approx(credit * (1 + held) * len(ROWS))
    np.testing.assert_allclose(found.by_log_t, credit * (1 + change) * draws.slope if free else 0, atol=1e-9)
