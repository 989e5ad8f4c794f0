"""Plants one fault at a time in a copy of the sources and asks whether the tests notice. Not collected by pytest.

python tests/mutation.py            every fault, more than an hour: the kernels are compiled anew for each of theirs
python tests/mutation.py interval   those of one module or room
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

TESTS = Path(__file__).parent
ROOT = TESTS.parent


class Mutant(NamedTuple):
    """A fault: `old`, which occurs once in a module, becomes `new`.

    Attributes:
        module: Its path in the package, without `.py`.
        old: The text that is right.
        new: The text in its place.
        also: Tests of other rooms, for a fault that those of its own do not notice, or only late.
    """

    module: str
    old: str
    new: str
    also: tuple[str, ...] = ()

    @property
    def source(self) -> Path:
        """The module's file in this repository."""
        return ROOT / "src" / "dyntemp" / f"{self.module}.py"

    @property
    def tests(self) -> tuple[str, ...]:
        """The files of tests that are to notice, those that know the module best first.

        They are the module's own, `also`, the one that is named like its room, and the others of that room.
        """
        room, name = self.module.split("/")[0], self.module.split("/")[-1]
        everything = sorted(path.relative_to(TESTS).as_posix() for path in (TESTS / room).glob("test_*.py"))
        first = [f"{room}/test_{name}.py", *self.also, f"{room}/test_{room}.py"]
        known = [test for test in first if test in (*self.also, *everything)]
        return tuple(dict.fromkeys([*known, *everything]))

    def mutated(self) -> str:
        """The module with the fault in it.

        Raises:
            ValueError: Where the text does not occur exactly once.
        """
        text = self.source.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.module}: {self.old!r} occurs {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)


DRAWS = ("test_sampling.py",)
FILTERS = ("distribution/test_filters.py",)
TABLE = ("distribution/test_filter_table.py",)
CHAINS = ("kernels/test_filters.py",)
THREADS = ("kernels/test_threads.py",)
BLOCKS = ("kernels/test_blocks.py",)
PROGRAM = ("kernels/test_program.py",)
STATE = ("language/test_state.py",)
REPLAY = ("traces/test_replay.py",)

