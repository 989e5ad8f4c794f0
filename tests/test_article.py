"""Every formula and figure of the article that this library started from, through the public API."""

import numpy as np
import pytest

from dyntemp import Policy, measure, scale, temperatures
from dyntemp.signals import entropy, max_prob, perplexity

LOGITS = np.array([1.0, 2.0, 3.0, 4.0])
SCALED = {
    1.0: [0.0320586, 0.08714432, 0.23688282, 0.64391426],
    0.5: [0.00214401, 0.0158422, 0.11705891, 0.86495488],
    2.0: [0.10153632, 0.1674051, 0.27600434, 0.45505423],
}
CONFIDENT, UNSURE, UNIFORM = [0.01, 0.02, 0.03, 0.94], [0.22, 0.23, 0.24, 0.31], [0.25] * 4


def softmax(z):
    e = np.exp(z - z.max())
    return e / e.sum()


@pytest.mark.parametrize("temperature", SCALED)
def test_a_constant_temperature_sharpens_or_flattens(backend, temperature):
    p = softmax(scale(LOGITS, temperature, backend=backend))

    np.testing.assert_allclose(p, SCALED[temperature], atol=5e-9)


def test_max_prob_policy(backend):
    found = temperatures(np.log([CONFIDENT, UNSURE]), 0.5 - 0.4 * max_prob, backend=backend)

    np.testing.assert_allclose(found, [0.124, 0.376], rtol=1e-12)


# 0.1 + 0.8*entropy of each row, by hand; the article prints 0.344, 1.1017 and 1.2138 instead, of which
# the last is impossible: no row of four tokens gives more than 0.1 + 0.8*ln 4 = 1.20903...
BY_ENTROPY = [0.33012142270643646, 1.2013665791293242, 1.2090354888959125]


def test_entropy_policy(backend):
    rows = np.log([CONFIDENT, UNSURE, UNIFORM])
    found = temperatures(rows, 0.1 + 0.8 * entropy, backend=backend)

    np.testing.assert_allclose(found, BY_ENTROPY, rtol=1e-12)
    assert Policy("0.1 + 0.8*entropy").bounds(4).high == pytest.approx(0.1 + 0.8 * np.log(4), rel=1e-14)
    assert Policy("0.1 + 0.8*entropy").bounds(4).high < 1.2138


def test_the_logarithm_of_perplexity_is_the_same_policy(backend):
    rows = np.log([CONFIDENT, UNSURE, UNIFORM])

    from dyntemp.functions import log

    assert temperatures(rows, 0.1 + 0.8 * log(perplexity), backend=backend).tolist() == pytest.approx(
        BY_ENTROPY, rel=1e-12
    )
    np.testing.assert_allclose(
        measure(rows, perplexity, backend=backend)["perplexity"],
        np.exp((np.array(BY_ENTROPY) - 0.1) / 0.8), rtol=1e-12,
    )  # fmt: skip


def test_median_policy(backend):
    """0.5 - 0.4*median of the probabilities: the mean of the middle two of four."""
    found = temperatures(np.log([CONFIDENT, UNSURE, UNIFORM]), "0.5 - 0.4*median_prob", backend=backend)

    np.testing.assert_allclose(found, [0.49, 0.406, 0.4], rtol=1e-12)


def test_combined_policy(backend):
    """a + b*max_prob + c*entropy, with its parameters bound."""
    policy = Policy("a + b*max_prob + c*entropy").bind(a=0.5, b=-0.4, c=0.1)
    rows = np.log([CONFIDENT, UNSURE, UNIFORM])
    signals = measure(rows, max_prob, entropy, backend=backend)

    found = temperatures(rows, policy, backend=backend)

    np.testing.assert_allclose(found, 0.5 - 0.4 * signals["max_prob"] + 0.1 * signals["entropy"], rtol=1e-14)
    np.testing.assert_allclose(found[0], 0.5 - 0.4 * 0.94 + (BY_ENTROPY[0] - 0.1) / 8, rtol=1e-12)


def test_a_confident_model_is_cooled_and_an_unsure_one_heated(backend):
    cold, hot = temperatures(np.log([CONFIDENT, UNSURE]), "0.1 + 0.8*entropy", backend=backend)

    assert cold < hot
