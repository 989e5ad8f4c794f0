"""Write docs/evidence.md, the figures of README.md, and the findings that `dyntemp policies` shows.

    python evidence/evaluation/tables.py                # from results.json.gz and known.json beside this file
    python evidence/evaluation/tables.py FOLDER         # the same, after taking over the results of a study's folder

A test fails where the pages differ from the data.
"""

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dyntemp.evaluation.families import MIN_P, published
from dyntemp.evaluation.report import document, filled
from dyntemp.evaluation.report import tables as parts_of_report
from dyntemp.evaluation.report.markdown import table
from dyntemp.evaluation.report.reading import Reading, average, difference, interval, readings, value
from dyntemp.evaluation.results import Results
from dyntemp.evaluation.selection import mean
from dyntemp.evaluation.standings import BASELINES
from dyntemp.methods import METHODS
from dyntemp.methods.evidence import FILE

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = HERE / "results.json.gz"
PAGE = ROOT / "docs" / "evidence.md"
README = ROOT / "README.md"
DIGITS = 5  # of a number in the results that are kept
THEN = {"min-p before T": "+0.64 (+0.45 to +0.80)", "random T": "−0.72 (−0.92 to −0.57)"}  # less static, in the pilot


def kept() -> Results:
    """The results beside this file."""
    return Results.from_json(json.loads(gzip.decompress(DATA.read_bytes())))


def take(folder: Path) -> None:
    """Keep the results of a study's folder, numbers to a few digits and points of test alone, and its report."""
    data = json.loads(
        (folder / "results.json").read_text(encoding="utf-8"), parse_float=lambda text: rounded(float(text))
    )
    for arm in data["arms"]:
        if arm["split"] != "test":
            arm["points"] = []
    DATA.write_bytes(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), 9, mtime=0))
    (HERE / "report.html").write_text(document(kept()), encoding="utf-8")


def rounded(number: float) -> float:
    """The number to a few significant digits."""
    return float(f"{number:.{DIGITS}g}")


def known() -> dict:
    """The figures of known.py."""
    return json.loads((HERE / "known.json").read_text(encoding="utf-8"))


def tables(results: Results) -> dict[str, list[str]]:
    """The lines of each part of the page."""
    found = [one for one in readings(results) if one.metric]
    return {
        **parts_of_report(results),
        "short": list(short(results, found)), "every": list(every(found)), "single texts": list(single_texts(found)),
        "default": list(default(found)), "earlier": list(earlier()), "control": list(control()),
    }  # fmt: skip


def short(results: Results, found: Sequence[Reading]) -> Iterator[str]:
    """The verdict, and a row for each task: static temperatures, and the best dynamic method."""
    about = results.about
    yield results.verdict.sentence
    yield ""
    yield from table(
        ("task", "metric", "greedy", "static", "static + min-p", "best dynamic method", "its mean",
         "less its hardest control, 95 %"),
        [row for one in found if (row := short_row(one)) is not None],
    )  # fmt: skip
    yield ""
    yield f"{results.model}, {about.get('processor')}, {about.get('date')}, commit {about.get('commit')}."


def short_row(one: Reading) -> tuple[str, ...] | None:
    """The row of one task; None where no dynamic method came to test."""
    controls = {arm.control: value(average(arm, one.metric)) for arm in one.controls}
    dynamic = [arm for arm in one.methods if any(other.of == arm.name for other in one.controls)]
    pairs = [pair for arm in dynamic if (pair := one.hardest(arm.name)) is not None]
    if not pairs:
        return None
    best = max(pairs, key=lambda pair: pair.mean)
    return (
        f"{one.task.name} ({one.task.group})", one.metric, controls.get("greedy", "–"), controls.get("static", "–"),
        controls.get("static + min_p", "–"), f"`{best.arm}`", value(best.mean),
        f"{difference(best.difference)} ({interval(best)}), {best.against}",
    )  # fmt: skip


def every(found: Sequence[Reading]) -> Iterator[str]:
    """All families on val, a column for each task, the best mean rank first."""
    places: dict[str, dict[str, str]] = {}
    ranks: dict[str, list[int]] = {}
    for one in found:
        for rank, place in enumerate(one.standings):
            mark = "**" if place.low > 0 else ""
            told = f"{mark}{difference(place.difference)}{mark} ({interval(place)})"
            places.setdefault(place.family, {})[one.task.name] = told
            ranks.setdefault(place.family, []).append(rank)
    order = sorted(places, key=lambda family: sum(ranks[family]) / len(ranks[family]))
    names = [one.task.name for one in found]
    rows = [(f"`{family}`", *(places[family].get(name, "the control itself") for name in names)) for family in order]
    yield from table(("family", *(f"{one.task.name}, {one.metric}" for one in found)), rows)


