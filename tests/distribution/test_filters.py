"""Truncation: exact sets of small distributions, ties, order, and what each filter reads."""

import numpy as np
import pytest

from dyntemp import Policy, sample
from dyntemp.distribution.filters import Filters, check_fixed
from dyntemp.distribution.truncation import keep_top_p
from dyntemp.kernels.cpu import backend as cpu
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import as_rows

P = np.array([0.1, 0.2, 0.3, 0.4])  # the distribution of llama.cpp's own sampler tests


def left(p, **settings):
    with np.errstate(divide="ignore"):
        return np.flatnonzero(Filters(**settings).mask(np.log(np.asarray(p, np.float64)))).tolist()


@pytest.mark.parametrize(
    ("k", "kept"), [(0, [0, 1, 2, 3]), (1, [3]), (2, [2, 3]), (3, [1, 2, 3]), (4, [0, 1, 2, 3]), (99, [0, 1, 2, 3])]
)
def test_top_k(k, kept):
    assert kept == left(P, top_k=k)


@pytest.mark.parametrize(
    ("share", "kept"),
    [
        (1e-9, [3]),
        (0.4, [3]),
        (0.41, [2, 3]),
        (0.7, [2, 3]),
        (0.8, [1, 2, 3]),
        (0.89, [1, 2, 3]),
        (0.91, [0, 1, 2, 3]),
        (1, [0, 1, 2, 3]),
    ],
)
def test_top_p(share, kept):
    assert kept == left(P, top_p=share)


@pytest.mark.parametrize(
    ("share", "kept"),
    [
        (0, [0, 1, 2, 3]),
        (0.24, [0, 1, 2, 3]),
        (0.26, [1, 2, 3]),
        (0.49, [1, 2, 3]),
        (0.51, [2, 3]),
        (0.74, [2, 3]),
        (0.76, [3]),
        (1, [3]),
    ],
)
def test_min_p(share, kept):
    assert kept == left(P, min_p=share)


class TestTies:
    def test_go_to_the_lower_index(self):
        assert left([0.25] * 4, top_k=2) == [0, 1]
        assert left([0.2, 0.4, 0.2, 0.2], top_k=2) == [0, 1]
        assert left([0.2, 0.2, 0.2, 0.4], top_k=3) == [0, 1, 3]
        assert left([0.25] * 4, top_p=0.5) == [0, 1]
        assert left([0.2, 0.2, 0.2, 0.4], top_p=0.7) == [0, 1, 3]

    def test_min_p_keeps_all_of_them(self):
        assert left([0.25] * 4, min_p=1) == [0, 1, 2, 3]

    @pytest.mark.parametrize("k", [1, 2, 7, 500, 999])
    def test_exactly_k_stay(self, k):
        p = np.random.default_rng(k).integers(1, 4, 1000).astype(float)

        kept = left(p, top_k=k)

        assert k == len(kept)
        assert kept == sorted(np.argsort(-p, kind="stable")[:k].tolist())


class TestOrder:
    def test_each_reads_what_the_one_before_left(self):
        """Of the two that top-k leaves, .4 is 57 % of the mass; of all four it is 40 %."""
        assert left(P, top_k=2, top_p=0.5) == [3]
        assert left(P, top_p=0.5) == [2, 3]

    def test_all_three(self):
        assert left(P, top_k=3, top_p=0.85, min_p=0.8) == [3]
        assert left(P, top_k=3, top_p=0.85, min_p=0.7) == [2, 3]

    def test_what_is_out_stays_out(self):
        assert left([0.5, 0.0, 0.5, 0.0], top_k=3) == [0, 2]
        assert left([0.5, 0.0, 0.5, 0.0], top_p=0.999) == [0, 2]
        assert left([0.5, 0.0, 0.5, 0.0], min_p=1e-300) == [0, 2]

    @pytest.mark.parametrize(
        "settings", [{"top_k": 1}, {"top_p": 1e-12}, {"min_p": 1.0}, {"top_k": 1, "top_p": 1e-12, "min_p": 1.0}]
    )
    def test_one_always_stays(self, settings):
        assert left([0.0, 1e-300, 0.0], **settings) == [1]
        assert left([0.0, 0.7, 0.3], **settings) == [1]


