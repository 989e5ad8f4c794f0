"""Write the presets, docs/presets.md and held_out.toml from five tunings, and from a study of the presets elsewhere.

    bash evidence/tuning/tune.sh FOLDER                                           # one to two hours on two cores
    python evidence/tuning/tables.py FOLDER                                       # take the tunings over
    dyntemp evaluate evidence/tuning/held_out.toml -o FOLDER/held_out --batch 512
    python evidence/tuning/tables.py FOLDER                                       # take the study over too
    python evidence/tuning/tables.py                                              # write from the data beside this file

A test fails where the pages differ from the data.
"""

import gzip
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import dyntemp.tune.presets
from dyntemp import Policy, PolicyFile
from dyntemp.evaluation.pairs import LEVEL, holm
from dyntemp.evaluation.report import filled
from dyntemp.evaluation.report.markdown import table
from dyntemp.evaluation.report.reading import average, chance, difference, interval, readings, value
from dyntemp.evaluation.results import ArmResult, Results
from dyntemp.tune.report.reading import own, searches, with_interval
from dyntemp.tune.results import TuningResults
from dyntemp.tune.space import CONTROL
from dyntemp.tune.tuned import tuned

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TUNINGS = HERE / "tunings.json.gz"
HELD_OUT = HERE / "held_out.json.gz"
STUDY = HERE / "held_out.toml"
PAGE = ROOT / "docs" / "presets.md"
PRESETS = Path(dyntemp.tune.presets.__file__).with_name(dyntemp.tune.presets.FILE)
NAMES = ("text", "code", "dialogue", "precise", "creative")
NEAR = 0.1  # distinct@8
DYNAMIC = "_dynamic"  # behind the name of a preset: the policy that is not shipped
ANSWERS = {"worth": "worth its parameters", "not worth": "not worth its parameters", "open": "cannot be told"}

HEAD = """\
# The presets on three tasks, beside controls that are tuned there. Written by tables.py.
#
#     dyntemp evaluate evidence/tuning/held_out.toml -o FOLDER --batch 512

model = "transformers:smollm2"
tasks = ["letters", "code", "instructions"]
budget = 6
kept = 1
finalists = 6
seed = 19
policies = [
"""

SIZES = """\
]

[task.letters]
budget = 16
items = { tune = 16, val = 8, test = 24 }
samples = { tune = 8, val = 8, test = 8 }

[task.code]
items = { tune = 8, val = 4, test = 32 }
samples = { tune = 8, val = 8, test = 8 }

[task.instructions]
items = { tune = 8, val = 4, test = 32 }
samples = { tune = 8, val = 8, test = 8 }
"""


def take(folder: Path) -> None:
    """Keep the results of the tunings, and those of the study where it has ended, numbers to a few digits."""
    _keep({name: _read(folder / name / "tuning.json") for name in NAMES}, TUNINGS)
    if (results := folder / "held_out" / "results.json").exists():
        data = _read(results)
        for arm in data["arms"]:
            arm["points"] = []
        _keep(data, HELD_OUT)


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"), parse_float=lambda text: float(f"{float(text):.5g}"))


def _keep(data: Mapping, path: Path) -> None:
    path.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 9, mtime=0))


def tunings() -> dict[str, TuningResults]:
    """The tuning of each preset."""
    data = json.loads(gzip.decompress(TUNINGS.read_bytes()))
    return {name: TuningResults.from_json(one) for name, one in data.items()}


def held_out() -> Results | None:
    """The study of the presets on all tasks; None before it has run."""
    return Results.from_json(json.loads(gzip.decompress(HELD_OUT.read_bytes()))) if HELD_OUT.exists() else None


def corrected(found: Mapping[str, TuningResults]) -> dict[str, float]:
    """The p-value of each tuning's difference, after Holm's correction for all of them."""
    return dict(zip(found, holm([results.differences[0].p for results in found.values()]), strict=True))


def presets(found: Mapping[str, TuningResults]) -> dict[str, PolicyFile]:
    """Each preset: the policy where it was worth its parameters, for all tunings too, else the static temperature."""
    files, chances = {}, corrected(found)
    for name, results in found.items():
        worth, p = results.answer == "worth", chances[name]
        file = _named(results, name, control=not worth or p >= LEVEL)
        if worth and p >= LEVEL:
            told = f"{results.sentence} Of {len(found)} tunings one may look so by chance (p = {p:.3f} after Holm), so "
            told += "the preset is the static temperature."
            file = replace(file, provenance=replace(file.provenance, sentence=told))
        files[name] = file
    return files


