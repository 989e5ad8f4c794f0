"""A tuning of a toy model that a process of its own can run: `python -m tests.tune.toy_tuning FOLDER [URL]`."""

import sys
import time

from tests.evaluation.toy import COUNTS, PIECES, Letters, logits, runner

from dyntemp.testing import FakeModel
from dyntemp.tune.settings import TuneSettings
from dyntemp.tune.tuning import tune

TASKS = [Letters()]
SETTINGS = TuneSettings(
    template='clip(param("a", 0, 1) + param("b", -1, 2)*normalized_entropy, 0.05, 2)', filters="min_p(0:0.3)",
    tasks=("letters",), trials=10, kept=2, items=COUNTS, samples={"tune": 4, "val": 8, "test": 8},
)  # fmt: skip


def slow(tokens):
    time.sleep(0.002)
    return logits(tokens)


if __name__ == "__main__":
    tune(SETTINGS, TASKS, runner(FakeModel(PIECES, slow)), sys.argv[1], storage=sys.argv[2] if sys.argv[2:] else None)
