"""Figures that are known from elsewhere, computed again: `python evidence/evaluation/known.py` writes known.json.

1. An earlier study of this model on twelve categories, whose prompts `fluency_pilot` has: a static temperature of 0.89
   gave 3.88 different right answers among 8 texts, min-p before a hot temperature 4.52, and temperatures drawn at
   random between 0.06 and 1.67 gave 3.16.
2. The negative control. Where one answer is right and one text is written, greedy decoding should be ahead of every
   temperature; where 8 texts are written, it should not.

Static temperatures are computed without sampling from logits that are read once. The random ones are sampled.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.about import circumstances
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.exact.answers import Answers
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.runner import Job
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Item
from dyntemp.evaluation.tasks.table import task_of
from dyntemp.language.policy import Policy
from dyntemp.models import load_model
from dyntemp.statistics.estimate import interval

HERE = Path(__file__).parent
MODEL = "transformers:smollm2"
DISTINCT = "distinct@8"
CATEGORIES = 12
TEXTS = 128

EARLIER = {"static": 3.88, "min-p before T": 4.52, "random T": 3.16}
COMPUTED = (
    ("static", "0.89", ""),
    ("min-p before T", "1.35", "min_p(0.03)"),
    ("min-p before T", "2.19", "min_p(0.03)"),
)
RANDOM = (0.06, 1.67)

SINGLE = {"letters": 100, "mul": 48, "lcm": 62, "add": 104}
"""Tasks with one right answer, and how many items of test are read."""

TEMPERATURES = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3)
METRICS = ("accuracy", "pass@4", "pass@8")


def main() -> None:
    model = load_model(MODEL)
    categories = task_of("fluency_pilot").items("test", CATEGORIES, 0)
    answers = Answers.read(model, categories)
    earlier = [
        {"name": name, "policy": policy, "filters": filters, "earlier": EARLIER[name],
         **mean_of(answers.values(Policy(policy), DISTINCT, Filters.read(filters)).tolist())}
        for name, policy, filters in COMPUTED
    ]  # fmt: skip
    earlier.append({"name": "random T", "policy": f"U{RANDOM}", "filters": "", "earlier": EARLIER["random T"],
                    **mean_of(sampled(LoopRunner(model, batch=512), categories))})  # fmt: skip
    single = {}
    for name, count in SINGLE.items():
        read = Answers.read(model, task_of(name).items("test", count, 0))
        single[name] = {"items": count, "values": {f"{t:g}": values(read, t) for t in TEMPERATURES}}
    found = {"model": MODEL, "about": circumstances(), "earlier": earlier, "single": single}
    (HERE / "known.json").write_text(json.dumps(found, indent=1) + "\n")


def mean_of(values: list[float]) -> dict[str, float]:
    """The mean over items with its 95 % interval."""
    low, high = interval(np.array(values)) or (float("nan"), float("nan"))
    return {"mean": float(np.mean(values)), "low": float(low), "high": float(high)}


def values(answers: Answers, temperature: float) -> dict[str, float]:
    """The mean of each metric at a static temperature."""
    return {name: float(found.mean()) for name, found in answers.table(Policy(temperature), METRICS).items()}


def sampled(runner: LoopRunner, items: list[Item]) -> list[float]:
    """The metric by item where every token of every text has a temperature of its own, drawn at random."""
    task, draw = task_of("fluency_pilot"), np.random.default_rng(0)
    policy = Policy('given("temperature", 0, 20)')

    def jobs() -> Iterator[Job]:
        for place, item in enumerate(items):
            for number in range(TEXTS):
                series = draw.uniform(*RANDOM, item.max_tokens).tolist()
                arm = Arm(name="random", family="random", policy=policy, given={item.id: {"temperature": series}})
                yield Job(task, item, arm, number, 0, place * TEXTS + number)

    found: dict[str, list[Sample]] = {item.id: [] for item in items}
    for job, sample in runner.run(jobs()):
        found[job.item.id].append(sample)
    return [value for item in items if (value := metric_of(DISTINCT).of(found[item.id])) is not None]


if __name__ == "__main__":
    main()
