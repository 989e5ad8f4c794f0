"""The array_api backend with array-api-strict, MLX on the CPU, and NumPy, against the reference."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from scipy import stats

from dyntemp import InvalidLogitsError, Policy, PolicyError, StateError, measure, sample, scale, temperatures
from dyntemp.distribution.filters import Filters
from dyntemp.kernels import reference
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import LOWEST
from dyntemp.language.program import Op
from dyntemp.language.signals import SIGNALS

pytest.importorskip("array_api_compat")
from tests.learned import LEARNED, LEARNED_REMEMBERING
from tests.rows import masked

from dyntemp.kernels.array_api import backend as array_api
from dyntemp.kernels.array_api.select import HIGHEST_KEY, logit_of

LIBRARIES = {"numpy": "numpy", "strict": "array_api_strict", "mlx": "mlx.core"}
TOLERANCE = (5e-6, "times max(1, |s|): exponentials and blocks of 2,048 in float32, blocks combined in float64")
RESULT = {  # of a temperature against the policy at the backend's own signals, relative
    "numpy": (1e-9, "float64 on the host"),
    "strict": (1e-9, "float64 on the host"),
    "mlx": (1e-6, "results are rounded to float32, the widest that MLX has on every device"),
}
EVERY_SIGNAL = [
    "max_prob", "entropy", "normalized_entropy", "perplexity", "collision", "varentropy", "support", "margin",
    "median_prob", "quantile(0)", "quantile(0.3)", "quantile(1)", "top_mass(1)", "top_mass(40)",
]  # fmt: skip


@pytest.fixture(params=list(LIBRARIES))
def library(request):
    return request.param


@pytest.fixture
def xp(library):
    return pytest.importorskip(LIBRARIES[library])


def array(values):
    return np.asarray(values)


def close(found, expected, name):
    found, expected = array(found).astype(np.float64), array(expected)
    worst = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert (worst <= TOLERANCE[0]).all(), f"{name}: rows {np.flatnonzero(~(worst <= TOLERANCE[0]))}, {worst.max()}"
    assert not np.signbit(found).any(), name


def edge_rows():
    """Awkward rows, float32 [rows, 3 blocks + 7]; what is missing at their ends is masked."""
    rng = np.random.default_rng(7)

    def normal(n, spread=3.0):
        return rng.normal(0, spread, n)

    rows = [
        [3.5],
        [0.0, 1.0],
        [-0.0, 0.0, -0.0, -1.0],
        [1.0, 5.0, 5.0, 0.0],
        np.full(1000, 2.5),
        np.zeros(3 * BLOCK + 7),
        masked(np.zeros(BLOCK + 5), -1, 80.0),
        normal(2000, 1e-3),
        masked(normal(1000), rng.permutation(1000)[:700]),
        masked(np.zeros(5000), np.arange(5000) != 4321),
        masked(normal(3 * BLOCK + 7), slice(0, BLOCK)),
        masked(normal(1000), slice(100, 900), LOWEST["float32"]),
        masked(normal(1000), slice(100, 900), 0.6 * LOWEST["float32"]),
        np.concatenate([normal(BLOCK), normal(BLOCK) + 200, normal(BLOCK)]),
        normal(500) + 10_000,
        normal(500) - 10_000,
        normal(500) * 1e-6,
        np.linspace(-60, 0, 700),
        np.full(500, 3e38),
        masked(np.full(5000, -1.2e38), [1, 2500], 3e38),
        np.linspace(-1.2e38, 1.2e38, 4000),
        normal(3 * BLOCK + 7, 8.0),
    ]
    width = 3 * BLOCK + 7
    return np.stack([np.r_[row, np.full(width - len(row), -inf)] for row in rows]).astype(np.float32)


class TestSignals:
    def test_awkward_rows(self, xp):
        rows = edge_rows()
        found = measure(xp.asarray(rows), *EVERY_SIGNAL, backend="array_api")
        with np.errstate(all="ignore"):
            expected = measure(rows, *EVERY_SIGNAL, backend="reference")
        for name in EVERY_SIGNAL:
            close(found[name], expected[name], name)

    @pytest.mark.parametrize("target", ["1", "0.85*entropy", "20", "0*entropy"])
    def test_the_temperature_for_an_entropy(self, xp, target):
        rows = edge_rows()
        name = f"temperature_for_entropy({target})"
        found = array(next(iter(measure(xp.asarray(rows), name, backend="array_api").values())))
        with np.errstate(all="ignore"):
            expected = next(iter(measure(rows, name, backend="reference").values()))
            for row, t, other in zip(rows.astype(np.float64), found, expected, strict=True):
                if other in {0.0, inf}:
                    assert t == other
                    continue
                below = row[row > -1.6e38] - row.max()
                at, wanted = (reference.entropy(reference.log_softmax(below / one)) for one in (float(t), other))
                assert abs(at - wanted) <= TOLERANCE[0]

    @pytest.mark.parametrize("width", [1, 2, 63, 1000, BLOCK, BLOCK + 1])
    def test_widths(self, xp, width):
        rows = np.random.default_rng(width).normal(0, 3, (2, width)).astype(np.float32)
        found = measure(xp.asarray(rows), *EVERY_SIGNAL, backend="array_api")
        for name, expected in measure(rows, *EVERY_SIGNAL, backend="reference").items():
            close(found[name], expected, name)

    def test_a_large_vocabulary(self, xp):
        row = np.random.default_rng(3).normal(0, 1, 262_144).astype(np.float32)
        found = measure(xp.asarray(row), *EVERY_SIGNAL[:9], backend="array_api")
        for name, expected in measure(row, *EVERY_SIGNAL[:9], backend="reference").items():
            close(found[name], expected, name)

    def test_half_precisions(self, library, xp):
        if library == "strict":
            pytest.skip("the standard has no half precisions")
        rows = np.random.default_rng(4).normal(0, 3, (2, 700)).astype(np.float32)
        for dtype in ["float16", "bfloat16"] if library == "mlx" else ["float16"]:
            half = xp.astype(xp.asarray(rows), getattr(xp, dtype))
            same = array(xp.astype(half, xp.float32))
            found = measure(half, "entropy", "median_prob", backend="array_api")
            for name, expected in measure(same, "entropy", "median_prob", backend="reference").items():
                close(found[name], expected, name)
            assert scale(half, 0.5, backend="array_api").dtype == half.dtype

    def test_ten_thousand_random_rows(self, xp):
        rng = np.random.default_rng(17)
        rows = rng.normal(0, 1, (10_000, 70)) * 10 ** rng.uniform(-3, 2, (10_000, 1)) + rng.normal(0, 100, (10_000, 1))
        rows = np.where(rng.random(rows.shape) < 0.25, -inf, rows).astype(np.float32)
        names = ["entropy", "varentropy", "max_prob", "median_prob"]
        parts = [measure(xp.asarray(part), *names, backend="array_api") for part in np.split(rows, 10)]
        for name, expected in measure(rows, *names, backend="reference").items():
            close(np.concatenate([array(part[name]) for part in parts]), expected, name)

    def test_no_signal_is_missing(self):
        named = {name.split("(", maxsplit=1)[0] for name in EVERY_SIGNAL} | {"temperature_for_entropy"}

        assert named == {name for name, record in SIGNALS.items() if record.measured}

    def test_results_are_of_the_library(self, library, xp):
        row = xp.asarray(np.zeros(5, np.float32))
        found = sample(row, "0.1 + entropy", seed=1, backend="array_api")
        kind = type(row)
        scalar = np.int64 if library == "numpy" else kind

        assert isinstance(found.token, scalar)
        assert found.token.shape == found.temperature.shape == found.signals["entropy"].shape == ()
        assert found.backend == "array_api"
        assert isinstance(scale(row, 0.5, backend="array_api"), kind)
        if library != "numpy":
            assert sample(row, 1.0, seed=1).backend == "array_api"

    def test_no_rows(self, xp):
        rows = xp.asarray(np.zeros((0, 5), np.float32))

        assert sample(rows, "0.1 + entropy", seed=1, backend="array_api").token.shape == (0,)
        assert scale(rows, 0.5, backend="array_api").shape == (0, 5)


POLICIES = [  # every step of a program at least once
    "0.7", "0.1 + 0.8*entropy", "abs(entropy - 0.5*perplexity)", "2/perplexity", "max_prob**1.5", "-(-max_prob)",
    "where(max_prob < 0.3, 0.2, 0.9)", "where(max_prob <= 0.3, 0.2, 0.9)", "where(entropy > 1, 0.2, 0.9)",
    "where(entropy >= 1, 0.2, 0.9)", "exp(-entropy)", "clip(log(max_prob) + 3, 0, 9)", "sqrt(entropy)",
    "halfcos(entropy/3)", "1 + tanh(entropy - 1)", "sigmoid(5 - entropy)", "min(entropy, 1)", "max(entropy, 1)",
    "lerp(0.3, 1.3, max_prob)", "0.8**(1/entropy)", "requested*position", 'param("a", 0, 2)*margin',
    "0.8*temperature_for_entropy(0.5*entropy)", *LEARNED,
]  # fmt: skip
REMEMBERING = [
    "0.1 + ema(entropy, 0.9)", "prev(entropy)", "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)",
    *LEARNED_REMEMBERING,
]  # fmt: skip


class TestPolicies:
    def test_every_step_is_run(self):
        programs = [Policy(text).program for text in POLICIES + REMEMBERING]

        assert {step.op for program in programs for step in program.steps} == set(Op)

    def test_each_row_has_its_own_policy(self, library, xp):
        row = np.array([3.0, 1.0, 0.0, -2.0], np.float32)
        rows = np.tile(row, (len(POLICIES), 1))
        job = Job(tuple(map(Policy, POLICIES)), requested=0.9, position=3, parameters={"a": 1.5})
        found, expected = array_api.run(xp.asarray(rows), job), reference.run(rows, job)
        for at, text in enumerate(POLICIES):
            policy = Policy(text)
            read = {str(signal) for signal in policy.program.signals} - {"requested", "position"}
            own = {name: array(found.signals[name])[at : at + 1] for name in read}
            parameters = {"a": 1.5} if policy.parameters else {}
            step = policy.step({**own, "requested": [0.9]}, position=3, parameters=parameters)[0]

            assert array(found.temperature)[at] == pytest.approx(step, rel=RESULT[library][0]), text
            assert step == pytest.approx(expected.temperature[at], rel=1e-5), text
        for name, values in expected.signals.items():
            np.testing.assert_array_equal(np.isnan(values), np.isnan(array(found.signals[name])), err_msg=name)

    @pytest.mark.parametrize("text", REMEMBERING)
    def test_state(self, xp, text):
        rng = np.random.default_rng(5)
        policy = Policy(text)
        state, expected_state = policy.state(3, window=4), policy.state(3, window=4)
        for position in [0, 1, 2, 2, 3, 4, 1]:
            rows = rng.normal(0, 2, (2, 50)).astype(np.float32)
            options = {"seed": 4, "slot": [0, 2], "position": position}
            found = sample(xp.asarray(rows), policy, backend="array_api", state=state, **options)
            expected = sample(rows, policy, backend="reference", state=expected_state, **options)

            np.testing.assert_array_equal(array(found.token), expected.token)
            np.testing.assert_allclose(array(found.temperature), expected.temperature, rtol=5e-6)
        assert state.restarts == expected_state.restarts > 0


class TestDraws:
    FILTERS = (
        {}, {"top_k": 1}, {"top_k": 5}, {"top_k": 3000}, {"top_p": 0.5}, {"top_p": 0.95}, {"min_p": 0.1},
        {"min_p": 1.0}, {"top_k": 40, "top_p": 0.8, "min_p": 0.02},
    )  # fmt: skip

    def rows(self):
        rng = np.random.default_rng(9)
        masked = rng.normal(0, 3, BLOCK + 70)
        masked[::3] = -inf
        tied = np.round(rng.normal(0, 1.5, BLOCK + 70))
        return np.stack([rng.normal(0, 3, BLOCK + 70), tied, masked, np.zeros(BLOCK + 70)]).astype(np.float32)

    @pytest.mark.parametrize("options", FILTERS, ids=str)
    @pytest.mark.parametrize("at", ["model", "temperature"])
    def test_filters(self, xp, options, at):
        job = Job((Policy(1.4),), draw=True, filters=Filters(**options, at=at), seed=3)
        found, expected = array_api.run(xp.asarray(self.rows()), job), reference.run(self.rows(), job)
        for name in ("candidates", "cut", "last", "token"):
            np.testing.assert_array_equal(array(getattr(found, name)), getattr(expected, name), err_msg=name)

    def test_min_p_between_two_numbers_of_float32(self, xp):
        """The limit ln(min_p) is rounded to float32 upwards, so that what lies just below it goes."""
        below = np.float32(-1.1)
        options = {"seed": 1, "min_p": float(np.exp(np.float64(below)) * (1 + 1e-12))}
        row = np.array([0.0, below, -5.0], np.float32)
        found = sample(xp.asarray(row), 1.0, backend="array_api", **options)

        assert int(found.candidates) == int(sample(row, 1.0, backend="reference", **options).candidates) == 1

    @pytest.mark.parametrize("temperature", ["0", "1/0", "0.05"])
    def test_extreme_temperatures(self, xp, temperature):
        job = Job((Policy(temperature),), draw=True, filters=Filters(0, 0.6, 0.3, "temperature"), seed=3)
        for one in (job, replace(job, filters=Filters())):
            found, expected = array_api.run(xp.asarray(self.rows()), one), reference.run(self.rows(), one)
            for name in ("candidates", "cut", "last", "token"):
                np.testing.assert_array_equal(array(getattr(found, name)), getattr(expected, name), err_msg=name)

    def test_a_full_pass_after_sixteen_rejections(self, xp):
        row = np.full(20 * BLOCK, -200.0, np.float32)
        row[::BLOCK] = np.linspace(-1, 0, 20)
        rows = np.tile(row, (10, 1))
        found, expected = (sample(z, 60.0, seed=2, backend=name)
                           for z, name in ((xp.asarray(rows), "array_api"), (rows, "reference")))  # fmt: skip

        np.testing.assert_array_equal(array(found.token), expected.token)

    @pytest.mark.parametrize("temperature", [0.6, 1.0, 3.0])
    def test_frequencies(self, library, xp, temperature):
        rng = np.random.default_rng(21)
        row = rng.normal(0, 2, BLOCK + 300).astype(np.float32)
        row[rng.permutation(len(row))[:500]] = -inf
        draws = 2_000
        rows = xp.asarray(np.tile(row, (draws, 1)))
        token = array(sample(rows, temperature, seed=8, backend="array_api").token)
        z = row.astype(np.float64) / temperature
        p = np.exp(z - z.max())
        p /= p.sum()
        bins = np.minimum(np.cumsum(p) * 40, 39).astype(int)  # neighbours together, about 50 draws in each
        counts, shares = np.bincount(bins[token], minlength=40), np.bincount(bins, weights=p, minlength=40)
        some = shares * draws >= 5

        assert np.isfinite(row[token]).all()
        assert stats.chisquare(counts[some], shares[some] / shares[some].sum() * counts[some].sum()).pvalue > 1e-4


class TestScale:
    @pytest.mark.parametrize("temperature", [0.0, 1e-7, 0.01, 0.7, 1.0, 1e10, inf])
    def test_it_agrees_with_the_reference(self, xp, temperature):
        rng = np.random.default_rng(4)
        rows = rng.normal(0, 3, (3, 300)).astype(np.float32)
        rows[0, ::3] = -inf
        rows[1, [100, 200]] = 50.0
        rows[2, :9] = 3e38
        t = np.full(3, temperature)
        found = array_api.scale(xp.asarray(rows), xp.asarray(t))

        np.testing.assert_allclose(array(found), reference.scale(rows, t), rtol=5e-7)


class TestRefusals:
    def test_float64_and_whole_numbers(self):
        for dtype, said in ((np.float64, "computes in float32"), (np.int32, "float32, float16 and bfloat16")):
            with pytest.raises(InvalidLogitsError, match=said):
                measure(np.zeros(3, dtype), "entropy", backend="array_api")

    @pytest.mark.parametrize("shape", [(), (2, 2, 2), (0,)])
    def test_shapes(self, shape):
        with pytest.raises(InvalidLogitsError):
            measure(np.zeros(shape, np.float32), "entropy", backend="array_api")

    @pytest.mark.parametrize(("value", "said"), [(np.nan, "NaN"), (inf, r"\+inf"), (-inf, "no unmasked entry")])
    def test_broken_rows_raise(self, xp, value, said):
        rows = np.zeros((3, 4), np.float32)
        rows[1] = value if value == -inf else 0.0
        rows[1, 2] = value
        with pytest.raises(InvalidLogitsError, match=f"row 1, position 6 hold {said}"):
            temperatures(xp.asarray(rows), "entropy", position=6, backend="array_api")

    def test_what_does_not_fit(self, xp):
        rows = xp.asarray(np.zeros((2, 3), np.float32))
        with pytest.raises(StateError):
            temperatures(rows, "ema(entropy, 0.9)", backend="array_api")
        with pytest.raises(PolicyError, match="outside its range"):
            temperatures(rows, 'given("kl", 0, 20)', given={"kl": 21}, backend="array_api")
        with pytest.raises(ValueError, match="same seed, request and position"):
            sample(rows, 1.0, seed=1, request=1, backend="array_api")


def test_keys_count_every_float32_in_order():
    keys = np.array([-HIGHEST_KEY, -8388608, -1, 0, 1, 8388608, 1065353216, HIGHEST_KEY])
    assert logit_of(keys).tolist()[3:7] == [0.0, 1.401298464324817e-45, np.float32(2.0**-126), 1.0]
    assert (np.diff(logit_of(keys)) > 0).all()
    assert (logit_of(keys[1:] - 1) == np.nextafter(logit_of(keys[1:]), np.float32(-1e38))).all()
