"""The torch backend: against the reference, its gradients, without a look at any number, and under `torch.compile`."""

from contextlib import contextmanager
from math import inf, log

import numpy as np
import pytest
from scipy import special, stats
from tests.supplied import supplied

from dyntemp import InvalidLogitsError, Policy, PolicyError, StateError, measure, sample, scale, temperatures
from dyntemp.distribution.filters import Filters
from dyntemp.distribution.noise import OF_A_DRAW, Purpose
from dyntemp.distribution.noise import uniform as one_uniform
from dyntemp.kernels import reference
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.job import Job
from dyntemp.language.evaluate import Evaluation
from dyntemp.language.parse import parse
from dyntemp.language.program import Op, lower
from dyntemp.language.signals import SIGNALS
from dyntemp.methods import METHODS

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch.autograd import gradcheck  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from dyntemp.kernels import tensor_noise, tensors  # noqa: E402
from dyntemp.kernels.torch import backend  # noqa: E402
from dyntemp.kernels.torch import draw as torch_draw  # noqa: E402
from dyntemp.kernels.torch import program as torch_policy  # noqa: E402
from dyntemp.kernels.torch import rows as torch_rows  # noqa: E402
from dyntemp.kernels.torch import signals as torch_signals  # noqa: E402

TOLERANCE = {  # of a signal s: so much times max(1, |s|)
    "float64": (1e-12, "sums of up to 20,000 terms, each rounded to 1e-16"),
    "float32": (5e-6, "exponentials in float32, summed in float64"),
    "float16": (5e-6, "widened to float32 exactly; the reference reads the same rounded row"),
    "bfloat16": (5e-6, "widened to float32 exactly; the reference reads the same rounded row"),
}
SMALLEST_P = 1e-4
"""Of a chi-square test: with the seeds fixed a run either fails always or never."""

MEASURED = [
    "max_prob", "entropy", "normalized_entropy", "perplexity", "collision", "varentropy", "support", "margin",
    "median_prob", "quantile(0)", "quantile(0.1)", "quantile(0.9)", "quantile(1)", "top_mass(1)", "top_mass(3)",
    "temperature_for_entropy(0.7)", "temperature_for_entropy(0.85*entropy)",
]  # fmt: skip


def rows_of(dtype="float64"):
    """Name -> row, [n]."""
    rng = np.random.default_rng(7)
    normal = rng.normal(0, 3, 3 * BLOCK + 7)
    few = np.where(np.arange(700) % 7 == 3, normal[:700], -inf)
    rows = {
        "one token": [3.5],
        "two tokens": [0.0, 1.0],
        "normal": normal,
        "ties": np.round(normal[:3000]),
        "uniform": np.full(1000, 2.5),
        "two tied maxima": [1.0, 5.0, 5.0, 0.0],
        "one-hot": np.where(np.arange(300) == 17, 90.0, 0.0),
        "two-hot": np.where(np.isin(np.arange(300), [17, 200]), 90.0, 0.0),
        "nearly uniform": normal[:2000] * 1e-3,
        "some masked": few,
        "all but one masked": np.where(np.arange(5000) == 4321, 1.0, -inf),
        "first block masked": np.where(np.arange(len(normal)) < BLOCK, -inf, normal),
        "masked at the lowest number": np.where(np.isinf(few), torch.finfo(getattr(torch, dtype)).min, few),
        "signed zeros": [0.0, -0.0, -0.0, 0.0, -1.0],
        "high": normal[:500] + 10_000,
    }
    if dtype != "float16":
        rows |= {
            "from -1e30 to 1e30": np.linspace(-1e30, 1e30, 400),
            "3e38 above -1.6e38": np.where(np.arange(5000) == 7, 3e38, -1.6e38),
        }
    return {name: torch.tensor(np.asarray(row)).to(getattr(torch, dtype)) for name, row in rows.items()}


@contextmanager
def as_on_a_device(monkeypatch):
    """The backend takes a tensor on the CPU to be on a device, whose numbers it may not read."""
    with monkeypatch.context() as patch:
        for module in (tensors, torch_rows, torch_signals):
            patch.setattr(module, "can_read", lambda device: False)
        yield


class TestTables:
    def test_every_measured_signal_is_there(self):
        measured = {name for name, record in SIGNALS.items() if record.measured and record.source != "solve"}

        assert set(torch_signals.MEASURES) == measured
        assert {text.split("(")[0] for text in MEASURED} >= measured

    def test_every_operation_is_there(self):
        leaves = {Op.NUMBER, Op.PARAMETER, Op.SIGNAL, Op.SURPRISAL, Op.EMA, Op.PREV, Op.INTEGRAL}

        assert set(torch_policy.OPERATIONS) == set(Op) - leaves


