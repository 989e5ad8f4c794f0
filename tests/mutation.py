"""Plants one fault at a time in a copy of the sources and asks whether the tests notice. Not collected by pytest.

python tests/mutation.py            every fault, a few minutes
python tests/mutation.py interval   those of one module
"""

# ruff: noqa: T201
from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent


class Mutant(NamedTuple):
    module: str
    old: str
    new: str
    tests: tuple[str, ...]


BOUNDS = ("test_interval.py", "test_bounds.py", "test_functions.py")
TEXT = ("test_text.py",)
PARSE = ("test_parse.py",)
STATE = ("test_state.py",)
KERNELS = ("kernels/test_kernels.py",)
DRAWS = ("test_sampling.py",)
FILTERS = ("test_filters.py",)

MUTANTS = [
    Mutant("bounds", "now = always if record.remembers else ranges", "now = ranges", BOUNDS),
    Mutant("bounds", "if times > 1 and isfinite", "if times > 2 and isfinite", BOUNDS),
    Mutant("bounds", "                _enclose(target, ranges, always)  # the", "                # the", BOUNDS),
    Mutant("bounds", "else Interval(float(support), float(support))", "else Interval(1.0, float(support))", BOUNDS),
    Mutant("bounds", "if times > 1 and isfinite(ranges[leaf].high - ranges[leaf].low)]", "if times > 1]", BOUNDS),
    Mutant("interval", "(0 in left and right.unbounded) or (0 in right and left.unbounded)",
           "(0 in left and right.unbounded)", BOUNDS),
    Mutant("interval", "if left.low <= 0:", "if left.low < 0:", BOUNDS),
    Mutant("interval", "if 1 in base and exponent.unbounded", "if base.low == 1 and exponent.unbounded", BOUNDS),
    Mutant("interval", "if inf in base and 0 in exponent", "if inf in base and exponent == (0, 0)", BOUNDS),
    Mutant("interval", "if n % 2 == 0 and 0 in base:", "if n % 2 == 1 and 0 in base:", BOUNDS),
    Mutant("interval", "Interval(-operand.high, -operand.low)", "Interval(-operand.low, -operand.high)", BOUNDS),
    Mutant("interval", "return corners(np.multiply, left, right)",
           "return hull((left.low * right.low, left.high * right.high))", BOUNDS),
    Mutant("interval", "ULPS = 4", "ULPS = 0", BOUNDS),
    Mutant("interval", "if left.unbounded and right.unbounded:", "if left.unbounded and 0 in right:", BOUNDS),
    Mutant("functions", "(0 in decay or 1 in decay)", "(1 in decay)", BOUNDS),
    Mutant("functions", "ends.low - slack, composed.low", "ends.low, composed.low", BOUNDS),
    Mutant("functions", "return Interval(0.0, ends.high) if 0 in x else ends", "return ends", BOUNDS),
    Mutant("expr", "np.power(np.add(base, 0.0), exponent)", "np.power(base, exponent)", BOUNDS),
    Mutant("expr", "size = 1 + sum(child.size for child in below)", "size = 1 + len(below)", ("test_expr.py",)),
    Mutant("signals", "ceil(q.value * (n - 1))", "ceil(q.value * n)", ("test_signals.py",)),
    Mutant("text", "{_wrapped(left, ATOM)}**", "{_wrapped(left, 4)}**", TEXT),
    Mutant("text", "_wrapped(right, own + 1)", "_wrapped(right, own)", TEXT),
    Mutant("text", "NEGATION_PRECEDENCE if value < 0 else ATOM", "ATOM", TEXT),
    Mutant("text", "**{_wrapped(right, NEGATION_PRECEDENCE)}", "**{_wrapped(right, ATOM)}", TEXT),
    Mutant("parse", "if PARAMETER_NAME.match(name):", "if name.isidentifier():", PARSE),
    Mutant("parse", "if node.keywords:", "if len(node.keywords) > 1:", PARSE),
    Mutant("parse", "start = self.offset + getattr", "start = getattr", PARSE),
    Mutant("parse", "ast.Constant(value=bool() | None)", "ast.Constant(value=None)", PARSE),
    Mutant("parse", "case ast.Compare(left=left, ops=[operator], comparators=[right])",
           "case ast.Compare(left=left, ops=[operator, *_], comparators=[right, *_])", PARSE),
    Mutant("state", "before = positions - 1", "before = positions", STATE),
    Mutant("state", "(self._position[slots, at] == before)", "(self._position[slots, at] >= before)", STATE),
    Mutant("state", "& (self._owner[slots, at] == self._generation[slots])", "", STATE),
    Mutant("state", "np.lexsort((positions, slots))", "np.lexsort((-positions, slots))", STATE),
    Mutant("state", "self._values[slots[stale], at[stale]] = np.nan", "pass", STATE),
    Mutant("evaluate", "decay * old + (1 - decay) * x", "decay * x + (1 - decay) * old", STATE),
    Mutant("evaluate", "self.lost |= unknown & (self.positions > 0)", "self.lost |= unknown", STATE),
    Mutant("filters", "(values == smallest)[: k", "(values == smallest)[::-1][: k", FILTERS),
    Mutant("filters", "np.searchsorted(reached, wanted)) + 1]", "np.searchsorted(reached, wanted))]", FILTERS),
    Mutant("filters", "if size == len(p) or (", "if size or (", FILTERS),
    Mutant("filters", "p = np.where(kept, np.exp(z - z.max()), 0.0)", "p = np.exp(z - z.max())",
           FILTERS),
    Mutant("choice", 't if filters.at == "temperature" else 1.0', "1.0", FILTERS),
    Mutant("choice", "if temperature <= GREEDY_AT:", "if temperature < GREEDY_AT:", KERNELS),
    Mutant("kernels/reference", "len(block) ** (1 - a) * total**a if a < 1 else total", "total", DRAWS),
    Mutant("kernels/reference", "if target <= log(ties):", "if target <= 0.0:", KERNELS),
    Mutant("kernels/reference", "z, highest = np.where(z > -inf, 0.0, z), 0.0", "pass", DRAWS),
    Mutant("kernels/reference", "noise(TRIES, Purpose.PICK) * mass[-1]",
           "noise(TRIES, Purpose.BLOCK) * mass[-1]", DRAWS),
    Mutant("kernels/philox", "ROUNDS = 10", "ROUNDS = 9", ("kernels/test_philox.py",)),
    Mutant("kernels/philox", "second >> 32 ^ b ^ left, second & MASK", "second >> 32 ^ d ^ left, second & MASK",
           ("kernels/test_philox.py",)),
    Mutant("kernels/rows", "return LOWEST[self.dtype] / 2", "return LOWEST[self.dtype]", KERNELS),
    Mutant("kernels/cpu", "NEAR = 4.0", "NEAR = 60.0", KERNELS),
    Mutant("kernels/cpu", "REACH = 60.0", "REACH = 600.0", DRAWS),
    Mutant("kernels/cpu", "count += one if x > masked_at else none", "count += one", KERNELS),
    Mutant("kernels/cpu", "k * (weighted - shift * total) + w", "k * weighted + w", KERNELS),
    Mutant("kernels/cpu", "weighted += k * (w + shift * s)", "weighted += k * w", KERNELS),
    Mutant("kernels/cpu", "if k > 0.0 else w", "if k >= 0.0 else w", KERNELS),
    Mutant("kernels/cpu", "- top - log_total).sum()", "- (top + log_total)).sum()", KERNELS),
    Mutant("kernels/cpu", "e if x > masked_at else type_of(top, 0.0)\n\n\n", "e\n\n\n", DRAWS),
    Mutant("kernels/cpu", "mass * BOUND_SLACK", "BOUND_SLACK", DRAWS),
    Mutant("kernels/cpu", "TRIES, PICK_NUMBER", "TRIES, BLOCK_NUMBER", DRAWS),
    Mutant("kernels/cpu", "attempt, PICK_NUMBER", "attempt, ACCEPT_NUMBER", DRAWS),
]  # fmt: skip


def noticed(mutant: Mutant | None, tests: tuple[str, ...]) -> bool:
    """Whether `tests` fail on a copy of the sources with the fault of `mutant`."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant:
            path = source / "dyntemp" / f"{mutant.module}.py"
            text = path.read_text(encoding="utf-8")
            if text.count(mutant.old) != 1:
                raise SystemExit(f"{mutant.module}: {mutant.old!r} occurs {text.count(mutant.old)} times, not once")
            path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", *(str(ROOT / "tests" / test) for test in tests)]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(source)}, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        return done.returncode == 1


def main(wanted: list[str]) -> int:
    mutants = [mutant for mutant in MUTANTS if not wanted or any(word in mutant.module for word in wanted)]
    everything = tuple(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    if noticed(None, everything):
        raise SystemExit("the tests fail without any fault: mend that first")
    alive = []
    for mutant in mutants:
        found = noticed(mutant, mutant.tests)
        print(
            "killed  " if found else "SURVIVED",
            f"{mutant.module}: {mutant.old.strip()!r} -> {mutant.new.strip()!r}",
            flush=True,
        )
        alive += [] if found else [mutant]
    print(f"{len(mutants) - len(alive)} of {len(mutants)} noticed")
    return len(alive)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
