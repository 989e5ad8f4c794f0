"""Lowered programs in the compiled kernel against the evaluation of the expression, step by step."""

import os
import py_compile
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from tests.language.test_properties import random_expression
from tests.learned import LEARNED, LEARNED_REMEMBERING

import dyntemp
from dyntemp import Policy, PolicyError
from dyntemp.kernels.cpu import program as cpu_program
from dyntemp.kernels.cpu.arguments import DEPTH, KNOWN, STEPS_START, STEPS_STOP, SURPRISAL, Cells, Memory, Programs
from dyntemp.kernels.cpu.pack import pack
from dyntemp.kernels.cpu.sources import digest
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.program import TAKES, Op
from dyntemp.language.signals import ANY_SUPPORT, SIGNALS
from dyntemp.methods import METHODS

TEXTS = (
    "clip((-(0*max_prob))**-1, 0, 3)", "clip(1/(-(0*max_prob)), 0, 3)",  # a zero is +0.0, whatever its sign bit
    "0.1 + 0.8*entropy", "0.5 - 0.4*max_prob", "abs(-entropy)", "2/(1 + entropy)", "0.8**(1.5/entropy)", "1/0",
    "where(max_prob < 0.3, 0, 0.7)", "where(max_prob <= 0.3, 0, 0.7)", "where(entropy > 2, margin, 1)",
    "where(entropy >= 2, margin, collision)", "min(entropy, margin, 0.5)", "max(entropy, margin, 0.5)",
    "clip(log(perplexity) - 1, 0.05, 2)", "lerp(0.3, 1.3, normalized_entropy**1.5)", "exp(-entropy) + sqrt(margin)",
    "halfcos(entropy - 0.5)",
    "tanh(entropy)*sigmoid(2 - entropy)", "log(1 + support)", "sigmoid(-1000*entropy)", "clip(-log(0*entropy), 0, 3)",
    "requested*top_mass(3) + position + given('kl', 0, 20)", "1 + quantile(0.3) + median_prob + varentropy/100",
    "0.1*entropy + 0.01*surprisal + 0.1*max_prob", "ema(entropy, 0.9)", "prev(entropy)",
    "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)",
    "ema(entropy, 0.5) + prev(max_prob) + 0.01*surprisal + prev(ema(entropy, 0.5))",
    *LEARNED, *LEARNED_REMEMBERING,
)  # fmt: skip


@njit
def execute(programs, start, stop, signals, stack, cells):
    return cpu_program.execute(programs, start, stop, signals, stack, cells)


@njit
def remember(cells, cell, value):
    cpu_program.remember(cells, cell, value)


def check(policy, seed):
    """Eight steps of one request, compiled and evaluated, at signals drawn from their ranges."""
    rng = np.random.default_rng(seed)
    program = policy.program
    state, other = policy.state(1, window=3), policy.state(1, window=3)
    packed = pack((program,), ())
    programs = Programs(packed.code, packed.numbers, np.empty(0, np.int64))
    signals = np.empty(len(KNOWN) + len(program.signals))
    stack = np.empty(packed.code[0, DEPTH])
    line = packed.code[1]
    memory = Memory(*state.tables, np.zeros(1, np.int64), np.zeros(1, np.int64))
    for t in range(8 if policy.remembers else 2):
        position = t if policy.remembers else int(rng.choice([0, t, 2**31]))
        values = {}
        for signal in program.signals:
            low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
            value = rng.choice([low, high, rng.uniform(low, min(high, low + 30)), rng.uniform(low, min(high, 1e6))])
            values[str(signal)] = np.array([position if signal.name == "position" else value])
        signals[len(KNOWN) :] = [values[str(signal)][0] for signal in program.signals]
        cells = Cells(memory, 0, position) if policy.remembers else None
        found, lost = execute(programs, line[STEPS_START], line[STEPS_STOP], signals, stack, cells)
        expected = policy.step(values, state=other, slot=[0], position=[position])[0]

        assert found == pytest.approx(expected, rel=1e-12), (str(policy), values)
        assert not np.signbit(found)
        assert not lost
        surprisal = float(rng.choice([0.0, rng.exponential(3), 50.0]))
        other.observe(0, position, surprisal)
        if line[SURPRISAL] >= 0:
            remember(cells, line[SURPRISAL], surprisal)


@pytest.mark.parametrize("text", TEXTS)
def test_every_step(text):
    for seed in range(20):
        check(Policy(text), seed)


def test_the_texts_use_every_operation():
    used = {step.op for text in TEXTS for step in Policy(text).program.steps}

    assert used == set(Op) - {Op.PARAMETER}
    assert set(TAKES) == set(Op)
    assert {name.upper() for name in FUNCTIONS} <= {op.name for op in Op}


@pytest.mark.parametrize("name", METHODS)
def test_published_methods(name):
    check(METHODS[name].make(), 1)


@given(st.integers(0, 2**63))
def test_random_policies(seed):
    rng = random.Random(seed)
    try:
        policy = Policy(random_expression(rng, rng.randint(1, 4), memory=rng.random() < 0.5, letters=False), floor=0.01)
    except PolicyError:
        return
    check(policy, seed)


CALL = """
import numpy as np
from dyntemp import sample
sample(np.zeros((2, 3000), np.float32), "0.1 + entropy", seed=1)
"""


def test_a_second_process_compiles_nothing(tmp_path):
    """The first says that it compiles; the second finds the code on disk."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", CALL], env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    )  # fmt: skip

    assert first.stderr == "dyntemp: compiling for this processor, once: some seconds\n"
    assert second.stderr == ""


DIGEST = """
from dyntemp.kernels.cpu.sources import digest
import dyntemp.kernels.cpu.entry_points
print(digest("dyntemp.kernels.cpu.entry_points"))
"""


def digest_of(package: Path) -> str:
    """The digest that a copy of the package computes of itself, in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=False)
    return (found.stdout or found.stderr).strip().splitlines()[-1]


def test_code_on_disk_is_named_by_all_of_its_sources(tmp_path):
    """Numba itself looks at the file of the entry point alone."""
    package = tmp_path / "dyntemp"
    shutil.copytree(Path(dyntemp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "page"))
    before = digest_of(package)

    assert before == digest("dyntemp.kernels.cpu.entry_points")
    for name, old in (
        ("kernels/cpu/emit.py", "0.166671142"), ("kernels/blocks.py", "TRIES = 16"),
        ("distribution/noise.py", "ROUNDS = 10"), ("language/signals.py", "MAX_SURPRISAL = 50.0"),
    ):  # fmt: skip
        path = package / name
        source = path.read_text(encoding="utf-8")
        path.write_text(source.replace(old, old + "1"), encoding="utf-8")

        assert old in source
        assert digest_of(package) != before
        path.write_text(source, encoding="utf-8")
    assert digest_of(package) == before


def test_compiled_code_without_its_sources_is_refused(tmp_path):
    package = tmp_path / "dyntemp"
    shutil.copytree(Path(dyntemp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "page"))
    source = package / "kernels" / "cpu" / "vectors.py"
    py_compile.compile(str(source), str(source.with_suffix(".pyc")))
    source.unlink()

    assert digest_of(package).startswith("ImportError: the source of dyntemp.kernels.cpu.vectors is missing")
