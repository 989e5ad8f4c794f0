"""The file `learning.json` of `dyntemp learn`, checked before a page shows it.

`js/learning/file.js` checks the same fields in the same words. Fields that are not listed here are ignored.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

from dyntemp.errors import PolicyError, TraceError
from dyntemp.language.nodes import Signal
from dyntemp.language.parameters import parameters_of
from dyntemp.language.parse import parse
from dyntemp.language.signals import ANY_SUPPORT, SIGNALS

FORMAT = "dyntemp.learning"
VERSION = 1
QUANTILES = 9
"""Numbers that a signal has in the file: its quantiles 0, 1/8 .. 1."""

MARK = re.compile(rf'"format"\s*:\s*"{re.escape(FORMAT)}"')
"""The key and the value that tell a learning from a trace. Inside a JSON text the quotes would be escaped."""

SHOWN = 60
"""Most characters of a wrong value that an error shows."""


class Field(NamedTuple):
    """The demand on a field: a test of its value, and the words for it."""

    holds: Callable[[Any], bool]
    words: str


def is_number(value: Any) -> bool:
    """True for a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any) -> bool:
    """True for a whole number from 0."""
    return is_number(value) and value >= 0 and float(value).is_integer()


def _numbers(value: Any, count: int) -> bool:
    return isinstance(value, list) and len(value) == count and all(map(is_number, value))


def _quantiles(value: Any) -> bool:
    return _numbers(value, QUANTILES) and all(low <= high for low, high in pairwise(value))


TEXT = Field(lambda value: isinstance(value, str), "text")
COUNT = Field(is_count, "a whole number from 0")
NUMBER = Field(is_number, "a finite number")
FROM_ZERO = Field(lambda value: is_number(value) and value >= 0, "a finite number from 0")
SHARE = Field(lambda value: is_number(value) and 0 <= value <= 1, "a number from 0 to 1")
LIST = Field(lambda value: isinstance(value, list), "a list")

LEARNING = {
    "model": TEXT, "task": TEXT, "metric": TEXT,
    "shape": Field(lambda value: value in ("network", "curve", "template"), '"network", "curve", "template"'),
    "bounds": Field(lambda value: _numbers(value, 2) and 0 <= value[0] < value[1], "two numbers, 0 <= low < high"),
    "filters": TEXT, "anchor": FROM_ZERO,
    "signals": Field(lambda value: isinstance(value, dict), "an object"),
    "runs": Field(lambda value: isinstance(value, list) and value != [], "a list of at least one run"),
    "sentence": TEXT,
}  # fmt: skip
"""The fields of a learning."""

RUN = {
    "seed": COUNT, "rounds": LIST,
    "chosen": Field(lambda value: value is None or is_count(value), "a whole number from 0, or null"),
}  # fmt: skip
"""The fields of a run."""

ROUND = {
    "round": COUNT, "texts": COUNT, "policy": TEXT, "score": NUMBER, "temperature": FROM_ZERO, "spread": FROM_ZERO,
    "at_bound": SHARE,
}  # fmt: skip
"""The fields of a round."""


def is_learning(text: str) -> bool:
    """True if the text of a file says that it is a learning, whole or cut off."""
    return MARK.search(text) is not None


def check_learning(text: str) -> None:
    """Check the text of a file of learning.

    Policies are read. That their temperature is never negative is not proved: the learner has done it.

    Raises:
        TraceError: If a page cannot show it; the message names the run and the round.
    """
    try:
        data = json.loads(text, parse_constant=_not_json)
    except ValueError:
        raise TraceError("this is not whole JSON: write it anew with `dyntemp learn`") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise TraceError(f'this is no learning: it lacks "format": "{FORMAT}"')
    if data.get("version") != VERSION:
        raise TraceError(f"this is format version {_shown(data.get('version'))}, and this dyntemp reads {VERSION}: "
                         "update dyntemp")  # fmt: skip
    _check_fields("this is no learning", data, LEARNING)
    for name, quantiles in data["signals"].items():
        _check_signal(name, quantiles)
    for at, run in enumerate(data["runs"]):
        _check_run(f"run {at + 1}", run)
    for at, run in enumerate(data["runs"]):
        if run["seed"] in [other["seed"] for other in data["runs"][:at]]:
            raise TraceError(f"run {at + 1}: an earlier run has its seed {_shown(run['seed'])} too; seeds differ")


def _check_signal(name: str, quantiles: Any) -> None:
    """Check that `name` is the text of a signal, and that these are quantiles which it can have."""
    try:
        signal = parse(name)
    except PolicyError:
        signal = None
    if not isinstance(signal, Signal) or str(signal) != name:
        raise TraceError(f"its `signals` name {_shown(name)}, which is no signal: write one such as `entropy`")
    if not _quantiles(quantiles):
        raise TraceError(
            f"its `signals` give {name} {_shown(quantiles)}; expected: nine finite numbers in ascending order"
        )
    low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
    if not low <= quantiles[0] <= quantiles[-1] <= high:
        ends = _shown([quantiles[0], quantiles[-1]])
        raise TraceError(f"its `signals` give {name} {ends}, outside its range of {low:g} to {high:g}")


def _check_run(where: str, run: Any) -> None:
    """Check a run, its rounds and their policies."""
    _check_fields(where, run, RUN)
    before = -1
    for at, one in enumerate(run["rounds"]):
        place = f"{where}, item {at + 1} of its rounds"
        _check_fields(place, one, ROUND)
        if one["round"] <= before:
            raise TraceError(f"{place}: round {_shown(one['round'])} follows round {before}; rounds ascend")
        before = one["round"]
        _check_policy(place, one["policy"])
    if run["chosen"] is not None and run["chosen"] not in [one["round"] for one in run["rounds"]]:
        raise TraceError(f"{where}: it chose round {_shown(run['chosen'])}, which is not among its rounds")


def _check_policy(where: str, text: str) -> None:
    try:
        node = parse(text)
    except PolicyError as error:
        raise TraceError(f"{where}: its policy cannot be read: {error}") from None
    if free := list(parameters_of(node)):
        raise TraceError(f"{where}: its policy has the parameter `{free[0]}`, and a learned policy has none")


def _check_fields(where: str, record: Any, fields: Mapping[str, Field]) -> None:
    if not isinstance(record, dict):
        raise TraceError(f"{where}: it is {_shown(record)}; expected: an object")
    if missing := [name for name in fields if name not in record]:
        raise TraceError(f"{where}: it lacks {', '.join(missing)}")
    for name, field in fields.items():
        if not field.holds(record[name]):
            raise TraceError(f"{where}: its `{name}` is {_shown(record[name])}; expected: {field.words}")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)
