"""The triton backend against the reference: in Triton's interpreter, or on a GPU where there is one.

Run as a program it draws tokens (`draw FIRST COUNT FILE`) or compiles every kernel for a GPU (`compile`): the tests do
so in processes of their own.
"""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.learned import LEARNED, LEARNED_REMEMBERING

from dyntemp import InvalidLogitsError, Policy, PolicyError, measure, sample, scale, temperatures
from dyntemp.distribution.filters import Filters
from dyntemp.distribution.noise import OF_A_DRAW, uniform
from dyntemp.kernels import reference
from dyntemp.kernels.blocks import BLOCK
from dyntemp.kernels.job import Job
from dyntemp.kernels.rows import LOWEST
from dyntemp.language.program import Op
from dyntemp.language.signals import SIGNALS

torch = pytest.importorskip("torch")
triton = pytest.importorskip("triton")
from dyntemp.kernels.triton import backend as ours  # noqa: E402
from dyntemp.kernels.triton import blocks as triton_blocks  # noqa: E402
from dyntemp.kernels.triton import draw as triton_draw  # noqa: E402
from dyntemp.kernels.triton import rows as triton_rows  # noqa: E402

if not triton_rows.INTERPRETED and not torch.cuda.is_available() and __name__ != "__main__":
    pytest.skip("needs a GPU, or TRITON_INTERPRET=1", allow_module_level=True)

tl = triton.language
DEVICE = "cpu" if triton_rows.INTERPRETED else "cuda"
ROOT = Path(__file__).parents[2]
ALONE = [sys.executable, "-m", "tests.kernels.test_triton"]  # this file as a program, in a process of its own
DTYPES = ["float64", "float32", "float16", "bfloat16"]
TOLERANCE = {  # of a signal s: so much times max(1, |s|)
    "float64": (1e-12, "sums in float64"),
    "float32": (5e-6, "exponentials and blocks of 2,048 summed in float32, blocks combined in float64"),
    "float16": (5e-6, "widened to float32 exactly, then as float32"),
    "bfloat16": (5e-6, "widened to float32 exactly, then as float32"),
}
TEMPERATURE_TOLERANCE = (1e-9, "the same float64 arithmetic, with powers by exp and log")
EVERY_SIGNAL = [
    "max_prob", "entropy", "normalized_entropy", "perplexity", "collision", "varentropy", "support", "margin",
    "median_prob", "quantile(0)", "quantile(0.3)", "quantile(1)", "top_mass(1)", "top_mass(40)",
    "temperature_for_entropy(1)", "temperature_for_entropy(0.85*entropy)",
]  # fmt: skip
MOMENTS = EVERY_SIGNAL[:7]


def tensor(rows, dtype="float32"):
    """NumPy rows as a tensor where the backend runs."""
    return torch.as_tensor(np.asarray(rows)).to(getattr(torch, dtype)).to(DEVICE)


def array(values):
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def both(rows, job):
    """The outcome of a job from the backend and from the reference."""
    return ours.run(rows, job), reference.run(rows.cpu(), job)


def padded(rows, width):
    return np.stack([np.r_[np.asarray(row, np.float64), np.full(width - len(row), -inf)] for row in rows])


def edge_rows(dtype):
    """Awkward rows, [rows, 3 blocks + 7]; what is missing at their ends is masked."""
    rng = np.random.default_rng(7)
    lowest = LOWEST[dtype]

    def normal(n, spread=3.0):
        return rng.normal(0, spread, n)

    def masked(row, where, with_=-inf):
        row = np.array(row, np.float64)
        row[where] = with_
        return row

    far = 3e38 if dtype != "float16" else 6e4
    rows = [
        [3.5],
        [0.0, 1.0],
        [-0.0, 0.0, -0.0, -1.0],
        [1.0, 5.0, 5.0, 0.0],
        np.full(1000, 2.5),
        np.zeros(3 * BLOCK + 7),
        masked(np.zeros(3000), [0, 2999], 1.0),
        masked(np.zeros(BLOCK + 5), -1, 80.0),
        normal(2000, 1e-3),
        masked(normal(1000), rng.permutation(1000)[:700]),
        masked(np.zeros(5000), np.arange(5000) != 4321),
        masked(normal(3 * BLOCK + 7), slice(0, BLOCK)),
        masked(normal(3 * BLOCK + 7), slice(BLOCK, 2 * BLOCK)),
        masked(normal(1000), slice(100, 900), lowest),
        masked(normal(1000), slice(100, 900), 0.6 * lowest),
        np.concatenate([normal(BLOCK), normal(BLOCK) + 200, normal(BLOCK)]),
        np.concatenate([normal(BLOCK) - 30 * block for block in range(3)]),
        normal(500) + 10_000,
        normal(500) - 10_000,
        normal(500) * 1e-6,
        np.linspace(-60, 0, 700),
        np.full(500, far),
        masked(np.full(5000, -0.4 * far), [1, 2500], far),
        np.linspace(-0.4 * far, 0.4 * far, 4000),
        normal(3 * BLOCK + 7, 8.0),
    ]  # fmt: skip
    return padded(rows, 3 * BLOCK + 7)


