"""Write the tables of docs/learning.md, and what docs/evidence.md and the README say of learning.

    python evidence/learning/run.py FOLDER         # an hour and a half on two cores
    bash evidence/learning/texts.sh FOLDER/texts   # some minutes
    python evidence/learning/confirm.py FOLDER/confirmed   # after these were taken over; some minutes
    python evidence/learning/tables.py FOLDER      # take the results over
    python evidence/learning/tables.py             # write from the data beside this file

A test fails where the pages differ from the data.
"""

import gzip
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dyntemp.evaluation.pairs import LEVEL, holm
from dyntemp.evaluation.report import filled
from dyntemp.evaluation.report.markdown import table
from dyntemp.evaluation.report.reading import chance, difference_with_ends, value
from dyntemp.evaluation.verdict import GROUPS, OWN
from dyntemp.learn.answer import beside
from dyntemp.learn.passages.results import PassageResults
from dyntemp.learn.results import Beside, Control, LearnResults

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TASKS = HERE / "tasks.json.gz"
TEXTS = HERE / "texts.json.gz"
CONFIRMED = HERE / "confirmed.json"
NEAREST = "fluency-min_p-network"
"""The learned policies that came nearest to the bar, which `confirm.py` measured again."""
PAGES = (ROOT / "docs" / "learning.md", ROOT / "docs" / "evidence.md", ROOT / "README.md")
CHAINS = {"plain": "none", "min_p": "tuned min-p"}

PROTOTYPE = {
    ("plain", "static"): "4.07 less 3.88: +0.19 (+0.03 to +0.39)",
    ("plain", "static + min_p"): "4.07 less 4.52: −0.45 (−0.69 to −0.17)",
    ("min_p", "static + min_p"): "4.74 less 4.52: +0.23 (+0.01 to +0.46)",
    ("min_p", "matched"): "4.74 less 4.63: +0.11 (+0.00 to +0.22)",
}
"""The figures of a prototype of learning, by filters and control; it chose min-p among 12 configurations."""


def take(folder: Path) -> None:
    """Keep the results that are there, numbers to a few digits."""
    found = {path.parent.name: _read(path) for path in sorted(folder.glob("*/results.json"))}
    _keep(found, TASKS)
    _keep({path.parent.name: _read(path) for path in sorted(folder.glob("texts/*/results.json"))}, TEXTS)
    if (again := folder / "confirmed" / CONFIRMED.name).exists():
        CONFIRMED.write_text(json.dumps(_read(again), separators=(",", ":")) + "\n", encoding="utf-8")


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"), parse_float=lambda text: float(f"{float(text):.5g}"))


def _keep(data: Mapping, path: Path) -> None:
    path.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 9, mtime=0))


def tasks() -> dict[str, LearnResults]:
    """The results of the runs, by task, filters and shape, such as `fluency-plain-curve`."""
    data = json.loads(gzip.decompress(TASKS.read_bytes()))
    return {name: LearnResults.from_json(one) for name, one in data.items()}


def texts() -> dict[str, PassageResults]:
    """The results of learning from texts, by shape."""
    data = json.loads(gzip.decompress(TEXTS.read_bytes()))
    return {name: PassageResults.from_json(one) for name, one in data.items()}


def own(found: Mapping[str, LearnResults]) -> dict[str, LearnResults]:
    """The runs that the verdict is of: without those that repeat the prototype's."""
    return {name: one for name, one in found.items() if not name.startswith("pilot-")}


def hardest(results: LearnResults) -> Beside:
    """The control that leaves what was learned the smallest difference."""
    return min(results.beside, key=lambda one: one.difference)


def corrected(found: Mapping[str, LearnResults]) -> dict[str, float]:
    """The largest p-value of each, over its controls, after Holm's correction for all that was learned."""
    return dict(zip(found, holm([_largest(one) for one in found.values()]), strict=True))


def _largest(results: LearnResults) -> float:
    """The p-value with which every control is beaten; 1 where the kept run is static, and has no control of its own."""
    own = {one.kind for one in results.beside} >= set(OWN)
    return max(one.p for one in results.beside) if own else 1.0


def helps(found: Mapping[str, LearnResults]) -> dict[str, list[str]]:
    """The groups of tasks in which a shape beats every control after Holm, by filters and shape."""
    chances, groups = corrected(found), {}
    for name, results in found.items():
        _, how = name.split("-", 1)
        above = all(one.low is not None and one.low > 0 for one in results.beside)
        if chances[name] < LEVEL and above and results.task.group not in groups.setdefault(how, []):
            groups[how].append(results.task.group)
    return {how: names for how, names in groups.items() if names}


