"""Times dyntemp's CPU kernels against the peers, one thread; see README.md beside this file.

python benchmarks/kernels.py            everything, about half an hour; a clean run writes results/kernels.md
python benchmarks/kernels.py --quick    a few cases of each kind, about 5 minutes; prints only
python benchmarks/kernels.py --gate     the floors, about 2 minutes; fails where one is missed
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import provenance
from command import command
from floors import NUMBA_START, OURS, OURS_STATIC, targets
from peers import DYNAMIC, PEERS, as_array, as_tensor, contestants
from pool import Pool, synthetic
from report import needed
from runner import Case, Record
from timing import Contestant, admitted, interleave, spent, wall
from yardstick import EXPONENTIALS, READ, yardstick

OURS_TENSOR = "dyntemp, tensor"

DTYPES = ("float32", "bfloat16")
SWEPT = (1_000, 4_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 1_024_000)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
POLICIES = (
    "0.8",
    "0.5 - 0.4*max_prob",
    DYNAMIC,
    "0.3 - 0.2*max_prob + 0.2*normalized_entropy",
    "0.3 + 0.1*max_prob + 0.1*entropy + 0.1*collision",
    "0.3 + 0.1*max_prob + 0.1*entropy + 0.1*collision + 0.1*varentropy",
    "0.5 - 0.4*margin",
    "0.5 - 0.4*median_prob",
    "0.5 - 0.4*top_mass(40)",
    "temperature_for_entropy(2.5)",
)
FILTERS: tuple[dict[str, Any], ...] = (
    {"min_p": 0.05}, {"top_k": 40}, {"top_p": 0.95}, {"filters": "top_n_sigma(1)"}, {"filters": "top_h(0.5)"},
    {"filters": "top_k(40), typical(0.9)"},
)  # fmt: skip

SWEEPS = (
    *(Case("vocabulary", dtype, 32_000) for dtype in DTYPES),
    *(Case("batch", dtype, 128_256, max(BATCHES)) for dtype in DTYPES),
    Case("signals"),
)
FULL = (
    *(
        Case("draw", dtype, vocabulary, batch)
        for dtype, vocabulary, batch in itertools.product(DTYPES, (32_000, 128_256, 151_936, 262_144), (1, 8, 64))
    ),
    *(Case("draw", dtype, 32_000, 256) for dtype in DTYPES),
    Case("median"),
    *SWEEPS,
    Case("start"),
)
QUICK = (
    Case("draw", "float32", 32_000, 64),
    Case("draw", "float32", 151_936, 1),
    Case("draw", "float32", 151_936, 8),
    Case("draw", "bfloat16", 151_936, 8),
    Case("median"),
    *SWEEPS,
    Case("start"),
)
GATE = (
    Case("draw", "float32", 32_000, 64),
    Case("draw", "float32", 151_936, 1),
    Case("draw", "float32", 151_936, 8),
    Case("draw", "bfloat16", 151_936, 1),
    Case("draw", "bfloat16", 151_936, 8),
    Case("median"),
    Case("start"),
)


def ours(name: str, policy: str, shape: tuple[int, int], view: Any = as_array, **filters: Any) -> Contestant:
    """`dyntemp.sample` with a policy as text. Each call has another seed, or it would retry the same draws for ever."""
    from dyntemp import sample

    seeds = itertools.count()
    return Contestant(name, lambda logits: sample(logits, policy, seed=next(seeds), **filters), shape, view)


def draw(case: Case) -> tuple[list[Contestant], dict[str, str]]:
    """Everybody who draws tokens."""
    shape = (case.batch, case.vocabulary)
    theirs, missing = contestants(PEERS, *shape)
    mine = [
        ours(OURS, DYNAMIC, shape),
        ours(OURS_STATIC, usual_temperature(case.vocabulary), shape),
        *(yardstick(loop, shape) for loop in (READ, EXPONENTIALS)),
    ]
    if find_spec("torch"):
        mine.insert(1, ours(OURS_TENSOR, DYNAMIC, shape, as_tensor))
    return [*mine, *theirs], missing


def usual_temperature(vocabulary: int) -> str:
    """The mean temperature that `DYNAMIC` gives these rows: a hotter draw is tried more often, whatever set it."""
    from dyntemp import temperatures

    return f"{temperatures(synthetic(16 * vocabulary, vocabulary).reshape(16, -1), DYNAMIC).mean():.3f}"


def median(case: Case) -> tuple[list[Contestant], dict[str, str]]:
    """The exact median; `np.partition` is asked for one of the two elements that a median of an even number needs."""
    from dyntemp import measure

    shape = (1, case.vocabulary)
    found = [
        Contestant(OURS, lambda row: measure(row, "median_prob"), shape),
        Contestant("np.partition", lambda row: np.partition(row[0], row.shape[1] // 2), shape),
        Contestant("np.median", lambda row: np.median(row[0]), shape),
        yardstick(READ, shape),
    ]
    try:
        import torch
    except ImportError:
        return found, dict.fromkeys(("torch.median", "torch.quantile"), "torch not installed")
    found.append(Contestant("torch.median", lambda row: torch.median(row[0]), shape, as_tensor))
    found.append(Contestant("torch.quantile", lambda row: torch.quantile(row[0], 0.5), shape, as_tensor))
    return found, {}


def sweep(shapes: dict[str, tuple[int, int]]) -> tuple[list[Contestant], dict[str, str]]:
    """dyntemp at each shape, and one read of that memory."""
    found = [(ours(name, DYNAMIC, shape), yardstick(READ, shape, f"read: {name}")) for name, shape in shapes.items()]
    return [contestant for pair in found for contestant in pair], {}


def by_vocabulary(case: Case) -> tuple[list[Contestant], dict[str, str]]:
    return sweep({f"{n:,} logits": (case.batch, n) for n in SWEPT})


def by_batch(case: Case) -> tuple[list[Contestant], dict[str, str]]:
    return sweep({f"batch {rows}": (rows, case.vocabulary) for rows in BATCHES})


def by_signals(case: Case) -> tuple[list[Contestant], dict[str, str]]:
    shape = (case.batch, case.vocabulary)
    filtered = [(f"`{DYNAMIC}`, {json.dumps(filters)}", filters) for filters in FILTERS]
    return [
        *(ours(f"`{policy}`", policy, shape) for policy in POLICIES),
        *(ours(name, DYNAMIC, shape, **filters) for name, filters in filtered),
        yardstick(READ, shape),
    ], {}


SUBJECTS = {"draw": draw, "median": median, "vocabulary": by_vocabulary, "batch": by_batch, "signals": by_signals}

FIRST_CALL = """
import json
from time import CLOCK as clock
times = [clock()]
import numba, numpy
times.append(clock())
import dyntemp
times.append(clock())
row = numpy.random.default_rng(0).standard_normal(151_936, numpy.float32)
times.append(clock())
for seed in (1, 2):
    dyntemp.sample(row, POLICY, seed=seed)
    times.append(clock())
