"""From samples to tables: medians with their spread, ratios round by round, and which targets they meet."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from runner import Case, Record


class Spread(NamedTuple):
    """A median, the quartiles around it, and of how many rounds."""

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        return f"{figure(self.median)} [{figure(self.low)}, {figure(self.high)}]"


def figure(value: float) -> str:
    """Three digits, or all that stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def spread(values: Iterable[float | None]) -> Spread:
    """The median and quartiles of the rounds that a contestant took part in.

    Raises:
        ValueError: If it took part in none.
    """
    known = [value for value in values if value is not None]
    if not known:
        raise ValueError("no round was measured")
    low, median, high = np.quantile(known, [0.25, 0.5, 0.75])
    return Spread(float(median), float(low), float(high), len(known))


def ratios(over: Sequence[float | None], under: Sequence[float | None]) -> list[float]:
    """`over / under` in each round that both took part in."""
    both = zip(over, under, strict=True)
    return [above / below for above, below in both if above is not None and below is not None]


def slowest(found: Sequence[Sequence[float | None]]) -> list[float | None]:
    """The longest time in each round that all took part in."""
    rounds = zip(*found, strict=True)
    return [max(times) if None not in times else None for times in rounds]  # type: ignore[type-var]


@dataclass(frozen=True, slots=True)
class Target:
    """A ratio of two times that is promised; with no `under`, a time in seconds.

    Attributes:
        over, under: The contestants; of several under the line, in each round the slowest.
        at_least: Whether the ratio should be large.
        floor: What the gate holds this class of processors to, where `held` says; None where there is none.
        headline: What is aimed at, on a quiet machine with AVX-512.
        subject, mode, dtype, vocabulary, batch: Where it binds: a pattern each, and lowest and highest numbers.
        held: Where the floor is held: a pattern of modes, and the least number of logits in a call.
    """

    over: str
    under: str | tuple[str, ...] | None
    at_least: bool
    floor: float | None
    headline: float
    subject: str = "draw"
    mode: str = ".*"
    dtype: str = ".*"
    vocabulary: tuple[int, int] = (32_000, 2**20)
    batch: tuple[int, int] = (1, 256)
    held: tuple[str, int] = (".*", 0)

    def __str__(self) -> str:
        if isinstance(self.under, tuple):
            return f"{self.over} / the slower of {' and '.join(self.under)}"
        return f"{self.over} / {self.under}" if self.under else f"{self.over}, s"

    @property
    def contestants(self) -> tuple[str, ...]:
        """All of them, the one over the line first."""
        under = self.under if isinstance(self.under, tuple) else (self.under,)
        return (self.over, *filter(None, under))

    @property
    def where(self) -> str:
        if self.subject != "draw":
            return self.subject
        parts = [part for part in (self.dtype, self.mode) if part != ".*"]
        parts.append(f"vocabulary {self.vocabulary[0]:,} to {self.vocabulary[1]:,}")
        return ", ".join([*parts, f"batch {self.batch[0]} to {self.batch[1]}"])

    def binds(self, case: Case, mode: str) -> bool:
        return bool(
            case.subject == self.subject
            and re.fullmatch(self.mode, mode)
            and re.fullmatch(self.dtype, case.dtype)
            and self.vocabulary[0] <= case.vocabulary <= self.vocabulary[1]
            and self.batch[0] <= case.batch <= self.batch[1]
        )

    def floor_of(self, case: Case | None, mode: str) -> float | None:
        """The floor where it is held; a target that was not measured at all is held to it."""
        pattern, least = self.held
        if case and (not re.fullmatch(pattern, mode) or case.batch * case.vocabulary < least):
            return None
        return self.floor

    def met(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


def needed(targets: Sequence[Target], case: Case, mode: str) -> set[str]:
    """The contestants that the floors held in a case and mode are about; where no target has a floor, all."""
    any_floor = any(target.floor is not None for target in targets)
    return {
        name
        for target in targets
        if target.binds(case, mode) and (not any_floor or target.floor_of(case, mode) is not None)
        for name in target.contestants
    }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a target in one case; `why` where it was not measured."""

    target: Target
    case: Case | None
    mode: str
    ratio: Spread | None = None
    why: str = ""

    @property
    def floor(self) -> float | None:
        """The floor that holds here, if one does."""
        return self.target.floor_of(self.case, self.mode)

    @property
    def passes(self) -> bool:
        """Whether the floor is met; what was not measured is not met."""
        if self.ratio is None:
            return self.floor is None
        return self.floor is None or self.target.met(self.ratio.median, self.floor)

    @property
    def word(self) -> str:
        if self.ratio is None:
            return f"not measured: {self.why}"
        if not self.passes:
            return "FLOOR MISSED"
        if self.target.met(self.ratio.median, self.target.headline):
            return "headline met"
        return "below the headline" if self.floor is None else "floor met"


def verdicts(records: Sequence[Record], targets: Sequence[Target]) -> list[Verdict]:
    """One for each target in each case where it binds, and one that says so where no case was measured."""
    found = []
    for target in targets:
        mine = [
            verdict(target, Case(**record["case"]), mode, record["missing"], samples)
            for record in records
            for mode, samples in record.get("samples", {}).items()
            if target.binds(Case(**record["case"]), mode)
        ]
        found += mine or [Verdict(target, None, "", why="no case was run")]
    return found


def verdict(
    target: Target, case: Case, mode: str, missing: dict[str, str], samples: dict[str, list[float | None]]
) -> Verdict:
    over, *under = target.contestants
    lacking = [f"{name}: {missing.get(name, 'no sample')}" for name in (over, *under) if name not in samples]
    if lacking:
        return Verdict(target, case, mode, why="; ".join(lacking))
    values = ratios(samples[over], slowest([samples[name] for name in under])) if under else samples[over]
    return Verdict(target, case, mode, spread(values))


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Lines of a table in Markdown."""
    return [f"| {' | '.join(map(str, row))} |" for row in [head, ["---"] * len(head), *rows]]


def verdict_table(found: Sequence[Verdict]) -> list[str]:
    """Every verdict, with the ratio's median, quartiles and number of rounds."""
    rows = []
    for v in found:
        sign = "≥" if v.target.at_least else "≤"
        floor = "" if v.floor is None else f"{sign} {v.floor:g}"
        rounds = v.ratio.rounds if v.ratio else 0
        rows.append(
            [v.target, v.case or "", v.mode, v.ratio or "", rounds, floor, f"{sign} {v.target.headline:g}", v.word]
        )
    return table(["ratio", "case", "mode", "median [quartiles]", "rounds", "floor", "headline", "verdict"], rows)


def summary_table(found: Sequence[Verdict]) -> list[str]:
    """A row per target: its medians in the worst and in the best case, and how many cases meet it."""
    rows = []
    for target in dict.fromkeys(v.target for v in found):
        mine = [v for v in found if v.target == target]
        medians = sorted((v.ratio.median for v in mine if v.ratio), reverse=not target.at_least)
        extremes = f"{figure(medians[0])} to {figure(medians[-1])}" if medians else ""
        words = [v.word.split(":")[0] for v in mine]
        counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        sign = "≥" if target.at_least else "≤"
        floor = "" if target.floor is None else f"{sign} {target.floor:g}"
        rows.append([target, target.where, extremes, floor, f"{sign} {target.headline:g}", counts])
    return table(["ratio", "where", "worst to best median", "floor", "headline", "cases"], rows)


UNITS = {"draw": ("ns per logit", 1e9), "start": ("s", 1.0)}
"""Subject -> what its times are shown in, and how many of those are in what its samples hold; else the next line."""

PER_ROW = "µs per row"


Samples = dict[str, list[float | None]]


def time_cell(record: Record, samples: Samples, name: str) -> str:
    """A time in its subject's unit: the median, and half the distance of the quartiles as a share of it."""
    columns = record["facts"].get("columns", {})
    _, factor = UNITS.get(record["case"]["subject"], (PER_ROW, 1e6 * columns.get(name, 1)))
    found = spread(samples[name])
    return f"{figure(found.median * factor)} ±{50 * (found.high - found.low) / found.median:.0f} %"


def grid(records: Sequence[Record], mode: str, cell: Callable[[Record, Samples, str], str]) -> list[str]:
    """A row per case, a column per contestant; a dash where one was not timed."""
    names = list(dict.fromkeys(name for record in records for name in [*record["samples"][mode], *record["missing"]]))
    rows = []
    for record in records:
        case, samples = Case(**record["case"]), record["samples"][mode]
        cells = [cell(record, samples, name) if name in samples else "–" for name in names]
        rows.append([case.dtype, f"{case.vocabulary:,}", case.batch, *cells])
    return table(["dtype", "vocabulary", "batch", *names], rows)


def sweep_table(record: Record, read: str) -> list[str]:
    """A row per contestant: its time in each mode, and that over the time of one read of what it reads."""
    modes: dict[str, Samples] = record["samples"]
    rows = []
    for name in [name for name in record["facts"]["columns"] if not name.startswith(("read: ", read))]:
        times = [time_cell(record, samples, name) for samples in modes.values()]
        over = [spread(ratios(s[name], s.get(f"read: {name}") or s[read])) for s in modes.values()]
        rows.append([name, *times, *over])
    head = [f"{PER_ROW}, {mode}" for mode in modes] + [f"over one read, {mode}" for mode in modes]
    return table(["", *head], rows)


def sections(records: Sequence[Record], ours: str, read: str) -> list[str]:
    """The tables of every subject that was measured."""
    lines = []
    for subject in dict.fromkeys(record["case"]["subject"] for record in records):
        mine = [record for record in records if record["case"]["subject"] == subject]
        if subject in ("vocabulary", "batch", "signals"):
            for record in mine:
                lines += ["", f"## Cost by {subject}, {record['case']['dtype']}", "", *sweep_table(record, read)]
                if subject == "vocabulary":
                    lines += ["", *(f"- {line_through(record, mode, 32_000)}" for mode in record["samples"])]
            continue
        for mode in mine[0]["samples"]:
            unit = UNITS.get(subject, (PER_ROW, 0))[0]
            lines += ["", f"## {subject.capitalize()}, {mode}: {unit}", "", *grid(mine, mode, time_cell)]
            if all(ours in record["samples"][mode] for record in mine):
                over = f"### The same as multiples of {ours}: medians of ratios [quartiles]"
                lines += ["", over, "", *grid(mine, mode, lambda _, s, name: str(spread(ratios(s[name], s[ours]))))]
    return lines


def line_through(record: Record, mode: str, lowest: int) -> str:
    """The line `fixed + slope * vocabulary` through a sweep's times per row, and how far from it the furthest is."""
    columns = record["facts"]["columns"]
    named = {name: n for name, n in columns.items() if n >= lowest and not name.startswith("read")}
    n = np.array(list(named.values()), float)
    seconds = n * [spread(record["samples"][mode][name]).median for name in named]
    slope, fixed = np.polyfit(n, seconds, 1, w=1 / seconds)
    off = np.abs((fixed + slope * n) / seconds - 1).max()
    return (
        f"{record['case']['dtype']}, {mode}, vocabularies of {lowest:,} and more: {fixed * 1e6:.2f} µs + "
        f"{slope * 1e9:.4f} ns per logit; no median is further than {off:.1%} from that line."
    )


def missing_lines(records: Sequence[Record]) -> list[str]:
    """Who was not timed, and why; nobody is dropped silently."""
    absent: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for name, why in record["missing"].items():
            absent.setdefault((name, why), []).append(str(Case(**record["case"])))
    return [
        f"- {name}: {why} ({len(cases)} of {len(records)} cases, such as {cases[0]})"
        for (name, why), cases in absent.items()
    ]