def verdict(found: Mapping[str, LearnResults]) -> str:
    """What came out, in one sentence."""
    won = helps(found)
    names = list(dict.fromkeys(one.task.name for one in found.values()))
    where = f"on {', '.join(names)}, {next(iter(found.values())).model}"
    if passed := [how for how, groups in won.items() if len(groups) >= GROUPS]:
        won_by = ", ".join(passed)
        return f"A learned temperature helped: {won_by} beat every control in {GROUPS} groups of tasks, {where}."
    static = sum(run.static for one in found.values() for run in one.runs)
    runs = sum(len(one.runs) for one in found.values())
    beat = "none" if not won else ", ".join(f"{how} in {', '.join(groups)}" for how, groups in won.items())
    return (
        f"No learned temperature helped: of {len(found)} shapes, filters and tasks, {beat} beat every control after "
        f"Holm's correction, {where}. {static} of {runs} runs were no better on val than the static temperature that "
        "they began from."
    )


def learned(found: Mapping[str, LearnResults]) -> Iterator[str]:
    """What was learned for each task, filters and shape, beside tuned static temperature and the hardest control."""
    chances, rows = corrected(found), []
    for name, results in found.items():
        task, filters, shape = name.split("-")
        static = next(one for one in results.beside if one.kind == "static + min_p")
        worst, runs = hardest(results), results.runs
        last = runs[results.kept].rounds[-1]
        rows.append((
            f"{task}, {results.metric}", CHAINS[filters], shape, value(runs[0].rounds[0].score),
            value(sum(run.rounds[-1].score for run in runs) / len(runs)), f"{last.temperature:.3g} ± {last.spread:.2g}",
            value(static.mean), value(static.other), _ends(static), worst.kind, _ends(worst), chance(chances[name]),
            f"{sum(run.static for run in runs)} of {len(runs)}",
        ))  # fmt: skip
    yield from table(
        ("task", "filters", "shape", "first score", "last score", "last T", "learned on test", "tuned static + min-p",
         "difference, 95 %", "hardest control", "less that, 95 %", "Holm p", "stayed static"), rows,
    )  # fmt: skip


def heat(found: Mapping[str, LearnResults]) -> Iterator[str]:
    """How much of a gain over the static temperature was merely heat: the kept run beside its own controls."""
    rows = []
    for name, results in found.items():
        own = {one.kind: one for one in results.beside if one.kind in OWN}
        if own:
            begun = next(one for one in results.beside if one.kind not in OWN)
            rows.append((name.replace("-", ", "), value(own["matched"].mean), _ends(begun),
                         *(_ends(own[kind]) if kind in own else "–" for kind in OWN)))  # fmt: skip
    yield from table(
        ("learned", "kept run on test", "all runs less static", "less matched", "less placebo", "less shuffled"), rows
    )


def ceilings(found: Mapping[str, LearnResults]) -> Iterator[str]:
    """What there was to win: the metric with the best temperature of every row, computed from listed answers."""
    rows = [
        (name.replace("-", ", "), value(one.ceiling.static), value(one.ceiling.learned), value(one.ceiling.oracle),
         f"{(one.ceiling.learned - one.ceiling.static) / (one.ceiling.oracle - one.ceiling.static):.1%}")
        for name, one in found.items() if one.ceiling is not None
    ]  # fmt: skip
    yield from table(("learned", "static", "learned", "best T of every row", "share of the way"), rows)


def pilot(found: Mapping[str, LearnResults]) -> Iterator[str]:
    """The figures of the prototype, and those of the runs that repeat it."""
    rows = []
    for (filters, kind), told in PROTOTYPE.items():
        chain = {"plain": "none", "min_p": "min-p 0.03"}[filters]
        pairs = [one for one in found[f"pilot-{filters}-network"].beside if one.kind == kind]
        rows += [(chain, kind, value(one.mean), value(one.other), _ends(one), told) for one in pairs]
        if not pairs:  # the kept run is static, and has no control of its own
            rows.append((chain, kind, "–", "–", "all runs stayed static", told))
    yield from table(("filters", "control", "learned", "control", "difference, 95 %", "the prototype"), rows)


def again(found: LearnResults, data: Mapping) -> list[Beside]:
    """The policies that came nearest beside their controls, on categories that no choice has seen.

    Statics are compared with the mean of all runs, all others with the run that was kept.
    """
    runs = [replace(run, test=test) for run, test in zip(found.runs, data["runs"], strict=True)]
    *controls, schedule = (Control(**one) for one in data["controls"])
    return [
        *beside(runs, found.kept, controls, data["items"]),
        *beside([runs[found.kept]], 0, [schedule], data["items"]),
    ]


def confirmed(pairs: Sequence[Beside], found: LearnResults) -> Iterator[str]:
    """What `again` found as a table, with what was seen before."""
    first = {one.kind: _ends(one) for one in found.beside}
    rows = [
        (one.kind, value(one.mean), value(one.other), _ends(one), chance(one.p), first.get(one.kind, "–"))
        for one in pairs
    ]
    yield from table(("control", "learned", "control", "difference, 95 %", "p", "on the first 20 categories"), rows)