MUTANTS = [
    Mutant("language/bounds", "now = always if record.remembers else ranges", "now = ranges"),
    Mutant("language/bounds", "if times > 1 and isfinite", "if times > 2 and isfinite"),
    Mutant("language/bounds", "                _enclose(target, ranges, always)  # the", "                # the"),
    Mutant("language/bounds", "else Interval(float(support), float(support))", "else Interval(1.0, float(support))"),
    Mutant("language/bounds", "if times > 1 and isfinite(ranges[leaf].high - ranges[leaf].low)]", "if times > 1]"),
    Mutant("language/interval", "(0 in left and right.unbounded) or (0 in right and left.unbounded)",
           "(0 in left and right.unbounded)"),
    Mutant("language/interval", "if left.low <= 0:", "if left.low < 0:"),
    Mutant("language/interval", "if 1 in base and exponent.unbounded", "if base.low == 1 and exponent.unbounded"),
    Mutant("language/interval", "if inf in base and 0 in exponent", "if inf in base and exponent == (0, 0)"),
    Mutant("language/interval", "if n % 2 == 0 and 0 in base:", "if n % 2 == 1 and 0 in base:"),
    Mutant("language/interval", "Interval(-operand.high, -operand.low)", "Interval(-operand.low, -operand.high)"),
    Mutant("language/interval", "return corners(np.multiply, left, right)",
           "return hull((left.low * right.low, left.high * right.high))"),
    Mutant("language/interval", "ULPS = 4", "ULPS = 0"),
    Mutant("language/interval", "if left.unbounded and right.unbounded:", "if left.unbounded and 0 in right:"),
    Mutant("language/functions", "(0 in decay or 1 in decay)", "(1 in decay)"),
    Mutant("language/functions", "ends.low - slack, composed.low", "ends.low, composed.low"),
    Mutant("language/functions", "return Interval(0.0, ends.high) if 0 in x else ends", "return ends"),
    Mutant("language/operators", "np.power(np.add(base, 0.0), exponent)", "np.power(base, exponent)"),
    Mutant("language/nodes", "size = 1 + sum(child.size for child in below)", "size = 1 + len(below)"),
    Mutant("language/signals", "ceil(q.value * (n - 1))", "ceil(q.value * n)"),
    Mutant("language/nodes", "{_wrapped(left, ATOM)}**", "{_wrapped(left, 4)}**"),
    Mutant("language/nodes", "_wrapped(right, own + 1)", "_wrapped(right, own)"),
    Mutant("language/nodes", "NEGATION_PRECEDENCE if value < 0 else ATOM", "ATOM"),
    Mutant("language/nodes", "**{_wrapped(right, NEGATION_PRECEDENCE)}", "**{_wrapped(right, ATOM)}"),
    Mutant("language/parse", "if PARAMETER_NAME.match(name):", "if name.isidentifier():"),
    Mutant("language/parse", 'level if symbol == "**" else level + 1', "level + 1"),
    Mutant("language/parse", "self.operation(POWER)", "self.operation(POWER - 1)"),
    Mutant("language/parse", "(self.token.text) == COMPARING:", "(self.token.text) == -1:"),
    Mutant("language/parse", "self.nesting -= 1", "pass"),
    Mutant("language/parse", "if self.nesting > MAX_NESTING:", "if self.nesting > 10 * MAX_NESTING:"),
    Mutant("language/lexer", "if behind and behind[0]:", "if not behind:"),
    Mutant("language/lexer", 'if digits[0] == "0" and digits.strip("0"):', 'if digits[0] == "-":'),
    Mutant("language/fault", "first = max(0, start - SHOWN)", "first = 0"),
    Mutant("language/state", "before = positions - 1", "before = positions"),
    Mutant("language/state", "(self._position[slots, at] == before)", "(self._position[slots, at] >= before)"),
    Mutant("language/state", "& (self._owner[slots, at] == self._generation[slots])", ""),
    Mutant("language/state", "np.lexsort((positions, slots))", "np.lexsort((-positions, slots))"),
    Mutant("language/state", "self._where(stale[:, None], np.nan, self._values[slots, at])",
           "self._values[slots, at]"),
    Mutant("language/evaluate", "decay * old + (1 - decay) * x", "decay * x + (1 - decay) * old"),
    Mutant("language/evaluate", "self.lost |= unknown & (self.positions > 0)", "self.lost |= unknown"),
    Mutant("distribution/truncation", "(values == smallest)[: k", "(values == smallest)[::-1][: k"),
    Mutant("distribution/truncation", "(1 - SLACK))) + 1)\n", "(1 - SLACK))))\n"),
    Mutant("distribution/filters", "if t <= GREEDY_AT:", "if t < 0:"),
    Mutant("language/program", "yield Step(Op.SIGNAL, self.signals.index(ENTROPY))", "yield Step(Op.SIGNAL, 0)",
           PROGRAM),
    Mutant("language/program", "held += 1 - TAKES[step.op]", "held += TAKES[step.op] - 1", PROGRAM),
    Mutant("kernels/job", "name in policy.parameters or name not in known", "name in policy.parameters", DRAWS),
    Mutant("kernels/blocks", "noise(TRIES, Purpose.PICK)", "noise(TRIES, Purpose.BLOCK)", BLOCKS),
    Mutant("kernels/blocks", "lengths ** (1 - a) * sums**a if a < 1 else sums", "sums", BLOCKS),
    Mutant("kernels/reference", "if temperature <= GREEDY_AT:\n        divided",
           "if temperature < GREEDY_AT:\n        divided"),
    Mutant("kernels/reference", "len(block) ** (1 - a) * total**a if a < 1 else total", "total", DRAWS),
    Mutant("kernels/reference", "if target <= log(ties):", "if target <= 0.0:"),
    Mutant("kernels/reference", "z, highest = np.where(z > -inf, 0.0, z), 0.0", "pass", DRAWS),
    Mutant("kernels/reference", "noise(TRIES, Purpose.PICK) * mass[-1]",
           "noise(TRIES, Purpose.BLOCK) * mass[-1]", DRAWS),
    Mutant("distribution/noise", "ROUNDS = 10", "ROUNDS = 9"),
    Mutant("distribution/noise", "second >> 32 ^ b ^ left, second & MASK", "second >> 32 ^ d ^ left, second & MASK"),
    Mutant("kernels/rows", "return LOWEST[self.dtype] / 2", "return LOWEST[self.dtype]"),
    Mutant("kernels/cpu/emit", "0.166671142", "0.166771142"),
    Mutant("kernels/cpu/emit", "0.499992311", "0.499998311"),
    Mutant("kernels/cpu/emit", "else (LN2_HIGH, LN2_LOW)", "else (LN2_HIGH,)"),
    Mutant("kernels/cpu/blocks", "NEAR = 4 * LN2", "NEAR = 60 * LN2"),
    Mutant("kernels/cpu/blocks", "REACH = 60 * LN2", "REACH = 600 * LN2", DRAWS),
    Mutant("kernels/cpu/blocks", "k * (weighted - shift * total) + w", "k * weighted + w"),
    Mutant("kernels/cpu/blocks", "weighted += k * (w + shift * s)", "weighted += k * w"),
    Mutant("kernels/cpu/blocks", "if k > 0.0 else w", "if k >= 0.0 else w"),
    Mutant("kernels/cpu/blocks", "c = int(count_above(block, masked_at))", "pass"),
    Mutant("kernels/cpu/blocks", "not aside * aside <= 4.0 * max(1.0, varentropy) < np.inf", "False"),
    Mutant("kernels/cpu/blocks", "e = e if x > masked_at else type_of(top, 0.0)", "pass"),
    Mutant("kernels/cpu/select", "above + n - skipped - kept", "above", FILTERS),
    Mutant("kernels/cpu/select", "if equal < number:", "if equal <= number:", FILTERS),
    Mutant("kernels/cpu/signals", "(k - above) * math.exp(cut - top)", "0.0"),
    Mutant("kernels/cpu/signals", "if target <= math.log(ties):", "if target <= 0.0:"),
    Mutant("kernels/cpu/filters", "int(argument) - above if int(argument) - above < equal else ALL", "ALL", FILTERS),
    Mutant("kernels/cpu/nucleus", "above = before", "pass", FILTERS),
    Mutant("kernels/cpu/nucleus", "found, ALL if same == equal else same", "found, ALL", FILTERS),
    Mutant("kernels/cpu/filters", "np.int64(n - 1) if ties == ALL else tie(row, blocks.tops, low, ties)",
           "tie(row, blocks.tops, low, min(ties, 1))", FILTERS),
    Mutant("kernels/cpu/nucleus", "if at < BINS - 1 else np.int64(BINS - 1)", "", FILTERS),
    Mutant("kernels/cpu/filters", "if step[AFTER] > 0.0 else 1.0", "if step[AFTER] < 0.0 else 1.0", CHAINS),
    Mutant("kernels/cpu/prefixes", "equal = min(ties, count_equal(values, low))\n    e", "equal = 0\n    e", CHAINS),
    Mutant("kernels/cpu/prefixes", "if count == len(ordered) and head.low > likeliest.low:", "if False:", CHAINS),
    Mutant("distribution/truncation", "* (1 - SLACK), 1.0)", "* (1 + SLACK), 1.0)", TABLE),
    Mutant("distribution/truncation", "if count <= 2:", "if count <= 0:", TABLE),
    Mutant("distribution/filters", "temperature if step.after else 1.0", "temperature", TABLE),
    Mutant("kernels/cpu/vectors", "np.float32(-3.4028234663852886e38)", "np.float32(-1e38)", DRAWS),
    Mutant("kernels/cpu/filters", "totals[b] = mass + ties", "totals[b] = mass + 0 * ties", FILTERS + DRAWS),
    Mutant("kernels/cpu/program", "x = math.pow(x + 0.0, y)", "x = math.pow(x, y)"),
    Mutant("kernels/cpu/program", "x /= y + 0.0", "x /= y"),
    Mutant("kernels/cpu/program", "at = before % values.shape[1]", "at = position % values.shape[1]"),
    Mutant("kernels/cpu/program", "owners[slot, at] == generations[slot]:\n        return", "True:\n        return",
           DRAWS + STATE),
    Mutant("kernels/cpu/program", "lost |= unknown and cells.position > 0", "lost |= unknown"),
    Mutant("kernels/cpu/draw", "* mass * BOUND_SLACK", "* BOUND_SLACK", DRAWS),
    Mutant("kernels/cpu/draw", "(1.0 - a) * math.log(entries)", "0.0", DRAWS),
    Mutant("kernels/cpu/draw", "out[i] = e if x > cut else none", "out[i] = e", DRAWS),
    Mutant("kernels/cpu/draw", "TRIES, PICK_NUMBER", "TRIES, BLOCK_NUMBER", DRAWS),
    Mutant("kernels/cpu/draw", "attempt, PICK_NUMBER", "attempt, ACCEPT_NUMBER", DRAWS),
    Mutant("kernels/cpu/entry_points", "np.uint64(low), request, position)",
           "np.uint64(low), np.int64(r), position)", DRAWS),
    Mutant("kernels/cpu/entry_points", "r = memory.order[turn]", "r = turn", STATE + DRAWS),
    Mutant("kernels/cpu/extreme_rows", "np.flatnonzero(highest > -rows.masked_at)", "np.flatnonzero(highest > np.inf)",
           DRAWS),
    Mutant("kernels/cpu/pack", "line = (Op.NUMBER, len(numbers) + parameters", "line = (Op.NUMBER, parameters",
           DRAWS),
    Mutant("kernels/cpu/backend", "signals[name][of_row == program] = np.nan", "pass", DRAWS),
    Mutant("kernels/cpu/backend", "threads if apart else 1", "threads", THREADS),
    Mutant("kernels/cpu/threads", "total += one", "pass", THREADS),
    Mutant("kernels/cpu/threads", "begun and (whole := watch()) >= 0", "begun and (whole := -1) >= 0", THREADS),
    Mutant("kernels/cpu/turns", "rows + (found << 32)", "rows", THREADS),
    Mutant("kernels/cpu/turns", "    return -1", "    return 0", THREADS),
    Mutant("kernels/cpu/threads", "    os.register_at_fork(after_in_child=_forget)", "    pass", THREADS),
    Mutant("language/terms", 'negative != (sign == "-")', "negative"),
    Mutant("language/terms", "np.where(value == inside, 0.0, np.subtract(value, inside))", "value"),
    Mutant("language/terms", "moving[0] is arguments[0]", "True"),
    Mutant("distribution/histogram", "alike + (edges - alike) / 3", "alike", REPLAY),
    Mutant("distribution/histogram", "-inf if at == LAST else -(at + 1) * WIDTH", "-(at + 1) * WIDTH", REPLAY),
    Mutant("distribution/histogram", "min(alike, edges), max(alike, edges)", "alike, edges", REPLAY),
    Mutant("distribution/coupling", "* theirs < ours", "< ours"),
    Mutant("distribution/coupling", "position, 1, Purpose.KEEP", "position, 0, Purpose.KEEP",
           ("generation/test_loop.py",)),
    Mutant("traces/replay", "self._weight(log_p) if stays else 0.0", "self._weight(log_p)", REPLAY),
    Mutant("traces/token", "at not in self.dropped if self.dropped else at < self.candidates", "at < self.candidates",
           REPLAY),
    Mutant("traces/replay", 'token.origin != "forced" and', ""),
    Mutant("traces/replay", "state.observe(0, positions, [token.surprisal for token in tokens])", "pass"),
    Mutant("traces/replay", "window=len(tokens) + 1", "window=2"),
    Mutant("traces/replay", "token.candidates - sum(token.left)", "count(token.rest)"),
    Mutant("generation/loop", 'request.policy.remembers and record.origin != "drawn"', "False"),
    Mutant("generation/loop", "met[noise] = met.get(noise, -1) + 1", "met[noise] = 0"),
    Mutant("generation/loop", "self._free.append(group.sequences.pop(row).slot)", "group.sequences.pop(row)"),
    Mutant("generation/loop", ">= count:", "> 0:"),
    Mutant("generation/next_token", "sequence.coupled = False\n        return int(order[at])", "return int(order[at])"),
    Mutant("generation/next_token", 'kind="stable")', 'kind="stable")[::-1]', REPLAY),
    Mutant("generation/next_token", "np.where(filters.mask(z, temperature, coin), z, -np.inf) if filters.active else z",
           "z"),
    Mutant("generation/row_curves", "token <= last[row]", "token >= 0"),
    Mutant("kernels/cpu/draw_curves", "FAR = -40.0", "FAR = -20.0"),
    Mutant("kernels/cpu/draw_curves", "row[: last[r] + 1]", "row[: last[r]]"),
    Mutant("kernels/cpu/draw_curves", "d if x > above else lowest", "d if x >= above else lowest"),
    Mutant("distribution/draw_curve", "x * x - x", "x * x"),
    Mutant("distribution/draw_curve", "DEEPEST = 16.0", "DEEPEST = 24.0"),
    Mutant("generation/sequence", "self.decode(model.token_bytes(token))", "pass"),
    Mutant("generation/sequence", "settings.max_tokens + len(settings.begin)", "settings.max_tokens"),
    Mutant("distribution/truncation", "float(z[z > -inf].std())", "float(z[z > -inf].std(ddof=1))"),
    Mutant("distribution/truncation", "alpha * h[-1]", "alpha * np.log(len(w))"),
    Mutant("distribution/filters", "t = temperature if step.after else 1.0", "t = 1.0"),
    Mutant("zones/delimiters", "text, at = begun + data, 0", "text, at = data, 0"),
    Mutant("zones/delimiters", "Delimiters([closing, *ends])", "Delimiters([closing])"),
    Mutant("engines/zones", "del self._tokens[shared:], self._states[shared + 1 :]", "pass",
           ("engines/test_zones.py",)),
    Mutant("theory/reapplication", "1 - (after - before) / (2 * STEP)", "(after - before) / (2 * STEP)"),
    Mutant("theory/signal_slopes", "return Slope(2 * _largest_share(low, high)",
           "return Slope(_largest_share(low, high)"),
]  # fmt: skip


def noticed(mutant: Mutant | None, tests: tuple[str, ...]) -> bool:
    """True if `tests` fail on a copy of the sources with the fault of `mutant`."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        if mutant:
            (source / "dyntemp" / f"{mutant.module}.py").write_text(mutant.mutated(), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", *(str(TESTS / test) for test in tests)]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(source)}, capture_output=True, text=True, check=False
        )
        if done.returncode > 1:  # a fault may well end the process
            raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
        return done.returncode != 0


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
