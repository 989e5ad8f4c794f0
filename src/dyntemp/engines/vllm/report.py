"""Counts and traces of a worker of vLLM, in the log and in files: a worker cannot add to a response."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Mapping
from math import isnan
from pathlib import Path
from time import monotonic
from typing import Any

from dyntemp._version import __version__
from dyntemp.distribution.packed import packed
from dyntemp.engines.batch import Counts, Step
from dyntemp.errors import EngineError

LOG = logging.getLogger("vllm.dyntemp")
"""A child of vLLM's own logger, so that its handlers and its level hold here too."""

EVERY = 1.0
"""Seconds between two writes of the counts."""

LOG_EVERY = 60.0
"""Seconds between two lines of the log."""


class Worker:
    """The identity of this worker, and the paths of its files.

    Args:
        runner: "V1" or "V2".
        vllm_config: vLLM's configuration.

    Attributes:
        facts: The worker's version, runner, host name, process id and ranks, by name.
        first: True for the first rank of the group that draws, where all ranks draw the same.
    """

    def __init__(self, runner: str, vllm_config: Any) -> None:
        parallel = getattr(vllm_config, "parallel_config", None)
        self.facts = {
            "dyntemp": __version__,
            "runner": runner,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "rank": getattr(parallel, "rank", 0),
            "data_parallel": getattr(parallel, "data_parallel_index", 0),
        }

        group = getattr(parallel, "tensor_parallel_size", 1)
        self.first = self.facts["rank"] == getattr(parallel, "world_size", group) - group

    def folder(self, directory: str) -> Path:
        """A directory, which is created.

        Raises:
            EngineError: If it cannot be created.
        """
        folder = Path(directory)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"directory {directory!r} was given, which cannot be made: {error}") from None
        return folder

    def path(self, directory: str, suffix: str) -> Path:
        """The path of a file of this worker alone. The directory is created.

        Raises:
            EngineError: If it cannot be created.
        """
        folder = self.folder(directory)
        named = "{host}-{pid}-dp{data_parallel}-rank{rank}".format(**self.facts)
        return folder / f"dyntemp-{named}.{suffix}"


class Report:
    """Writes the counts while rows come: a line of the log each minute, and a file each second.

    Args:
        counts: The counts; reading them waits for a device.
        worker: The worker that counts.
        directory: The directory of the file; None writes no file.
        clock: Returns the time in seconds; replaced in tests.
    """

    def __init__(
        self, counts: Counts, worker: Worker, directory: str | None, clock: Callable[[], float] = monotonic
    ) -> None:
        self._counts = counts
        self._worker = worker
        self._path = None if directory is None else worker.path(directory, "json")
        self._clock = clock
        self._written = self._logged = -float("inf")

    def tell(self, now: bool = False) -> None:
        """Write the file and the log line that are due; with `now`, write the file at once."""
        time = self._clock()
        to_file = self._path is not None and (now or time - self._written >= EVERY)
        to_log = time - self._logged >= LOG_EVERY
        if to_file or to_log:
            counts = self._counts.as_dict()
            if to_log:
                self._logged = time
                LOG.info("dyntemp: %s", ", ".join(f"{number} {name}" for name, number in counts.items()))
            if to_file:
                self._written = time
                self._write(counts)

    def _write(self, counts: Mapping[str, int]) -> None:
        if self._path is None:
            return
        beside = self._path.with_suffix(".part")
        try:
            beside.write_text(json.dumps(self._worker.facts | {"counts": counts}) + "\n", encoding="utf-8")
            beside.replace(self._path)
        except OSError as error:
            LOG.warning("dyntemp: %s cannot be written, and is given up: %s", self._path, error)
            self._path = None


class Trace:
    """Writes a line of JSON for each row that was changed: `id`, `position`, `temperature`, and the signals.

    Lines of requests that ask for curves have `totals` too, as `dyntemp.distribution.packed` writes them.

    Args:
        path: The file.
        names: The name of the request in each slot.
    """

    def __init__(self, path: Path, names: Mapping[int, str]) -> None:
        self._path = path
        self._names = names

    def __call__(self, step: Step) -> None:
        """Write the rows of one call."""
        rows = zip(step.slot.tolist(), step.position.tolist(), step.temperature.tolist(), strict=True)
        with self._path.open("a", encoding="utf-8") as file:
            for row, (slot, position, temperature) in enumerate(rows):
                if temperature == temperature:  # noqa: PLR0124  # not NaN: changed
                    measured = {name: values[row].item() for name, values in step.signals.items()}
                    known = {name: value for name, value in measured.items() if value == value}  # noqa: PLR0124
                    line = {"id": self._names.get(slot, ""), "position": position, "temperature": temperature, **known}
                    if step.totals is not None and not isnan(step.totals[row, 0]):
                        line["totals"] = packed(step.totals[row])
                    file.write(json.dumps(line) + "\n")