class TestSignals:
    @pytest.mark.parametrize("dtype", TOLERANCE)
    def test_against_the_reference(self, dtype):
        tolerance, _ = TOLERANCE[dtype]
        wrong = {}
        for name, row in rows_of(dtype).items():
            expected = measure(row, *MEASURED, backend="reference")
            for signal, value in measure(row, *MEASURED, backend="torch").items():
                e, v = float(expected[signal]), float(value)
                # a temperature is as sharp as the entropy that it is solved for, divided by a slope
                allowed = 1e-4 if signal.startswith("temperature") and dtype != "float64" else tolerance
                if not (v == e or abs(v - e) <= allowed * max(1, abs(e))):
                    wrong[name, signal] = v, e
                if np.signbit(v):
                    wrong[name, signal, "sign"] = v

        assert not wrong

    @pytest.mark.parametrize("dtype", ["float64", "float32"])
    def test_of_the_largest_vocabulary(self, dtype):
        z = torch.tensor(np.random.default_rng(1).normal(0, 2, (2, 262_144))).to(getattr(torch, dtype))
        expected = measure(z, *MEASURED[:-2], backend="reference")
        for signal, values in measure(z, *MEASURED[:-2], backend="torch").items():
            np.testing.assert_allclose(values, expected[signal], rtol=TOLERANCE[dtype][0], atol=TOLERANCE[dtype][0])

    def test_rows_that_mask_differently(self):
        z = torch.tensor(np.random.default_rng(1).normal(0, 3, (5, 300)))
        for row, count in enumerate((0, 1, 150, 298, 299)):
            z[row, :count] = -inf
        expected = measure(z, *MEASURED, backend="reference")

        for signal, values in measure(z, *MEASURED, backend="torch").items():
            np.testing.assert_allclose(values, expected[signal], rtol=1e-12, err_msg=signal)

    def test_operations_on_extended_reals(self):
        """Every operation on every number of a corner, as NumPy computes it."""
        corner = torch.tensor([0.0, 0.3, 1.0, 7.5, inf], dtype=torch.float64)
        h, v = (part.flatten() for part in torch.meshgrid(corner, corner, indexing="ij"))
        signals = {"entropy": h, "varentropy": v}
        texts = (
            "exp({0})", "exp(-{0})", "log({0})", "sqrt({0})", "abs({0} - 1)", "halfcos({0}/3)", "tanh({0})",
            "sigmoid({0} - 2)",
            "1/{0}", "1/(-{0})", "2**-{0}", "{0}**0.5", "{0}**-1", "(-{0})**-1", "min({0}, {1})", "max({0}, {1}, 2)",
            "{0} + {1}", "{0} - {1}", "{0}*{1}", "{0}**{1}", "clip({0}, 0.5, 3) - {1}/9", "lerp(0.2, 5, 1/(1 + {0}))",
            "where({0} < {1}, {0}, 2)", "where({0} <= {1}, {0}, 2)", "where({0} > {1}, {0}, 2)",
            "where({0} >= {1}, {0}, 2)",
        )  # fmt: skip
        used = set()
        for text in texts:
            expression = parse(text.format(*signals))
            program = lower(expression)
            used |= {step.op for step in program.steps}
            found = torch_policy.Evaluation(program, signals, {}, h).run(program.steps)
            with np.errstate(all="ignore"):
                values = {name: value.numpy() for name, value in signals.items()}
                nowhere = np.zeros(len(h), np.int64)
                expected = Evaluation(values, {}, None, nowhere, nowhere).value(expression)

            np.testing.assert_allclose(found, expected, rtol=1e-14, err_msg=text)
        assert used >= set(torch_policy.OPERATIONS)


def masked_measure(signal, masked):
    """Entries that are not masked -> the signal of the row with them."""

    def of(free):
        z = torch.full(masked.shape, -inf, dtype=free.dtype).masked_scatter(~masked, free)
        return measure(z, signal, backend="torch")[signal]

    return of