class TestWideNuclei:
    """The formula by a full sort of its own; the kernels by halving an interval."""

    @pytest.mark.parametrize("n", [1023, 1024, 1025, 5_000, 16_384, 16_385, 40_000])
    @pytest.mark.parametrize("share", [0.5, 0.999])
    def test_are_those_of_a_full_sort(self, n, share):
        p = np.random.default_rng(n).gamma(2.0, 1.0, n)
        p /= p.sum()
        order = np.argsort(-p, kind="stable")
        size = int(np.searchsorted(np.cumsum(p[order]), share * p.sum())) + 1

        assert np.flatnonzero(keep_top_p(p, p, share)).tolist() == sorted(order[:size].tolist())

    def test_uniform(self):
        p = np.full(20_000, 1 / 20_000)

        assert abs(np.count_nonzero(keep_top_p(p, p, 0.9)) - 18_000) <= 1
        assert keep_top_p(p, p, 0.9)[:17_999].all()

    def test_with_most_of_it_out(self):
        p = np.zeros(20_000)
        p[[5, 15_000]] = 0.5

        assert np.flatnonzero(keep_top_p(p, p, 0.999)).tolist() == [5, 15_000]
        assert np.flatnonzero(keep_top_p(p, p, np.nextafter(1, 0))).tolist() == [5, 15_000]


def test_filters_leave_their_input_alone():
    z = np.log(P)
    before = z.copy()
    Filters(2, 0.8, 0.5).mask(z, 0.7)

    assert z.tolist() == before.tolist()


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"top_k": -1}, "top_k = -1 was given; a whole number of at least 1"),
        ({"top_k": 2.5}, "top_k = 2.5"),
        ({"top_k": True}, "top_k = True"),
        ({"top_p": 0}, "top_p = 0 was given; it lies above 0"),
        ({"top_p": 1.1}, "top_p = 1.1"),
        ({"top_p": float("nan")}, "top_p = nan"),
        ({"min_p": -0.1}, "min_p = -0.1 was given; it lies from 0"),
        ({"min_p": 1.1}, "min_p = 1.1"),
        ({"min_p": float("nan")}, "min_p = nan"),
        ({"at": "logits"}, 'filter_at = \'logits\' was given; "model" and "temperature" are allowed'),
    ],
)
def test_settings_are_checked(settings, fragment):
    with pytest.raises(ValueError) as caught:
        Filters(**settings)

    assert fragment in str(caught.value)


def test_whole_numbers_of_any_kind_count():
    assert Filters(top_k=2.0) == Filters(top_k=2) == Filters(top_k=np.int64(2))
    assert left(P, top_k=2.0) == [2, 3]


def test_inactive_filters():
    assert not Filters().active
    assert not Filters(0, 1.0, 0.0).active
    assert all(Filters(**s).active for s in ({"top_k": 1}, {"top_p": 0.99}, {"min_p": 0.01}))


