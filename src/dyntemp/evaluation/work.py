"""Work on the cells of a stage: what is missing is fed to one runner, while other processes do the same."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

from dyntemp.evaluation.folder import Cell, Claim, Folder
from dyntemp.evaluation.runner import Job, Runner

WAIT = 1.0
"""Seconds between two looks at cells that other processes have."""

Key = tuple[str, str, str]
"""Task, arm and item of a job: those that run at the same time and belong to one cell."""

Tell = Callable[[int, int], None]
"""Called with the samples of a stage that are there, and the tokens that this process drew for it."""


def complete(
    folder: Folder, cells: Sequence[Cell], runner: Runner, seed: int, tell: Tell,
    seen: Callable[[Claim], None] = lambda _: None,
) -> None:  # fmt: skip
    """Have all cells complete: by this process, and by others that share the folder.

    Cells are claimed as the runner asks for jobs, so its batch stays full to the last cell. Jobs of `tune` and `val`
    have equal noise in every arm; those of `test` have noise of their own. `seen` is called with the claim of a cell
    after each of its samples. What it raises ends the work, and the cells that are not complete are free again.
    """
    total, tokens = sum(cell.size for cell in cells), 0
    while pending := [cell for cell in cells if not folder.complete(cell)]:
        done = total - sum(cell.size for cell in pending)
        claims: dict[Key, Claim] = {}
        tell(done, tokens)
        written = runner.run(_jobs(folder, pending, seed, claims))
        try:
            for now, (job, sample) in enumerate(written, start=done + 1):
                claim = claims[_key(job)]
                claim.add(sample)
                tokens += sample.tokens
                tell(now, tokens)
                seen(claim)
        finally:
            if isinstance(written, Generator):
                written.close()
            for claim in set(claims.values()):
                if not folder.complete(claim.cell):
                    claim.release()
        if not claims:
            time.sleep(WAIT)
    tell(total, tokens)


def _jobs(folder: Folder, cells: Sequence[Cell], seed: int, claims: dict[Key, Claim]) -> Iterator[Job]:
    """The missing samples of cells that no other process has, cell by cell."""
    for cell in cells:
        claim = folder.claim(cell)
        if claim is None:
            continue
        task, arm = cell.task, cell.arm
        own = arm.digest if cell.split == "test" else ""
        noise = noise_seed(seed, task.name, cell.split, own, *([cell.part] if cell.part else []))
        missing = claim.missing()
        if not missing:
            claim.finish()
        for place, item, number in missing:
            job = Job(task, item, arm, number, noise, place * cell.samples + number, cell.curves)
            claims[_key(job)] = claim
            yield job


def _key(job: Job) -> Key:
    return job.task.name, job.arm.digest, job.item.id


def noise_seed(*parts: Any) -> int:
    """64 bits that depend on all parts."""
    return int.from_bytes(hashlib.sha256(json.dumps(parts).encode()).digest()[:8])
