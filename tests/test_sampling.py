"""Draws: the right distribution, the same tokens on every backend, and a key that alone decides."""

from math import inf, log

import numpy as np
import pytest
from scipy import special, stats

from dyntemp import Policy, PolicyError, StateError, sample, temperatures
from dyntemp.kernels import reference
from dyntemp.kernels.blocks import BLOCK, TRIES
from dyntemp.kernels.reference import block_bound, first_above

SMALLEST_P = 1e-4
"""Of a chi-square test: with the seeds fixed a run either fails always or never."""


def draws(row, temperature, count, backend, seed=1):
    """`count` tokens of one row at one temperature."""
    row = np.asarray(row)
    policy = "exp(1000)" if temperature == inf else temperature
    size = max(1, 2_000_000 // len(row))
    return np.concatenate([
        sample(np.broadcast_to(row, (min(size, count - start), len(row))), policy, seed=seed,
               request=np.arange(start, min(start + size, count)), backend=backend).token
        for start in range(0, count, size)
    ])  # fmt: skip


def fit(tokens, row, temperature):
    """The p-value of the tokens under softmax(row/T); cells expected below 8 are pooled."""
    z = np.asarray(row, np.float64)
    z = np.where(z > -1e37, z, -inf)
    p = (z > -inf) / np.count_nonzero(z > -inf) if temperature == inf else special.softmax(z / temperature)
    seen = np.bincount(tokens, minlength=len(p))
    assert not seen[p == 0].any(), "a masked token was drawn"
    expected = p * len(tokens)
    few = expected < 8
    seen = np.append(seen[~few], seen[few].sum())
    expected = np.append(expected[~few], expected[few].sum())
    some = expected > 0
    if some.sum() < 2:
        return 1.0
    return stats.chisquare(seen[some], expected[some] * seen.sum() / expected.sum()).pvalue


def shapes():
    rng = np.random.default_rng(20)
    ragged = rng.normal(0, 2, 2 * BLOCK + 77)
    masked = rng.normal(0, 2, 3 * BLOCK + 5)
    masked[BLOCK : 2 * BLOCK] = -inf
    masked[rng.random(len(masked)) < 0.3] = -inf
    steep = np.concatenate([rng.normal(0, 1, BLOCK), rng.normal(4, 1, 300), rng.normal(-4, 1, BLOCK)])
    return {
        "four": np.log([0.1, 0.2, 0.3, 0.4]),
        "ragged last block": ragged,
        "masked block": masked,
        "blocks of different height": steep,
        "flat": np.zeros(3 * BLOCK),
        "lowest number as mask": np.where(np.arange(500) % 3, rng.normal(0, 1, 500), np.finfo(np.float32).min),
    }


class TestDistribution:
    @pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7, inf])
    @pytest.mark.parametrize("name", shapes())
    def test_of_the_fast_backend(self, name, temperature):
        """24 cases of 10,000 draws."""
        row = shapes()[name].astype(np.float32)

        assert fit(draws(row, temperature, 10_000, "cpu"), row, temperature) > SMALLEST_P

    @pytest.mark.parametrize("temperature", [0.3, 1.0, 1.7, inf])
    @pytest.mark.parametrize("name", ["four", "masked block", "blocks of different height"])
    def test_of_the_reference(self, name, temperature):
        row = shapes()[name]

        assert fit(draws(row, temperature, 1_000, "reference", seed=2), row, temperature) > SMALLEST_P

    @pytest.mark.parametrize(("name", "temperature"), [("four", 0.8), ("blocks of different height", 1.3)])
    def test_of_a_million_draws(self, name, temperature):
        row = shapes()[name].astype(np.float32)

        assert fit(draws(row, temperature, 1_000_000, "cpu"), row, temperature) > SMALLEST_P

    def test_notices_a_temperature_that_is_off_by_three_percent(self):
        """The tests above would notice such draws."""
        row = np.linspace(-4, 0, 20).astype(np.float32)

        tokens = draws(row, 1.0, 100_000, "cpu")

        assert fit(tokens, row, 1.0) > SMALLEST_P
        assert fit(tokens, row, 1.03) < SMALLEST_P