class TestSampling:
    LOGITS = np.log(P)

    def candidates(self, temperature, backend, **settings):
        return int(sample(self.LOGITS, temperature, seed=1, backend=backend, **settings).candidates)

    def test_probabilities_at_temperature_one_decide_what_stays(self, backend):
        for temperature in (0.1, 1.0, 5.0, "exp(1000)", 0.0):
            assert self.candidates(temperature, backend, top_p=0.65) == 2
            assert self.candidates(temperature, backend, min_p=0.6) == 2
            assert self.candidates(temperature, backend, top_k=3) == 3

    def test_or_those_after_it(self, backend):
        """At T = 0.2 the largest has 76 %; at infinity all are alike; at 0 one is left."""
        at = {"filter_at": "temperature"}

        assert self.candidates(0.2, backend, top_p=0.65, **at) == 1
        assert self.candidates("exp(1000)", backend, top_p=0.65, **at) == 3
        assert self.candidates("exp(1000)", backend, min_p=1.0, **at) == 4
        assert self.candidates(0.0, backend, min_p=0.01, **at) == 1
        assert self.candidates(5.0, backend, min_p=0.6, **at) == 4

    def test_signals_read_the_row_before_it(self, backend):
        drawn = sample(self.LOGITS, "0.1 + entropy", seed=1, top_k=1, backend=backend)

        assert float(drawn.signals["entropy"]) == pytest.approx(1.2798542258336676)
        assert float(drawn.temperature) == pytest.approx(1.3798542258336676)

    def test_only_what_stays_is_drawn_and_in_proportion(self, backend):
        rows = np.tile(self.LOGITS, (4_000, 1))
        drawn = sample(rows, 1.0, seed=3, top_k=3, top_p=0.75, backend=backend)
        share = np.bincount(drawn.token, minlength=4) / 4_000

        assert share[:2].tolist() == [0, 0]
        assert share[2:] == pytest.approx([3 / 7, 4 / 7], abs=0.03)
        assert set(drawn.candidates.tolist()) == {2}

    def test_masked_entries_never_come_back(self, backend):
        row = np.array([-np.inf, 0.0, -np.inf, -50.0])
        for settings in ({"top_k": 3}, {"top_p": 0.9999}, {"min_p": 1e-30}):
            drawn = sample(np.tile(row, (200, 1)), "exp(1000)", seed=1, backend=backend, **settings)

            assert set(drawn.token.tolist()) <= {1, 3}

    def test_extreme_rows_pass_through_without_a_warning(self, backend):
        row = np.array([-1.6e38, 3e38, 0.0, -np.inf], np.float32)

        assert int(sample(row, 1.0, seed=1, top_k=2, backend=backend).token) == 1

    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
    def test_every_dtype(self, backend, dtype):
        drawn = sample(self.LOGITS.astype(dtype), 1.0, seed=1, top_k=2, top_p=0.99, min_p=0.1, backend=backend)

        assert int(drawn.candidates) == 2


def test_exactly_k_are_kept_however_far_below_the_maximum():
    row = np.array([0.0, -2000.0, -1000.0, -3000.0, -np.inf], np.float32)

    assert [0, 1, 2] == np.flatnonzero(Filters(top_k=3).mask(row)).tolist()
    assert {0, 1, 2} == {int(sample(row, "1/0", top_k=3, seed=seed).token) for seed in range(60)}


