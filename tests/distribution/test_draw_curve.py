"""The curve of a draw beside exact sums over its row, and beside differences of the exact log probability."""

import numpy as np
import pytest

from dyntemp.distribution.draw_curve import HIGHEST, LOWEST, TEMPERATURES, DrawCurves, draw_curve

FROM, UNTIL = np.log(0.09), np.log(2.8)
"""ln of the temperatures between which windows lie to both sides."""

N = 49_152


def exact(z, token, log_t):
    """The figures of `Draws` from the row itself, in float64."""
    w = (z - z.max()) * np.exp(-log_t)
    total = np.log(np.exp(w).sum())
    p = np.exp(w - total)
    mean = (p * w).sum()
    return w[token] - total, mean - w[token], total - mean, (p * (w - mean) ** 2).sum(), total, -mean


def rows():
    """Rows of a vocabulary's width, spread as models spread them and worse."""
    random = np.random.default_rng(0)
    for scale in (0.3, 1, 3, 6):
        yield random.normal(0, scale, N)
    for ahead in (5, 12, 30):  # a few likely tokens, ahead of thousands of unlikely ones
        row = random.normal(0, 1.5, N)
        row[:4] = row.max() + ahead - np.arange(4) / 3
        yield row
    for depth in (0.8, 4, 11, 18, 30):  # one token, and a plain so far below
        yield np.r_[0.0, np.full(N - 1, -depth)]
    yield np.r_[0.0, np.full(2**18, -12.0)]
    yield np.r_[np.zeros(3), np.full(500, -5.0), np.full(N, -11.0)]
    for gap in (0.01, 0.2, 1, 8, 60):
        yield np.array([0.0, -gap])
    yield np.zeros(N)
    yield np.zeros(1)


ROWS = list(rows())


def errors(low, high, count=40):
    """The largest errors of each field of `Draws` over all rows and over temperatures between two, [6]."""
    random = np.random.default_rng(1)
    found = []
    for z in ROWS:
        log_t = np.r_[low, high, random.uniform(low, high, count)]
        value, totals = draw_curve(z, z.max())
        curves = DrawCurves(np.full(len(log_t), value, np.float32), np.tile(totals.astype(np.float32), (len(log_t), 1)))
        wanted = np.array([exact(z, int(z.argmax()), at) for at in log_t]).T
        found.append(np.abs(np.array(curves.at(log_t)) - wanted).max(axis=1))
    return np.max(found, axis=0)


def test_figures_at_any_temperature_are_those_of_the_row():
    log_prob, slope, entropy, varentropy, total, total_slope = errors(FROM, UNTIL)

    assert max(log_prob, total) < 1e-6
    assert max(slope, entropy, total_slope) < 2e-5
    assert varentropy < 5e-4


def test_figures_near_the_ends_are_less_exact():
    for low, high in ((np.log(LOWEST), FROM), (UNTIL, np.log(HIGHEST))):
        log_prob, slope, entropy, varentropy, total, total_slope = errors(low, high)

        assert max(log_prob, total) < 1e-5
        assert max(slope, entropy, total_slope) < 1e-3
        assert varentropy < 0.1


def test_the_formula_of_the_slope_is_the_derivative_of_the_log_probability():
    random, h = np.random.default_rng(2), 1e-3
    for _ in range(50):
        z, log_t, token = random.normal(0, 3, 200), random.uniform(np.log(0.3), 1), random.integers(200)
        at = [exact(z, token, log_t + step * h)[0] for step in (-2, -1, 1, 2)]
        difference = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
        surprisal, entropy = -exact(z, token, log_t)[0], exact(z, token, log_t)[2]

        assert surprisal - entropy == pytest.approx(difference, rel=1e-8, abs=1e-8)


def test_the_formula_of_varentropy_is_the_derivative_of_entropy():
    random, h = np.random.default_rng(3), 1e-3
    for _ in range(50):
        z, log_t = random.normal(0, 3, 200), random.uniform(np.log(0.3), 1)
        at = [exact(z, 0, log_t + step * h)[2] for step in (-2, -1, 1, 2)]

        assert exact(z, 0, log_t)[3] == pytest.approx((at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h), rel=1e-7)


def test_slopes_are_those_of_the_interpolated_figures():
    """Derivatives of the interpolant agree with its own differences, so that a step along a slope is exact."""
    value, totals = draw_curve(ROWS[4], ROWS[4][7])
    curves = DrawCurves(np.full(3, value, np.float32), np.tile(totals.astype(np.float32), (3, 1)))
    h = 1e-4
    for log_t in np.linspace(np.log(0.1), np.log(2.5), 23) + 0.011:
        below, here, above = (np.array(part) for part in zip(*curves.at(log_t + np.array([-h, 0, h])), strict=True))

        assert here.shape == (6,)
        assert here[1] == pytest.approx((above[0] - below[0]) / (2 * h), rel=1e-5, abs=1e-5)
        assert here[3] == pytest.approx((above[2] - below[2]) / (2 * h), rel=1e-4, abs=1e-4)


def test_a_curve_is_that_of_the_kept_logits():
    value, totals = draw_curve(np.array([3.0, 1.0, 2.0], np.float32), 1.0)

    assert value == -2.0
    np.testing.assert_allclose(totals[TEMPERATURES == 1], np.log(1 + np.exp(-1) + np.exp(-2)), rtol=1e-15)
    np.testing.assert_allclose(totals[TEMPERATURES == 0.25], np.log(1 + np.exp(-4) + np.exp(-8)), rtol=1e-15)


def test_the_grid_has_eight_temperatures_an_octave():
    assert TEMPERATURES[[0, 32, 40, 48]].tolist() == [0.0625, 1, 2, 4]
    np.testing.assert_allclose(TEMPERATURES[1:] / TEMPERATURES[:-1], 2**0.125, rtol=1e-14)


def test_a_dropped_token_has_no_probability():
    value, totals = draw_curve(np.zeros(4), -np.inf)
    draws = DrawCurves.of([[value, *totals]]).at(0.0)

    assert (draws.log_prob[0], draws.slope[0]) == (-np.inf, np.inf)
    assert draws.entropy[0] == pytest.approx(np.log(4), abs=1e-6)


def test_records_are_joined_in_their_order():
    parts = [DrawCurves.of(np.full((n, 50), n)) for n in (2, 0, 1)]
    joined = DrawCurves.joined(parts)

    assert joined.count == 3
    assert len(joined) == 2  # of the tuple
    assert joined.value.tolist() == joined.totals[:, 48].tolist() == [2, 2, 1]
    assert (joined.value.dtype, joined.totals.dtype) == (np.float32, np.float32)
    assert (DrawCurves.joined([]).count, DrawCurves.joined([]).totals.shape) == (0, (0, 49))


@pytest.mark.parametrize("temperature", [0.0, 0.0624, 4.001, np.inf, np.nan])
def test_a_temperature_outside_the_grid_is_refused(temperature):
    curves = DrawCurves.of(np.zeros((2, 50)))
    with np.errstate(divide="ignore"), pytest.raises(ValueError, match=rf"{temperature:g}.*0\.0625.*4"):
        curves.at(np.log([1.0, temperature]))


def test_the_ends_of_the_grid_are_allowed():
    np.testing.assert_allclose(DrawCurves.of(np.zeros((2, 50))).at(np.log([0.0625, 4.0])).log_prob, 0, atol=1e-7)
