"""Draws of a batch on one thread and on all, beside PyTorch on one thread and on all:

    python benchmarks/threads.py            # a clean run writes results/threads-avx2.md, or that of another class

In every round each contestant has its turn, in a new order. The clock is the one on the wall, so other work on the
machine counts: the table has the least time beside the median, and the load. A helper has to wake first, so that two
threads cannot end a call of t before (t + the time to wake)/2.
"""

import argparse
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any

import provenance
from peers import DYNAMIC, PEERS, contestants
from pool import Pool
from report import ratios, spread, table
from timing import Contestant, admitted, interleave

from dyntemp import sample
from dyntemp.kernels.cpu.threads import processors, together

VOCABULARIES, BATCHES = (32_000, 151_936), (1, 8, 64)
BESIDE = ("torch static", "torch dynamic", "torch inverse CDF")
ALL = processors()
DEFAULT = "by default"


def ours(shape: tuple[int, int], threads: int | None) -> Contestant:
    """A draw. Each call has another seed, or it would retry the same draws for ever."""
    seeds = count()
    name = f"dyntemp, {DEFAULT if threads is None else threads}"
    return Contestant(name, lambda rows: sample(rows, DYNAMIC, seed=next(seeds), threads=threads), shape)


def theirs(shape: tuple[int, int]) -> Iterator[Contestant]:
    """The peers of PyTorch, on one thread and on all."""
    found, _ = contestants(tuple(peer for peer in PEERS if peer.name in BESIDE), *shape)
    for peer in found:
        for threads in dict.fromkeys((1, ALL)):
            yield replace(peer, name=f"{peer.name}, {threads}", call=partial(on_threads, threads, peer.call))


def on_threads(threads: int, call: Any, rows: Any) -> object:
    import torch

    torch.set_num_threads(threads)
    return call(rows)


def waking(calls: int = 200) -> str:
    """Microseconds from a call until its helper begins, where it has slept for 2 ms."""
    return f"{spread([_wake() * 1e6 for _ in range(calls)])} us"


def _wake() -> float:
    caller, begun, times = threading.get_ident(), threading.Event(), []

    def work() -> int:
        if threading.get_ident() != caller:
            times.append(time.perf_counter())
            begun.set()
        return int(begun.wait(1))

    time.sleep(0.002)
    began = time.perf_counter()
    together(work, 2)
    return times[0] - began


def measured(rounds: int) -> Iterator[list[str]]:
    """The lines of the table, one for each contestant of each shape."""
    for shape in ((rows, vocabulary) for vocabulary in VOCABULARIES for rows in BATCHES):
        pool = Pool("float32", *shape)
        able, _ = admitted([*(ours(shape, number) for number in (1, ALL, None)), *theirs(shape)], pool.hot)
        samples = interleave(able, pool.hot, rounds, warm=True, sample=0.002)
        one = samples[ours(shape, 1).name]
        for name, found in samples.items():
            times = [seconds * shape[0] * shape[1] * 1e6 for seconds in found if seconds is not None]
            over = "" if found is one else str(spread(ratios(found, one)))
            least = min(times) / min(s * shape[0] * shape[1] * 1e6 for s in one if s is not None)
            yield [f"{shape[0]} x {shape[1]:,}", name, str(spread(times)), f"{min(times):,.0f}", over, f"{least:.3g}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="samples of each contestant at least (9)")
    options = parser.parse_args()
    os.environ.pop("DYNTEMP_THREADS", None)
    revision, before = provenance.revision(), os.getloadavg()[0]
    head = ["rows", "contestant, threads", "us a call", "least", "over dyntemp, 1", "of the least"]
    lines = table(head, list(measured(options.rounds)))
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": revision,
        "policy": f"`{DYNAMIC}`",
        "a helper begins after": waking(),
        "load": f"{before:.1f} to {os.getloadavg()[0]:.1f}",
        **provenance.machine(),
        "versions": provenance.installed(),
    }
    text = "\n".join(["# Draws on several threads", "", *table(["", ""], facts.items()), "", *lines]) + "\n"
    print(text)
    provenance.keep(text, f"threads-{provenance.vectors()}.md", revision)


if __name__ == "__main__":
    main()
