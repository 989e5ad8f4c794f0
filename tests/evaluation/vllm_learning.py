"""Learning with vLLM in a process of its own, which shares its folder with another one: MODEL FOLDER OUT OTHER."""

import json
import sys
import time
from pathlib import Path

from dyntemp.evaluation.task import Item, Score


class Small:
    """Three bytes of text, whose first one is to be small; different ones count."""

    name, group, about, metric = "small", "text", "A byte below n.", "distinct@4"

    def items(self, split, count, seed=0):
        return [Item(id=f"{split}{at}", cluster=f"{split}{at}", prompt=split * at, max_tokens=3)
                for at in range(1, count + 1)]  # fmt: skip

    def score(self, item, text):
        correct = bool(text) and text[:1] < "n"
        return Score(valid=bool(text), correct=correct, key=text[:1] if correct else "")


class Counted:
    """A runner that counts the texts of another one."""

    def __init__(self, runner):
        self.runner, self.name, self.check, self.written = runner, runner.name, runner.check, 0

    def run(self, jobs):
        for found in self.runner.run(jobs):
            self.written += 1
            yield found


def meet(own, other):
    """Wait until the other process has come here too: the first must not have learned before the second is there."""
    own.touch()
    until = time.monotonic() + 300
    while not other.exists():
        if time.monotonic() > until:
            raise SystemExit(f"{other.stem} has not come within 300 s")
        time.sleep(0.05)


def main(model, folder, out, other):
    from dyntemp.evaluation import work
    from dyntemp.evaluation.vllm_runner import VllmRunner
    from dyntemp.learn.learning import learn
    from dyntemp.learn.settings import LearnSettings

    work.WAIT = 0.05
    settings = LearnSettings(
        task=Small.name, shape="curve", filters="", rounds=3, texts=6, epochs=2, radius=0.1, runs=1, parts=2,
        items={"tune": 2, "val": 2, "test": 2}, samples={"tune": 6, "val": 6, "test": 6},
    )  # fmt: skip
    options = {"enforce_eager": True, "max_model_len": 64, "max_num_seqs": 8, "block_size": 32}
    # in bfloat16 the attention of vLLM 0.32 uses AMX, and died of illegal instructions beside a second process
    runner = Counted(VllmRunner(model, batch=6, dtype="float32", **options))
    meet(Path(out).with_suffix(".there"), Path(other).with_suffix(".there"))
    results = learn(settings, Small(), runner, folder).to_json()
    data = {"results": {name: value for name, value in results.items() if name != "about"}, "written": runner.written}
    Path(out).write_text(json.dumps(data), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
