"""The curves of records, beside sums over the rows that the tokens were drawn from."""

import numpy as np
import pytest
from tests.requested import make_request

from dyntemp.distribution.draw_curve import DrawCurves
from dyntemp.distribution.filters import Filters
from dyntemp.distribution.noise import coins
from dyntemp.generation.loop import Loop
from dyntemp.language.policy import Policy
from dyntemp.testing import FakeModel
from dyntemp.traces.token import Token

N = 5_000
ROWS = np.random.default_rng(0).normal(0, 3, (16, N)).round(1)  # with many ties
ROWS[:, ::7] = -np.inf
ROWS[3, :] = 1.0
TYPES = (np.float64, np.float32, np.float16)


def records(requests, dtype=np.float32, backend="cpu"):
    """The records of each request, in the order of the requests."""
    loop = Loop(FakeModel([b"a"] * N, lambda tokens: ROWS[len(tokens) % 16].astype(dtype)), backend)
    loop.add(requests)
    found = [[] for _ in requests]
    while loop.live:
        for number, token in loop.step():
            found[number].append(token)
    return found


def request(policy="0.1 + entropy/4", filters="", **more):
    more = {"seed": 3, "max_tokens": 6, "alternatives": 0, "signals": (), "curves": True, **more}
    return make_request([0], Policy(policy), filters=Filters.read(filters), **more)


def log_prob(token, filters, dtype, temperature):
    """ln of a record's probability at another temperature, from the row."""
    z = ROWS[(token.position + 1) % 16].astype(dtype).astype(np.float64)
    z = np.where(Filters.read(filters).mask(z, temperature, coins(3, 0, token.position)), z, -np.inf)
    z -= z.max()
    return z[token.token] / temperature - np.log(np.exp(z / temperature).sum())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("filters", ["", "top_k(3)", "min_p(0.05)", "top_p(0.9)", "typical(0.7)",
                                     "min_p(0.01), temperature, top_k(40)"])  # fmt: skip
def test_a_record_tells_its_probability_at_any_temperature(filters, backend, dtype):
    for policy in ("0.3", "0.1 + entropy/4"):
        for token in records([request(policy, filters)], dtype, backend)[0]:
            for temperature in (0.1, 0.37, 1.0, 2.7):
                draws = DrawCurves.of([token.curve]).at(np.log(temperature))
                wanted = log_prob(token, filters, dtype, temperature)

                assert draws.log_prob[0] == pytest.approx(wanted, rel=1e-6, abs=2e-6)


def test_forced_tokens_have_a_curve_and_dropped_ones_no_probability():
    row = ROWS[1]
    kept, dropped = int(np.nanargmax(row)), int(np.argmin(np.where(row > -np.inf, row, np.inf)))
    for token, wanted in ((kept, 0.0), (dropped, -np.inf), (0, -np.inf)):
        found = records([request(filters="top_k(5)", force=(token,), max_tokens=1)])[0][0]

        assert (found.origin, found.curve[0]) == ("forced", wanted)
        assert len(found.curve) == 50
        assert found.curve[-1] > found.curve[1] > 0


def test_of_equal_logits_at_a_cut_the_kept_ones_alone_have_a_probability():
    first, last = (records([request(filters="top_k(2)", force=(1, 1, token), max_tokens=3)])[0][2] for token in (1, 9))

    assert (first.curve[0], last.curve[0]) == (0.0, -np.inf)
    np.testing.assert_allclose(first.curve[1:], np.log(2), rtol=1e-6)


def test_only_requests_that_ask_have_curves_and_draw_the_same():
    asked = [request(number=number, curves=number % 2 == 0) for number in range(4)]
    plain = [request(number=number, curves=False) for number in range(4)]

    for number, (found, wanted) in enumerate(zip(records(asked), records(plain), strict=True)):
        assert [token.token for token in found] == [token.token for token in wanted]
        assert {len(token.curve) for token in found} == {50 if number % 2 == 0 else 0}


@pytest.mark.parametrize("filters", ["temperature, min_p(0.1)", "xtc(0.1, 0.5)"])
def test_curves_under_filters_that_choose_anew_are_refused(filters):
    with pytest.raises(ValueError, match="the curve of a draw needs filters"):
        request(filters=filters)


def test_a_file_holds_the_curve_to_the_bit():
    for token in records([request(filters="top_k(5)", force=(0, 0))])[0]:
        data = token.to_json()

        assert Token.from_json(data) == token
        assert max(len(str(number)) for number in data["curve"]) <= 14


def test_records_without_curves_are_written_as_before():
    token = records([request(curves=False)])[0][0]

    assert "curve" not in token.to_json()
    assert Token.from_json(token.to_json()).curve == ()


@pytest.mark.parametrize("curve", [[0.5], [0.5] * 49, ["x"] * 50, None])
def test_a_damaged_curve_is_refused(curve):
    data = records([request()])[0][0].to_json()
    with pytest.raises((ValueError, TypeError)):
        Token.from_json({**data, "curve": curve})