class TestFullPass:
    """A row whose bounds are loose is rejected 16 times now and then; then the masses themselves are computed."""

    @staticmethod
    def loose():
        """At T = 3: one entry leads a block of very low ones, for which the power mean promises far too much."""
        row = np.full(4 * BLOCK, -30.0)
        row[::BLOCK] = [0.0, -1.0, -2.0, -3.0]
        return row

    @staticmethod
    def rejections(row, temperature, seed):
        """How many of the tries fail before a block is accepted; TRIES if all do."""
        from dyntemp.distribution.noise import Purpose, uniform

        z, a = np.asarray(row, np.float64), 1 / temperature
        blocks = [z[start : start + BLOCK] for start in range(0, len(z), BLOCK)]
        bounds = np.cumsum([block_bound(block, z.max(), a) for block in blocks])
        for attempt in range(TRIES):
            chosen = first_above(bounds, uniform(seed, 0, 0, attempt, Purpose.BLOCK) * bounds[-1])
            mass = np.exp(a * (blocks[chosen] - z.max())).sum()
            bound = bounds[chosen] - (bounds[chosen - 1] if chosen else 0)
            if uniform(seed, 0, 0, attempt, Purpose.ACCEPT) * bound < mass:
                return attempt
        return TRIES

    def test_is_reached(self):
        row = self.loose()
        rejected = [self.rejections(row, 3.0, seed) for seed in range(300)]

        assert rejected.count(TRIES) > 20

    def test_gives_the_same_tokens_on_both(self):
        row = self.loose().astype(np.float32)
        seeds = [seed for seed in range(300) if self.rejections(row, 3.0, seed) == TRIES]
        rows = np.tile(row, (len(seeds), 1))
        found = sample(rows, 3.0, seed=np.array(seeds, np.uint64), request=np.zeros(len(seeds), np.int64)).token

        expected = [reference.draw(row.astype(np.float64), 3.0, seed, 0, 0) for seed in seeds]

        # 2,047 equal weights share one rounding error in float32, which moves a target past an entry now and then
        assert np.count_nonzero(found != expected) <= 1
        assert np.abs(found - expected).max() <= 1

    def test_keeps_the_distribution(self):
        row = self.loose().astype(np.float32)

        assert fit(draws(row, 3.0, 40_000, "cpu"), row, 3.0) > SMALLEST_P

    def test_alone_keeps_the_distribution(self, monkeypatch):
        monkeypatch.setattr(reference, "TRIES", 0)
        row = shapes()["masked block"]

        assert fit(draws(row, 1.3, 1_000, "reference"), row, 1.3) > SMALLEST_P


class TestBlockBound:
    def test_is_never_below_the_mass_and_not_far_above(self):
        rng = np.random.default_rng(3)
        for _ in range(500):
            block = rng.normal(0, np.exp(rng.uniform(-3, 2)), int(rng.integers(1, BLOCK)))
            block[rng.random(len(block)) < rng.choice([0, 0.5])] = -inf
            if block.max() == -inf:
                continue
            a = float(np.exp(rng.uniform(-4, 4)))
            highest = float(block.max()) + float(rng.exponential(3))
            mass = np.exp(a * (block[block > -inf] - highest)).sum()

            assert mass <= block_bound(block, highest, a)

    def test_is_exact_at_one_but_for_the_slack(self):
        block = np.random.default_rng(3).normal(0, 2, 500)

        assert block_bound(block, 9.0, 1.0) == pytest.approx(np.exp(block - 9.0).sum() * 1.00002, rel=1e-12)

    def test_is_zero_for_what_is_masked(self):
        assert block_bound(np.full(5, -inf), 0.0, 0.5) == 0


