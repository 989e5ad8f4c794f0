"""Signals, temperatures and scaled rows of both backends on one table of awkward rows, against SciPy and NumPy."""

import warnings
from math import ceil, inf, log

import ml_dtypes
import numpy as np
import pytest
from scipy import special, stats
from tests.learned import LEARNED
from tests.rows import masked

from dyntemp import InvalidLogitsError, Policy, measure, sample, scale, temperatures
from dyntemp.kernels import backend_of
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.cpu.blocks import NEAR, REACH
from dyntemp.kernels.rows import LOWEST, as_rows
from dyntemp.language.interval import Interval
from dyntemp.language.parse import parse
from dyntemp.language.signals import SIGNALS

TOLERANCE = {  # of a signal s: so much times max(1, |s|)
    "float64": (1e-12, "sums of up to 2**18 terms, each rounded to 1e-16"),
    "float32": (5e-6, "exponentials and blocks of 2,048 summed in float32, blocks combined in float64"),
    "float16": (5e-6, "widened to float32 exactly, then as float32; SciPy reads the same rounded row"),
    "bfloat16": (5e-6, "widened to float32 exactly, then as float32; SciPy reads the same rounded row"),
}
TEMPERATURE_TOLERANCE = {  # of a temperature against the policy evaluated at the backend's own signals, relative
    "float64": (1e-9, "one evaluation, the same float64 arithmetic"),
    "float32": (1e-6, "the policy is evaluated in float64 whatever the row was"),
}

MOMENTS = ["max_prob", "entropy", "normalized_entropy", "perplexity", "collision", "varentropy", "support"]
ORDER = ["margin", "median_prob", "quantile(0)", "quantile(0.1)", "quantile(0.9)", "quantile(1)", "top_mass(1)",
         "top_mass(40)"]  # fmt: skip

every_dtype = pytest.mark.parametrize("dtype", list(TOLERANCE))


def as_dtype(row, dtype):
    with np.errstate(over="ignore"):
        return np.asarray(row).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def truth(row, dtype):
    """Every signal of one row by other people's functions, in float64."""
    z = np.asarray(row).astype(np.float64)
    z = z[z > LOWEST[dtype] / 2]
    n = len(z)
    with np.errstate(all="ignore"):
        z = z - z.max()
        p, ln_p = special.softmax(z), special.log_softmax(z)
    some = p > 0
    h = float(stats.entropy(p))
    ordered = np.sort(p)[::-1]
    return {
        "max_prob": p.max(),
        "entropy": h,
        "normalized_entropy": h / log(n) if n > 1 else 0.0,
        "perplexity": np.exp(h),
        "collision": (p**2).sum(),
        "varentropy": np.average((ln_p[some] + h) ** 2, weights=p[some]) if n > 1 else 0.0,
        "support": float(n),
        "margin": ordered[0] - ordered[1] if n > 1 else 1.0,
        "median_prob": np.median(p),
        **{f"quantile({q:g})": np.quantile(p, q) for q in (0, 0.1, 0.9, 1)},
        "top_mass(1)": ordered[:1].sum(),
        "top_mass(40)": ordered[:40].sum(),
    }


