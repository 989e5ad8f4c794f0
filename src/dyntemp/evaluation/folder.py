"""The folder of a study: its settings, and a file of samples for each cell, which several processes may share."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TextIO

from dyntemp.errors import StudyError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Item, Split, Task
from dyntemp.textfile import write_whole

SETTINGS = "study.json"

BEAT = 10.0
"""Seconds between two signs of life of a process."""

STALE = 60.0
"""Seconds without a sign of life after which another process takes a cell over."""


class Settings(Protocol):
    """The settings that decide the samples of a folder."""

    @property
    def digest(self) -> str:
        """Hexadecimal digits: equal for equal settings."""

    def to_json(self) -> dict[str, Any]:
        """The settings by name."""


class Cell(NamedTuple):
    """One arm on one split of one task, all of whose samples are in one file.

    Attributes:
        task: The task.
        split: The split.
        arm: The arm.
        items: Its items.
        samples: How many samples each item has.
        part: The name of a part of an arm's samples, with noise of its own; empty where there is one file for all.
        curves: True if the samples hold the curves of their draws, for learning.
    """

    task: Task
    split: Split
    arm: Arm
    items: Sequence[Item]
    samples: int
    part: str = ""
    curves: bool = False

    @property
    def size(self) -> int:
        """How many samples it has."""
        return len(self.items) * self.samples


class Folder:
    """A study on disk. Leaving its context gives the cells free that are not complete.

    A cell is complete when `cells/TASK/SPLIT/ARM.jsonl` (or `ARM.PART.jsonl`) is there, which appears as a whole and in
    order. Until then its samples stand in `ARM.jsonl.0`, `.1`, ...: each is made by one process, exclusively, and is
    both its claim to the cell and the place of its samples. A claim is stale once its process has ended, or has given
    no sign of life for `STALE` seconds; then the next number may be made, which begins with the samples of those
    before it.

    Args:
        path: The folder; made if it is not there.
        settings: The settings of the study.

    Raises:
        StudyError: If it holds another study; the message says what differs.
    """

    def __init__(self, path: str | Path, settings: Settings) -> None:
        self.path = Path(path)
        self.worker = uuid.uuid4().hex[:12]
        self._held: set[Claim] = set()
        self._seen: dict[Path, tuple[float, float]] = {}
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._begin(settings)

    def _begin(self, settings: Settings) -> None:
        path = self.path / SETTINGS
        if not path.exists():
            if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise StudyError(f"{self.path} is there already, and is no study: name a folder that is new or empty")
            self.path.mkdir(parents=True, exist_ok=True)
            self.write(SETTINGS, {"digest": settings.digest, **settings.to_json()})
            return
        there = self.read(SETTINGS)
        here = {"digest": settings.digest, **settings.to_json()}
        if different := [name for name in here if name != "digest" and here[name] != there.get(name)]:
            told = "; ".join(f"{name}: {there.get(name)!r} there, {here[name]!r} here" for name in different)
            raise StudyError(f"{self.path} holds another study ({told}): ask for the same, or name another folder")

    def __enter__(self) -> Self:
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for claim in list(self._held):
            claim.release()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            with self._lock:
                for claim in self._held:
                    claim.beat()

    def read(self, name: str) -> dict[str, Any]:
        """The JSON object in a file of the folder."""
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def write(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a JSON object, whole or not at all."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(data, ensure_ascii=False), self.worker)

    def write_first(self, name: str, data: Mapping[str, Any]) -> None:
        """Write a JSON object, unless another process has written this file: then that one stays."""
        path = self.path / name
        own = path.with_name(f"{path.name}.{self.worker}")
        self.write(f"{name}.{self.worker}", data)
        try:
            os.link(own, path)
        except FileExistsError:
            pass
        finally:
            own.unlink()

    def holds(self, name: str) -> bool:
        """True if a file of this name is there."""
        return (self.path / name).exists()

    def place(self, cell: Cell) -> Path:
        """The file of a complete cell."""
        name = ".".join(filter(None, (cell.arm.digest, cell.part)))
        return self.path / "cells" / cell.task.name / cell.split / f"{name}.jsonl"

    def complete(self, cell: Cell) -> bool:
        """True if all samples of the cell are there."""
        return self.place(cell).exists()

    def samples(self, cell: Cell) -> list[list[Sample]]:
        """The samples of a complete cell: for each item, those with number 0, 1, ..."""
        found = samples_in(self.place(cell))
        return [[found[item.id, number] for number in range(cell.samples)] for item in cell.items]

    def claim(self, cell: Cell) -> Claim | None:
        """The right to complete a cell; None if another process has it, or the cell is complete."""
        place = self.place(cell)
        place.parent.mkdir(parents=True, exist_ok=True)
        parts: list[Path] = []
        while (part := place.with_name(f"{place.name}.{len(parts)}")).exists():
            parts.append(part)
        if self.complete(cell) or (parts and not self._stale(parts[-1])):
            return None
        try:
            file = part.open("x", encoding="utf-8")
        except FileExistsError:
            return None
        claim = Claim(self, cell, part, file, parts)
        if self.complete(cell):  # another process completed it meanwhile, and has taken its parts away
            claim.drop()
            return None
        with self._lock:
            self._held.add(claim)
        return claim

    def forget(self, claim: Claim) -> None:
        """Give no more signs of life for a claim."""
        with self._lock:
            self._held.discard(claim)

    def _stale(self, part: Path) -> bool:
        """True if the process that made a part has ended, or shows no life any more."""
        try:
            changed = part.stat().st_mtime
            owner = _owner(part)
        except FileNotFoundError:  # its cell has become complete
            return False
        if changed == 0.0:
            return True
        if owner.get("host") == platform.node() and not alive(owner.get("process", 0)):
            return True
        now = time.monotonic()
        before, since = self._seen.get(part, (changed, now))
        self._seen[part] = (changed, since if changed == before else now)
        return changed == before and now - since >= STALE


class Claim:
    """A cell that this process completes.

    Attributes:
        cell: The cell.
        samples: Its samples so far, by the item's id and their number.
    """

    def __init__(self, folder: Folder, cell: Cell, part: Path, file: TextIO, before: Sequence[Path]) -> None:
        self.cell = cell
        self._folder, self._part, self._file, self._before = folder, part, file, before
        print(json.dumps({"host": platform.node(), "process": os.getpid()}), file=file, flush=True)
        self.samples: dict[tuple[str, int], Sample] = {}
        for path in before:
            self.samples.update(samples_in(path))

    def missing(self) -> list[tuple[int, Item, int]]:
        """The samples that are not there: the item's place, the item, and the number of the sample."""
        return [
            (place, item, number)
            for place, item in enumerate(self.cell.items)
            for number in range(self.cell.samples)
            if (item.id, number) not in self.samples
        ]

    def add(self, sample: Sample) -> None:
        """Keep a sample; the last one completes the cell."""
        self.samples[sample.item, sample.number] = sample
        print(_line(sample), file=self._file, flush=True)
        if len(self.samples) == self.cell.size:
            self.finish()

    def finish(self) -> None:
        """Write the samples in their order, and take the parts away."""
        order = [(item.id, number) for item in self.cell.items for number in range(self.cell.samples)]
        text = "".join(f"{_line(self.samples[one])}\n" for one in order)
        write_whole(self._folder.place(self.cell), text, self._folder.worker)
        self.drop()

    def drop(self) -> None:
        """Take the parts away."""
        self._close()
        for path in (*self._before, self._part):
            path.unlink(missing_ok=True)

    def release(self) -> None:
        """Leave the cell to others at once."""
        self._close()
        os.utime(self._part, (0, 0))

    def beat(self) -> None:
        """Show that this process lives."""
        os.utime(self._part)

    def _close(self) -> None:
        self._folder.forget(self)
        self._file.close()


def samples_in(path: Path) -> dict[tuple[str, int], Sample]:
    """The samples in a file, by the item's id and their number. A last line that was torn off does not count."""
    found: dict[tuple[str, int], Sample] = {}
    try:
        text = path.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return found
    for line in text[: text.rfind("\n") + 1].splitlines():
        data = json.loads(line)
        if "item" in data:
            sample = Sample.from_json(data)
            found[sample.item, sample.number] = sample
    return found


def _line(sample: Sample) -> str:
    return json.dumps(sample.to_json())


def _owner(part: Path) -> dict[str, Any]:
    """The process that made a part; empty while its first line is not whole."""
    with part.open(encoding="utf-8") as file:
        line = file.readline()
    return json.loads(line) if line.endswith("\n") else {}


def alive(process: int) -> bool:
    """True unless the process of this number, on this machine, has ended."""
    if os.name != "posix":  # elsewhere there is no signal that only asks
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