class TestGradients:
    MASKED = torch.tensor([False, True, False, False, False, True, False, False, False])

    @pytest.mark.parametrize("signal", [text for text in MEASURED if text != "support"])
    def test_of_signals_are_finite_differences(self, signal):
        z = torch.tensor([0.3, -1.0, 2.0, 0.9, -0.2, 1.1, -3.0], dtype=torch.float64, requires_grad=True)

        assert gradcheck(masked_measure(signal, self.MASKED), (z,), eps=1e-6, atol=1e-7)

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    def test_are_the_formulas(self, dtype):
        z = torch.tensor(np.random.default_rng(2).normal(0, 2, 400), dtype=dtype, requires_grad=True)
        ln_p = z.detach().double().log_softmax(-1)
        p, t = ln_p.exp(), temperatures(z.detach(), "temperature_for_entropy(2)", backend="torch")
        h = -(p * ln_p).sum()
        ln_q = (z.detach().double() / t).log_softmax(-1)
        q = ln_q.exp()
        expected = {
            "entropy": -p * (ln_p + h),
            "collision": 2 * p * (p - (p * p).sum()),
            "temperature_for_entropy(2)": q * (ln_q + 2) / (q * (ln_q + 2) ** 2).sum(),
        }
        for signal, formula in expected.items():
            (found,) = torch.autograd.grad(measure(z, signal, backend="torch")[signal], z)

            np.testing.assert_allclose(found, formula, rtol=1e-10 if dtype == torch.float64 else 1e-4, atol=1e-7)

    @pytest.mark.parametrize("dtype", TOLERANCE)
    @pytest.mark.parametrize("signal", MEASURED)
    def test_of_awkward_rows_are_finite_and_zero_where_masked(self, signal, dtype):
        for name, row in rows_of(dtype).items():
            z = row.clone().requires_grad_()
            value = measure(z, signal, backend="torch")[signal]
            if value.requires_grad:
                value.backward()

                assert torch.isfinite(z.grad).all(), name
                assert not z.grad[row <= torch.finfo(row.dtype).min / 2].any(), name

    def test_of_certain_and_uniform_rows(self):
        """At its least and its most the entropy is flat; a tie's maximum belongs to all that share it."""
        for row in (torch.zeros(6), torch.tensor([90.0, 0, 0])):
            z = row.double().requires_grad_()
            (found,) = torch.autograd.grad(measure(z, "entropy")["entropy"], z)
            np.testing.assert_allclose(found, 0, atol=1e-12)
        z = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(measure(z, "max_prob")["max_prob"], z)
        p = z.detach().softmax(-1)

        np.testing.assert_allclose(found, p[0] * (torch.tensor([0.5, 0.5, 0]) - p))

    def test_ends_of_the_solved_temperature_have_none(self):
        z = torch.tensor([[2.0, 1.0, 0.0], [2.0, 2.0, -inf]], requires_grad=True)
        h = torch.tensor([5.0, 0.1], requires_grad=True)
        t = temperatures(z, 'temperature_for_entropy(param("h", 0, 9))', parameters={"h": h})
        clipped = temperatures(z, 'clip(temperature_for_entropy(param("h", 0, 9)), 0.1, 2)', parameters={"h": h})

        assert t.tolist() == [inf, 0]
        assert not any(gradient.any() for gradient in torch.autograd.grad(clipped.sum(), (z, h)))
        certain = torch.tensor([1.0, -inf], requires_grad=True)
        (found,) = torch.autograd.grad(temperatures(certain, "temperature_for_entropy(1/entropy)"), certain)
        assert not found.any()

    def test_of_the_solved_temperature_in_its_target(self):
        z = torch.tensor(np.random.default_rng(3).normal(0, 2, (3, 50)))
        h = torch.tensor([0.5, 1.5, 2.5], dtype=torch.float64, requires_grad=True)

        assert gradcheck(
            lambda h: temperatures(z, 'temperature_for_entropy(param("h", 0, 9))', parameters={"h": h}), (h,), atol=1e-7
        )

    def test_of_scaled_rows(self):
        z = torch.tensor(np.random.default_rng(3).normal(0, 2, (3, 7)), requires_grad=True)

        assert gradcheck(lambda z: scale(z, "0.2 + 0.3*entropy"), (z,), atol=1e-7)
        masked = torch.tensor([[0.0, 1.0, -inf], [3e38, 0.0, -inf], [1.0, 1.0, -inf]], requires_grad=True)
        for policy in ("0.2 + 0.3*entropy", 0.0, "1/0", 1e-3):
            scaled = scale(masked, policy, backend="torch")
            if scaled.requires_grad:
                (found,) = torch.autograd.grad(torch.where(scaled > -inf, scaled, 0).sum(), masked)
                assert torch.isfinite(found).all()
                assert not found[:, 2].any()

    @pytest.mark.parametrize("method", METHODS)
    def test_of_published_policies_are_finite_on_awkward_rows(self, method):
        policy = METHODS[method].make()
        for name, row in rows_of("float32").items():
            z = row.clone().requires_grad_()
            t = temperatures(
                z, policy, backend="torch", state=policy.state() if policy.remembers else None, given=supplied(policy)
            )
            if t.requires_grad:
                t.backward()

                assert torch.isfinite(z.grad).all(), name

    def test_of_an_infinite_exponent(self):
        z = torch.tensor([[0.0, -inf], [0.0, 1.0]], dtype=torch.float64, requires_grad=True)
        t = temperatures(z, "0.8**(1/entropy)")
        (found,) = torch.autograd.grad(t.sum(), z)
        h = measure(z[1], "entropy")["entropy"]
        (of_h,) = torch.autograd.grad(h, z)

        assert t[0] == 0
        assert not found[0].any()
        np.testing.assert_allclose(found[1], (0.8 ** (1 / h) * -log(0.8) / h**2).detach() * of_h[1])

    def test_of_parameters(self):
        z = torch.tensor(np.random.default_rng(3).normal(0, 2, (3, 7)))
        h = measure(z, "entropy")["entropy"]
        a = torch.tensor(0.4, requires_grad=True)
        b = torch.tensor([0.1, 0.2, 5.0], requires_grad=True)
        policy = 'param("a", 0, 1) + param("b", 0, 2)*entropy'
        t = temperatures(z, policy, parameters={"a": a, "b": b})
        of_a, of_b = torch.autograd.grad(t.sum(), (a, b))

        np.testing.assert_allclose(t.detach(), 0.4 + np.float32([0.1, 0.2, 2.0]) * h.numpy(), rtol=1e-7)
        assert of_a == 3
        np.testing.assert_allclose(of_b, [h[0], h[1], 0.0], rtol=1e-6)  # beyond its range it does not move

    def test_a_loss_descends(self):
        """Learning: the parameters that make rows 1.5 nats random."""
        z = torch.tensor(np.random.default_rng(3).normal(0, 2, (64, 30)))
        a, b = torch.tensor(1.0, requires_grad=True), torch.tensor(0.0, requires_grad=True)
        optimizer = torch.optim.Adam([a, b], lr=0.05)
        policy = 'param("a", 0.05, 5) + param("b", -1, 1)*(entropy - 2)/4 + 0*requested'
        losses = []
        for _ in range(60):
            scaled = scale(z, f"max({policy}, 0.05)", parameters={"a": a, "b": b})
            loss = ((torch.distributions.Categorical(logits=scaled).entropy() - 1.5) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))

        assert losses[-1] < losses[0] / 4

    def test_a_token_has_none(self):
        drawn = sample(torch.randn(3, 9, requires_grad=True), "0.1 + entropy", seed=1)

        assert drawn.backend == "torch"
        assert drawn.temperature.requires_grad
        assert not drawn.token.requires_grad

    @pytest.mark.parametrize("device", [None, "cpu"])
    def test_none_flows_through_memory(self, device):
        policy = Policy("0.1 + ema(entropy, 0.9)")
        state = policy.state(3, device=device)
        random = torch.Generator().manual_seed(0)
        first = torch.randn(3, 9, generator=random, requires_grad=True)
        temperatures(first, policy, state=state, position=0)
        second = torch.randn(3, 9, generator=random, requires_grad=True)
        t = temperatures(second, policy, state=state, position=1)
        of_first, of_second = torch.autograd.grad(t.sum(), (first, second), allow_unused=True)
        (of_entropy,) = torch.autograd.grad(measure(second, "entropy")["entropy"].sum(), second)

        assert of_first is None
        np.testing.assert_allclose(of_second, 0.1 * of_entropy, rtol=1e-4)