def edge_rows(dtype):
    """Name -> row, [n]."""
    rng = np.random.default_rng(7)
    lowest = LOWEST[dtype]

    def normal(n, spread=3.0):
        return rng.normal(0, spread, n)

    rows = {
        "one token": [3.5],
        "two tokens": [0.0, 1.0],
        "63 columns": normal(63),
        "1,000 columns": normal(1000),
        "uniform": np.full(1000, 2.5),
        "uniform over a whole block": np.zeros(BLOCK),
        "two tied maxima": [1.0, 5.0, 5.0, 0.0],
        "all but two tied": masked(np.zeros(3000), [0, 2999], 1.0),
        "one-hot": masked(np.zeros(300), 17, 90.0),
        "one-hot, last of a ragged block": masked(np.zeros(BLOCK + 5), -1, 80.0),
        "two-hot": masked(np.zeros(300), [17, 200], 90.0),
        "nearly uniform": normal(2000, 1e-3),
        "some masked": masked(normal(1000), rng.permutation(1000)[:700]),
        "all but one masked": masked(np.zeros(5000), np.arange(5000) != 4321),
        "all but two masked": masked(normal(5000), ~np.isin(np.arange(5000), [3, 4321])),
        "first block masked": masked(normal(3 * BLOCK + 7), slice(0, BLOCK)),
        "first 256 masked": masked(normal(BLOCK) - 40, slice(0, 256)),
        "middle block masked": masked(normal(3 * BLOCK + 7), slice(BLOCK, 2 * BLOCK)),
        "last block masked": masked(normal(3 * BLOCK + 7), slice(3 * BLOCK, None)),
        "masked at the lowest number": masked(normal(1000), slice(100, 900), lowest),
        "masked at six tenths of it": masked(normal(1000), slice(100, 900), 0.6 * lowest),
        "first block masked at the lowest number": masked(normal(2 * BLOCK), slice(0, BLOCK), lowest),
        "just below the ends": np.linspace(-60, 0, 700),
        "a block far above the first": np.concatenate([normal(BLOCK), normal(BLOCK) + 200, normal(BLOCK)]),
        "a block far below the first": np.concatenate([normal(BLOCK), normal(BLOCK) - 200]),
        "blocks that climb": np.concatenate([normal(BLOCK) + 30 * b for b in range(5)]),
        "blocks that fall": np.concatenate([normal(BLOCK) - 30 * b for b in range(5)]),
        "high": normal(500) + 10_000,
        "low": normal(500) - 10_000,
        "high and low": masked(np.full(500, -1e4), slice(0, 500, 3), 1e4),
        "tiny": normal(500) * 1e-6,
    }
    if dtype != "float16":
        rows |= {
            "at 1e30": np.full(500, 1e30),
            "at -1e30": np.full(5000, -1e30),
            "1e30 above": masked(normal(5000), [7, 4000], 1e30),
            "from -1e30 to 1e30": np.linspace(-1e30, 1e30, 4000),
            "at 3e38": np.full(70, 3e38),
            "3e38 above -1.6e38": masked(np.full(5000, -1.6e38), [1, 2500], 3e38),
            "3e38 above masked -3e38": masked(np.full(5000, -3e38), [1, 2500], 3e38),
            "a first block at -1.6e38": masked(np.full(BLOCK + 3, -1.6e38), slice(BLOCK, None), 3e38),
            "subnormal": rng.permutation(500) * 1e-45,
        }
    if dtype == "float64":
        rows |= {
            "at 1.7e308": np.full(70, 1.7e308),
            "1.7e308 above -8e307": np.concatenate([np.full(BLOCK, -8e307), np.full(BLOCK, 1.7e308)]),
            "-8e307 below 1.7e308": np.concatenate([np.full(BLOCK, 1.7e308), np.full(BLOCK, -8e307)]),
        }
    if dtype in ("float64", "float32"):
        rows |= {"128,256 columns": normal(128_256), "262,144 columns": normal(262_144, 1.0)}
        # the first 256 entries decide what the block is measured against: as far off as is let pass, and further
        for powers in (
            NEAR / log(2) - 0.1,
            NEAR / log(2) + 0.1,
            REACH / log(2) - 0.1,
            REACH / log(2) + 0.1,
            100.0,
            124.9,
            125.1,
            127.9,
            128.1,
            129.5,
            131.0,
            200.0,
        ):
            above = powers * log(2)
            rows[f"block {powers:g} powers of two above its start"] = masked(np.zeros(BLOCK), slice(256, None), above)
            rows[f"one entry {powers:g} powers of two above"] = masked(normal(BLOCK), 300, above)
            rows[f"second block {powers:g} powers of two above"] = np.concatenate(
                [normal(BLOCK, 1.0), normal(BLOCK, 1.0) + above]
            )
            rows[f"block {powers:g} powers of two below masked"] = masked(normal(BLOCK) - above, slice(0, 256))
    return {name: as_dtype(row, dtype) for name, row in rows.items()}