def test_equal_keys_give_equal_tokens_on_both_backends():
    """At most 1 in 10,000 differs, over filters, masks, every temperature and every size."""
    rng = np.random.default_rng(12)
    total = different = 0
    for case in range(110):
        n = int(rng.choice([3, 17, 300, BLOCK, BLOCK + 1, 5_000, 20_000], p=[0.2, 0.2, 0.2, 0.1, 0.1, 0.15, 0.05]))
        count = 60 if n >= 5_000 else 240
        rows = rng.normal(0, np.exp(rng.uniform(-1, 1.6)), (count, n)).astype(np.float32)
        if rng.random() < 0.4:
            rows[rng.random(rows.shape) < 0.5] = rng.choice([-inf, np.finfo(np.float32).min])
            rows[:, rng.integers(n)] = 0.0
        temperature = rng.choice(["0.05", "0.3", "0.7", "1", "1.3", "2.5", "20", "exp(1000)", "0.1 + 0.8*entropy", "0"])
        settings = [
            {},
            {},
            {"top_k": 40},
            {"top_p": 0.9},
            {"min_p": 0.05},
            {"top_p": 0.95, "filter_at": "temperature"},
        ][rng.integers(6)]
        left, right = (
            sample(rows, temperature, seed=case, position=case, backend=backend, **settings)
            for backend in ("reference", "cpu")
        )
        total += count
        different += np.count_nonzero(left.token != right.token)

    assert total >= 20_000
    assert different <= total / 10_000


class TestKeys:
    ROWS = np.random.default_rng(1).normal(0, 1, (12, 3000)).astype(np.float32)

    def test_a_request_draws_the_same_whatever_else_is_in_its_batch(self, backend):
        together = sample(self.ROWS, "0.1 + entropy/8", seed=5, request=np.arange(12), position=3, backend=backend)
        for r in range(12):
            alone = sample(self.ROWS[r], "0.1 + entropy/8", seed=5, request=r, position=3, backend=backend)

            assert int(alone.token) == together.token[r]
        order = np.random.default_rng(2).permutation(12)
        shuffled = sample(self.ROWS[order], "0.1 + entropy/8", seed=5, request=order, position=3, backend=backend)

        assert shuffled.token.tolist() == together.token[order].tolist()

    def test_requests_default_to_the_rows_numbers(self, backend):
        assert sample(self.ROWS, 1, seed=5, backend=backend).token.tolist() == (
            sample(self.ROWS, 1, seed=5, request=np.arange(12), backend=backend).token.tolist()
        )

    def test_seeds_requests_and_positions_may_be_of_each_row(self, backend):
        seeds, positions = np.arange(12, dtype=np.uint64) + 2**63, np.arange(12) * 7
        together = sample(self.ROWS, 1, seed=seeds, request=4, position=positions, backend=backend)
        for r in range(12):
            alone = sample(self.ROWS[r], 1, seed=int(seeds[r]), request=4, position=int(positions[r]), backend=backend)

            assert int(alone.token) == together.token[r]

    @pytest.mark.parametrize("part", ["seed", "request", "position"])
    def test_each_part_of_the_key_changes_the_tokens(self, backend, part):
        key = {"seed": 1, "request": np.arange(12), "position": 0}
        before = sample(self.ROWS, 5.0, backend=backend, **key).token
        after = sample(self.ROWS, 5.0, backend=backend, **(key | {part: key[part] + 100})).token

        assert np.count_nonzero(before != after) >= 10

    @pytest.mark.parametrize("key", [{"request": 0}, {"request": [0, 1] * 6}, {"seed": [1] * 12, "request": 3}])
    def test_two_rows_with_one_key_are_an_error(self, backend, key):
        with pytest.raises(ValueError, match="two rows have the same seed, request and position"):
            sample(self.ROWS, 1, **({"seed": 1} | key), backend=backend)

    def test_one_request_at_two_positions_is_not(self, backend):
        sample(self.ROWS, 1, seed=1, request=0, position=np.arange(12), backend=backend)

    def test_no_seed_draws_one_that_draws_the_same_again(self, backend):
        first = sample(self.ROWS, 1, backend=backend)
        again = sample(self.ROWS, 1, seed=first.seed, backend=backend)

        assert first.token.tolist() == again.token.tolist()
        assert sample(self.ROWS, 1, backend=backend).seed != first.seed

    @pytest.mark.parametrize(
        "key",
        [{"seed": -1}, {"seed": 2**64}, {"seed": 1.5}, {"seed": True}, {"seed": "1"}, {"request": -1},
         {"request": 2**32},
         {"position": -1}, {"position": 2**32}, {"position": 0.5}, {"request": [1, 2]}, {"seed": [1, 2]}],
    )  # fmt: skip
    def test_numbers_outside_their_bits_are_refused(self, backend, key):
        with pytest.raises(ValueError, match=f"{next(iter(key))}.*(was given|were given)"):
            sample(self.ROWS, 1, **({"seed": 1} | key), backend=backend)

    def test_the_largest_numbers_are_taken(self, backend):
        drawn = sample(self.ROWS[0], 1, seed=2**64 - 1, request=2**32 - 1, position=2**32 - 1, backend=backend)

        assert drawn.seed == 2**64 - 1