class TestNoise:
    ANSWERS = (  # of Random123's kat_vectors, as in test_philox
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    )

    @pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
    def test_known_answers(self, counter, key, answer):
        counter, key, answer = ([torch.tensor(int(w, 16)) for w in words.split()] for words in (counter, key, answer))

        assert list(tensor_noise.philox(counter, key)) == answer

    def test_of_random_keys(self):
        rng = np.random.default_rng(1)
        seeds = rng.integers(0, 2**64, 2000, dtype=np.uint64)
        requests, positions = rng.integers(0, 2**32, (2, 2000))
        parts = [torch.tensor(part.view(np.int64)) for part in (seeds, requests, positions)]
        for purpose in Purpose:
            found = tensor_noise.uniform(*parts, torch.tensor(5), torch.tensor(int(purpose)))
            keys = zip(seeds.tolist(), requests.tolist(), positions.tolist(), strict=True)

            assert found.tolist() == [one_uniform(*key, 5, purpose) for key in keys]

    def test_of_a_job_has_its_own_numbers_for_each_use(self):
        seed, requests = 2**64 - 3, (4, 2**32 - 1)
        noise = torch_draw.noise_of(Job(draw=True, seed=seed, request=requests, position=9), 2, torch.device("cpu"))

        for purpose, numbers in zip(OF_A_DRAW, noise, strict=True):
            expected = [[one_uniform(seed, request, 9, k, purpose) for k in range(17)] for request in requests]
            assert numbers.tolist() == expected

    def test_keys_that_are_tensors(self, monkeypatch):
        z = torch.randn(3, 3000, generator=torch.Generator().manual_seed(1))
        keys = {"seed": [2**63 + 5, 1, 2], "request": [7, 8, 2**32 - 1], "position": [0, 1, 2**32 - 1]}
        expected = sample(z, 1.0, backend="torch", **{name: np.array(key, np.uint64) for name, key in keys.items()})
        tensors = {name: torch.tensor(np.array(key, np.uint64).view(np.int64)) for name, key in keys.items()}
        with as_on_a_device(monkeypatch):
            found = sample(z, 1.0, backend="torch", **tensors)

        assert found.token.tolist() == expected.token.tolist()