print(json.dumps(numpy.diff(times).tolist()))
"""


NUMBA_FIRST_CALL = """
import json
from time import CLOCK as clock
import numba, numpy
@numba.njit(cache=True)
def total(row):
    found = numpy.float32(0)
    for x in row:
        found += x
    return found
row = numpy.ones(151_936, numpy.float32)
times = [clock()]
total(row)
times.append(clock())
print(json.dumps(numpy.diff(times).tolist()))
"""


def start(settings: dict[str, Any]) -> Record:
    """Seconds until a new process has drawn its first token, with Numba's cache empty and full.

    Beside it, the first call of a function that sums a row: Numba's share, which depends on the machine alone.
    """
    samples: dict[str, list[float | None]] = {}
    clock, times, cached = ("process_time", 1, 5) if settings["gated"] else ("perf_counter", 3, settings["rounds"])
    code = FIRST_CALL.replace("POLICY", repr(DYNAMIC)).replace("CLOCK", clock)
    for _ in range(times):
        with tempfile.TemporaryDirectory() as cache:
            script = Path(cache) / "numba_first_call.py"
            script.write_text(NUMBA_FIRST_CALL.replace("CLOCK", clock), encoding="utf-8")

            def seconds(*arguments: str, cache: str = cache) -> list[float]:
                """The times that a new process prints."""
                found = subprocess.run(
                    [sys.executable, *arguments],
                    env={**os.environ, "NUMBA_CACHE_DIR": cache},
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                )
                return list(json.loads(found.stdout.splitlines()[-1]))

            for number in range(1 + cached):
                numba, dyntemp, _, first, second = seconds("-c", code)
                kind = "cached" if number else "nothing cached"
                for name, taken in {
                    f"first call, {kind}": first,
                    f"{NUMBA_START}, {kind}": seconds(str(script))[0],
                    "second call": second,
                    "import numba": numba,
                    "import dyntemp after it": dyntemp,
                }.items():
                    samples.setdefault(name, []).append(taken)
    return {"samples": {"process": samples}}


def notes() -> list[str]:
    """What each contestant does."""
    return [
        f"- {OURS}: `dyntemp.sample(logits, {DYNAMIC!r}, seed=...)`, with all the Python around the kernel",
        f"- {OURS_STATIC}: the same with the mean of these temperatures as policy; {OURS_TENSOR}: with a tensor",
        *(f"- {peer.name}: {peer.what}{'; one row at a time' if peer.one_row else ''}" for peer in PEERS),
        f"- {READ}: a vectorised sum of the same buffers, float32; bfloat16 is widened for it",
        f"- {EXPONENTIALS}: sums of exp(x - 25) and of (x - 25)*exp(x - 25), vectorised; nothing of dyntemp",
    ]


def measure(case: Case, settings: dict[str, Any]) -> Record:
    """Everything about one case, in this process."""
    if case.subject == "start":
        return start(settings)
    if find_spec("torch"):
        import torch

        torch.set_num_threads(1)
    pool = Pool(case.dtype, case.batch, case.vocabulary)
    found, missing = SUBJECTS[case.subject](case)
    modes = {"hot": pool.hot, "cold": pool.cold}
    wanted = {mode: {c.name for c in found} | set(missing) for mode in modes}
    if settings["gated"]:
        wanted = {mode: needed(targets(settings["vectors"]), case, mode) for mode in modes}
        found = [c for c in found if any(c.name in names for names in wanted.values())]
        missing = {name: why for name, why in missing.items() if any(name in names for names in wanted.values())}
    able, unable = admitted(found, pool.hot)
    return {
        "samples": {
            mode: interleave(
                [c for c in able if c.name in wanted[mode]],
                buffer,
                settings["rounds"],
                warm=mode == "hot",
                elapsed=spent if settings["gated"] else wall,
            )
            for mode, buffer in modes.items()
            if wanted[mode]
        },
        "missing": missing | unable,
        "facts": {"columns": {c.name: c.shape[1] for c in able}, "cold bytes": pool.bytes},
    }


if __name__ == "__main__":
    plans = {"full": FULL, "quick": QUICK, "gate": GATE}
    promised = targets(provenance.vectors())
    sys.exit(command(__file__, "CPU kernels, one thread", plans, promised, measure, notes, (OURS, READ)))