def study(found: Mapping[str, TuningResults]) -> str:
    """The text of held_out.toml: the presets, and policies that were worth their parameters in one tuning alone."""
    files = presets(found)
    for name, results in found.items():
        dynamic = _named(results, name + DYNAMIC, control=False)
        if results.answer == "worth" and dynamic.policy != files[name].policy:
            files[dynamic.policy.name] = dynamic
    data = [json.loads(replace(file, provenance=None).to_json()) for file in files.values()]
    return HEAD + "".join(f"  '''{json.dumps(one)}''',\n" for one in data) + SIZES


def _named(results: TuningResults, name: str, *, control: bool) -> PolicyFile:
    """The winner of one of the two searches, under a name."""
    file = tuned(results, next(one for one in results.tested if one.control == control))
    return replace(file, policy=Policy(file.policy.expression, name=name))


def chosen(found: Mapping[str, TuningResults], files: Mapping[str, PolicyFile]) -> Iterator[str]:
    """A row for each preset: its tasks, its numbers, and its scores on test."""
    rows = []
    for name, file in files.items():
        metrics = found[name].objectives[0].metrics
        rows.append((
            f"`{name}`", ", ".join(f"{task} ({metrics[task]})" for task in found[name].settings["tasks"]),
            f"`{file.policy}`", f"`{file.filters}`" if file.filters.active else "none",
            "; ".join(f"{score.task}: {score}" for score in file.provenance.scores),
        ))  # fmt: skip
    yield from table(("preset", "tuned on", "T", "filters", "on test"), rows)


def rivals(found: Mapping[str, TuningResults]) -> Iterator[str]:
    """The dynamic policy that was tuned for each preset, beside the static temperature."""
    rows, chances = [], corrected(found)
    for name, results in found.items():
        (pair,), winner = results.differences, own(results).winner
        rows.append((
            f"`{name}`", f"`{own(results).space.family}`", f"`{winner.policy}`", f"`{winner.filters}`",
            f"{difference(pair.difference)} ({interval(pair)})", chance(pair.p), chance(chances[name]),
            ANSWERS[results.answer],
        ))  # fmt: skip
    yield from table(
        (
            "preset",
            "policy",
            "as tuned",
            "filters",
            "less tuned static + min-p on test, 95 %",
            "p",
            "Holm p",
            "the policy was",
        ),
        rows,
    )


def promised(found: Mapping[str, TuningResults]) -> Iterator[str]:
    """The best trial of each search: what it promised, the luck that was to be expected, and what was left."""
    rows = []
    for name, results in found.items():
        for search in searches(results):
            luck = search.luck(results.objectives[0].name)
            rows.append((
                f"`{name}`", search.title, results.objectives[0].name, value(search.finalists[0].promised[0]),
                "–" if luck is None else f"+{value(luck.expected)}", with_interval(search.finalists[0].left, 0),
                with_interval(search.winner.measured, 0),
            ))  # fmt: skip
    yield from table(
        ("preset", "search", "objective", "best trial promised", "expected luck", "left on val, 95 %",
         "winner on test, 95 %"), rows,
    )  # fmt: skip


def elsewhere(results: Results | None, found: Mapping[str, TuningResults]) -> Iterator[str]:
    """Each preset on each task, less the static temperature with min-p that was tuned there."""
    if results is None:
        return
    columns = [one for one in readings(results) if one.metric]
    static = [next(arm for arm in one.controls if arm.control == CONTROL) for one in columns]
    there = [value(average(arm, one.metric)) for one, arm in zip(columns, static, strict=True)]
    names = [*found, *(name + DYNAMIC for name, of in found.items() if of.answer == "worth")]
    rows = [
        (f"`{name}`", *(_elsewhere(one, name, found[name.removesuffix(DYNAMIC)]) for one in columns)) for name in names
    ]
    yield from table(
        ("preset", *(f"{one.task.name}, {one.metric}" for one in columns)), [(f"{CONTROL}, tuned there", *there), *rows]
    )


