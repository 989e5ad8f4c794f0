"""Data sets of reasoning-gym, and their scorers in a process of their own, which is ended where one takes too long."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import threading
import weakref
from dataclasses import fields
from enum import Enum
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

from dyntemp.language.signals import suggestion

SECONDS: Final = 5.0
"""Longest time for one score."""

OURS: Final = ("seed", "size")
"""Settings of every data set that the task chooses itself."""


def make_data_set(spec: str, seed: int, size: int) -> Any:
    """A data set of reasoning-gym, from a name and perhaps settings: `chain_sum?min_terms=2&max_terms=2`.

    Raises:
        ValueError: If there is no such data set or setting, for a value that the data set refuses, or if reasoning-gym
            is not installed.
    """
    try:
        from reasoning_gym.factory import DATASETS, create_dataset
    except ImportError:
        raise ValueError("reasoning-gym is not installed: run `pip install 'dyntemp[tasks]'`") from None
    name, _, given = spec.partition("?")
    if name not in DATASETS:
        raise ValueError(
            f"reasoning-gym has no data set {name!r}{suggestion(name, DATASETS)}\n"
            f"There are {', '.join(sorted(DATASETS))}"
        )
    known = {field.name: field.default for field in fields(DATASETS[name][1]) if field.name not in OURS}
    settings = {}
    for key, text in parse_qsl(given, keep_blank_values=True):
        if key not in known:
            raise ValueError(
                f"the data set {name!r} has no setting {key!r}{suggestion(key, known)}\nIt has {', '.join(known)}"
            )
        settings[key] = _value(text, known[key])
    try:
        return create_dataset(name, **settings, seed=seed, size=size)
    except (AssertionError, TypeError, ValueError) as error:
        raise ValueError(f"the data set {name!r} refuses its settings {given!r}: {error}") from error


def _value(text: str, default: object) -> object:
    """A setting as Python reads it, else as text; a member of the default's enumeration."""
    if isinstance(default, Enum):
        return type(default)(text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


class GymWorker:
    """Scores answers of one data set in a process, which starts with the first score.

    Args:
        spec: The data set; see `make_data_set`.
        seconds: Longest time for one score.
    """

    def __init__(self, spec: str, seconds: float = SECONDS) -> None:
        self._spec, self._seconds = spec, seconds
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def score(self, seed: int, size: int, index: int, answer: str) -> float:
        """The score, in [0, 1], of an answer to an entry of the data set; 0 if the scorer fails or takes too long.

        Raises:
            ValueError: If the process cannot start.
        """
        with self._lock:
            process = self._process if self._process and self._process.poll() is None else self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            timer = threading.Timer(self._seconds, process.kill)
            timer.start()
            try:
                process.stdin.write(json.dumps([seed, size, index, answer]) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                line = ""
            finally:
                timer.cancel()
            if not line:  # it was ended
                self._end()
            return float(line or 0)

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", __spec__.name, self._spec]
        process = subprocess.Popen(  # noqa: S603  # our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self._process, self._end = process, weakref.finalize(self, _end, process)
        assert process.stdout is not None
        if not process.stdout.readline():
            self._end()
            raise ValueError(f"the scorer of reasoning-gym does not start; `{' '.join(command)}` says why")
        return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@lru_cache(maxsize=1)
def _entry(spec: str, seed: int, size: int, index: int) -> tuple[Any, Any]:
    """A data set and one of its entries."""
    data = make_data_set(spec, seed, size)
    return data, data[index]


def main() -> None:
    """Answer each line of the input, `[seed, size, index, answer]`, with a score."""
    spec, output, sys.stdout = sys.argv[1], sys.stdout, sys.stderr  # some scorers print
    make_data_set(spec, seed=0, size=1)
    print("ready", file=output, flush=True)
    for line in sys.stdin:
        *entry, answer = json.loads(line)
        data, asked = _entry(spec, *entry)
        try:
            score = float(data.score_answer(answer, asked))
        except Exception:  # noqa: BLE001  # whatever a parser makes of a model's text
            score = 0.0
        print(score, file=output, flush=True)


if __name__ == "__main__":
    main()