@every_dtype
def test_signals_on_awkward_rows(backend, dtype):
    tolerance, _ = TOLERANCE[dtype]
    wrong = {}
    for name, row in edge_rows(dtype).items():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = measure(row, *MOMENTS, *ORDER, backend=backend)
        support = float(found["support"])
        for signal, expected in truth(row, dtype).items():
            value = float(found[signal])
            if not abs(value - expected) <= tolerance * max(1.0, abs(expected)):
                wrong[name, signal] = (value, expected)
            record = parse(signal)
            if value not in SIGNALS[record.name].bounds(Interval(support, support), *record.arguments):
                wrong[name, signal, "range"] = value

    assert not wrong


@pytest.mark.parametrize(
    ("dtype", "count"), [("float64", 2_500), ("float32", 5_000), ("float16", 1_250), ("bfloat16", 1_250)]
)
def test_signals_of_10000_random_rows(dtype, count):
    """Of every size up to 20,000 and every spread; a tenth of them by the reference too, against SciPy."""
    rng = np.random.default_rng(11)
    tolerance, _ = TOLERANCE[dtype]
    worst = 0.0
    for number in range(count):
        n = int(np.exp(rng.uniform(0, log(20_000)))) if rng.random() < 0.2 else int(rng.integers(1, 300))
        row = rng.normal(rng.normal() * 10.0 ** rng.integers(0, 4), np.exp(rng.uniform(-5, 3)), n)
        row[rng.random(n) < rng.choice([0, 0, 0.5, 0.99])] = -inf
        row[rng.integers(n)] = rng.normal()
        row = as_dtype(row, dtype)
        expected = truth(row, dtype)
        for backend in ("reference", "cpu") if number % 10 == 0 else ("cpu",):
            found = measure(row, *MOMENTS, *ORDER, backend=backend)
            for signal, value in expected.items():
                worst = max(worst, abs(float(found[signal]) - value) / max(1.0, abs(value)))

    assert worst <= tolerance


@every_dtype
def test_a_batch_gives_what_its_rows_give_alone(backend, dtype):
    rng = np.random.default_rng(3)
    rows = as_dtype(rng.normal(0, 3, (9, 5000)), dtype)
    found = measure(rows, *MOMENTS, *ORDER, backend=backend)
    for r in range(9):
        alone = measure(rows[r], *MOMENTS, *ORDER, backend=backend)
        for signal, values in found.items():
            assert values[r] == alone[signal]
            assert alone[signal].shape == ()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_constant_added_to_the_row_changes_nothing(backend, dtype):
    """Logits that are multiples of 1/256 stay exact when moved, so what is left is the kernel's own."""
    rng = np.random.default_rng(5)
    row = rng.integers(-2000, 2000, 5000) / 256
    before = measure(row.astype(dtype), *MOMENTS, *ORDER, backend=backend)
    for constant in (-3000.0, -1.0, 0.5, 64.0, 3000.0):
        after = measure((row + constant).astype(dtype), *MOMENTS, *ORDER, backend=backend)
        for signal, value in before.items():
            assert float(after[signal]) == pytest.approx(float(value), rel=TOLERANCE[dtype][0], abs=1e-14), signal


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_log_probabilities_measure_like_logits(backend, dtype):
    row = np.random.default_rng(5).normal(0, 3, 3000)
    logits = measure(row.astype(dtype), *MOMENTS, *ORDER, backend=backend)
    log_probs = measure(special.log_softmax(row).astype(dtype), *MOMENTS, *ORDER, backend=backend)
    for signal, value in logits.items():
        assert float(log_probs[signal]) == pytest.approx(float(value), rel=2e-6, abs=1e-12), signal


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("mask", ["-inf", "lowest"])
def test_masked_entries_added_anywhere_change_nothing(backend, dtype, mask):
    rng = np.random.default_rng(6)
    row = as_dtype(rng.normal(0, 3, 700), dtype)
    before = measure(row, *MOMENTS, *ORDER, backend=backend)
    for n in (701, 3000, 2 * BLOCK + 1, 20_000):
        padded = as_dtype(np.full(n, -inf if mask == "-inf" else LOWEST[dtype]), dtype)
        padded[np.sort(rng.permutation(n)[:700])] = row
        after = measure(padded, *MOMENTS, *ORDER, backend=backend)
        for signal, value in before.items():
            assert float(after[signal]) == pytest.approx(float(value), rel=2 * TOLERANCE[dtype][0], abs=1e-13), signal