class TestEnds:
    @pytest.mark.parametrize("temperature", [0, 1e-300, 1e-7, 1e-6])
    def test_zero_is_the_lowest_index_among_the_maxima(self, backend, temperature):
        rows = np.array([[1.0, 3.0, 3.0, -inf], [-inf, -inf, -5.0, -5.0]])

        assert sample(rows, temperature, seed=1, backend=backend).token.tolist() == [1, 2]

    def test_just_above_zero_is_the_maximum(self, backend):
        rows = np.random.default_rng(1).normal(0, 3, (50, 5000)).astype(np.float32)

        assert sample(rows, 1.1e-6, seed=1, backend=backend).token.tolist() == rows.argmax(1).tolist()

    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_infinity_is_uniform_however_far_apart_the_logits_are(self, backend, dtype):
        far = 1.7e308 if dtype == np.float64 else 3e38
        row = np.array([far, -0.47 * far, 0.0, -inf], dtype)
        seen = np.bincount(sample(np.tile(row, (900, 1)), "exp(1000)", seed=1, backend=backend).token, minlength=4)

        assert seen[3] == 0
        assert stats.chisquare(seen[:3]).pvalue > SMALLEST_P

    @pytest.mark.parametrize(("temperature", "share"), [("exp(1000)", 0.5), (100.0, 1 / (1 + np.exp(2))), (1.0, 0.0)])
    def test_a_block_far_below_the_others_is_not_forgotten(self, backend, temperature, share):
        """exp(-200) is nothing in float32, and yet this block is half of the uniform draw."""
        rows = np.broadcast_to(np.repeat(np.float32([0, -200]), BLOCK), (600, 2 * BLOCK))
        seen = np.mean(sample(rows, temperature, seed=1, backend=backend).token >= BLOCK)

        assert seen == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 600))

    @pytest.mark.parametrize("temperature", [0.05, 1.0, 50.0])
    @pytest.mark.parametrize("high", [1e4, 1e30, 3e38])
    def test_high_rows(self, backend, temperature, high):
        row = np.array([-inf, high, 0.0, high, -high / 2], np.float32)
        seen = np.bincount(sample(np.tile(row, (400, 1)), temperature, seed=1, backend=backend).token, minlength=5)

        assert seen[[0, 2, 4]].sum() == 0
        assert stats.chisquare(seen[[1, 3]]).pvalue > SMALLEST_P

    def test_one_token(self, backend):
        for temperature in (0, 0.5, 2, "exp(1000)"):
            assert int(sample([-inf, 7.0, -inf], temperature, seed=1, backend=backend).token) == 1
            assert int(sample([7.0], temperature, seed=1, backend=backend).token) == 0

    def test_no_rows(self, backend):
        drawn = sample(np.empty((0, 5)), "0.1 + entropy", backend=backend, top_k=2)

        assert drawn.token.shape == drawn.temperature.shape == drawn.candidates.shape == (0,)
        assert drawn.token.dtype == np.int64

    def test_masked_tokens_are_never_drawn(self, backend):
        rng = np.random.default_rng(5)
        for n in (5, 300, 2 * BLOCK + 9):
            rows = rng.normal(0, 1, (60, n)).astype(np.float32)
            out = rng.random(rows.shape) < 0.9
            out[:, n // 2] = False
            rows[out] = rng.choice([-inf, np.finfo(np.float32).min, 0.51 * np.finfo(np.float32).min])
            for temperature in (0, 0.5, 1, 3, 1e30, "exp(1000)"):
                token = sample(rows, temperature, seed=n, backend=backend).token

                assert not out[np.arange(60), token].any()


class TestDraw:
    def test_says_how_it_came_about(self, backend):
        drawn = sample(np.log([[0.1, 0.9], [0.5, 0.5]]), "0.1 + 0.8*entropy*margin", seed=7, backend=backend)

        assert drawn.backend == backend
        assert drawn.seed == 7
        assert set(drawn.signals) == {"entropy", "margin"}
        assert drawn.candidates.tolist() == [2, 2]
        assert drawn.temperature.dtype == np.float64
        assert drawn.token.dtype == np.int64

    def test_of_one_row_is_0d(self, backend):
        drawn = sample(np.log([0.1, 0.9]), "0.1 + entropy", seed=7, backend=backend)

        assert drawn.token.shape == drawn.temperature.shape == drawn.signals["entropy"].shape == ()

    def test_of_a_tensor_is_a_tensor(self, backend):
        torch = pytest.importorskip("torch")
        rows = torch.randn(5, 100, generator=torch.Generator().manual_seed(1))
        drawn = sample(rows, "0.1 + entropy", seed=7, backend=backend)

        assert isinstance(drawn.token, torch.Tensor)
        assert drawn.token.tolist() == sample(rows.numpy(), "0.1 + entropy", seed=7, backend=backend).token.tolist()

    def test_leaves_the_logits_alone(self, backend):
        rows = np.random.default_rng(1).normal(0, 1, (3, 50))
        before = rows.copy()
        sample(rows, 0.7, seed=1, top_k=3, top_p=0.9, min_p=0.1, backend=backend)

        np.testing.assert_array_equal(before, rows)

    def test_what_the_caller_gives_reaches_the_policy(self, backend):
        found = sample(
            np.zeros((2, 5)), 'requested + given("kl", 0, 20) + position', seed=1, requested=[0.5, 1], given={"kl": 2},
            position=3, backend=backend,
        ).temperature  # fmt: skip

        assert found.tolist() == [5.5, 6]

    def test_what_it_does_not_give_is_named(self, backend):
        with pytest.raises(PolicyError, match=r"pass given=\{'kl': a number per row\}"):
            sample(np.zeros(5), 'given("kl", 0, 20)', seed=1, backend=backend)
        with pytest.raises(ValueError, match=r"requested.*\(3,\) was given for 2 rows"):
            sample(np.zeros((2, 5)), "requested", seed=1, requested=[1, 2, 3], backend=backend)
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            sample(np.zeros(5), 1, seed=1, temperature=2, backend=backend)

    def test_both_backends_remember_alike(self, backend):
        policy = Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8) + 0.1*ema(entropy, 0.9)")
        rng = np.random.default_rng(2)
        state, other = policy.state(4), policy.state(4)
        for t in range(10):
            rows = rng.normal(0, 2, (4, 300))
            found = sample(rows, policy, seed=1, position=t, state=state, backend=backend)
            truth = sample(rows, policy, seed=1, position=t, state=other, backend="reference")

            assert found.token.tolist() == truth.token.tolist()
            np.testing.assert_allclose(found.temperature, truth.temperature, rtol=1e-9)

    def test_several_positions_of_a_slot_cannot_read_surprisal(self, backend):
        policy = Policy("0.2 + 0.1*surprisal")
        with pytest.raises(StateError, match="draw them one call at a time"):
            sample(
                np.zeros((2, 5)), policy, seed=1, request=0, slot=[0, 0], position=[0, 1], state=policy.state(),
                backend=backend,
            )  # fmt: skip

    def test_a_state_that_does_not_fit(self, backend):
        policy = Policy("surprisal")
        with pytest.raises(StateError, match="this state has 1"):
            sample(np.zeros((2, 5)), policy, seed=1, state=policy.state(), backend=backend)


