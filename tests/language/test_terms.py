import numpy as np
import pytest

from dyntemp.language.evaluate import Evaluation
from dyntemp.language.parse import parse
from dyntemp.language.policy import Policy
from dyntemp.language.terms import terms

SIGNALS = {"entropy": np.array([0.0, 1.0, 3.0]), "max_prob": np.array([1.0, 0.5, 0.1]),
           "normalized_entropy": np.array([0.0, 0.3, 0.9])}  # fmt: skip
CASES = {
    "0.7": ["0.7"],
    "0.1 + 0.8*entropy": ["0.1", "0.8*entropy"],
    "0.5 - 0.4*max_prob": ["0.5", "-0.4*max_prob"],
    "1 - (0.2 - entropy/20)": ["1", "-0.2", "entropy/20"],
    "2 + -max_prob": ["2", "-max_prob"],
    "2 - -0.5*max_prob": ["2", "-(-0.5*max_prob)"],
    "lerp(0.3, 1.3, normalized_entropy)": ["0.3", "1*normalized_entropy"],
    "clip(0.1 + entropy, 0.05, 2)": ["0.1", "entropy", "clip(..., 0.05, 2)"],
    "max(0.5, 0.1 + entropy)": ["0.1", "entropy", "max(0.5, ...)"],
    "max(max_prob, 0.1 + entropy)": ["max(max_prob, 0.1 + entropy)"],
    "clip(0.5, max_prob, 2)": ["clip(0.5, max_prob, 2)"],
    "0.1 + clip(entropy - 1, 0, 2)": ["0.1", "clip(entropy - 1, 0, 2)"],
}


@pytest.mark.parametrize(("text", "shown"), CASES.items())
def test_a_sum_is_told_term_by_term(text, shown):
    assert shown == [part.text for part in terms(parse(text))]


@pytest.mark.parametrize(
    "text", [*CASES, "clip(0.5 + 1/normalized_entropy, 0, 1.5)", "0.5 + 1/normalized_entropy", "exp(-entropy) + 1"]
)
def test_terms_add_up_to_the_temperature(text):
    evaluation = Evaluation(SIGNALS, {}, None, np.zeros(3, int), np.zeros(3, int))
    with np.errstate(all="ignore"):
        parts = [np.broadcast_to(part.value(evaluation.value), 3) for part in terms(Policy(text).computed)]
        total = np.sum(parts, 0)
    temperature = Policy(text).step(SIGNALS)

    finite = np.isfinite(total)
    np.testing.assert_allclose(total[finite], temperature[finite], rtol=1e-14)
    assert finite.sum() >= 2
