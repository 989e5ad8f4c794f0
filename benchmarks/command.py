"""The command that the benchmarks share: tests first, then every case in its own process, then a report or a gate."""

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import provenance
import runner
from report import Target, Verdict, missing_lines, sections, summary_table, table, verdict_table, verdicts
from runner import Case, Record
from timing import FAST_ROUNDS, SLOW


def command(
    script: str,
    title: str,
    plans: dict[str, Sequence[Case]],
    targets: Sequence[Target],
    measure: Callable[[Case, dict[str, Any]], Record],
    notes: Callable[[], list[str]],
    names: tuple[str, str],
) -> int:
    """Run one of `plans`; the exit status.

    Args:
        script: The file that was called, which runs each case as a worker.
        title: The report's.
        plans: `full`, and those that an option of that name chooses.
        targets: What is promised.
        measure: Measures one case, in a worker.
        notes: What each contestant does.
        names: Our contestant, and the one that reads memory once.
    """
    options = arguments(plans)
    if options.worker:
        runner.work(options.worker, measure)
        return 0
    plan = next((name for name in plans if getattr(options, name, False)), "full")
    cases = [case for case in plans[plan] if re.search(options.only, str(case))]
    whole = plans["gate" if plan == "gate" else "full"]
    settings = {"rounds": options.rounds, "gated": plan == "gate", "vectors": provenance.vectors()}
    revision = provenance.revision()
    path = runner.store(script, revision, settings, provenance.machine() | provenance.versions())
    if options.fresh or plan == "gate":
        path.unlink(missing_ok=True)
    try:
        accuracy = "NOT RUN" if options.unverified else provenance.check_accuracy()
    except provenance.RedError as red:
        print(red, file=sys.stderr)
        return 1
    records = collected(runner.measured(script, cases, settings, path))
    flaws = [
        flaw
        for flaw, found in {
            f"the sources are not those of a commit ({revision})": not provenance.is_clean(revision),
            "the sources changed while it ran": revision != provenance.revision(),
            "the accuracy tests were not run": options.unverified,
            f"{len(cases) - len(records)} of {len(cases)} cases are missing": len(records) < len(cases),
            f"this is a part: {len(cases)} of the {len(whole)} cases of such a run": cases != [*whole],
        }.items()
        if found
    ]
    found = verdicts(records, targets)
    if plan == "gate":
        found = verdicts(measured_again(script, records, found, settings), targets)
        told = circumstances(script, revision, accuracy, settings, records)
        print("\n".join(gate_lines(found, provenance.vectors(), told, flaws)))
        return int(any(not v.passes for v in found))
    below = [v for v in found if v.word != "headline met"]
    lines = [
        f"# {title}",
        *(f"\n**NOT A RESULT: {flaw}.**" for flaw in flaws),
        "",
        *table(["", ""], circumstances(script, revision, accuracy, settings, records).items()),
        *["", "## Targets", "", *summary_table(found)],
        *(["", "### Not up to the headline", "", *verdict_table(below)] if below else []),
        *sections(records, *names),
        *["", "## Contestants", "", *notes(), *missing_lines(records)],
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    target = path.with_suffix(".md") if flaws else runner.RESULTS / f"{Path(script).stem}.md"
    target.write_text(text, encoding="utf-8")
    if not flaws:
        shutil.copyfile(path, target.with_suffix(".jsonl"))
    runner.progress(f"written: {target.relative_to(provenance.ROOT)}")
    return int(len(records) < len(cases))


def gate_lines(found: Sequence[Verdict], vectors: str, told: dict[str, str], flaws: Sequence[str]) -> list[str]:
    """The gate's report: what it holds for, the floors, and what came out of them.

    Only floors are shown; on a class of processors that has none, everything that was measured.

    Args:
        found: What became of each target.
        vectors: The class of the processor.
        told: What the figures hold for, by name.
        flaws: What keeps this from being a result of a commit.
    """
    held = [v for v in found if v.floor is not None]
    failed = sum(not v.passes for v in held)
    if held:
        closing = f"class {vectors}: {failed} of {len(held)} floors missed or not measured"
    else:
        closing = f"class {vectors}: nothing was gated, since no floors were measured on such processors"
    return [
        f"# Floors for processors of class {vectors}",
        "",
        *table(["", ""], told.items()),
        "",
        *verdict_table(held or [v for v in found if v.ratio]),
        "",
        *flaws,
        closing,
    ]


def measured_again(
    script: str, records: Sequence[Record], found: Sequence[Verdict], settings: dict[str, Any]
) -> list[Record]:
    """The records, with cases that miss a floor measured anew in three times the rounds: that decides."""
    missed = dict.fromkeys(v.case for v in found if v.case and v.ratio and not v.passes)
    anew: dict[Case, Record] = {}
    for case in missed:
        runner.progress(f"{case} misses a floor; again, in three times the rounds")
        anew[case] = runner.in_a_process(script, case, settings | {"rounds": 3 * settings["rounds"]})
    return [record if "error" in (new := anew.get(Case(**record["case"]), record)) else new for record in records]


def collected(measured: Iterable[Record]) -> list[Record]:
    """The records, as many as there are until somebody interrupts; failed cases are left out."""
    records: list[Record] = []
    try:
        records.extend(record for record in measured if "error" not in record)
    except KeyboardInterrupt:
        runner.progress("\ninterrupted; the same command goes on from here")
    return records


def circumstances(
    script: str, revision: str, accuracy: str, settings: dict[str, Any], records: Sequence[Record]
) -> dict[str, str]:
    """What the figures hold for."""
    facts = [record["facts"] for record in records]
    load = [fact["load before"] for fact in facts]
    cold = [fact["cold bytes"] for fact in facts if "cold bytes" in fact]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": revision,
        "command": f"python benchmarks/{Path(script).name} {' '.join(sys.argv[1:])}",
        "accuracy tests": f"python {' '.join(provenance.ACCURACY)}: {accuracy}",
        **({"clock": "processor time of the process: others do not count"} if settings["gated"] else {}),
        "rounds": f"{settings['rounds']}; {FAST_ROUNDS} times as many of calls under {SLOW * 1e3:.0f} ms",
        **provenance.machine(),
        **{name: value for fact in facts for name, value in fact.get("device", {}).items()},
        "load when the cases began": f"{min(load):.1f} to {max(load):.1f}" if load else "",
        "cold buffers": f"{min(cold) / 1e6:,.0f} to {max(cold) / 1e6:,.0f} MB in rotation" if cold else "",
        "versions": ", ".join(f"{name} {number}" for name, number in provenance.versions().items()),
    }


def arguments(plans: dict[str, Sequence[Case]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    which = parser.add_mutually_exclusive_group()
    for name, cases in plans.items():
        if name != "full":
            which.add_argument(f"--{name}", action="store_true", help=f"the {len(cases)} cases of that plan")
    parser.add_argument("--only", default="", metavar="PATTERN", help="the cases whose name has it: 'draw float32 8x'")
    parser.add_argument("--rounds", type=int, default=9, help="samples of each contestant at least (9)")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--unverified", action="store_true", help="skip the accuracy tests; the report says so")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rounds < 9:
        parser.error(f"{options.rounds} rounds were given; 9 and more tell a median from noise")
    return options
