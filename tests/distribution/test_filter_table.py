"""Each filter on the distributions of other programs' own tests, chains of them, and their text."""

from math import exp, inf, log

import numpy as np
import pytest
from scipy.stats import entropy

from dyntemp.distribution.filter_table import FILTERS
from dyntemp.distribution.filters import Filters, filters_of

P = [0.1, 0.2, 0.3, 0.4]
EXAMPLES = {
    "top_k": "top_k(2)", "top_p": "top_p(0.6)", "min_p": "min_p(0.1)", "top_n_sigma": "top_n_sigma(1)",
    "typical": "typical(0.6)", "eta": "eta(0.1)", "epsilon": "epsilon(0.05)", "top_a": "top_a(0.3)", "tfs": "tfs(0.8)",
    "xtc": "xtc(0.1, 0.5)", "p_less": "p_less", "top_h": "top_h(0.5)",
}  # fmt: skip
RNG = np.random.default_rng(7)
ROWS = [
    *(RNG.normal(0, spread, n) for spread in (0.01, 1, 3, 10) for n in (1, 2, 3, 50, 700)),
    *(np.round(RNG.normal(0, 2, n)) for n in (2, 5, 300)),
    np.where(RNG.random(300) < 0.7, -inf, RNG.normal(0, 3, 300)),
    np.zeros(9), np.array([0.0, -inf, -inf]), np.array([-2000.0, 0.0, -1000.0]), np.array([0.0, -1.0, -inf, -1.0]),
]  # fmt: skip


def left(p, chain, temperature=1.0, coin=0.5):
    with np.errstate(divide="ignore"):
        z = np.log(np.asarray(p, np.float64))
    return np.flatnonzero(Filters.read(chain).mask(z, temperature, lambda number: coin)).tolist()


@pytest.mark.parametrize(
    ("p", "chain", "kept"),
    [
        # tests/test-sampling.cpp of llama.cpp
        (P, "top_n_sigma(1)", [2, 3]),
        (P, "top_n_sigma(0)", [0, 1, 2, 3]),
        (P, "top_n_sigma(3)", [0, 1, 2, 3]),
        ([0.97, 0.01, 0.01, 0.01], "typical(0.5)", [0]),
        ([0.4, 0.2, 0.2, 0.2], "typical(0.5)", [1, 2, 3]),
        ([0.4, 0.3, 0.2, 0.1], "xtc(0.09, 0.99)", [3]),
        ([0.4, 0.3, 0.2, 0.1], "xtc(0.19, 0.99)", [2, 3]),
        ([0.4, 0.3, 0.2, 0.1], "xtc(0.29, 0.99)", [1, 2, 3]),
        ([0.4, 0.3, 0.2, 0.1], "xtc(0.39, 0.99)", [0, 1, 2, 3]),
        ([0.1, 0.15, 0.2, 0.25, 0.3], "p_less", [3, 4]),
        ([0.2] * 5, "p_less", [0, 1, 2, 3, 4]),
        # tests/generation/test_logits_process.py of transformers
        ([0.97, 0.01, 0.01, 0.01], "top_h(0.3)", [0]),
        ([0.4, 0.3, 0.2, 0.1], "top_h(0.7)", [0, 1]),
        ([0.25] * 4, "top_h(1)", [0, 1, 2, 3]),
        ([0.75, 0.25, 0, 0], "top_h(0.4)", [0]),
        ([0.9, 0.0274, 0.047, 0.0274], "min_p(0.05)", [0, 2]),
        ([0.87, 0.099, 0.001, 0.03], "epsilon(0.1)", [0]),
        ([0.4, 0.299, 0.101, 0.2], "epsilon(0.1)", [0, 1, 2, 3]),
        ([0, 0.1, 0.8, 0.1], "eta(0.0625)", [1, 2, 3]),
        ([0.01, 0.04, 0.9, 0.05], "eta(0.0625)", [2]),
        ([0.3, 0.1, 0.1, 0.5], "top_p(0.8)", [0, 3]),
        ([0.15, 0.3, 0.3, 0.25], "top_p(0.8)", [1, 2, 3]),
        # by hand
        (P, "top_a(0.62)", [0, 1, 2, 3]),  # 0.62 * 0.16 = 0.0992
        (P, "top_a(0.63)", [1, 2, 3]),
        (P, "epsilon(0.5)", [3]),
        ([0.25] * 4, "epsilon(0.9)", [0, 1, 2, 3]),
        ([0.5, 0.3, 0.15, 0.05], "tfs(0.2)", [0]),  # bends 0.05 and 0.05
        ([0.5, 0.3, 0.15, 0.05], "tfs(0.6)", [0, 1]),
        ([0.5, 0.3, 0.15, 0.05], "tfs(0.9999)", [0, 1]),
        ([0.5, 0.5], "tfs(0.1)", [0, 1]),
    ],
)
def test_values(p, chain, kept):
    assert kept == left(p, chain)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{len(row)}")
