"""Sums over a row at any temperature are those of 40 digits; a record's are close to the row's."""

import mpmath
import numpy as np
import pytest

from dyntemp import generate
from dyntemp.testing import FakeModel
from dyntemp.theory.row_summary import RowSummary, inverse

ROW = [2.0, -1.0, 0.5, -np.inf, 0.5]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 40.0])
def test_sums_are_those_of_40_digits(temperature):
    found = RowSummary.of_logits(ROW).at(inverse(temperature))

    with mpmath.workdps(40):
        z = [mpmath.mpf(x) for x in ROW if x > -np.inf]
        log_p = [x - mpmath.log(sum(map(mpmath.exp, z))) for x in z]
        b = 1 / mpmath.mpf(temperature)
        log_partition = mpmath.log(sum(mpmath.exp(b * x) for x in log_p))
        q = [mpmath.exp(b * x - log_partition) for x in log_p]
        mean = sum(share * x for share, x in zip(q, log_p, strict=True))
        variance = sum(share * (x - mean) ** 2 for share, x in zip(q, log_p, strict=True))
        entropy = -sum(share * mpmath.log(share) for share in q)
    expected = [float(x) for x in (log_partition, mean, variance, entropy)]
    assert expected == pytest.approx([float(x[0]) for x in found], rel=1e-13, abs=1e-13)


def test_the_limits_are_greedy_and_uniform():
    row = RowSummary.of_logits([1.0, 3.0, 3.0, -2.0])
    greedy, uniform = inverse(0.0), inverse(np.inf)

    assert row.at(greedy).entropy == pytest.approx(np.log(2))
    assert row.at(greedy).log_p == pytest.approx(row.log_p[0])
    assert row.at(greedy).variance == pytest.approx(0, abs=1e-15)
    assert row.at(uniform).entropy == pytest.approx(np.log(4))
    assert row.at(uniform).log_p == pytest.approx(row.log_p.mean())
    assert row.support == 4


def test_a_record_holds_the_row_closely():
    z = np.random.default_rng(3).normal(0, 2, 2000)
    model = FakeModel([bytes([65 + k % 26]) * (k + 1) for k in range(len(z))], lambda _: z)
    (token,) = generate(model, "A", 1.0, max_tokens=1, seed=0, alternatives=20)
    b = inverse([0.5, 0.8, 1.0, 2.0, 5.0])

    ours, exact = RowSummary.of_token(token).at(b), RowSummary.of_logits(z.astype(np.float32)).at(b)

    assert len(RowSummary.of_token(token).log_p) < 60
    assert exact.log_p == pytest.approx(ours.log_p, abs=0.02)
    assert exact.entropy == pytest.approx(ours.entropy, abs=0.02)


def test_a_record_without_alternatives_holds_no_row():
    model = FakeModel([b"a", b"b"], lambda _: [0.0, 1.0])
    (token,) = generate(model, "a", 1.0, max_tokens=1, seed=0, alternatives=0)

    with pytest.raises(ValueError, match="alternatives=1"):
        RowSummary.of_token(token)