def default(found: Sequence[Reading]) -> Iterator[str]:
    """The static settings that were tried on every task: their value on tune as a share of the best one there."""
    tried: dict[tuple[str, str], dict[str, float]] = {}
    for one in found:
        static = [arm for arm in one.arms("tune") if arm.family in BASELINES]
        best = max(mean(arm.values[one.metric]) for arm in static)
        for arm in static:
            tried.setdefault((arm.policy, arm.filters), {})[one.task.name] = mean(arm.values[one.metric]) / best
    names = [one.task.name for one in found]
    shares = {setting: [of[name] for name in names] for setting, of in tried.items() if set(names) <= of.keys()}
    order = sorted(shares, key=lambda setting: -sum(shares[setting]))
    rows = [
        (policy, f"`{filters}`" if filters else "", *(f"{share:.0%}" for share in shares[policy, filters]),
         f"{sum(shares[policy, filters]) / len(names):.0%}")
        for policy, filters in order
    ]  # fmt: skip
    yield from table(("T", "filters", *names, "mean"), rows)


def single_texts(found: Sequence[Reading]) -> Iterator[str]:
    """The accuracy of one text on test."""
    kinds = ("greedy", "static", "static + min_p")
    rows = []
    for one in found:
        shared = {arm.control: value(average(arm, "accuracy")) for arm in one.controls if arm.of is None}
        best = max(one.methods, key=lambda arm: mean(arm.values["accuracy"]))
        cells = (*(shared.get(kind, "–") for kind in kinds), value(average(best, "accuracy")), f"`{best.name}`")
        rows.append((one.task.name, *cells))
    yield from table(("task", *kinds, "best of the finalists", "which"), rows)


def earlier() -> Iterator[str]:
    """Figures of an earlier study beside those of today."""
    found = known()["earlier"]
    static = found[0]["mean"]
    rows = [
        (one["name"], f"`{one['policy']}`", f"`{one['filters']}`" if one["filters"] else "", f"{one['earlier']:.2f}",
         f"{one['mean']:.2f} ({one['low']:.2f} to {one['high']:.2f})", THEN.get(one["name"], ""),
         difference(one["mean"] - static) if one["name"] in THEN else "")
        for one in found
    ]  # fmt: skip
    yield from table(("", "policy", "filters", "distinct@8 then", "now, 95 %", "less static then", "now"), rows)


def control() -> Iterator[str]:
    """The negative control."""
    for metric in ("accuracy", "pass@8"):
        data = known()["single"]
        temperatures = list(next(iter(data.values()))["values"])
        yield f"{metric}:"
        yield ""
        yield from table(
            ("task", "items", *(f"T = {t}" if float(t) else "greedy" for t in temperatures)),
            [(name, str(one["items"]), *marked([one["values"][t][metric] for t in temperatures]))
             for name, one in data.items()],
        )  # fmt: skip
        yield ""


def marked(values: Sequence[float]) -> Iterator[str]:
    """Numbers, the largest one bold."""
    for number in values:
        yield f"**{number:.3f}**" if number == max(values) else f"{number:.3f}"


def findings(results: Results) -> dict:
    """The findings of each published method, in the variant, with or without min-p, that did better on val."""
    found = list(readings(results))
    families, without = published()
    return {
        "sentence": results.verdict.sentence, "model": results.model, "date": results.about["date"],
        "study": results.digest,
        "findings": {name: [one for reading in found for one in finding(reading, name)]
                     for name in families if name in METHODS},
        "without": without,
    }  # fmt: skip


def finding(one: Reading, method: str) -> Iterator[dict]:
    """The finding of a method on one task, if it has a metric: on test where the method is a finalist, else on val."""
    place = next((place for place in one.standings if place.family in (method, f"{method} + {MIN_P}")), None)
    if place is None:
        return
    tested = next((arm for arm in one.methods if arm.family == place.family), None)
    arm = tested or one.on_val[place.arm]
    told = (tested and one.hardest(tested.name)) or place
    yield {
        "task": one.task.name, "group": one.task.group, "metric": one.metric, "split": arm.split,
        "policy": arm.policy, "filters": arm.filters, "mean": rounded(told.mean), "against": told.against,
        "difference": rounded(told.difference), "low": rounded(told.low), "high": rounded(told.high),
    }  # fmt: skip


def written(results: Results) -> dict[Path, str]:
    """Each file that is made from the data, and its text."""
    parts = tables(results)
    pages = {path: filled(path.read_text(encoding="utf-8"), parts) for path in (PAGE, README)}
    return {**pages, FILE: json.dumps(findings(results), indent=1, ensure_ascii=False) + "\n"}


def main() -> None:
    if len(sys.argv) > 1:
        take(Path(sys.argv[1]))
    for path, text in written(kept()).items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
