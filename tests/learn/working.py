"""Learning for processes of their own: `python -m tests.learn.working FOLDER SECONDS`, a row taking so many seconds."""

import sys
import time

from tests.learn.toy import PIECES, Contexts, logits

from dyntemp.evaluation import work
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.learn.learning import learn
from dyntemp.learn.settings import LearnSettings
from dyntemp.testing import FakeModel

TASK = Contexts()

ROUNDS = 4


def settings(**changed):
    sizes = {"items": {"tune": 4, "val": 2, "test": 2}, "samples": {"tune": 9, "val": 9, "test": 9}}
    given = {"task": TASK.name, "shape": "curve", "filters": "", "rounds": ROUNDS, "texts": 9, "runs": 1, "parts": 4}
    return LearnSettings(**given | sizes | changed)


def run(folder, seconds=0.0):
    def slow(tokens):
        time.sleep(seconds)
        return logits(tokens)

    return learn(settings(), TASK, LoopRunner(FakeModel(PIECES, slow), batch=8), folder)


if __name__ == "__main__":
    work.WAIT = 0.05
    run(sys.argv[1], float(sys.argv[2]))