class TestLayouts:
    """However rows lie in memory, and whoever made them, they measure the same."""

    ROWS = np.random.default_rng(9).normal(0, 3, (6, 2500))

    @staticmethod
    def layouts(rows):
        readonly = rows.copy()
        readonly.flags.writeable = False
        padded = np.full((len(rows), rows.shape[1] + 100), 99, rows.dtype)
        padded[:, 50:-50] = rows
        doubled = np.repeat(np.repeat(rows, 2, 0), 2, 1)
        return {
            "contiguous": rows,
            "read-only": readonly,
            "columns of a wider array": padded[:, 50:-50],
            "every second row": np.repeat(rows, 2, 0)[::2],
            "every second column": doubled[::2, ::2],
            "transposed": np.ascontiguousarray(rows.T).T,
            "Fortran": np.asfortranarray(rows),
            "rows backwards": np.ascontiguousarray(rows[::-1])[::-1],
            "columns backwards": np.ascontiguousarray(rows[:, ::-1])[:, ::-1],
            "list": rows.astype(np.float64).tolist() if rows.dtype == np.float64 else rows,
        }

    @every_dtype
    def test_numpy(self, backend, dtype):
        rows = as_dtype(self.ROWS, dtype)
        expected = measure(rows, *MOMENTS, "margin", backend=backend)
        keep = np.array(rows)
        for name, laid in self.layouts(rows).items():
            if name == "read-only" and dtype != "float32":
                continue  # one compilation of its own is enough to know that it works
            found = measure(laid, *MOMENTS, "margin", backend=backend)
            drawn = sample(laid, 0.8, seed=1, backend=backend).token
            for signal, values in expected.items():
                np.testing.assert_array_equal(values, found[signal], err_msg=f"{name} {signal}")
            np.testing.assert_array_equal(drawn, sample(rows, 0.8, seed=1, backend=backend).token, name)

        np.testing.assert_array_equal(keep.view(np.uint8), rows.view(np.uint8))  # nothing was written to

    def test_rows_repeated_without_memory(self, backend):
        rows = np.broadcast_to(self.ROWS[0].astype(np.float32), (4, 2500))

        assert len(set(measure(rows, "entropy", backend=backend)["entropy"].tolist())) == 1

    @pytest.mark.parametrize("order", [">f4", ">f8", ">f2"])
    def test_the_other_byte_order(self, backend, order):
        rows = self.ROWS.astype(order)
        native = rows.astype(np.dtype(order).newbyteorder("="))

        np.testing.assert_array_equal(
            measure(native, "entropy", backend=backend)["entropy"], measure(rows, "entropy", backend=backend)["entropy"]
        )

    @every_dtype
    def test_torch(self, backend, dtype):
        torch = pytest.importorskip("torch")
        tensor = torch.from_numpy(self.ROWS).to(getattr(torch, dtype))
        expected = measure(as_dtype(self.ROWS, dtype), "entropy", "margin", backend=backend)
        variants = {
            "contiguous": tensor,
            "gradient": tensor.clone().requires_grad_(),
            "columns": torch.nn.functional.pad(tensor, (5, 5))[:, 5:-5],
            "transposed": tensor.T.contiguous().T,
            "expanded": tensor[:, None, :].expand(-1, 2, -1)[:, 1],
        }
        for name, laid in variants.items():
            found = measure(laid, "entropy", "margin", backend=backend)
            for signal, values in found.items():
                assert isinstance(values, torch.Tensor)
                assert values.dtype == torch.float64
                # PyTorch sums in the order of memory
                np.testing.assert_allclose(
                    values.detach().numpy(), expected[signal], rtol=1e-14 if backend == "torch" else 0, err_msg=name
                )
        scaled = scale(variants["transposed"], 0.7, backend=backend)
        assert scaled.dtype == tensor.dtype
        assert scaled.shape == tensor.shape
        assert temperatures(tensor, "0.1 + entropy", backend=backend).shape == (6,)

    @every_dtype
    @pytest.mark.parametrize("shape", [(0, 5), (0, 5000)])
    def test_no_rows(self, backend, dtype, shape):
        rows = as_dtype(np.empty(shape), dtype)

        assert measure(rows, "entropy", "margin", backend=backend)["entropy"].shape == (0,)
        assert temperatures(rows, "0.1 + entropy", backend=backend).shape == (0,)
        assert scale(rows, 0.7, backend=backend).shape == shape
        assert scale(rows, 0.7, backend=backend).dtype == rows.dtype