def nearest(pairs: Sequence[Beside], items: int) -> str:
    """What `again` found, in one sentence."""
    of_kind = {one.kind: _ends(one) for one in pairs}
    return (
        f"What came nearest, the network for fluency behind min-p, was measured again on {items} categories that no "
        f"choice had seen. In the mean, its runs have {of_kind['static + min_p']} more different answers among 8 than "
        f"the tuned static temperature with min-p. The kept run has {of_kind['matched']} more than one temperature at "
        f"its mean, and {of_kind['schedule']} more than its own mean temperature of each position, which knows "
        "nothing of the row."
    )


def given(found: Mapping[str, PassageResults]) -> Iterator[str]:
    """The surprise and the calibration of each shape on the held-out half of the texts."""
    rows = []
    for name, results in found.items():
        one, static, learned = results.held_out
        gain = next(pair for pair in results.gains if pair.other == static.name)
        low, high = gain.low or 0.0, gain.high or 0.0
        rows.append((
            name, f"{one.loss:.4f}", f"{static.loss:.4f} (T = {static.policy})", f"{learned.loss:.4f}",
            f"{_fine(gain.difference)} ({_fine(low)} to {_fine(high)})", f"{results.oracle:.4f}",
            *(_error(half) for half in results.held_out),
        ))  # fmt: skip
    yield from table(
        ("shape", "T = 1", "best static T", "learned", "nats a token gained over static, 95 %", "best T of every token",
         "calibration error at T = 1", "static", "learned"), rows,
    )  # fmt: skip


def in_short(found: Mapping[str, PassageResults]) -> str:
    """What came out of learning from texts, in one sentence."""
    best = max(found, key=lambda name: found[name].gains[-1].difference)
    gain = next(pair for pair in found[best].gains if pair.other == found[best].held_out[1].name)
    left = found[best].held_out[1].loss - found[best].oracle
    return (
        f"From {sum(found[best].passages)} texts without a reward, the best of {len(found)} shapes, the {best}, gains "
        f"{_fine(gain.difference)} nats a token ({_fine(gain.low or 0.0)} to {_fine(gain.high or 0.0)}) over the best "
        f"static temperature; the best temperature of every token, which no policy knows, would gain {left:.3f}."
    )


def _fine(number: float) -> str:
    return f"{number:+.4f}".replace("-", "−")


def _error(half) -> str:
    found = half.calibration
    return f"{found.error:.4f} ({found.low:.4f} to {found.high:.4f})"


def _ends(one: Beside) -> str:
    return difference_with_ends(one.difference, one.low, one.high)


def circumstances(model: str, parts: Mapping[str, Sequence[Mapping[str, str]]]) -> Iterator[str]:
    """Model, machines, versions and commits of each part of the evidence."""
    for name, abouts in parts.items():
        for told in dict.fromkeys(map(_about, abouts)):
            commits = ", ".join(sorted({one["commit"] for one in abouts if _about(one) == told}))
            yield f"- {name}: {model}, {told} ({commits})"


def _about(about: Mapping[str, str]) -> str:
    versions = ", ".join(f"{name} {about[name]}" for name in ("torch", "transformers", "dyntemp"))
    return f"{about['processor']}, {about['processors']} cores, {about['date']}, {versions}"


def written() -> dict[Path, str]:
    """Each page with its text."""
    everything, of_texts = tasks(), texts()
    found, data = own(everything), json.loads(CONFIRMED.read_text(encoding="utf-8"))
    pairs = again(found[NEAREST], data)
    abouts = {
        "tasks": [one.about for one in everything.values()],
        "forty other categories": [data["about"]],
        "texts": [one.about for one in of_texts.values()],
    }
    parts: dict[str, Sequence[str]] = {
        "learning": [verdict(found), "", nearest(pairs, len(data["items"])), "", in_short(of_texts)],
        "learned": list(learned(found)),
        "heat": list(heat(found)),
        "ceilings": list(ceilings(found)),
        "confirmed": list(confirmed(pairs, found[NEAREST])),
        "pilot": list(pilot(everything)),
        "given": [*(f"- {name}: {one.sentence}" for name, one in of_texts.items()), "", *given(of_texts)],
        "circumstances of learning": list(circumstances(found[NEAREST].model, abouts)),
    }
    return {page: filled(page.read_text(encoding="utf-8"), parts) for page in PAGES}


def main() -> None:
    """Take over the results of a folder, if one is given, and write the pages."""
    if len(sys.argv) > 1:
        take(Path(sys.argv[1]))
    for page, text in written().items():
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
