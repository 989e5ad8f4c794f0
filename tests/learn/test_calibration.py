"""The calibration error is that of a plain loop, and its interval holds the truth."""

import numpy as np
import pytest

from dyntemp.distribution.draw_curve import DrawCurves, draw_curve
from dyntemp.learn.calibration import BINS, calibration, confidence


def plain(confidences, correct, bins):
    """The expected calibration error over equal-mass bins, token by token."""
    order = sorted(range(len(confidences)), key=lambda at: confidences[at])
    total, begin = 0.0, 0
    for number in range(bins):
        size = len(order) // bins + (number < len(order) % bins)
        part = order[begin : begin + size]
        begin += size
        if part:
            accuracy = sum(bool(correct[at]) for at in part) / len(part)
            total += abs(accuracy - sum(confidences[at] for at in part) / len(part)) * len(part)
    return total / len(order)


@pytest.mark.parametrize("count", [7, 200, 2003])
def test_the_error_is_that_of_a_plain_loop(count):
    draw = np.random.default_rng(count)
    confidences, correct = draw.random(count), draw.random(count) < 0.6

    found = calibration(confidences, correct, list(range(count)))

    assert found.error == pytest.approx(plain(confidences, correct, BINS), rel=1e-12)


def test_bins_agree_with_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.calibration import calibration_curve

    draw = np.random.default_rng(1)
    confidences = draw.random(1500)
    correct = draw.random(1500) < confidences**2
    accuracy, mean = calibration_curve(correct, confidences, n_bins=BINS, strategy="quantile")

    assert calibration(confidences, correct, list(range(1500))).error == pytest.approx(np.abs(accuracy - mean).mean())


def test_the_interval_holds_the_true_error_where_confidence_is_too_high():
    """The confidence is 0.1 above the truth everywhere: the error is 0.1."""
    inside = []
    for seed in range(30):
        draw = np.random.default_rng(seed)
        truth = draw.uniform(0.05, 0.85, 1500)
        found = calibration(truth + 0.1, draw.random(1500) < truth, np.repeat(np.arange(100), 15).tolist())
        inside.append(found.low <= 0.1 <= found.high)

    assert np.mean(inside) > 0.85


def test_one_cluster_has_no_interval():
    found = calibration([0.5, 0.7], [True, False], ["a", "a"])

    assert (found.low, found.high) == (None, None)


def test_the_confidence_is_the_probability_of_the_likeliest_entry():
    row = np.random.default_rng(2).normal(0, 2, 50)
    for t in (0.3, 1.0, 2.0):
        value, totals = draw_curve(row, row[3])
        p = np.exp((row - row.max()) / t)
        found = confidence(DrawCurves.of([value, *totals]).at(np.log(t)))
        assert found[0] == pytest.approx((p / p.sum()).max(), rel=1e-5)
