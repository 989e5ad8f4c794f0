"""Learned policies on every backend: the temperatures and the tokens of the reference."""

import numpy as np
import pytest
from tests.learned import LEARNED, LEARNED_REMEMBERING, learned

from dyntemp import Policy, sample

TOLERANCE = {  # of a temperature against the reference, relative: its signals are summed in the dtype of the row
    "float64": 1e-9,
    "float32": 2e-5,
}


def on(name, rows):
    """The rows where a backend takes them, and its name; skipped where it is missing."""
    if name in ("torch", "triton"):
        torch = pytest.importorskip("torch")
        if name == "triton":
            pytest.importorskip("triton")
            from dyntemp.kernels.triton.rows import INTERPRETED

            if not INTERPRETED and not torch.cuda.is_available():
                pytest.skip("needs a GPU, or TRITON_INTERPRET=1")
            return torch.from_numpy(rows).to("cpu" if INTERPRETED else "cuda"), name
        return torch.from_numpy(rows), name
    if name == "array_api":
        return pytest.importorskip("array_api_strict").asarray(rows), name
    return rows, name


def numbers(values):
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)


def rows_of(rng, count, n=300):
    """Rows from nearly certain to nearly uniform."""
    return rng.normal(0, 1, (count, n)) * 10 ** rng.uniform(-1, 1, (count, 1))


@pytest.mark.parametrize(("name", "dtype"), [
    *((name, dtype) for name in ("cpu", "torch", "triton") for dtype in TOLERANCE), ("array_api", "float32"),
])  # fmt: skip
def test_tokens_and_temperatures_are_those_of_the_reference(name, dtype):
    """Each row has a policy of its own, and each position its own noise."""
    rng = np.random.default_rng(12)
    policies = [
        *map(Policy, LEARNED),
        *(Policy(learned(text, seed)) for text in ("curve", "network(8)") for seed in (7, 8)),
    ]
    tokens, temperatures = [], []
    for position in range(2 if name == "triton" else 12):
        rows = rows_of(rng, len(policies)).astype(dtype)
        there, backend = on(name, rows)
        found = sample(there, policies, seed=5, position=position, backend=backend)
        expected = sample(rows, policies, seed=5, position=position, backend="reference")

        np.testing.assert_allclose(numbers(found.temperature), expected.temperature, rtol=TOLERANCE[dtype])
        assert numbers(found.token).tolist() == expected.token.tolist()
        tokens += expected.token.tolist()
        temperatures += expected.temperature.tolist()
    assert len(set(tokens)) > 10
    assert np.ptp(temperatures) > 1


@pytest.mark.parametrize("text", LEARNED_REMEMBERING)
@pytest.mark.parametrize("name", ["cpu", "torch", "array_api", "triton"])
def test_what_is_remembered_is_what_the_reference_remembers(name, text):
    rng = np.random.default_rng(13)
    policy = Policy(text)
    state, other = policy.state(2), policy.state(2)
    for position in range(3 if name == "triton" else 10):
        rows = rows_of(rng, 2).astype(np.float32)
        there, backend = on(name, rows)
        given = {"seed": 5, "position": position, "slot": [0, 1]}
        found = sample(there, policy, state=state, backend=backend, **given)
        expected = sample(rows, policy, state=other, backend="reference", **given)

        np.testing.assert_allclose(numbers(found.temperature), expected.temperature, rtol=TOLERANCE["float32"])
        assert numbers(found.token).tolist() == expected.token.tolist()