def draws(row, temperature, count, first=0, **settings):
    """`count` tokens of one row."""
    found, at_once = [], min(count, max(1, 20_000_000 // (len(row) + 200) // 4))
    for start in range(first, first + count, at_once):
        requests = np.arange(start, min(start + at_once, first + count))
        rows = torch.as_tensor(row).expand(len(requests), -1)
        found.append(sample(rows, temperature, seed=1, request=requests, backend="torch", **settings).token)
    return torch.cat(found).numpy()


def fit(tokens, p):
    """The p-value of the tokens under p; cells expected below 8 are pooled."""
    seen, expected = np.bincount(tokens, minlength=len(p)), p * len(tokens)
    assert not seen[p == 0].any()
    few = expected < 8
    seen, expected = (np.append(cells[~few], cells[few].sum()) for cells in (seen, expected))
    return stats.chisquare(seen[expected > 0], expected[expected > 0]).pvalue


class TestDraws:
    def test_equal_keys_give_the_tokens_of_the_reference(self):
        """At most 1 in 10,000 differs, over filters, masks, every temperature and every size."""
        rng = np.random.default_rng(12)
        total = different = 0
        policies = ["0.05", "0.3", "0.7", "1", "1.3", "2.5", "20", "exp(1000)", "0.1 + 0.8*entropy", "0"]
        filters = [{}, {"top_k": 40}, {"top_p": 0.9}, {"min_p": 0.05}, {"top_p": 0.95, "filter_at": "temperature"},
                   {"top_k": 30, "top_p": 0.8, "min_p": 0.02}]  # fmt: skip
        for case in range(120):
            n = int(rng.choice([3, 17, 300, BLOCK, BLOCK + 1, 5_000, 20_000], p=[0.2, 0.2, 0.2, 0.1, 0.1, 0.15, 0.05]))
            count = 40 if n >= 5_000 else 235
            rows = rng.normal(0, np.exp(rng.uniform(-1, 1.6)), (count, n)).astype(np.float32)
            if rng.random() < 0.4:
                rows[rng.random(rows.shape) < 0.5] = rng.choice([-inf, np.finfo(np.float32).min])
                rows[:, rng.integers(n)] = 0.0
            if rng.random() < 0.3:
                rows = np.round(rows)
            settings = {"seed": case, "position": case, **filters[case % len(filters)]}
            found, expected = (
                sample(rows, policies[case % 10], backend=name, **settings) for name in ("torch", "reference")
            )
            total += count
            different += np.count_nonzero(found.token != expected.token)

            assert found.candidates.tolist() == expected.candidates.tolist()

        assert total >= 20_000
        assert different <= 2

    @pytest.mark.parametrize(
        "filters",
        [Filters(), Filters(3), Filters(0, 0.5), Filters(0, 1.0, 0.3), Filters(5, 0.7, 0.1), Filters(10**6),
         Filters(0, 0.9, 0, "temperature"), Filters(2, 1.0, 0.5, "temperature"), Filters(0, 1e-9),
         Filters(0, 0.9999999)],
        ids=str,
    )  # fmt: skip
    @pytest.mark.parametrize("temperature", [0, 0.7, 3, "1/0"])
    def test_say_what_the_filters_left(self, filters, temperature):
        """Logits with many ties, some of them masked."""
        rng = np.random.default_rng(4)
        rows = rng.integers(-3, 3, (40, 60)).astype(np.float64)
        rows[rng.random(rows.shape) < 0.3] = -inf
        rows[:, 5] = 1.0
        rows[0] = 2.0
        policy = Policy(temperature)
        found, expected = (
            which.run(rows, Job((policy,), draw=True, filters=filters, seed=3)) for which in (backend, reference)
        )
        for part in ("candidates", "cut", "last", "token"):
            np.testing.assert_array_equal(getattr(found, part), getattr(expected, part), err_msg=part)

    def test_the_first_above_is_that_of_the_reference(self):
        """On sums that stand still, at targets that equal a sum, and beyond the last."""
        cumulative = np.array([0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0])
        targets = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
        found = torch_draw.first_above(torch.tensor(cumulative)[None], torch.tensor(targets)[None])[0]

        assert found.tolist() == [reference.first_above(cumulative, target) for target in targets]

    def test_a_row_that_is_filtered_draws_what_the_masked_row_draws(self):
        z = torch.randn(50, 5000, generator=torch.Generator().manual_seed(2)) * 3
        kept = torch.tensor(np.stack([Filters(0, 0.9, 0.01).mask(row) for row in z.double().numpy()]))
        own = sample(z, 1.3, seed=4, top_p=0.9, min_p=0.01, backend="torch")

        assert own.token.tolist() == sample(torch.where(kept, z, -inf), 1.3, seed=4, backend="torch").token.tolist()

    def test_a_million_of_few_tokens_have_the_distribution(self, monkeypatch):
        monkeypatch.setattr(torch_draw, "TRIES", 2)
        row = np.log([0.001, 0.099, 0.2, 0.3, 0.4])

        assert fit(draws(row, 0.8, 1_000_000), special.softmax(row / 0.8)) > SMALLEST_P

    @pytest.mark.parametrize(("temperature", "count"), [(0.5, 100_000), (3.0, 1_000_000)])
    def test_of_several_blocks_have_the_distribution(self, monkeypatch, temperature, count):
        """Blocks of 4, of which one has loose bounds and one is masked; two tries, and now and then the full pass."""
        monkeypatch.setattr(torch_draw, "BLOCK", 4)
        monkeypatch.setattr(torch_draw, "TRIES", 2)
        row = np.array([0.0, -9, -9, -9, 1, 0.5, -inf, -2, -inf, -inf, -inf, -inf, 0.3, 0.2])

        assert fit(draws(row, temperature, count), special.softmax(row / temperature)) > SMALLEST_P

    def test_of_whole_blocks_have_the_distribution(self):
        row = np.random.default_rng(20).normal(0, 2, 2 * BLOCK + 77)

        assert fit(draws(row, 1.7, 5_000), special.softmax(row / 1.7)) > SMALLEST_P

    def test_the_full_pass_alone_has_the_distribution(self, monkeypatch):
        monkeypatch.setattr(torch_draw, "TRIES", 1)
        monkeypatch.setattr(torch_draw, "BOUND_SLACK", 1e9)  # nothing is accepted
        row = np.random.default_rng(20).normal(0, 2, 2 * BLOCK + 77)

        assert fit(draws(row, 1.7, 5_000), special.softmax(row / 1.7)) > SMALLEST_P

    def test_a_temperature_that_is_off_by_three_percent_is_noticed(self):
        row = np.linspace(-4, 0, 20)
        tokens = draws(row, 1.0, 100_000)

        assert fit(tokens, special.softmax(row)) > SMALLEST_P
        assert fit(tokens, special.softmax(row / 1.03)) < SMALLEST_P


class NoLook(TorchDispatchMode):
    """Raises where a number would travel to the host, or decide a shape."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "item", "masked_select", "unique", "is_nonzero", "equal")

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        name = function.name().removeprefix("aten::").split(".")[0]
        assert name not in self.FORBIDDEN, f"{name} waits for the device"
        return function(*arguments, **(keywords or {}))


EVERYTHING = (
    "0.2 + temperature_for_entropy(0.5*entropy) + quantile(0.3) + margin/9 + top_mass(3) + varentropy/99"
    " + where(collision < 0.5, 0, 0.1)"
)
FILTERS = [{}, {"top_k": 4}, {"top_p": 0.5, "min_p": 0.1}, {"top_p": 0.9, "filter_at": "temperature"}]


class TestNoLook:
    """Nothing waits for a device: the same code, on tensors whose numbers may not be looked at, or that have none."""

    @pytest.mark.parametrize("settings", FILTERS, ids=str)
    def test_gives_the_same_without(self, monkeypatch, settings):
        z = torch.tensor(np.random.default_rng(1).normal(0, 3, (5, 3000)))
        z[:, ::3] = -inf
        expected = sample(z, EVERYTHING, seed=2, backend="torch", **settings)
        scaled = scale(z, EVERYTHING, backend="torch")
        with as_on_a_device(monkeypatch), NoLook():
            found = sample(z, EVERYTHING, seed=2, backend="torch", **settings)
            again = scale(z, EVERYTHING, backend="torch")

        assert not found.broken.any()
        assert found.token.tolist() == expected.token.tolist()
        np.testing.assert_array_equal(found.temperature, expected.temperature)
        np.testing.assert_array_equal(again, scaled)

    @pytest.mark.parametrize("settings", FILTERS, ids=str)
    def test_of_numbers_that_do_not_exist(self, monkeypatch, settings):
        """Fake tensors have a shape alone, so that whatever reads a number raises."""
        from torch._subclasses.fake_tensor import FakeTensorMode

        policy = Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8) + 0.1*ema(entropy, 0.9)")
        with as_on_a_device(monkeypatch), FakeTensorMode():
            z = torch.empty(3, 5000)
            assert sample(z, EVERYTHING, seed=2, backend="torch", **settings).token.shape == (3,)
            assert scale(z, EVERYTHING, backend="torch").shape == (3, 5000)
            state = policy.state(8, device="cpu")
            which = torch.empty(3, dtype=torch.int64)
            every = {"seed": which, "request": which, "slot": which, "position": which}
            for keys in (every, {"seed": 2, "slot": [4, 1, 2], "position": 3}):
                drawn = sample(z, policy, state=state, backend="torch", **keys, **settings)
                assert drawn.token.shape == drawn.broken.shape == (3,)

    def test_notices_a_look(self):
        with pytest.raises(AssertionError, match="waits for the device"), NoLook():
            float(torch.ones(3).sum())


class TestBroken:
    @pytest.mark.parametrize("dtype", TOLERANCE)
    @pytest.mark.parametrize(("value", "fault"), [(np.nan, "NaN"), (inf, r"\+inf"), (None, "no unmasked entry")])
    def test_rows_on_the_host_raise(self, value, fault, dtype):
        z = torch.zeros(3, 5, dtype=getattr(torch, dtype))
        z[1] = torch.finfo(z.dtype).min if value is None else z[1]
        z[1, 2] = -inf if value is None else value
        with pytest.raises(InvalidLogitsError, match=rf"row 1, position 4 hold {fault};"):
            temperatures(z, "entropy", backend="torch", position=[9, 4, 9])

    def test_rows_on_a_device_are_marked(self, monkeypatch):
        z = torch.randn(5, 50, generator=torch.Generator().manual_seed(1))
        sound = sample(z[[0, 4]], "0.1 + entropy", seed=3, request=[0, 4], backend="torch", top_k=30)
        z[1, 3], z[2, 4], z[3] = np.nan, inf, -inf
        z.requires_grad_()
        with as_on_a_device(monkeypatch):
            found = sample(z, "0.1 + entropy", seed=3, backend="torch", top_k=30)
            scaled = scale(z, "0.1 + entropy", backend="torch")
            found.temperature[[0, 4]].sum().backward()

        assert found.broken.tolist() == [False, True, True, True, False]
        assert found.token[1:4].tolist() == [-1, -1, -1]
        assert found.token[[0, 4]].tolist() == sound.token.tolist()
        assert found.candidates.tolist() == [30, 0, 0, 0, 30]
        for values in (found.temperature, found.signals["entropy"]):
            assert values.isnan().tolist() == found.broken.tolist()
        np.testing.assert_array_equal(scaled.detach()[1:4], z.detach()[1:4])
        assert torch.isfinite(z.grad).all()
        assert not z.grad[1:4].any()

    def test_context_that_is_a_tensor(self, monkeypatch):
        z = torch.randn(3, 50)
        policy = 'requested + given("kl", 0, 20)'
        kl = torch.tensor([1.0, 21.0, np.nan], requires_grad=True)
        with as_on_a_device(monkeypatch):
            found = sample(z, policy, seed=1, requested=torch.tensor(0.5), given={"kl": kl}, backend="torch")
        (of_kl,) = torch.autograd.grad(found.temperature[0], kl)

        assert found.broken.tolist() == [False, True, True]
        assert found.temperature[0] == 1.5
        assert of_kl.tolist() == [1, 0, 0]
        with pytest.raises(PolicyError, match="outside its range of 0 to 20"):
            sample(z, policy, seed=1, given={"kl": kl}, backend="torch")
        with pytest.raises(ValueError, match=r"kl: \(2,\) was given for 3 rows"):
            sample(z, policy, seed=1, given={"kl": kl[:2]}, backend="torch")

    def test_what_it_remembers_begins_afresh(self, monkeypatch):
        policy = Policy("0.1 + ema(entropy, 0.9)")
        state = policy.state(2, device="cpu")
        z = torch.randn(2, 50)
        hurt = z.clone()
        hurt[1, 0] = np.nan
        with as_on_a_device(monkeypatch):
            temperatures(hurt, policy, state=state, backend="torch", position=0)
            temperatures(z, policy, state=state, backend="torch", position=1)

        assert int(state.restarts) == 1


class TestStates:
    POLICY = Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8) + 0.1*ema(entropy, 0.9) + 0.01*prev(margin)")

    @pytest.mark.parametrize("device", [None, "cpu"], ids=["arrays", "tensors"])
    @pytest.mark.parametrize("known", [True, False])
    def test_remember_what_the_reference_remembers(self, monkeypatch, device, known):
        rng = np.random.default_rng(2)
        state, other = self.POLICY.state(6, 4, device=device), self.POLICY.state(6, 4)
        slots = np.array([5, 0, 3, 1])
        for t in [0, 1, 2, 3, 3, 2, 3, 4, 9, 10]:  # again, back, and too far
            rows = torch.tensor(rng.normal(0, 2, (4, 300)))
            if t == 4:
                state.begin(3), other.begin(3)
            where = {"slot": slots, "position": t}
            expected = sample(rows, self.POLICY, seed=1, state=other, backend="reference", **where)
            if known:
                found = sample(rows, self.POLICY, seed=1, state=state, backend="torch", **where)
            else:
                with as_on_a_device(monkeypatch):
                    where = {name: torch.tensor(value) for name, value in where.items()}
                    found = sample(rows, self.POLICY, seed=1, state=state, backend="torch", **where)

            assert found.token.tolist() == expected.token.tolist()
            np.testing.assert_allclose(found.temperature, expected.temperature, rtol=1e-9)
        assert int(state.restarts) == other.restarts > 0

    def test_several_positions_of_a_slot(self):
        policy = Policy("0.1 + ema(entropy, 0.9) + prev(margin)/9")
        z = torch.randn(6, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        where = {"slot": [0, 1, 0, 0, 2, 1], "position": [1, 0, 0, 2, 5, 1]}
        expected = temperatures(z, policy, state=(other := policy.state(3)), backend="reference", **where)
        for device in (None, "cpu"):
            found = temperatures(z, policy, state=(state := policy.state(3, device=device)), backend="torch", **where)

            np.testing.assert_allclose(found, expected, rtol=1e-12)
            assert int(state.restarts) == other.restarts == 1

    def test_arrays_are_written_in_place(self):
        policy = Policy("0.1 + prev(entropy)")
        state = policy.state(2)
        z = torch.randn(2, 9)
        temperatures(z, policy, state=state, backend="torch")
        before = measure(z, "entropy", backend="torch")["entropy"].numpy()

        np.testing.assert_allclose(policy.step({"entropy": [1, 1]}, state=state, position=1), 0.1 + before)

    def test_a_host_that_draws_itself_says_how_surprising_it_was(self):
        policy = Policy("surprisal")
        state = policy.state(3, device="cpu")
        state.observe(torch.tensor([2, 0]), torch.tensor([0, 4]), torch.tensor([1.25, 99.0]))
        found = temperatures(torch.zeros(2, 9), policy, state=state, slot=[2, 0], position=[1, 5], backend="torch")

        assert found.tolist() == [1.25, 50]

    def test_elsewhere_are_refused(self, monkeypatch):
        policy = Policy("ema(entropy, 0.9)")
        state = policy.state(device="meta")
        with pytest.raises(StateError, match=r"lives on meta.*policy.state\(slots, device=logits.device\)"):
            temperatures(torch.zeros(1, 9), policy, state=state, backend="torch")
        with pytest.raises(StateError, match=r"lives on cpu.*policy.state\(slots\)"):
            temperatures(torch.zeros(1, 9), policy, state=policy.state(device="cpu"), backend="reference")
        with pytest.raises(StateError, match="pass state="):
            temperatures(torch.zeros(1, 9), policy, backend="torch")


class TestSeveralPolicies:
    @pytest.mark.parametrize("device", [None, "cpu"])
    def test_of_one_call(self, device):
        first, second = Policy("0.2 + 0.1*ema(entropy, 0.9)"), Policy('param("a", 0, 1) + quantile(0.5)')
        third = Policy("0.1 + temperature_for_entropy(1) + surprisal/9 + 0.1*ema(entropy, 0.9)")
        policies = [first, second, first, third, third]
        z = torch.randn(5, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        states = third.state(5, device=device), third.state(5)
        for t in range(3):
            found, expected = (
                sample(z, policies, seed=1, state=state, position=t, parameters={"a": 0.25}, backend=name)
                for name, state in zip(("torch", "reference"), states, strict=True)
            )
            np.testing.assert_allclose(found.temperature, expected.temperature, rtol=1e-9)
            assert found.token.tolist() == expected.token.tolist()
            assert set(found.signals) == set(expected.signals)
            for name, values in expected.signals.items():
                np.testing.assert_allclose(found.signals[name], values, rtol=1e-9, err_msg=name)

    def test_as_many_as_rows_are_needed(self):
        with pytest.raises(ValueError, match="2 policies were given for 3 rows"):
            temperatures(torch.zeros(3, 4), ["0.5", "entropy"], backend="torch")


class TestInput:
    def test_arrays_give_arrays(self):
        drawn = sample(np.zeros((2, 5), np.float32), "0.1 + entropy", seed=1, backend="torch")

        assert all(type(part) is np.ndarray for part in (drawn.token, drawn.temperature, drawn.signals["entropy"]))
        assert type(scale(np.zeros((2, 5), np.float32), 0.5, backend="torch")) is np.ndarray

    def test_parameters_that_are_tensors_and_numbers(self):
        policy = 'param("a", 0, 1)*entropy'
        z = torch.randn(2, 9)
        expected = temperatures(z, policy, parameters={"a": 0.5}, backend="reference")
        for value in (0.5, np.float32(0.5), torch.tensor(0.5), torch.tensor([0.5, 0.5]), torch.tensor([0.5])):
            found = temperatures(z, policy, parameters={"a": value}, backend="torch")
            np.testing.assert_allclose(found, expected, 1e-6)
        for wrong in ({"a": 2.0}, {"a": True}, {}, {"b": torch.tensor(1.0)}, {"a": 0.5, "b": 1.0}, {"a": np.nan}):
            with pytest.raises(PolicyError):
                temperatures(z, policy, parameters=wrong, backend="torch")
        with pytest.raises(PolicyError, match="template"):
            temperatures(z, "a*entropy", parameters={"a": torch.tensor(0.5)}, backend="torch")
        with pytest.raises(PolicyError, match="parameter"):
            measure(z, 'temperature_for_entropy(param("h", 0, 1))', backend="torch")

    @pytest.mark.parametrize("shape", [(0, 5), (0, 5000)])
    def test_no_rows(self, shape):
        drawn = sample(torch.zeros(shape), EVERYTHING, seed=1, top_k=2, top_p=0.5, backend="torch")

        assert drawn.token.shape == drawn.temperature.shape == (0,)
        assert scale(torch.zeros(shape), EVERYTHING, backend="torch").shape == shape


COMPILED = {
    "text": lambda z: temperatures(z, "0.1 + 0.8*entropy"),
    "moments": lambda z: temperatures(z, "max_prob + normalized_entropy + perplexity + collision + varentropy"),
    "order": lambda z: temperatures(z, "quantile(0.9) + top_mass(3) + margin"),
    "context": lambda z: temperatures(
        z, 'requested + given("kl", 0, 20)/9 + position', requested=0.5, given={"kl": 2.0}, position=7
    ),
    "several policies": lambda z: temperatures(z, ["0.1 + 0.8*entropy", "0.5 - 0.4*max_prob", "0.1 + 0.8*entropy"]),
    "scale": lambda z: scale(z, "0.1 + 0.8*entropy"),
    "draw": lambda z: sample(z, "0.1 + 0.8*entropy", seed=2**60 + 3, position=5, top_k=40, min_p=0.01).token,
    "chain": lambda z: sample(z, FIXED, seed=3, filters="top_h(0.9), typical(0.9), temperature, xtc(0.02, 0.5)").token,
    "seeds": lambda z: (
        sample(z, 0.7, seed=torch.tensor([1, 2, 3]), request=torch.tensor([9, 9, 8]), position=torch.tensor(3)).token
    ),
    "parameters": lambda z: temperatures(
        z, 'param("a", 0, 1) + param("b", 0, 1)*entropy', parameters={"a": torch.tensor(0.5), "b": 0.25}
    ),
}
FIXED = Policy("0.1 + 0.7*entropy")


# PyTorch makes an object of autograd.Function while it traces, and scripts a method when it loads its compiler
@pytest.mark.filterwarnings("ignore:.*(should not be instantiated|torch.jit):DeprecationWarning")
class TestCompiled:
    Z = torch.randn(3, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(1))

    @pytest.fixture(autouse=True)
    def afresh(self):
        torch._dynamo.reset()
        yield
        torch._dynamo.reset()

    @pytest.mark.parametrize("case", COMPILED)
    def test_is_one_graph(self, case):
        found = torch.compile(COMPILED[case], backend="aot_eager", fullgraph=True)(self.Z)

        np.testing.assert_allclose(found, COMPILED[case](self.Z.clone().requires_grad_()).detach(), rtol=1e-12)

    @pytest.mark.slow
    @pytest.mark.parametrize("policy", ["temperature_for_entropy(0.85*entropy)", "quantile(0.3) + median_prob"])
    def test_solving_and_filters_are_one_graph(self, policy):
        def run(z):
            return sample(z, policy, seed=3, top_p=0.9, filter_at="temperature").token

        expected = sample(self.Z, policy, seed=3, top_p=0.9, filter_at="temperature", backend="reference").token

        assert torch.compile(run, backend="eager", fullgraph=True)(self.Z).tolist() == expected.tolist()

    def test_each_policy_is_its_own(self):
        run = torch.compile(temperatures, backend="eager", fullgraph=True)
        for policy in (FIXED, Policy("0.2 + 0.7*entropy"), "0.3 + 0.7*entropy", "0.4 + 0.7*entropy", FIXED, 0.5):
            np.testing.assert_allclose(run(self.Z, policy), temperatures(self.Z, policy, backend="reference"))

    def test_positions_move_on(self):
        def run(z, position):
            return sample(z, "0.1 + 0.8*entropy + position/100", seed=1, position=position).token

        compiled = torch.compile(run, backend="eager", fullgraph=True)
        for t in range(4):
            expected = sample(self.Z, "0.1 + 0.8*entropy + position/100", seed=1, position=t, backend="reference")

            assert compiled(self.Z, t).tolist() == expected.token.tolist()

    def test_gradients_are_those_without(self):
        def loss(z, a):
            return scale(z, 'param("a", 0, 1)*0.8**(1/entropy) + 0.1', parameters={"a": a}).logsumexp(-1).sum()

        z, a = self.Z.clone().requires_grad_(), torch.tensor(0.5, requires_grad=True)
        compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
        found, expected = (torch.autograd.grad(run(z, a), (z, a)) for run in (compiled, loss))
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9)

    def test_broken_rows_are_marked(self):
        z = self.Z.clone()
        z[1, 2] = np.nan
        run = torch.compile(lambda z: sample(z, "0.1 + entropy", seed=1), backend="eager", fullgraph=True)
        found = run(z)

        assert found.broken.tolist() == [False, True, False]
        assert found.token[1] == -1

    def test_a_state_of_tensors(self):
        policy = Policy("0.2 + 0.1*ema(entropy, 0.9) + surprisal/9")
        state, other = policy.state(3, device="cpu"), policy.state(3)

        def run(z, position):
            return sample(z, policy, seed=1, position=position, state=state).token

        compiled = torch.compile(run, backend="eager", fullgraph=True)
        for t in range(3):
            expected = sample(self.Z, policy, seed=1, position=t, state=other, backend="reference").token

            assert compiled(self.Z, torch.tensor(t)).tolist() == expected.tolist()

    @pytest.mark.slow
    def test_by_inductor(self):
        def run(z):
            drawn = sample(z, "0.1 + 0.8*entropy", seed=3)
            return drawn.token, drawn.temperature

        expected = sample(self.Z, "0.1 + 0.8*entropy", seed=3, backend="reference")
        token, temperature = torch.compile(run, fullgraph=True)(self.Z)

        assert token.tolist() == expected.token.tolist()
        np.testing.assert_allclose(temperature, expected.temperature, rtol=1e-9)