@pytest.mark.parametrize("name", FILTERS)
class TestEveryFilter:
    def mask(self, row, name, temperature=1.0, coin=0.1):
        return Filters.read(EXAMPLES[name]).mask(row, temperature, lambda number: coin)

    def test_keeps_an_entry_and_no_masked_one(self, row, name):
        kept = self.mask(row, name)

        assert kept.any()
        assert not kept[row == -inf].any()

    def test_is_the_same_where_a_constant_or_a_masked_entry_is_added(self, row, name):
        """The constant is a power of two, so that quantised logits stay apart by what they were."""
        exact = np.round(row * 2**20) / 2**20
        kept = self.mask(exact, name)

        np.testing.assert_array_equal(kept, self.mask(exact + 64.0, name))
        np.testing.assert_array_equal([False, *kept], self.mask(np.concatenate([[-inf], exact]), name))

    def test_a_cut_keeps_the_likeliest(self, row, name):
        kept = self.mask(row, name)
        if FILTERS[name].cut:
            order = np.argsort(-row, kind="stable")
            assert kept[order[: np.count_nonzero(kept)]].all()

    def test_is_greedy_after_a_temperature_of_zero(self, row, name):
        kept = Filters.read(f"temperature, {EXAMPLES[name]}").mask(row, 0.0, lambda number: 0.1)

        assert np.flatnonzero(kept).tolist() == [int(row.argmax())]


class TestFormulas:
    """The published formulas, written once more in another way."""

    @pytest.fixture(params=range(6))
    def p(self, request):
        p = np.random.default_rng(request.param).gamma(0.3, size=60) + 1e-6
        return p / p.sum()

    def test_top_h(self, p):
        order = np.argsort(-p)
        count = sum(entropy(p[order[:k]]) <= 0.6 * entropy(p) for k in range(1, 61))

        assert sorted(order[:count].tolist()) == left(p, "top_h(0.6)")

    def test_eta(self, p):
        bound = min(0.02, 0.02**0.5 * exp(-entropy(p)))

        assert np.flatnonzero(p >= bound).tolist() == left(p, "eta(0.02)")

    def test_typical(self, p):
        near = sorted(range(60), key=lambda at: abs(-log(p[at]) - entropy(p)))
        count = next(k for k in range(1, 61) if p[near[:k]].sum() >= 0.7)

        assert sorted(near[:count]) == left(p, "typical(0.7)")

    def test_tail_free(self, p):
        falling = np.sort(p)[::-1]
        bends = [abs(falling[k] - 2 * falling[k + 1] + falling[k + 2]) for k in range(58)]
        count = 1 + sum(sum(bends[: k + 1]) <= 0.9 * sum(bends) for k in range(58))

        assert sorted(np.argsort(-p)[:count].tolist()) == left(p, "tfs(0.9)")

    def test_top_n_sigma(self, p):
        z = np.log(p)
        sigma = (((z - z.mean()) ** 2).mean()) ** 0.5

        assert np.flatnonzero(z >= z.max() - 0.8 * sigma).tolist() == left(p, "top_n_sigma(0.8)")


