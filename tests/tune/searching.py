"""A search without a model, for processes of their own: `python -m tests.tune.searching FOLDER SECONDS [URL]`."""

import sys
import time
from pathlib import Path

from tests.tune.surfaces import cliff, numbers

from dyntemp.tune.results import Measured
from dyntemp.tune.search import Search
from dyntemp.tune.space import family_of
from dyntemp.tune.storage import open_storage

TEMPLATE = 'param("a", 0.1, 0.9)*max_prob + param("b", 0.1, 0.9)*margin + param("g", 0.1, 0.9)*entropy'
TRIALS = 12


def search(seconds=0.0, sampler="tpe", **changed):
    def measure(arm, enough):
        time.sleep(seconds)
        return Measured(split="tune", values=[cliff(numbers(arm))], low=[None], high=[None], items={}, exact=True,
                        texts=0, tokens=0)  # fmt: skip

    first = {"low": {"a": 0.1, "b": 0.1, "g": 0.1}, "high": {"a": 0.9, "b": 0.9, "g": 0.9}}
    given = {"name": "toy", "family": family_of(TEMPLATE), "sampler": sampler, "seed": 0, "trials": TRIALS,
             "objectives": 1, "first": first, "measure": measure}  # fmt: skip
    return Search(**given | changed)


if __name__ == "__main__":
    folder, seconds, *url = sys.argv[1:]
    search(float(seconds)).run(open_storage(Path(folder), url[0] if url else None))
