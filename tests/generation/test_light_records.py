"""Records without alternatives, whose figures come from sums over all rows at once."""

import numpy as np
import pytest
from tests.requested import make_request

from dyntemp.distribution.filters import Filters
from dyntemp.generation.loop import Loop
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel

N = 5_000
ROWS = np.random.default_rng(0).normal(0, 3, (16, N)).round(1)  # with many ties
ROWS[:, ::7] = -np.inf
ROWS[3, :] = 1.0


def records(policy, filters, alternatives, dtype=np.float32):
    model = FakeModel([b"a"] * N, lambda tokens: ROWS[len(tokens) % 16].astype(dtype))
    loop = Loop(model)
    loop.add([
        make_request([0], Policy(policy), number=number, seed=3, max_tokens=8, filters=Filters.read(filters),
                     alternatives=alternatives, signals=())
        for number in range(3)
    ])  # fmt: skip
    found = []
    while loop.live:
        found += [token for _, token in loop.step()]
    return found


@pytest.mark.parametrize("policy", ["0", "0.3", "1", "7", "0.1 + entropy/4"])
@pytest.mark.parametrize("filters", ["", "top_k(3)", "min_p(0.05)", "temperature, top_p(0.9)", "xtc(0.1, 0.5)"])
def test_they_have_the_figures_of_records_with_alternatives(policy, filters):
    for light, whole in zip(records(policy, filters, 0), records(policy, filters, 2), strict=True):
        assert (light.token, light.temperature, light.candidates) == (whole.token, whole.temperature, whole.candidates)
        assert (light.alternatives, light.rest) == ((), ())
        for name in ("probability", "probability_after", "surprisal", "entropy_after", "surprisal_after"):
            np.testing.assert_allclose(getattr(light, name), getattr(whole, name), rtol=2e-5, atol=2e-6, err_msg=name)


def test_they_need_no_read_of_a_row_in_python(monkeypatch):
    def refuse(*_):
        raise AssertionError("a record read its row")

    monkeypatch.setattr("dyntemp.kernels.rows.Rows.kept", refuse)

    assert len(records("0.1 + entropy/4", "min_p(0.05)", 0)) == 24