class TestWhatIsLeft:
    """The kernels find it by selection; here it is compared with the formulas, entry by entry."""

    @staticmethod
    def left_by_kernel(row, filters, temperature):
        outcome = cpu.run(row[None], Job((Policy(temperature),), draw=True, filters=filters, seed=1))
        kept = as_rows(row[None]).kept(0, outcome.cut, outcome.last)
        assert np.count_nonzero(kept > -np.inf) == outcome.candidates[0]
        assert kept[outcome.token[0]] > -np.inf
        return kept > -np.inf

    @pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
    @pytest.mark.parametrize("at", ["model", "temperature"])
    def test_of_random_rows(self, dtype, at):
        rng = np.random.default_rng(5)
        differ = 0
        for _ in range(120):
            n = int(rng.choice([1, 2, 17, 300, 2048, 5000, 40_000], p=[0.1, 0.1, 0.1, 0.3, 0.1, 0.2, 0.1]))
            row = rng.normal(0, np.exp(rng.uniform(-3, 2)), n)
            if rng.random() < 0.4:  # many equal ones
                row = np.round(row * 4) / 4
            if rng.random() < 0.3:
                row[rng.random(n) < 0.7] = -np.inf
                row[rng.integers(n)] = 0.0
            row = row.astype(dtype)
            filters = Filters(
                int(rng.choice([0, 0, 1, 2, 40, 1000, 39_999])), float(rng.choice([1.0, 1e-9, 0.3, 0.9, 0.999])),
                float(rng.choice([0, 0, 1e-300, 0.02, 0.5, 1])), at,
            )  # fmt: skip
            temperature = float(rng.choice([0.0, 0.3, 1.0, 1.7, 50.0]))
            expected = filters.mask(row.astype(np.float64), temperature)
            found = self.left_by_kernel(row, filters, temperature)
            differ += np.count_nonzero(found != expected) > (0 if dtype == np.float64 else 3 + n / 2000)
            if filters.top_p == 1:  # counts and thresholds are exact; sums are rounded
                np.testing.assert_array_equal(expected, found)

        assert differ == 0

    @pytest.mark.parametrize("k", [1, 900, 7_000, 20_000, 39_990])
    def test_of_ties_at_any_depth_of_a_long_row(self, k):
        row = np.round(np.random.default_rng(k).normal(0, 3, 40_000) * 4) / 4
        found = self.left_by_kernel(row.astype(np.float32), Filters(k), 1.0)

        np.testing.assert_array_equal(Filters(k).mask(row), found)

    def test_of_equal_entries(self):
        for n in (4, 300, 20_000):
            row = np.zeros(n, np.float32)
            for filters, size in ((Filters(3), 3), (Filters(0, 0.5), n // 2), (Filters(0, 1.0, 1.0), n)):
                found = self.left_by_kernel(row, filters, 1.0)

                assert np.flatnonzero(found).tolist() == list(range(size))

    def test_of_two_levels(self):
        """More equal entries than are sorted, above and below."""
        row = np.zeros(20_000, np.float32)
        row[5_000:8_000] = 1.0
        for share in (0.1, 0.5, 0.9):
            filters = Filters(0, share)
            np.testing.assert_array_equal(filters.mask(row.astype(np.float64)), self.left_by_kernel(row, filters, 1.0))

    @pytest.mark.parametrize("scale", [1e-304, 5e-324, 1e-300, 1e300])
    def test_of_entries_as_close_or_far_apart_as_numbers_get(self, scale):
        row = np.arange(1000) * scale
        for filters in (Filters(0, 0.5), Filters(0, 0.5, 0.0, "temperature"), Filters(3), Filters(0, 1.0, 0.5)):
            np.testing.assert_array_equal(filters.mask(row), self.left_by_kernel(row, filters, 1.0))

    def test_of_distances_that_overflow(self):
        row = np.full(1000, -8e307)
        row[:300] = 1.7e308
        drawn = [sample(row, "exp(1000)", seed=1, top_p=0.5, filter_at="temperature", backend=backend)
                 for backend in ("reference", "cpu")]  # fmt: skip

        assert int(drawn[0].candidates) == int(drawn[1].candidates) == 500

    @pytest.mark.parametrize("share", [1.0, 1 - 1e-16, 0.5, 5e-324])
    @pytest.mark.parametrize("temperature", [1.0, 1e30])
    def test_of_probabilities_that_round_alike(self, share, temperature):
        for row in (np.float32([0, -1e-20, -1, -744.9, -744.5]), np.linspace(-3, 0, 500, dtype=np.float32)):
            filters = Filters(0, 1.0, share, "temperature")
            np.testing.assert_array_equal(
                filters.mask(row.astype(np.float64), temperature), self.left_by_kernel(row, filters, temperature)
            )

    def test_where_numbers_too_small_count_as_zero(self):
        """A setting that PyTorch and others turn on: the least number below 0 equals it then."""
        torch = pytest.importorskip("torch")
        row = np.random.default_rng(1).normal(size=3000).astype(np.float32)
        row -= row.max()
        torch.set_flush_denormal(True)
        try:
            found = [self.left_by_kernel(row, filters, 1.0) for filters in (Filters(1), Filters(0, 1.0, 1.0))]
        finally:
            torch.set_flush_denormal(False)

        assert [np.flatnonzero(left).tolist() for left in found] == [[int(row.argmax())]] * 2

    def test_of_more_than_there_are(self):
        assert self.left_by_kernel(np.zeros(5, np.float32), Filters(2**70), 1.0).all()


def test_chains_that_read_the_temperature_or_draw_a_coin_are_not_fixed():
    for text in ("", "min_p(0.1), temperature, top_k(5)", "typical(0.5), temperature, top_n_sigma(1)"):
        check_fixed(Filters.read(text), "a gradient")
    for text, reason in (("temperature, min_p(0.1)", "stand before `temperature`"), ("xtc(0.1, 0.5)", "no coin")):
        with pytest.raises(ValueError, match=f"a gradient needs .*{reason}"):
            check_fixed(Filters.read(text), "a gradient")