def test_the_surprisal_that_is_remembered_is_of_the_whole_row_before_the_temperature():
    policy = Policy("surprisal")
    row = np.log([0.7, 0.2, 0.1])
    state = policy.state()
    for t in range(30):
        token = int(sample(row, policy, seed=9, request=0, position=t, state=state, top_k=2).token)
        expected = -row[token]

        assert float(policy.step({"entropy": [0.0]}, state=state, slot=[0], position=[t + 1])[0]) == pytest.approx(
            expected
        )


def test_entropy_of_the_draws_follows_the_policy():
    """The tokens drawn at the temperature for an entropy have it."""
    row = np.random.default_rng(3).normal(0, 2, 50)
    tokens = sample(np.tile(row, (50_000, 1)), "temperature_for_entropy(2)", seed=1).token
    share = np.bincount(tokens, minlength=50) / 50_000

    assert stats.entropy(share) == pytest.approx(2, abs=0.02)
    assert log(50) > 2


def test_far_apart_and_hot(backend):
    """Temperatures at which logits that lie a whole dtype apart are still told apart."""
    rows = np.tile(np.float32([0, -1.6e38]), (4000, 1))
    low = sample(rows, "requested", requested=1e38, seed=3, backend=backend).token.mean()

    assert low == pytest.approx(1 / (1 + np.exp(1.6)), abs=0.03)
    assert not sample(np.tile([0.0, -8e307], (50, 1)), 1e300, seed=3, backend=backend).token.any()


