"""Learn three shapes on three tasks, without truncation and behind the tuned min-p: the runs behind docs/learning.md.

    python evidence/learning/run.py FOLDER                    # an hour and a half on two cores; it resumes
    python evidence/learning/run.py FOLDER add-min_p-curve    # some of them
    python evidence/learning/tables.py FOLDER                 # take the results over, and write the pages

Shapes of one task share the texts of the static temperatures, which are the same for all of them.
"""

import shutil
import sys
from pathlib import Path

from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.folder import Folder
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.tasks.table import task_of
from dyntemp.learn.learning import RESULTS, learn
from dyntemp.learn.settings import TUNED, LearnSettings
from dyntemp.models import load_model
from dyntemp.models.recommended import recommended

MODEL = "transformers:smollm2"

SHAPES = {
    "template": 'clip(param("a", 0.1, 3) + param("b", -3, 3)*normalized_entropy, 0.1, 3)',
    "curve": "curve(entropy, 6)",
    "network": "network",
}

FILTERS = {"plain": "", "min_p": TUNED}

SMALL = {
    "items": {"tune": 12, "val": 8, "test": 20}, "samples": {"tune": 8, "val": 32, "test": 32}, "rounds": 16,
    "texts": 12,
}  # fmt: skip

TASKS = {
    "fluency": SMALL,
    "add": SMALL,
    "instructions": {
        **SMALL, "items": {"tune": 6, "val": 8, "test": 24}, "samples": {"tune": 8, "val": 16, "test": 8}, "rounds": 10,
    },
}  # fmt: skip


PILOT = {
    "items": {"tune": 20, "val": 8, "test": 12}, "samples": {"tune": 8, "val": 32, "test": 128}, "rounds": 24,
    "texts": 16,
}  # fmt: skip
"""Sizes near those of a prototype, which learned on half of the twelve categories that are the test here."""

PILOT_FILTERS = {"plain": "", "min_p": "min_p(0.03)"}


def names() -> list[str]:
    """The names of all runs: task, filters and shape; at the end those that repeat the prototype's."""
    own = [f"{task}-{filters}-{shape}" for task in TASKS for filters in FILTERS for shape in SHAPES]
    return [*own, *(f"pilot-{filters}-network" for filters in PILOT_FILTERS)]


def settings(name: str, card: dict) -> LearnSettings:
    """The settings of a run."""
    task, filters, shape = name.split("-")
    chains, sizes = FILTERS, TASKS.get(task)
    if task == "pilot":
        task, chains, sizes = "fluency_pilot", PILOT_FILTERS, PILOT
    return LearnSettings(
        task=task, shape=SHAPES[shape], filters=chains[filters], model=MODEL, card=card, runs=3, seed=19, **sizes
    )


def main(folder: Path, chosen: list[str]) -> None:
    model = load_model(MODEL)
    runner, exact, card = LoopRunner(model, batch=192), ExactTier(model), recommended(model)
    for name in chosen or names():
        place, asked = folder / name, settings(name, card)
        if not (place / RESULTS).exists():
            pair = name.rpartition("-")[0]
            others = (folder / f"{pair}-{shape}" for shape in SHAPES)
            _share(next((one for one in others if (one / "rounds").exists()), None), place, asked)
            print(f"{name} ...", flush=True)
            results = learn(asked, task_of(asked.task), runner, place, exact=exact)
            print(results.sentence, *results.warnings, sep="\n  ", flush=True)


def _share(before: Path | None, place: Path, asked: LearnSettings) -> None:
    """Copy the trials and texts of static temperatures, and the rows of listed answers, from another shape's folder."""
    if before is None or (place / "trials.db").exists():
        return
    Folder(place, asked)
    for path in before.glob("cells/**/*.jsonl"):
        if path.name.count(".") == 1:  # a round has its number in its name
            target = place / path.relative_to(before)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    if (before / "exact").exists():
        shutil.copytree(before / "exact", place / "exact", dirs_exist_ok=True)
    shutil.copy(before / "trials.db", place / "trials.db")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
