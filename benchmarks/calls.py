"""The cost of small calls, this checkout's and another's in one process:

    git worktree add ../before COMMIT
    python benchmarks/calls.py ../before        # a clean run writes results/calls.md

Both packages are called `dyntemp`, so one is imported, set aside under its own names, and then the other. In every
round each call of both has its turn, in a new order. The clock reads processor time.
"""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

os.environ["DYNTEMP_THREADS"] = "1"

import numpy as np
import provenance
from pool import synthetic
from report import ratios, spread, table
from timing import Contestant, interleave, spent

POLICY = "lerp(0.2, 1.8, normalized_entropy)"
VOCABULARY = 32_000


def calls() -> dict[str, Callable[[], object]]:
    """What is timed, from the package that is imported now."""
    sample = import_module("dyntemp").sample
    found: dict[str, Callable[[], object]] = {}
    for rows, n in ((1, 2), (1, VOCABULARY), (8, VOCABULARY)):
        logits = synthetic(rows * n, n).reshape(rows, n)
        found[f"`sample`, [{rows}, {n:,}]"] = partial(sample, logits, POLICY, seed=1)
        found[f"adapter's step, [{rows}, {n:,}]"] = step(logits)
    wide = synthetic(256 * 2, 2).reshape(256, 2)
    found["adapter's step, [256, 2], a policy each"] = step(wide, lambda row: f"{0.2 + row / 1000} + 0.1*entropy")
    return found


def step(logits: np.ndarray, policy: Callable[[int], str] = lambda _: POLICY) -> Callable[[], object]:
    """The step of an adapter: temperatures, and the rows divided by them into another array."""
    engines = import_module("dyntemp.engines")
    requests = engines.Requests(engines.CAPABILITIES["vllm/v1"])
    for row in range(len(logits)):
        requests.begin(row, policy(row))
    slots, out = np.arange(len(logits)), np.empty_like(logits)
    return lambda: requests.scale(engines.Batch(logits, slots, position=3), out=out)


def apart(source: Path) -> dict[str, Callable[[], object]]:
    """`calls` of the package below a folder, whose modules are then forgotten."""
    for name in [name for name in sys.modules if name.split(".")[0] == "dyntemp"]:
        del sys.modules[name]
    sys.path.insert(0, str(source))
    found = calls()
    for call in found.values():
        call()  # what is imported or compiled on first use
    sys.path.remove(str(source))
    imported = str(sys.modules["dyntemp"].__file__)
    assert Path(imported).is_relative_to(source), f"{imported} was imported"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="another checkout")
    parser.add_argument("--rounds", type=int, default=9, help="a fifth of the samples of each call (9)")
    options = parser.parse_args()
    revision = provenance.revision()
    both = {"before": apart(options.before.resolve() / "src"), "now": apart(provenance.ROOT / "src")}
    found = [
        Contestant(f"{when}: {name}", lambda _, call=call: call(), (1, 1))
        for when, named in both.items()
        for name, call in named.items()
    ]
    samples = interleave(found, lambda _: None, options.rounds, warm=True, elapsed=spent, sample=0.005)
    rows = []
    for name in both["now"]:
        before, now = samples[f"before: {name}"], samples[f"now: {name}"]
        cells = (spread(None if s is None else s * 1e6 for s in one) for one in (before, now))
        least = (f"{min(s for s in one if s is not None) * 1e6:.3g}" for one in (before, now))
        rows.append([name, *cells, *least, spread(ratios(before, now))])
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": revision,
        "before": provenance.git("-C", str(options.before.resolve()), "rev-parse", "HEAD").strip()[:12],
        "policy": f"`{POLICY}`",
        "load": f"{os.getloadavg()[0]:.1f}",
        **provenance.machine(),
        "versions": provenance.installed(),
    }
    head = ["call", "before, us", "now, us", "least before, us", "least now, us", "before / now"]
    text = "\n".join(["# Small calls", "", *table(["", ""], facts.items()), "", *table(head, rows)]) + "\n"
    print(text)
    provenance.keep(text, "calls.md", revision)


if __name__ == "__main__":
    main()
