"""Runs each case in a process of its own, keeps what is measured, and goes on where a run was cut off."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import provenance

RESULTS = Path(__file__).with_name("results")

Record = dict[str, Any]
"""What was measured in one case.

`case`: the fields of `Case`; `samples`: mode -> contestant -> seconds (per logit, but for `start`) in each round, None
in rounds that it sat out; `missing`: contestant -> why it was not timed; `facts`: name -> what else is worth knowing.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured in one process."""

    subject: str
    dtype: str = "float32"
    vocabulary: int = 151_936
    batch: int = 1

    def __str__(self) -> str:
        return f"{self.subject} {self.dtype} {self.batch}x{self.vocabulary}"


def store(script: str, revision: str, settings: dict[str, Any], described: dict[str, Any]) -> Path:
    """The file for partial results of these sources, settings and this machine."""
    circumstances = json.dumps([settings, described], sort_keys=True)
    digest = hashlib.sha256(circumstances.encode()).hexdigest()[:8]
    return RESULTS / "partial" / f"{Path(script).stem}-{revision}-{digest}.jsonl"


def stored(path: Path) -> dict[Case, Record]:
    """What was measured before, without a last line that was cut off."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    records = [json.loads(line) for line in lines if line.endswith("\n")]
    return {Case(**record["case"]): record for record in records}


def measured(script: str, cases: Sequence[Case], settings: dict[str, Any], path: Path) -> Iterator[Record]:
    """The record of each case, from `path` or by running `script --worker`; new ones are added at once, unless the
    sources changed meanwhile."""
    known, revision = stored(path), provenance.revision()
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases, 1):
        progress(f"[{number}/{len(cases)}] {case} ...", end=" ")
        if case in known:
            progress("measured before")
            yield known[case]
            continue
        began = perf_counter()
        record = in_a_process(script, case, settings)
        if "error" not in record and provenance.revision() == revision:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        progress(record.get("error", f"{perf_counter() - began:.0f} s"))
        yield record


def in_a_process(script: str, case: Case, settings: dict[str, Any]) -> Record:
    command = [sys.executable, script, "--worker", json.dumps([asdict(case), settings])]
    done = subprocess.run(command, env=provenance.environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"case": asdict(case), "error": f"the process ended with {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def work(task: str, measure: Callable[[Case, dict[str, Any]], Record]) -> None:
    """The other end of `in_a_process`: measure one case and print its record."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what was interrupted is told once, by the parent
    fields, settings = json.loads(task)
    case = Case(**fields)
    load = os.getloadavg()[0]
    record = measure(case, settings)
    facts = {**record.get("facts", {}), "load before": load}
    print(json.dumps({"missing": {}, **record, "case": fields, "facts": facts}))


def progress(text: str, end: str = "\n") -> None:
    print(text, end=end, file=sys.stderr, flush=True)