class TestBroken:
    @staticmethod
    def broken(dtype):
        rng = np.random.default_rng(2)
        for name, (fault, value) in {"nan": ("NaN", np.nan), "inf": (r"\+inf", inf)}.items():
            for n in (1, 5, 300, 3 * BLOCK + 5):
                for at in sorted({0, n // 2, n - 1}):
                    row = rng.normal(0, 3, n)
                    row[at] = value
                    yield f"{name} at {at} of {n}", fault, row
            row = np.full(3 * BLOCK, -inf)
            row[BLOCK + 5] = value
            yield f"{name} in a row that is otherwise masked", fault, row
            row[0] = 1.0
            yield f"{name} in a block that is otherwise masked", fault, row
        both = rng.normal(0, 3, 2 * BLOCK)
        both[3], both[BLOCK + 3] = inf, np.nan
        yield "inf before nan", "NaN", both
        yield "nan before inf", "NaN", both[::-1]
        for n in (1, 300, 3 * BLOCK + 5):
            yield f"{n} masked", "no unmasked entry", np.full(n, -inf)
            yield f"{n} masked at the lowest number", "no unmasked entry", np.full(n, LOWEST[dtype])

    @every_dtype
    def test_rows_without_a_distribution_are_named(self, backend, dtype):
        for name, fault, row in self.broken(dtype):
            rows = as_dtype(np.stack([np.zeros(len(row)), np.zeros(len(row)), row]), dtype)
            with pytest.raises(InvalidLogitsError, match=rf"the logits of row 2, position 4 hold {fault};"):
                measure_at(rows, backend, position=[9, 9, 4]), name

    def test_the_first_broken_row_is_named(self, backend):
        rows = np.zeros((3, 5), np.float32)
        rows[1, 2], rows[2, 0] = np.nan, inf

        with pytest.raises(InvalidLogitsError, match="row 1, position 0 hold NaN"):
            measure(rows, "entropy", backend=backend)

    @pytest.mark.parametrize(
        ("logits", "fragment"),
        [
            (np.zeros((2, 3), np.int64), "dtype int64"),
            (np.zeros((2, 3), bool), "dtype bool"),
            (np.zeros((2, 3), np.complex64), "dtype complex64"),
            (np.array([None, 1.0]), "dtype object"),
            ([1, 2, 3], "dtype int64"),
            (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
            (np.float64(1.0), r"shape \(\)"),
            (np.zeros((2, 0)), "rows of 0 logits"),
            (np.zeros(0), "rows of 0 logits"),
            (np.zeros((1, 2**20 + 1), np.float16), "rows of 1048577 logits"),
            (np.ma.masked_equal([1.0, 2.0], 2.0), r"a masked array was given.*pass logits.filled\(-np.inf\)"),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, logits, fragment):
        with pytest.raises(InvalidLogitsError, match=fragment):
            measure(logits, "entropy")

    def test_tensors_that_cannot_be_read(self):
        torch = pytest.importorskip("torch")
        with pytest.raises(InvalidLogitsError, match=r"dtype torch.int64"):
            measure(torch.zeros(3, dtype=torch.int64), "entropy")
        with pytest.raises(InvalidLogitsError, match="logits on meta"):
            measure(torch.zeros(3, device="meta"), "entropy")

    def test_a_backend_that_does_not_exist(self):
        with pytest.raises(
            ValueError, match="backend 'gpu' was given; there are reference, cpu, torch, triton, array_api"
        ):
            measure(np.zeros(3), "entropy", backend="gpu")


def measure_at(rows, backend, position):
    return temperatures(rows, "0.1 + entropy", backend=backend, position=position)


class TestTemperatures:
    POLICIES = (
        "0.1 + 0.8*entropy", "0.5 - 0.4*max_prob", "0.8 * 0.8**(1.5/entropy)",
        "lerp(0.3, 1.3, normalized_entropy**1.5)",
        "clip(0.85*varentropy + margin - median_prob, 0.05, 2)", "where(support > 100, collision, perplexity)",
        "temperature_for_entropy(0.85*entropy)", *LEARNED,
    )  # fmt: skip

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    @pytest.mark.parametrize("text", POLICIES)
    def test_equal_the_policy_at_the_backends_own_signals(self, backend, dtype, text):
        policy = Policy(text)
        rows = np.random.default_rng(4).normal(0, 3, (20, 1000)).astype(dtype)
        named = [one for one in policy.signals if one.name != "position"]
        signals = measure(rows, *named, backend=backend) if named else {}
        tolerance, _ = TEMPERATURE_TOLERANCE[dtype]

        found = temperatures(rows, policy, backend=backend, position=3)
        expected = np.broadcast_to(policy.step(signals, position=3), found.shape)  # one, where it reads no row
        np.testing.assert_allclose(found, expected, rtol=tolerance)

    def test_an_infinite_exponent_is_not_a_nan(self, backend):
        found = temperatures(np.array([[0.0, -inf], [0.0, 0.0]]), "0.8**(1/entropy)", backend=backend)

        assert found.tolist() == [0, pytest.approx(0.8 ** (1 / log(2)))]


class TestTemperatureForEntropy:
    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_the_row_has_that_entropy_at_that_temperature(self, backend, dtype):
        """Compared as entropies: a flat row has it at a wide range of temperatures."""
        rng = np.random.default_rng(8)
        for name, row in edge_rows(dtype).items():
            z = np.asarray(row).astype(np.float64)
            z = z[z > LOWEST[dtype] / 2]
            with np.errstate(over="ignore"):
                z = z - z.max()
            ties, most = log((z == 0).sum()), log(len(z))
            if most - ties < 1e-3 or len(row) > 20_000 or np.ptp(z) > 1e4 or np.ptp(z) < 1e-30:
                continue
            target = ties + (most - ties) * rng.choice([0.05, 0.5, 0.95])
            found = float(temperatures(row, f"temperature_for_entropy({float(target)!r})", backend=backend))

            assert stats.entropy(special.softmax(z / found)) == pytest.approx(
                target, rel=TOLERANCE[dtype][0], abs=1e-5 if dtype == "float32" else 1e-11
            ), name

    def test_targets_that_do_not_exist_give_the_nearest_end(self, backend):
        rows = np.array([[1.0, 1.0, 0.0, -inf]] * 5)
        targets = [0.0, log(2) - 1e-9, log(2), log(3), 5.0]
        found = [float(temperatures(rows[0], f"temperature_for_entropy({t!r})", backend=backend)) for t in targets]

        assert found == [0, 0, 0, inf, inf]

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_a_temperature_beyond_the_dtype_stays_within_it(self, backend, dtype):
        row = np.array([0.0, -1e38 if dtype == "float32" else -1e306], dtype)
        found = float(temperatures(row, "temperature_for_entropy(0.69)", backend=backend))

        assert 1e36 < found < (1e40 if dtype == "float32" else 1e309)

    def test_entropy_itself_gives_one(self, backend):
        rows = np.random.default_rng(8).normal(0, 3, (10, 500))

        np.testing.assert_allclose(
            temperatures(rows, "temperature_for_entropy(entropy)", backend=backend), 1, rtol=1e-9
        )

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_the_temperature_moves_with_the_scale_of_the_row(self, backend, dtype):
        row = np.random.default_rng(8).normal(0, 1, 300).astype(dtype)
        for factor in (2.0**-20, 0.5, 8.0, 2.0**10):
            found = float(temperatures(row * dtype_of(dtype)(factor), "temperature_for_entropy(3)", backend=backend))
            one = float(temperatures(row, "temperature_for_entropy(3)", backend=backend))

            assert found == pytest.approx(one * factor, rel=1e-5 if dtype == "float32" else 1e-10)

    @pytest.mark.parametrize("text", ["temperature_for_entropy(1/entropy)", "temperature_for_entropy(log(entropy))"])
    def test_infinite_targets(self, backend, text):
        found = temperatures(np.array([[0.0, -inf], [0.0, 0.0]]), text, backend=backend)

        assert found[0] == (inf if "1/" in text else 0)


def dtype_of(name):
    return np.float32 if name == "float32" else np.float64


class TestScale:
    ROW = np.array([1.0, 3.0, -inf, 3.0, 2.0])

    @every_dtype
    @pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 2.0, 100.0])
    def test_has_the_softmax_at_the_temperature(self, backend, dtype, temperature):
        rng = np.random.default_rng(1)
        row = as_dtype(rng.normal(0, 3, 400), dtype)
        row[::3] = -inf
        before = row.copy()
        found = scale(row, temperature, backend=backend)
        expected = special.softmax(np.asarray(row).astype(np.float64) / temperature)
        loose = {"float16": 2e-2, "bfloat16": 0.15}.get(dtype, 1e-5)  # quotients of up to 200, rounded to the dtype

        assert found.dtype == row.dtype
        np.testing.assert_allclose(
            special.softmax(found.astype(np.float64)), expected, rtol=loose * max(1, 0.5 / temperature), atol=1e-12
        )
        np.testing.assert_array_equal(before, row)
        assert np.isneginf(found.astype(np.float64)[::3]).all()

    @every_dtype
    @pytest.mark.parametrize("temperature", [0, 1e-6, 1e-7, 1e-300, 5e-324])
    def test_zero_and_nearly_zero_keep_the_lowest_index_among_the_maxima(self, backend, dtype, temperature):
        found = scale(as_dtype(self.ROW, dtype), temperature, backend=backend)

        assert found.astype(np.float64).tolist() == [-inf, 0, -inf, -inf, -inf]

    @every_dtype
    @pytest.mark.parametrize("policy", ["exp(1000)", "1/0"])
    def test_infinity_is_uniform_over_the_support(self, backend, dtype, policy):
        found = scale(as_dtype(self.ROW, dtype), policy, backend=backend)

        assert found.astype(np.float64).tolist() == [0, 0, -inf, 0, 0]

    @pytest.mark.parametrize("temperature", [1e10, 1e38, 1e39, 1e300])
    def test_the_hottest_finite_ones(self, backend, temperature):
        found = scale(self.ROW.astype(np.float32), temperature, backend=backend)

        assert np.isneginf(found[2])
        np.testing.assert_allclose(special.softmax(found), [0.25, 0.25, 0, 0.25, 0.25], atol=1e-6)

    @every_dtype
    def test_a_quotient_that_would_overflow_is_moved(self, backend, dtype):
        high = {"float16": 6e4}.get(dtype, 3e38 if dtype != "float64" else 1.7e308)
        row = as_dtype(np.array([high, high, 0.0, -inf]), dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = scale(row, 0.01, backend=backend).astype(np.float64)

        assert found[:2].tolist() == [0, 0]
        assert not np.isnan(found).any()
        assert special.softmax(found).tolist() == [0.5, 0.5, 0, 0]

    def test_rows_have_their_own_temperatures(self, backend):
        rows = np.log(np.array([[0.1, 0.9], [0.5, 0.5]]))
        found = scale(rows, "entropy", backend=backend)
        t = temperatures(rows, "entropy", backend=backend)

        np.testing.assert_allclose(found, rows / t[:, None], rtol=1e-15)

    def test_arguments_that_do_not_exist(self):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            scale(np.zeros(3), 1, temperature=3)


def test_quantile_bound_counts_what_is_no_smaller():
    """The kernels and the range of the signal count alike."""
    for n in (2, 3, 10, 999):
        for q in (0.0, 0.25, 0.5, 0.9, 1.0):
            row = np.zeros(n)
            for backend in ("reference", "cpu"):
                value = float(measure(row, f"quantile({q})", backend=backend)[f"quantile({q:g})"])

                assert value <= 1 / (n - ceil(q * (n - 1)))
                assert value == pytest.approx(1 / n)


def test_bfloat16_rows_are_read_from_their_bits():
    rows = as_rows(as_dtype([1.5, -2.0, inf], "bfloat16"))

    assert rows.dtype == "bfloat16"
    assert rows.widened(0).tolist() == [1.5, -2.0, inf]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_rows_are_scaled_where_they_lie_and_a_temperature_of_nan_leaves_one_as_it_is(dtype, backend):
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 5, (6, 5000)).astype(dtype)
    rows[2, ::3], rows[3, 7], rows[5, 9] = -np.inf, np.nan, np.finfo(dtype).max / 2  # the last is beyond the dtype
    t = np.array([0.7, np.inf, 0.0, np.nan, 1.5, 0.1])
    policies = [0.7, "1/0", 0.0, None, 1.5, 0.1]
    expected = np.stack([row if policy is None else scale(row, policy, backend="reference")
                         for row, policy in zip(rows, policies, strict=True)])  # fmt: skip
    chosen, tensors = backend_of(rows, backend), backend == "torch"
    t = torch_of(t) if tensors else t
    wide = np.zeros((6, 5100), dtype)
    for place in (rows.copy(), wide[:, 50:5050]):  # as a host hands them over: together, or a part of something wider
        place[:] = rows
        given = torch_of(place) if tensors else place

        assert chosen.scale(given, t, out=given) is given
        np.testing.assert_allclose(place, expected, rtol=1e-3 if dtype == "float16" else 3e-7)
    assert wide[:, :50].tolist() == np.zeros((6, 50)).tolist()
    fresh = np.full_like(rows, 9)
    chosen.scale(torch_of(rows) if tensors else rows, t, out=torch_of(fresh) if tensors else fresh)

    np.testing.assert_allclose(fresh, expected, rtol=1e-3 if dtype == "float16" else 3e-7)


def test_a_place_of_another_shape_and_a_broken_row_write_nowhere_else():
    chosen, rows = backend_of(np.zeros((1, 2)), "cpu"), np.zeros((2, 5), np.float32)
    with pytest.raises(ValueError, match=r"shape \(2, 5\), to be written to \(1, 5\)"):
        chosen.scale(rows, np.ones(2), out=np.zeros((1, 5), np.float32))
    with pytest.raises(ValueError, match="3 temperatures"):
        chosen.scale(rows, np.ones(3))
    wide = np.full((2, 5), np.nan, np.float32)
    wide[1] = 1
    chosen.scale(wide[:1], np.zeros(1), out=wide[:1])

    assert wide[1].tolist() == [1] * 5


@pytest.mark.torch
def test_temperatures_of_the_host_follow_the_rows_to_their_device(monkeypatch):
    torch = pytest.importorskip("torch")
    from dyntemp.kernels.torch import backend

    moved = []
    original = backend.to_device
    monkeypatch.setattr(backend, "to_device", lambda array, device: moved.append(device) or original(array, device))
    rows = torch.zeros((2, 5))
    backend.scale(rows, np.full(2, np.nan))

    assert moved == [rows.device]


def torch_of(array):
    """A tensor in the memory of `array`."""
    return pytest.importorskip("torch").from_numpy(array)
