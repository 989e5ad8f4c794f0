"""Data sets of reasoning-gym and their scorers, in a process of their own, which is ended where one takes too long."""

from __future__ import annotations

import ast
import contextlib
import json
import os
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
    pairs = parse_qsl(given, keep_blank_values=True)
    for key, _ in pairs:
        if key not in known:
            raise ValueError(
                f"the data set {name!r} has no setting {key!r}{suggestion(key, known)}\nIt has {', '.join(known)}"
            )
    try:
        settings = {key: _value(text, known[key]) for key, text in pairs}
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
    """A data set of reasoning-gym in a process of its own.

    Hashes of text are equal in all these processes. Some data sets draw from sets of text, and would otherwise ask
    other questions in every run.

    Args:
        spec: The data set; see `make_data_set`.
        seconds: Longest time for one score.

    Raises:
        ValueError: For a data set that `make_data_set` refuses.
    """

    def __init__(self, spec: str, seconds: float = SECONDS) -> None:
        self._spec, self._seconds = spec, seconds
        self._lock = threading.Lock()
        self._start()

    def entry(self, seed: int, size: int, index: int) -> tuple[str, str]:
        """A question and its answer: those of an index in the data set with this seed and size."""
        question, answer = json.loads(self._ask([seed, size, index]))
        return question, answer

    def score(self, seed: int, size: int, index: int, answer: str) -> float:
        """The score, in [0, 1], of an answer to an entry; 0 if the scorer fails or takes too long."""
        with self._lock:
            timer = threading.Timer(self._seconds, self._process.kill)
            timer.start()
            line = self._ask([seed, size, index, answer])
            timer.cancel()
            if not line:  # the process was ended
                self._end()
                self._start()
            return float(line or 0)

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", __spec__.name, self._spec],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        self._end = weakref.finalize(self, _end, self._process)
        if problem := json.loads(self._answer() or '"the scorer of reasoning-gym cannot start"'):
            self._end()
            raise ValueError(problem)

    def _ask(self, request: list[object]) -> str:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        """The next line of the process; nothing if it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    with contextlib.suppress(BrokenPipeError):
        process.communicate()


@lru_cache(maxsize=8)
def _data_set(spec: str, seed: int, size: int) -> Any:
    return make_data_set(spec, seed, size)


def main() -> None:
    """Answer each line of the input: `[seed, size, index]` with an entry, and with an answer behind it with a score."""
    spec, output, sys.stdout = sys.argv[1], sys.stdout, sys.stderr  # some scorers print

    def tell(value: object) -> None:
        print(json.dumps(value), file=output, flush=True)

    try:
        make_data_set(spec, seed=0, size=1)
    except ValueError as error:
        tell(str(error))
        return
    tell("")
    for line in sys.stdin:
        seed, size, index, *given = json.loads(line)
        data = _data_set(spec, seed, size)
        entry = data[index]
        if not given:
            tell([entry["question"].strip(), str(entry["answer"])])
            continue
        try:
            tell(float(data.score_answer(given[0], entry)))
        except Exception:  # noqa: BLE001  # whatever a parser makes of a model's text
            tell(0.0)


if __name__ == "__main__":
    main()