@pytest.fixture(autouse=True, scope="module")
def _patched_once():
    if triton_rows.INTERPRETED:
        patch_once()


def patch_once():
    """Let Triton's interpreter change the language once per kernel, not again for each function that a kernel calls.

    The kernels run as they would; only the nine tenths of the time that go into the repetition are saved.
    """
    from triton.runtime import interpreter

    patch = interpreter._patch_lang
    changed: set[int] = set()

    class Nothing:
        def restore(self):
            pass

    class Outermost(Nothing):
        def __init__(self, scope):
            self.scope = scope

        def restore(self):
            changed.clear()
            self.scope.restore()

    def once(function):
        languages = {id(value) for value in function.__globals__.values() if value is tl or value is tl.core}
        if languages <= changed:
            return Nothing()
        outermost = not changed
        changed.update(languages)
        scope = patch(function)
        return Outermost(scope) if outermost else Nothing()

    interpreter._patch_lang = once


class TestSignals:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_moments_of_awkward_rows(self, dtype):
        rows = tensor(edge_rows(dtype), dtype)
        found = measure(rows, *MOMENTS, backend="triton")
        with np.errstate(all="ignore"):
            expected = measure(rows.cpu(), *MOMENTS, backend="reference")
        for name in MOMENTS:
            close(found[name], expected[name], dtype, name)

    @pytest.mark.parametrize(("dtype", "every"), [("float32", 1), ("float64", 5), ("float16", 5), ("bfloat16", 4)])
    def test_every_signal_of_awkward_rows(self, dtype, every):
        rows = tensor(edge_rows(dtype)[::every], dtype)
        names = EVERY_SIGNAL if dtype == "float32" else ["margin", "quantile(0.3)", "temperature_for_entropy(1)"]
        found = measure(rows, *names, backend="triton")
        with np.errstate(all="ignore"):
            expected = measure(rows.cpu(), *names, backend="reference")
        for name in names:
            if name.startswith("temperature_for"):
                solved(rows, found[name], expected[name], name)
            else:
                close(found[name], expected[name], dtype, name)

    @pytest.mark.parametrize("width", [1, 2, 3, 63, 1000, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
    def test_widths(self, width):
        rows = tensor(np.random.default_rng(width).normal(0, 3, (2, width)))
        names = [*MOMENTS, "margin", "median_prob", "top_mass(2)"]
        found, expected = (
            measure(z, *names, backend=name) for z, name in ((rows, "triton"), (rows.cpu(), "reference"))
        )
        for name in names:
            close(found[name], expected[name], "float32", name)

    def test_programs_that_do_several_blocks(self, monkeypatch):
        """A device with fewer places than blocks has programs that do several."""
        monkeypatch.setattr(ours, "_blocks_at_once", lambda blocks, device: 3)
        rows = tensor(edge_rows("float32")[10:14])
        found = measure(rows, *MOMENTS, backend="triton")
        for name, expected in measure(rows.cpu(), *MOMENTS, backend="reference").items():
            close(found[name], expected, "float32", name)

    def test_random_rows(self):
        rows = random_rows(300)
        found = measure(tensor(rows), *MOMENTS, backend="triton")
        for name, expected in measure(rows, *MOMENTS, backend="reference").items():
            close(found[name], expected, "float32", name)

    def test_no_signal_is_missing(self):
        named = {name.split("(", maxsplit=1)[0] for name in EVERY_SIGNAL}

        assert named == {name for name, record in SIGNALS.items() if record.measured}

    def test_a_vocabulary_of_many_blocks(self):
        row = tensor(np.random.default_rng(3).normal(0, 1, 131_072))
        found, expected = (
            measure(z, *MOMENTS, backend=name) for z, name in ((row, "triton"), (row.cpu(), "reference"))
        )
        for name in MOMENTS:
            close(found[name], expected[name], "float32", name)

    def test_rows_apart_in_memory_and_no_rows(self):
        wide = tensor(np.random.default_rng(1).normal(0, 3, (3, 200)))
        strided = wide[::2, ::2]
        close(*(measure(z, "entropy", backend=name)["entropy"]
                for z, name in ((strided, "triton"), (strided.cpu(), "reference"))), "float32", "entropy")  # fmt: skip

        assert measure(wide[:0], "entropy", backend="triton")["entropy"].shape == (0,)
        assert sample(wide[:0], 1.0, seed=1, backend="triton").token.shape == (0,)


def random_rows(count):
    """Rows of 70 logits from nearly uniform to nearly one-hot, a quarter of the entries masked."""
    rng = np.random.default_rng(17)
    rows = rng.normal(0, 1, (count, 70)) * 10 ** rng.uniform(-3, 2, (count, 1)) + rng.normal(0, 100, (count, 1))
    return np.where(rng.random(rows.shape) < 0.25, -inf, rows).astype(np.float32)


def close(found, expected, dtype, name):
    found, expected = array(found), array(expected)
    tolerance, _ = TOLERANCE[dtype]
    worst = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    assert found.dtype == np.float64
    assert (worst <= tolerance).all(), f"{name}: rows {np.flatnonzero(~(worst <= tolerance))} differ by {worst.max()}"
    assert not np.signbit(found).any(), name


def solved(rows, found, expected, name):
    """The entropy at the temperature found is the one wanted, to 5e-6 nats, however steep the way there."""
    found, expected = array(found), array(expected)
    z = rows.cpu().double().numpy()
    for row, (t, other) in enumerate(zip(found, expected, strict=True)):
        if other in {0.0, inf}:
            assert t == other, f"{name}, row {row}"
            continue
        with np.errstate(all="ignore"):
            below = z[row][z[row] > -1.6e38] - z[row].max()
            at, wanted = (reference.entropy(reference.log_softmax(below / temperature)) for temperature in (t, other))
        assert abs(at - wanted) <= 5e-6, f"{name}, row {row}: {t} for {other}"


POLICIES = [  # every step of a program at least once
    "0.7", "0.1 + 0.8*entropy", "abs(entropy - 0.5*normalized_entropy)", "2/perplexity", "max_prob**1.5",
    "-(-max_prob)",
    "(entropy - 1)**2", "abs(entropy - 2)**0.5", "2**(entropy - 1)", "where(max_prob < 0.3, 0.2, 0.9)",
    "where(max_prob <= 0.3, 0.2, 0.9)", "where(entropy > 1, 0.2, 0.9)", "where(entropy >= 1, 0.2, 0.9)",
    "exp(-entropy)", "clip(log(max_prob) + 3, 0, 9)", "sqrt(entropy)", "abs(entropy - 1)", "halfcos(entropy/3)",
    "1 + tanh(entropy - 1)",
    "tanh(1e-3*entropy)", "tanh(50*entropy)", "sigmoid(5 - entropy)", "sigmoid(900*(entropy - 9))",
    "min(entropy, 1, 2*max_prob)", "max(entropy, 1)", "clip(entropy, 0.5, 1.5)", "lerp(0.3, 1.3, max_prob)",
    "0.5*entropy**0", "0.5*entropy**(0*max_prob)",
    "0.8**(1/entropy)", "1/entropy", "entropy**-2", "exp(1000*entropy)", "requested*position", "0*entropy",
    "0.8*temperature_for_entropy(0.5*entropy)", "median_prob + quantile(0.9) + margin", "top_mass(3)**2",
    *LEARNED,
]  # fmt: skip
REMEMBERING = [
    "0.1 + ema(entropy, 0.9)", "prev(entropy)", "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)",
    "0.2 + 0.1*surprisal", "ema(prev(max_prob), 0.5) + integral(entropy, 0, 3)",
    *LEARNED_REMEMBERING,
]  # fmt: skip


class TestPrograms:
    def rows(self):
        return np.array([[0.0, 0.0, 0.0, 0.0], [3.0, 1.0, 0.0, -2.0], [0.0, -inf, -inf, -inf]])

    def test_every_step_is_run(self):
        programs = [Policy(text).program for text in POLICIES + REMEMBERING]
        with_parameter = Policy('param("a", 0, 2)*entropy').program
        ran = {step.op for program in [*programs, with_parameter] for steps in (program.steps, *program.targets)
               for step in steps}  # fmt: skip

        assert ran == set(Op)

    @pytest.mark.parametrize("row", range(3))
    def test_each_row_has_its_own_policy(self, row):
        rows = tensor(np.tile(self.rows()[row], (len(POLICIES), 1)), "float64")
        job = Job(tuple(map(Policy, POLICIES)), requested=0.9, position=3)
        found, expected = both(rows, job)
        for at, text in enumerate(POLICIES):
            read = {str(signal) for signal in Policy(text).program.signals} - {"requested", "position"}
            own = {name: array(found.signals[name])[at : at + 1] for name in read}
            step = Policy(text).step({**own, "requested": [0.9]}, position=3)[0]

            assert array(found.temperature)[at] == pytest.approx(step, rel=TEMPERATURE_TOLERANCE[0], abs=1e-12), text
            assert step == pytest.approx(expected.temperature[at].item(), rel=1e-6), text
        for name, values in expected.signals.items():
            np.testing.assert_array_equal(np.isnan(array(values)), np.isnan(array(found.signals[name])), err_msg=name)

    def test_random_policies(self):
        rng = np.random.default_rng(11)
        policies = []
        while len(policies) < 150:
            try:
                policies.append(Policy(f"clip({random_expression(rng, 4)}, 0, 5)"))
            except PolicyError:
                continue
        rows = rng.normal(0, 3, (150, 9))
        found = ours.run(tensor(rows, "float64"), Job(tuple(policies)))
        for at, policy in enumerate(policies):
            own = {str(signal): array(found.signals[str(signal)])[at : at + 1] for signal in policy.program.signals}

            assert array(found.temperature)[at] == pytest.approx(
                policy.step(own)[0], rel=TEMPERATURE_TOLERANCE[0], abs=1e-12
            ), str(policy)

    def test_parameters_and_numbers_of_the_caller(self):
        rows = tensor(self.rows())
        policy = '0.3 + param("a", 0, 2)*entropy + given("kl", 0, 20)'
        options = {"parameters": {"a": 0.5}, "given": {"kl": np.array([1.0, 2.0, 3.0])}}
        found, expected = (temperatures(z, policy, backend=name, **options)
                           for z, name in ((rows, "triton"), (rows.cpu(), "reference")))  # fmt: skip

        np.testing.assert_allclose(array(found), array(expected), rtol=1e-6)
        with pytest.raises(PolicyError, match="outside its range"):
            temperatures(rows, policy, backend="triton", **options | {"given": {"kl": 21.0}})
        with pytest.raises(PolicyError, match="no value"):
            temperatures(rows, policy, backend="triton", given={"kl": 1.0})

    def test_one_row_gives_numbers_without_a_shape(self):
        found = sample(tensor([0.0, 1.0, 2.0]), "0.1 + entropy", seed=1, backend="triton")

        assert found.token.shape == found.temperature.shape == found.signals["entropy"].shape == ()
        assert found.backend == "triton"


def random_expression(rng, depth):
    leaves = [
        "entropy",
        "max_prob",
        "collision",
        "varentropy",
        "normalized_entropy",
        "support",
        f"{rng.uniform(0, 3):.3g}",
    ]
    if depth == 0 or rng.random() < 0.1:
        return str(rng.choice(leaves))
    parts = [random_expression(rng, depth - 1) for _ in range(3)]
    forms = [
        "({} + {})", "({} - {})", "({}*{})", "({}/{})", "abs({})**{}", "exp(-abs({}))", "sqrt(abs({}))", "tanh({})",
        "log(1 + abs({}))", "sigmoid({})", "min({}, {}, {})", "max({}, {})", "clip({}, 0.2, 2)", "lerp({}, {}, {})",
        "where({} < {}, {}, 0.5)", "(-{})", "({})**3",
    ]  # fmt: skip
    form = str(rng.choice(forms))
    return form.format(*parts[: form.count("{}")])


class TestState:
    @pytest.mark.parametrize("text", REMEMBERING)
    def test_a_run_of_steps(self, text):
        rng = np.random.default_rng(5)
        policy = Policy(text)
        state, expected_state = (policy.state(3, window=4, device=device) for device in (where_states_live(), None))
        at = np.array([0, 2])
        for position in [0, 1, 2, 2, 3, 4, 5, 1, 0, 0]:
            if position == 5:
                state.begin(2)
                expected_state.begin(2)
            rows = tensor(rng.normal(0, 2, (2, 50)))
            options = {"seed": 4, "slot": at, "position": position}
            found = sample(rows, policy, backend="triton", state=state, **options)
            expected = sample(rows.cpu(), policy, backend="reference", state=expected_state, **options)

            np.testing.assert_array_equal(array(found.token), array(expected.token))
            np.testing.assert_allclose(array(found.temperature), array(expected.temperature), rtol=2e-6)
        assert int(state.restarts) == expected_state.restarts > 0

    def test_positions_of_one_slot_in_one_call(self):
        policy = Policy("ema(entropy, 0.5) + prev(max_prob)")
        rows = tensor(np.random.default_rng(2).normal(0, 2, (5, 40)))
        options = {"slot": [1, 0, 1, 1, 0], "position": [0, 1, 2, 1, 0]}
        state = policy.state(2, device=where_states_live())
        found = temperatures(rows, policy, backend="triton", state=state, **options)
        expected = temperatures(rows.cpu(), policy, backend="reference", state=policy.state(2), **options)

        np.testing.assert_allclose(array(found), array(expected), rtol=2e-6)

    def test_policies_share_a_state(self):
        first, second = Policy("ema(entropy, 0.5)"), Policy("0.3")
        state, expected_state = first.state(2, device=where_states_live()), first.state(2)
        rows = tensor(np.random.default_rng(3).normal(0, 2, (2, 40)))
        for position in range(3):
            options = {"position": position}
            found = temperatures(rows * (position + 1), [first, second], backend="triton", state=state, **options)
            expected = temperatures(rows.cpu() * (position + 1), [first, second], backend="reference",
                                    state=expected_state, **options)  # fmt: skip

            np.testing.assert_allclose(array(found), array(expected), rtol=2e-6)


def where_states_live():
    """A host's table is read in place on the CPU."""
    return None if DEVICE == "cpu" else DEVICE


class TestFilters:
    FILTERS = (
        {"top_k": 1}, {"top_k": 5}, {"top_k": 3000}, {"top_p": 0.5}, {"top_p": 0.95}, {"min_p": 0.1}, {"min_p": 1.0},
        {"top_k": 40, "top_p": 0.8, "min_p": 0.02},
    )  # fmt: skip

    def rows(self):
        rng = np.random.default_rng(9)
        tied = np.round(rng.normal(0, 1.5, BLOCK + 70))
        masked = rng.normal(0, 3, BLOCK + 70)
        masked[::3] = -inf
        return np.stack([rng.normal(0, 3, BLOCK + 70), tied, masked, np.zeros(BLOCK + 70)])

    @pytest.mark.parametrize("options", FILTERS, ids=str)
    @pytest.mark.parametrize("at", ["model", "temperature"])
    def test_what_stays(self, options, at):
        dtype = {"top_k": "bfloat16", "min_p": "float16"}.get(next(iter(options)), "float32")
        job = Job((Policy(1.4),), draw=True, filters=Filters(**options, at=at), seed=3)
        found, expected = both(tensor(self.rows(), dtype), job)
        for name in ("candidates", "cut", "last", "token"):
            np.testing.assert_array_equal(array(getattr(found, name)), array(getattr(expected, name)), err_msg=name)

    @pytest.mark.parametrize("temperature", ["0", "1/0", "0.05"])
    def test_at_extreme_temperatures(self, temperature):
        job = Job((Policy(temperature),), draw=True, filters=Filters(0, 0.6, 0.3, "temperature"), seed=3)
        found, expected = both(tensor(self.rows()), job)
        for name in ("candidates", "cut", "last", "token"):
            np.testing.assert_array_equal(array(getattr(found, name)), array(getattr(expected, name)), err_msg=name)

    @pytest.mark.parametrize(
        "chain",
        ["min_p(0.01), top_k(9)", "top_n_sigma(1), temperature, eta(0.02)", "top_a(0.1), p_less",
         "top_h(0.6), epsilon(1e-3)", "tfs(0.9)", "typical(0.7), temperature, xtc(0.05, 0.5)"],
    )  # fmt: skip
    def test_other_chains(self, chain):
        policy = Policy("clip(0.4 + 0.2*surprisal, 0.1, 3)")
        rows = self.rows()[:, :900]
        states = policy.state(4, device=where_states_live()), policy.state(4)
        for position in range(2):
            jobs = [
                Job((policy,), draw=True, filters=Filters.read(chain), seed=3, position=position, state=state)
                for state in states
            ]
            found, expected = ours.run(tensor(rows), jobs[0]), reference.run(tensor(rows).cpu(), jobs[1])
            for name in ("candidates", "token", "cut", "last", "kept"):
                wanted = getattr(expected, name)
                assert (getattr(found, name) is None) == (wanted is None)
                if wanted is not None:
                    np.testing.assert_array_equal(array(getattr(found, name)), array(wanted), err_msg=name)
            np.testing.assert_allclose(array(found.temperature), array(expected.temperature), rtol=1e-6)

    def test_the_draw_is_that_of_the_row_with_the_rest_masked(self):
        rows = tensor(self.rows())
        job = Job((Policy(2.0),), draw=True, filters=Filters(top_k=30), seed=8)
        found = ours.run(rows, job)
        index = np.arange(rows.shape[1])
        z = array(rows)
        cut, last = array(found.cut)[:, None], array(found.last)[:, None]
        kept = np.where((z > cut) | ((z == cut) & (index <= last)), z, -np.inf)
        again = ours.run(tensor(kept), replace(job, filters=Filters()))

        np.testing.assert_array_equal(array(found.token), array(again.token))


class TestBrokenRows:
    def rows(self):
        rows = np.zeros((5, 100), np.float32)
        rows[0, 7] = np.nan
        rows[1, 70] = inf
        rows[2] = -inf
        rows[3] = -3.4e38
        return tensor(rows)

    @pytest.mark.parametrize("filters", [Filters(), Filters(top_k=3, top_p=0.5), Filters.read("p_less, typical(0.5)")])
    def test_they_are_marked(self, filters):
        policy = Policy("0.1 + ema(entropy, 0.5) + median_prob + temperature_for_entropy(1)")
        state = policy.state(5, device=where_states_live())
        found = ours.run(self.rows(), Job((policy,), draw=True, filters=filters, seed=1, state=state))

        assert array(found.broken).tolist() == [True] * 4 + [False]
        assert array(found.token)[:4].tolist() == [-1] * 4
        assert array(found.token)[4] >= 0
        for values in (found.temperature, *found.signals.values()):
            assert np.isnan(array(values)).tolist() == [True] * 4 + [False]
        temperatures(tensor(np.zeros((5, 100))), policy, state=state, position=1, backend="triton")

        assert int(state.restarts) == 4

    def test_scale_leaves_them(self):
        rows = self.rows()
        found = array(scale(rows, "0.1 + entropy", backend="triton"))

        np.testing.assert_array_equal(found[:4], array(rows)[:4])
        assert (found[4] == 0).all()


class TestScale:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("temperature", [0.0, 1e-6, 0.01, 0.7, 1.0, 3.0, 1e39, 1e300, inf])
    def test_it_agrees_with_the_reference(self, dtype, temperature):
        rng = np.random.default_rng(4)
        rows = rng.normal(0, 3, (3, BLOCK + 3))
        rows[0, ::3] = -inf
        rows[1, 1000] = rows[1, 2000] = rows[1, BLOCK + 1] = 50.0
        rows[2, :9] = 6e4 if dtype == "float16" else 3e38
        t = np.full(3, temperature)
        z = tensor(rows, dtype)
        found = ours.scale(z, torch.as_tensor(t).to(DEVICE))
        expected = reference.scale(z.cpu(), t)
        rounding = {"float64": 1e-15, "float32": 3e-7, "float16": 2e-3, "bfloat16": 2e-2}[dtype]

        assert found.dtype == z.dtype
        np.testing.assert_allclose(array(found.double()), array(expected.double()), rtol=rounding, atol=1.2e-38)
        # a device may flush what is below the smallest normal number

    def test_in_place_and_single_rows(self):
        z = tensor([3.0, 1.0, 2.0])
        expected = array(z) / 2
        assert ours.scale(z, torch.tensor([2.0], dtype=torch.float64, device=DEVICE), out=z) is z
        np.testing.assert_array_equal(array(z), expected)
        assert array(scale(tensor([1.0, 2.0]), 0.5, backend="triton")).tolist() == [2.0, 4.0]

    @pytest.mark.skipif(not triton_rows.INTERPRETED, reason="arrays live on the host")
    def test_arrays_come_back_as_arrays(self):
        rows = np.array([[1.0, 2.0], [0.0, -inf]], np.float16)
        found = scale(rows, 0.5, backend="triton")

        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float16
        assert found.tolist() == [[2.0, 4.0], [0.0, -inf]]


@pytest.mark.parametrize("seed", [0, 2**64 - 1])
def test_noise_has_the_known_answers(seed):
    """The numbers of `distribution.noise.uniform`, which is checked against the published ones."""
    requests = [0, 7, 2**32 - 1]
    found = array(noise_of(np.uint64(seed).astype(np.int64), requests, 2**32 - 1))
    expected = [[uniform(seed, request, 2**32 - 1, lane // 3, lane % 3) for lane in range(64)] for request in requests]

    assert found.tolist() == expected
    assert list(OF_A_DRAW) == [0, 1, 2]


def noise_of(seed, requests, position):
    """Every number that the draws of these requests may use, [requests, 64]."""
    keys = torch.as_tensor(np.asarray(requests, np.int64)).to(DEVICE)
    fixed = torch.tensor([seed, position], dtype=torch.int64, device=DEVICE)
    noise = torch.empty(len(requests), 64, dtype=torch.float64, device=DEVICE)
    store_uniforms[(-(-len(requests) // 64),)](keys, fixed, len(requests), noise, **ours.LAUNCH)
    return noise


@triton.jit
def store_uniforms(keys, fixed, count, noise):
    row = tl.program_id(0) * 64 + tl.arange(0, 64)
    lane = tl.arange(0, 64)[None, :]
    request = tl.load(keys + row, mask=row < count, other=0)[:, None]
    found = triton_draw.uniforms(lane + row[:, None].to(tl.int64) * 0, tl.load(fixed), request, tl.load(fixed + 1))
    tl.store(noise + row[:, None] * 64 + lane, found, mask=row[:, None] < count)


@triton.jit
def store_tokens(
    logits, columns, table, blocks, temperatures, noise, count, tokens, MASKED_AT: tl.constexpr,  # noqa: N803
    SIZE: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """Draw `count` times from one row, with the numbers of `noise`."""
    highest, total, top, _, _ = triton_blocks.heights(table, 0, 1, blocks, SIZE)
    temperature = tl.load(temperatures)
    lane = tl.arange(0, 64)
    for draw in range(tl.program_id(0), count, tl.num_programs(0)):
        token = triton_draw.drawn(
            logits, columns, blocks, highest, total, top, temperature, top * 0 - float("inf"), columns,
            tl.load(noise + draw * 64 + lane), MASKED_AT, tl.float32, SIZE,
        )  # fmt: skip
        tl.store(tokens + draw, token)


class TestTokens:
    def test_equal_keys_give_equal_tokens(self):
        rng = np.random.default_rng(12)
        unequal = 0
        cases = [("0.3", "float32", {}), ("1 + entropy", "bfloat16", {}), ("4", "float16", {"top_p": 0.9}),
                 ("0.05 + max_prob", "float64", {"min_p": 0.01}), ("1/0", "float32", {})]  # fmt: skip
        for number, (policy, dtype, filters) in enumerate(cases):
            rows = tensor(rng.normal(0, 4, (60, BLOCK + 300)), dtype)
            options = {"seed": number, "position": 7, **filters}
            found = sample(rows, policy, backend="triton", **options)
            expected = sample(rows.cpu(), policy, backend="reference", **options)
            unequal += int((array(found.token) != array(expected.token)).sum())

        assert unequal == 0

    def test_a_full_pass_after_sixteen_rejections(self):
        """Rows whose bounds are far too high: hardly a try is accepted."""
        row = np.full(20 * BLOCK, -200.0)
        row[::BLOCK] = np.linspace(-1, 0, 20)
        rows = tensor(np.tile(row, (12, 1)), "float64")
        found, expected = both(rows, Job((Policy(60.0),), draw=True, seed=2))

        np.testing.assert_array_equal(array(found.token), array(expected.token))

    def test_greedy_takes_the_lowest_index(self):
        rows = np.zeros((2, 3 * BLOCK))
        rows[0, [5000, 3000, 6000]] = 4.0
        found = sample(tensor(rows), [0.0, 1e-6], seed=1, backend="triton")

        assert array(found.token).tolist() == [3000, 0]

    def test_infinity_is_uniform_over_the_support(self):
        row = np.full(70, -inf)
        row[[3, 30, 60]] = [1e30, -1e30, 0.0]
        found = sample(tensor(np.tile(row, (60, 1))), "1/0", seed=1, backend="triton")

        assert set(array(found.token).tolist()) == {3, 30, 60}

    @pytest.mark.timeout(600)
    def test_frequencies_and_tokens_of_20000_draws(self, tmp_path):
        """A chi-square test over two blocks, and token by token what the reference draws with the same keys."""
        part = DRAWS // min(os.cpu_count() or 1, 8)
        parts = [(first, min(part, DRAWS - first), tmp_path / f"{first}.npy") for first in range(0, DRAWS, part)]
        running = [subprocess.Popen([*ALONE, "draw", *map(str, given)], cwd=ROOT) for given in parts]
        row, temperature = draws_row().astype(np.float32), DRAWS_TEMPERATURE
        expected = [reference.draw(row.astype(np.float64), temperature, 6, request, 0) for request in range(DRAWS)]
        assert {process.wait() for process in running} == {0}
        tokens = np.concatenate([np.load(path) for _, _, path in parts])
        z = row.astype(np.float64) / temperature
        p = np.exp(z - z.max())
        p /= p.sum()
        bins = np.minimum(np.cumsum(p) * 200, 199).astype(int)  # neighbours together, about 100 draws in each
        counts = np.bincount(bins[tokens], minlength=200)
        shares = np.bincount(bins, weights=p, minlength=200)
        some = shares * DRAWS >= 5

        assert (tokens != np.array(expected)).sum() <= 2
        assert np.isfinite(row[tokens]).all()
        assert stats.chisquare(counts[some], shares[some] / shares[some].sum() * counts[some].sum()).pvalue > 1e-4
        assert counts[~some].sum() <= 100


DRAWS = 20_000
DRAWS_TEMPERATURE = 0.8


def draws_row():
    rng = np.random.default_rng(21)
    row = rng.normal(0, 2, BLOCK + 700)
    row[rng.permutation(len(row))[:500]] = -inf
    return row


class TestNumbersOnTheDevice:
    def test_keys_and_slots_may_be_tensors(self):
        policy = Policy('0.2 + ema(entropy, 0.5) + given("kl", 0, 20)')
        rows = tensor(np.random.default_rng(6).normal(0, 2, (3, 80)))
        plain = {"seed": [2**62 + 5, 6, 7], "request": [9, 8, 2**32 - 1], "position": [0, 1, 2], "slot": [2, 0, 1]}
        there = {name: torch.tensor(value, dtype=torch.int64, device=DEVICE) for name, value in plain.items()}
        one = {**plain, "seed": 8, "position": 2}
        one_there = {**there, "seed": torch.tensor(8, device=DEVICE), "position": torch.tensor([2], device=DEVICE)}
        tokens = []
        for numbers in (plain, there, one, one_there):
            given = {"kl": 1.0 if numbers is plain else torch.ones(3, dtype=torch.float64, device=DEVICE)}
            state = policy.state(3, device=where_states_live())
            found = ours.run(rows, Job((policy,), draw=True, state=state, given=given, **numbers))
            tokens.append(array(found.token).tolist())

        assert tokens[0] == tokens[1]
        assert tokens[2] == tokens[3]

    def test_a_gradient_is_left_behind(self):
        row = tensor([0.0, 1.0]).requires_grad_()

        assert not temperatures(row, "entropy", backend="triton").requires_grad


class TestRefusals:
    def test_a_target_with_a_parameter_that_nobody_gave(self):
        with pytest.raises(PolicyError, match="no value"):
            measure(tensor([0.0, 1.0]), 'temperature_for_entropy(param("a", 0, 2))', backend="triton")

    def test_rows_that_are_none(self):
        for rows in (torch.zeros(3, dtype=torch.int64), torch.zeros(2, 2, 2), torch.zeros(0)):
            with pytest.raises(InvalidLogitsError):
                measure(rows.to(DEVICE), "entropy", backend="triton")

    def test_the_cpu_without_the_interpreter(self, monkeypatch):
        monkeypatch.setattr(triton_rows, "INTERPRETED", False)
        with pytest.raises(InvalidLogitsError, match="TRITON_INTERPRET"):
            measure(torch.zeros(3), "entropy", backend="triton")

    def test_keys_that_are_equal(self):
        with pytest.raises(ValueError, match="same seed, request and position"):
            sample(tensor(np.zeros((2, 3))), 1.0, seed=1, request=1, backend="triton")


def test_every_kernel_compiles_for_a_gpu_and_none_for_a_policy():
    """Without a GPU, by Triton's compiler alone, in a process without the interpreter."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run([*ALONE, "compile"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert Counter(done.stdout.split()) >= Counter(["summarise", "select", "solve", "step", "extremes", "divide"])


def draw_into(first, count, path):
    if triton_rows.INTERPRETED:
        patch_once()
        interpreter = triton.runtime.interpreter.interpreter_builder
        interpreter.options = replace(interpreter.options, sanitize_overflow=False)  # checked by the other tests
    row = tensor(draws_row()[None])
    blocks = -(-row.shape[1] // BLOCK)
    table = torch.empty(triton_blocks.FIELDS, 1, blocks, device=DEVICE)
    temperature = torch.tensor([DRAWS_TEMPERATURE], dtype=torch.float64, device=DEVICE)
    tokens = torch.empty(count, dtype=torch.int64, device=DEVICE)
    kind = {"MASKED_AT": LOWEST["float32"] / 2}
    with np.errstate(all="ignore"):
        triton_blocks.summarise[(1, blocks)](
            row, row.shape[1], row.shape[1], table, 1, blocks, 1, SIGNALS=0, COMPUTE=tl.float32, **kind, **ours.LAUNCH
        )
        noise = noise_of(6, np.arange(first, first + count), 0)
        store_tokens[(1 if triton_rows.INTERPRETED else count,)](
            row, row.shape[1], table, blocks, temperature, noise, count, tokens, SIZE=16, **kind, **ours.LAUNCH
        )
    np.save(path, array(tokens))


def compile_all():
    """Compile what a few jobs launch, for compute capability 8.0 and 9.0, and print the kernels' names."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.runtime.jit import JITFunction, mangle_type

    launched = {}

    def record(kernel, _grid):
        def launch(*arguments, **named):
            options = {name: named.pop(name) for name in list(named) if name in ours.LAUNCH}
            values = dict(zip(kernel.arg_names, arguments, strict=False)) | named
            fixed = {parameter.name for parameter in kernel.params if parameter.is_constexpr}
            types = {name: "constexpr" if name in fixed else mangle_type(values[name]) for name in kernel.arg_names}
            constants = {(at,): values[name] for at, name in enumerate(kernel.arg_names) if name in fixed}
            key = (kernel.fn.__name__, str(types), str(constants), str(options))
            launched.setdefault(key, (kernel, types, constants, options))

        return launch

    JITFunction.__getitem__ = record
    triton_rows.INTERPRETED = True
    for dtype, capability in ((torch.float32, 80), (torch.bfloat16, 90)):
        launched.clear()
        rows = torch.zeros(2, 5000, dtype=dtype)
        measure(rows, *EVERY_SIGNAL, backend="triton")
        remembering = Policy("0.1 + ema(entropy, 0.9)")
        sample(rows, remembering, seed=1, state=remembering.state(2), backend="triton")
        sample(rows, "0.1 + entropy", seed=1, top_p=0.5, filter_at="temperature", backend="triton")
        sample(rows, "0.1 + entropy", seed=1, backend="triton")
        before = len(launched)
        sample(rows[:, :4200], "max(0.3, 2 - sigmoid(varentropy))", seed=1, backend="triton")
        assert len(launched) == before, "another policy and vocabulary compiled a kernel"
        ours.scale(rows, torch.ones(2))
        for kernel, types, constants, options in launched.values():
            source = ASTSource(fn=kernel, signature=types, constexprs=constants)
            triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
            print(kernel.fn.__name__)  # noqa: T201


if __name__ == "__main__":
    if sys.argv[1] == "compile":
        compile_all()
    else:
        draw_into(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