def _elsewhere(one, name: str, tuning: TuningResults) -> str:
    """A preset's mean on a task, and its difference; in bold where the task had no part in its tuning."""
    arm = next((arm for arm in one.methods if _is(arm, name)), None)
    if arm is None:
        return "not among the best on val"
    pair = next(pair for pair in one.comparisons(arm.name) if pair.against.startswith(CONTROL))
    told = f"{value(pair.mean)}, {difference(pair.difference)} ({interval(pair)})"
    return told if one.task.name in tuning.settings["tasks"] else f"**{told}**"


def _is(arm: ArmResult, name: str) -> bool:
    """True if an arm is the policy of this name with its own filters, and not with others."""
    return arm.family == name or arm.family.startswith(f"{name} + min_p(")


def again(results: Results | None, found: Mapping[str, TuningResults]) -> Iterator[str]:
    """Each dynamic policy of the study beside the control that leaves it the smallest difference."""
    found_again = [
        (name, one, pair)
        for one in (readings(results) if results else ()) for arm in one.methods for name in found
        if _is(arm, name + DYNAMIC) and (pair := one.hardest(arm.name)) is not None
    ]  # fmt: skip
    rows = [
        (f"`{name}{DYNAMIC}`", one.task.name, one.metric, value(pair.mean), pair.against, value(pair.other),
         f"{difference(pair.difference)} ({interval(pair)})", chance(pair.p))
        for name, one, pair in found_again
    ]  # fmt: skip
    if rows:
        ahead = sum(pair.low > 0 for _, _, pair in found_again)
        yield f"On {ahead} of {len(rows)} tasks the interval of its difference to the hardest control lies above 0."
        yield ""
        yield from table(
            ("policy", "task", "metric", "mean", "hardest control", "its mean", "difference, 95 %", "p"), rows
        )
    else:
        yield "No dynamic policy was worth its parameters."


def grid(found: Mapping[str, TuningResults]) -> Iterator[str]:
    """The best static temperature of the tuning `creative` beside the best of the grid."""
    data = json.loads((HERE / "grid.json").read_text(encoding="utf-8"))
    hottest = max(data["temperatures"])
    points = {
        (t, float(cut)): one
        for cut, row in data["values"].items() for t, one in zip(data["temperatures"], row, strict=True)
    }  # fmt: skip
    (t, cut), best = max(points.items(), key=lambda pair: pair[1])
    near = [point for point, one in points.items() if one > best - NEAR]
    cuts = [cut for _, cut in near]
    (static,) = (search for search in searches(found["creative"]) if search.space.control)
    top = max(static.complete, key=lambda trial: trial.measured.values[0])
    yield (
        f"Of {len(points)} settings on a grid, T = {t:g} behind min-p {cut:g} is the best, with {value(best)}. Those "
        f"within {NEAR} of it have T from {min(t for t, _ in near):g} to {hottest:g} and min-p from {min(cuts):g} to "
        f"{max(cuts):g}. The {len(static.trials)} trials found T = {top.parameters['T']:g} behind min-p "
        f"{top.parameters['min_p']:g}, with {value(top.measured.values[0])}."
    )


def circumstances(found: Mapping[str, TuningResults]) -> Iterator[str]:
    """Model, machine and versions of the tunings."""
    for name, results in found.items():
        about = results.about
        yield (
            f"- `{name}`: {results.model}, {about['processor']}, {about['date']}, dyntemp {about['dyntemp']} "
            f"({about['commit']}), torch {about['torch']}, transformers {about['transformers']}; settings "
            f"{results.digest[:16]}; {sum(results.tokens.values()):,} tokens"
        )


def written() -> dict[Path, str]:
    """Each file that is made from the data, and its text."""
    found = tunings()
    files, results = presets(found), held_out()
    parts = {
        "chosen": list(chosen(found, files)), "rivals": list(rivals(found)), "promised": list(promised(found)),
        "grid": list(grid(found)), "elsewhere": list(elsewhere(results, found)),
        "again": list(again(results, found)), "circumstances": list(circumstances(found)),
    }  # fmt: skip
    shipped = {name: json.loads(file.to_json()) for name, file in files.items()}
    return {
        PAGE: filled(PAGE.read_text(encoding="utf-8"), parts),
        PRESETS: json.dumps(shipped, indent=1, ensure_ascii=False) + "\n",
        STUDY: study(found),
    }


def main() -> None:
    """Take over the data of a folder, if one is given, and write all files."""
    if len(sys.argv) > 1:
        take(Path(sys.argv[1]))
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