class TestChains:
    def test_each_filter_reads_what_the_one_before_left(self):
        """Of what top-k leaves, 0.4 is 57 %; alone, no filter would leave it alone."""
        assert [3] == left(P, "top_k(2), epsilon(0.5)")
        assert [2, 3] == left(P, "top_k(2), epsilon(0.42)")
        assert [2] == left(P, "top_p(0.7), xtc(0.2, 1)")
        assert [1, 2] == left(P, "xtc(0.35, 1), typical(0.5), top_k(2)")

    def test_order_counts(self):
        assert [0, 1] == left(P, "xtc(0.15, 1), top_k(2)")
        assert [2] == left(P, "top_k(2), xtc(0.15, 1)")

    def test_filters_after_the_temperature_read_its_probabilities(self):
        assert [3] == left(P, "temperature, epsilon(0.3)", 0.2)
        assert [2, 3] == left(P, "epsilon(0.3)", 0.2)
        assert [0, 1, 2, 3] == left(P, "temperature, epsilon(0.25)", inf)
        assert [3] == left(P, "top_k(3), temperature, epsilon(0.2), p_less")

    def test_top_n_sigma_is_the_same_at_every_temperature(self):
        for temperature in (0.1, 1.0, 7.0, inf):
            assert [2, 3] == left(P, "temperature, top_n_sigma(1)", temperature)

    def test_the_coin_of_xtc_decides(self):
        assert [0, 1, 2, 3] == left(P, "xtc(0.1, 0.5)", coin=0.5)
        assert [0] == left(P, "xtc(0.1, 0.5)", coin=0.49)

    def test_of_equal_choices_xtc_keeps_the_lower_index(self):
        assert [0] == left([0.25] * 4, "xtc(0.1, 1)")
        assert [1, 3] == left([0.4, 0.2, 0.2, 0.01], "xtc(0.1, 1)")


class TestText:
    @pytest.mark.parametrize(
        ("text", "same"),
        [
            ("top_k(40), min_p(0.05), temperature, xtc(0.1, 0.5)", None),
            (" top_k( 40 ) ,p_less , temperature", "top_k(40), p_less"),
            ("p_less()", "p_less"),
            ("temperature,tfs(.5)", "temperature, tfs(0.5)"),
            ("top_p(0.1234567890123456), top_k(9007199254740993)", None),
            ("top_k(0), top_p(1), min_p(0), xtc(0.1, 0), temperature", ""),
            ("", None),
        ],
    )
    def test_of_a_chain_is_read_back(self, text, same):
        chain = Filters.read(text)

        assert (text if same is None else same) == str(chain)
        assert chain == Filters.read(str(chain))

    @pytest.mark.parametrize(
        ("text", "fragment"),
        [
            ("top_k", "top_k was given 0 numbers; write it as `top_k(k)`"),
            ("top_k(1, 2)", "top_k was given 2 numbers"),
            ("top_q(1)", "the filter 'top_q' was given; there are top_k, top_p,"),
            ("top_k(1) top_p(0.5)", "cannot be read from 'top_k(1) top_p(0.5)' on: write filters such as"),
            ("temperature, temperature", "they name `temperature` once"),
            ("temperature(2)", "without numbers"),
            ("min_p(x)", "min_p(x) was given; write it as `min_p(p)`, with numbers"),
            ("xtc(2, 0.5)", "xtc's threshold = 2 was given; it lies from 0 to 1"),
            ("top_n_sigma(-1)", "top_n_sigma = -1 was given; it lies from 0, where it keeps all, on"),
            ("epsilon(nan)", "epsilon = nan was given"),
            ("top_h(1.5)", "top_h = 1.5 was given; it lies above 0 and at most at 1, where it keeps all"),
        ],
    )
    def test_that_is_none_is_refused(self, text, fragment):
        with pytest.raises(ValueError) as caught:
            Filters.read(text)

        assert fragment in str(caught.value)

    def test_the_short_form_is_a_chain(self):
        short = Filters(40, 0.9, 0.05, "temperature")

        assert "temperature, top_k(40), top_p(0.9), min_p(0.05)" == str(short)
        assert short == Filters.read(str(short))
        assert {"top_k": 40, "top_p": 0.9, "min_p": 0.05, "at": "temperature"} == short.short
        read = Filters.read("min_p(0.05)")
        assert (0, 1.0, 0.05, "model") == (read.top_k, read.top_p, read.min_p, read.at)

    @pytest.mark.parametrize("text", ["min_p(0.1), top_k(3)", "top_k(3), temperature, min_p(0.1)", "top_k(3), top_k(2)",
                                      "top_k(3), p_less"])  # fmt: skip
    def test_other_chains_have_no_short_form(self, text):
        assert Filters.read(text).short is None
        with pytest.raises(ValueError, match="are more than top_k, top_p and min_p"):
            _ = Filters.read(text).top_k

    def test_one_form_at_a_time(self):
        assert Filters(3) == filters_of(None, 3) == filters_of("top_k(3)") == filters_of(Filters(3))
        for short in ({"top_k": 3}, {"filter_at": "temperature"}):
            with pytest.raises(ValueError, match="filters= was given beside"):
                filters_of("p_less", **short)
