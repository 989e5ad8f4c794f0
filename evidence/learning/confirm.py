"""Measure what came nearest once more, on forty categories that no choice has seen: the network for fluency on min-p.

    python evidence/learning/confirm.py FOLDER/confirmed    # some minutes on two cores; it resumes
    python evidence/learning/tables.py FOLDER               # take the results over, and write the pages

The policies are those that were learned, as `tasks.json.gz` has them; the comparisons are those of `dyntemp learn`. One
control was added when these had been seen: the mean temperature of each position, which knows nothing of a row.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from statistics import fmean

from run import MODEL, settings
from tables import CONFIRMED, NEAREST, tasks

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.about import circumstances
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.controls import NAME, own_controls
from dyntemp.evaluation.folder import Cell, Folder
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.metrics import HOTTEST, metric_of
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Item, Split
from dyntemp.evaluation.tasks.fluency import FLUENCY_OTHER
from dyntemp.evaluation.work import complete
from dyntemp.language.policy import Policy
from dyntemp.learn.results import Control
from dyntemp.models import load_model

ITEMS: dict[Split, int] = {"val": 8, "test": 40}
SAMPLES: dict[Split, int] = {"val": 32, "test": 64}
SEED = 20


def schedule(kept: Arm, on_val: Sequence[Sequence[Sample]], items: Sequence[Item]) -> Arm:
    """The mean temperature of each position on val, the last one for all further positions."""
    texts = [one.temperature for of_item in on_val for one in of_item]
    means = [fmean(text[at] for text in texts if len(text) > at) for at in range(max(map(len, texts)))]
    longest = max(item.max_tokens for item in items)
    series = [*means, *[means[-1]] * (longest - len(means))]
    return replace(
        kept, name=f"schedule of {kept.name}", policy=Policy(f'given("{NAME}", 0, {HOTTEST:g})'), control="schedule",
        of=kept.name, given={item.id: {NAME: series} for item in items},
    )  # fmt: skip


def tell(split: Split, done: int) -> None:
    """Print how many texts there are, now and then."""
    if done % 640 == 0:
        print(f"{split}: {done} texts", flush=True)


def main(place: str) -> None:
    found = tasks()[NEAREST]
    asked = replace(settings(NEAREST, found.settings["card"]), task=FLUENCY_OTHER.name, items=ITEMS, samples=SAMPLES)
    static = Arm(
        name="static + min_p", family="static + min_p", policy=Policy(found.rival),
        filters=Filters.read(found.rival_filters), control="static + min_p",
    )  # fmt: skip
    learned = [
        Arm(name=f"learned, seed {run.seed}", family="learned", policy=Policy(run.outcome(found.anchor)),
            filters=Filters.read(found.filters))
        for run in found.runs
    ]  # fmt: skip
    kept, of = learned[found.kept], metric_of(found.metric).of
    items = {split: FLUENCY_OTHER.items(split, count, SEED) for split, count in ITEMS.items()}
    with Folder(place, asked) as folder:
        runner = LoopRunner(load_model(MODEL), batch=192)

        def samples(split: Split, arms: Sequence[Arm]) -> list[list[list[Sample]]]:
            cells = [Cell(FLUENCY_OTHER, split, arm, items[split], SAMPLES[split]) for arm in arms]
            complete(
                folder, cells, runner, SEED, lambda done, _: done % 640 or print(f"{split}: {done} texts", flush=True)
            )
            return [folder.samples(cell) for cell in cells]

        (on_val,) = samples("val", [kept])
        own = own_controls(kept, on_val, items["test"], SEED)
        arms = [*learned, static, *own, schedule(kept, on_val, items["test"])]
        values = [[of(one) for one in of_arm] for of_arm in samples("test", arms)]
        controls = [
            Control(name=arm.name, kind=str(arm.control), policy=str(arm.policy), filters=str(arm.filters), test=test)
            for arm, test in zip(arms, values, strict=True) if arm.control
        ]  # fmt: skip
        data = {
            "about": circumstances(), "items": [item.id for item in items["test"]], "samples": SAMPLES["test"],
            "runs": values[: len(learned)], "controls": [asdict(one) for one in controls],
        }  # fmt: skip
        folder.write(CONFIRMED.name, data)
    print(json.dumps([sum(one) / len(one) for one in values]))


if __name__ == "__main__":
    main(sys.argv[1])
