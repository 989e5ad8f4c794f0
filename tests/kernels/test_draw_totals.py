"""The totals of curves from tensors, beside the formula in float64."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from dyntemp.distribution.draw_curve import draw_curve  # noqa: E402
from dyntemp.kernels.torch import draw_totals as module  # noqa: E402
from dyntemp.kernels.torch.draw_totals import draw_totals  # noqa: E402

N = 50_000


def rows():
    random = np.random.default_rng(0)
    spread = random.normal(0, [[0.3], [2], [6]], (3, N))
    peaked = np.full((1, N), -20.0)
    peaked[0, :2] = 7.0, 6.5
    masked = np.where(random.random((1, N)) < 0.9, -np.inf, spread[1:2] - 400)
    return np.concatenate([spread, peaked, masked, np.zeros((1, N))]).astype(np.float32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_totals_are_those_of_the_formula(dtype):
    tensor = torch.from_numpy(rows()).to(dtype)
    found = draw_totals(tensor)
    expected = [draw_curve(z[z > -np.inf], z.max())[1] for z in tensor.double().numpy()]

    assert (found.dtype, found.shape) == (torch.float32, (6, 49))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_rows_are_read_some_at_a_time(monkeypatch):
    tensor = torch.from_numpy(rows())
    whole = draw_totals(tensor)
    monkeypatch.setattr(module, "AT_ONCE", 2 * N)

    assert torch.equal(draw_totals(tensor), whole)
