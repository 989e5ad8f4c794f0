"""Gradients by parameters against differences of the expected score."""

import pytest

torch = pytest.importorskip("torch")
from tests.evaluation.exact.toy import toy_item, toy_model  # noqa: E402

from dyntemp.distribution.filters import Filters  # noqa: E402
from dyntemp.errors import PolicyError  # noqa: E402
from dyntemp.evaluation.exact.answers import Answers  # noqa: E402
from dyntemp.evaluation.exact.learning import expected  # noqa: E402
from dyntemp.language.policy import Policy  # noqa: E402

pytestmark = pytest.mark.torch
ANSWERS = Answers.read(toy_model(), [toy_item("c"), toy_item("a")])
VALUES = {"a": 0.4, "b": 0.3}


@pytest.mark.parametrize("text", [
    'clip(param("a", 0.1, 1) + param("b", -1, 1)*entropy, 0.2, 3)',
    'param("a", 0.1, 1) + param("b", 0, 1)*ema(entropy, 0.5)',
    'param("a", 0.1, 1) + param("b", 0, 1)*surprisal + 0.1*position',
    'where(max_prob > 0.5, 0, param("a", 0.1, 1)) + 0*param("b", 0, 1)',
])  # fmt: skip
@pytest.mark.parametrize("filters", ["", "min_p(0.05)"])
def test_gradients_by_parameters(text, filters):
    policy, chain = Policy(text), Filters.read(filters) if filters else Filters()
    tensors = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in VALUES.items()}

    score = expected(ANSWERS, policy, tensors, "pass@3", chain)
    score.backward()

    def mean(**values):
        return ANSWERS.values(policy.bind(**{**VALUES, **values}), "pass@3", chain).mean()

    assert score.item() == pytest.approx(mean(), rel=1e-9)
    for name, value in VALUES.items():
        difference = (mean(**{name: value + 1e-6}) - mean(**{name: value - 1e-6})) / 2e-6
        assert tensors[name].grad.item() == pytest.approx(difference, abs=1e-7)


def test_parameters_need_values():
    with pytest.raises(PolicyError, match="b"):
        expected(ANSWERS, Policy('param("a", 0.1, 1) + param("b", 0, 1)*entropy'), {"a": 0.4})
