"""What an adapter costs per token on its host, beside the host's own static temperature:

    python benchmarks/hosts.py transformers     # and llama_cpp, mlx, torch, vllm: where the host is installed

Each module `engines_*.py` beside this one gives the cases of its host. In every round the static and the dynamic run
of a case have their turn, in a new order; shown are medians of the rounds, with quartiles, and the ratio within rounds.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import provenance
from report import ratios, spread, table
from timing import Contestant, interleave

HOSTS = tuple(sorted(path.stem.removeprefix("engines_") for path in Path(__file__).parent.glob("engines_*.py")))
POLICY = "0.3 + 0.7*normalized_entropy**0.5"


@dataclass(frozen=True, slots=True)
class Case:
    """The same tokens at the host's own static temperature and at ours.

    Attributes:
        host: The host, and how the adapter is plugged in.
        name: The model, and what else matters.
        tokens: How many tokens each call generates, over all requests.
        static: Generates them at the host's temperature.
        dynamic: Generates as many with the adapter and `POLICY`.
    """

    host: str
    name: str
    tokens: int
    static: Callable[[], None]
    dynamic: Callable[[], None]


def measured(cases: Iterator[Case], rounds: int) -> Iterator[Sequence[str]]:
    """A line of the table for each case."""
    for case in cases:
        for call in (case.static, case.dynamic):
            call()  # what is compiled or loaded on first use
        both = [Contestant("static", lambda _, c=case: c.static(), (1, 1)),
                Contestant("dynamic", lambda _, c=case: c.dynamic(), (1, 1))]  # fmt: skip
        samples = interleave(both, lambda _: None, rounds, warm=False, sample=0.0)
        microseconds = {name: spread(None if s is None else s / case.tokens * 1e6 for s in found)
                        for name, found in samples.items()}  # fmt: skip
        added = spread(None if a is None or b is None else (a - b) / case.tokens * 1e6
                       for a, b in zip(samples["dynamic"], samples["static"], strict=True))  # fmt: skip
        ratio = spread(ratios(samples["dynamic"], samples["static"]))
        print(f"{case.host}, {case.name}: {ratio}", file=sys.stderr)
        yield case.host, case.name, *(str(microseconds[name]) for name in ("static", "dynamic")), str(added), str(ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host", choices=HOSTS)
    parser.add_argument("--rounds", type=int, default=9, help="runs of each at least (9)")
    options = parser.parse_args()
    revision = provenance.revision()
    cases = import_module(f"engines_{options.host}").cases()
    head = ["host", "case", "static, us/token", "dynamic, us/token", "added, us/token", "ratio"]
    lines = table(head, list(measured(cases, options.rounds)))
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": revision,
        "policy": f"`{POLICY}`",
        **provenance.machine(),
        "versions": provenance.installed(),
    }  # fmt: skip
    text = (
        "\n".join([f"# {options.host}: what the adapter costs", "", *table(["", ""], facts.items()), "", *lines]) + "\n"
    )
    print(text)
    provenance.keep(text, f"host-{options.host}.md", revision)


if __name__ == "__main__":
    main()