class TestPoliciesOfRows:
    ROWS = np.random.default_rng(4).normal(0, 2, (6, 5000)).astype(np.float32)
    POLICIES = ("0.2 + 0.1*ema(entropy, 0.5)", "0.7", "0.1 + 0.8*normalized_entropy", "0.7", "0.2 + 0.02*surprisal",
                "1 + prev(median_prob)")  # fmt: skip

    def test_each_row_is_drawn_by_its_own(self, backend):
        policies = [Policy(text) for text in self.POLICIES]
        shared = policies[0].state(6, beside=policies[1:])
        states = [policy.state(6) for policy in policies]
        for t in range(4):
            together = sample(self.ROWS, policies, seed=3, position=t, state=shared, top_k=50, backend=backend)
            for r, policy in enumerate(policies):
                alone = sample(
                    self.ROWS[r], policy, seed=3, request=r, position=t, slot=r, top_k=50, backend=backend,
                    state=states[r] if policy.remembers else None,
                )  # fmt: skip

                assert int(alone.token) == together.token[r]
                assert float(alone.temperature) == together.temperature[r]

    def test_signals_that_a_row_does_not_read_are_not_numbers(self, backend):
        drawn = sample(self.ROWS[:3], ["entropy", "0.7", "0.1 + margin"], seed=3, backend=backend)

        assert np.isnan(drawn.signals["entropy"]).tolist() == [False, True, True]
        assert np.isnan(drawn.signals["margin"]).tolist() == [True, True, False]

    def test_what_the_caller_gives_is_asked_for_by_those_that_read_it(self, backend):
        found = temperatures(
            self.ROWS[:3], ['given("kl", 0, 20)', "requested", 'given("kl", 0, 20) + position'],
            given={"kl": [1, 2, 3]}, requested=[0.1, 0.2, 0.3], position=[0, 0, 5], backend=backend,
        )  # fmt: skip

        assert found.tolist() == [1, 0.2, 8]

    def test_parameters_are_shared_by_name(self, backend):
        policies = ['param("a1", 0, 1) + 0*entropy', 'param("a1", 0, 1) + param("b1", 0, 2)', "0.5"]
        found = temperatures(self.ROWS[:3], policies, parameters={"a1": 0.5, "b1": 2}, backend=backend)

        assert found.tolist() == [0.5, 2.5, 0.5]
        with pytest.raises(PolicyError, match="no parameter `c1`"):
            temperatures(self.ROWS[:3], policies, parameters={"a1": 0.5, "b1": 2, "c1": 1}, backend=backend)

    def test_as_many_as_rows(self, backend):
        with pytest.raises(ValueError, match="2 policies were given for 3 rows; pass one, or one per row"):
            sample(self.ROWS[:3], ["0.5", "0.7"], seed=1, backend=backend)
        with pytest.raises(ValueError, match="0 policies were given for 3 rows"):
            sample(self.ROWS[:3], [], seed=1, backend=backend)
        with pytest.raises(StateError, match="remembers: pass state"):
            sample(self.ROWS[:2], self.POLICIES[:2], seed=1, backend=backend)
