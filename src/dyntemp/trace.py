"""One record per token, and the file that keeps them: a header line, then one JSON line per token.

Every line is written whole and at once, so that a run that is killed leaves a file that reads up to its last token.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite, isnan
from pathlib import Path
from types import TracebackType
from typing import Any

from dyntemp.bins import Bin
from dyntemp.errors import TraceError
from dyntemp.textfile import decoded

FORMAT = "dyntemp.trace"
VERSION = 2
READS = (1, 2)
"""Versions of the format that are read; tokens of the first lack `rest` and `origin`."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the likeliest tokens of a row.

    Attributes:
        token: Its number.
        text: How to show it.
        probability: Its probability at temperature 1, before any filter.
        probability_after: Its probability in the draw: filtered, at the row's temperature; 0 where it was dropped.
    """

    token: int
    text: str
    probability: float
    probability_after: float


@dataclass(frozen=True, slots=True)
class Token:
    """One token and how it came about. "After" means in the draw: filtered, at the row's temperature.

    Attributes:
        request: Number of its prompt, from 0.
        position: Number of tokens generated before it.
        token: Its number in the vocabulary.
        text: The text that it completes; empty for control tokens, and as long as bytes of its character are missing.
        bytes: Its own bytes.
        temperature: The temperature that it was drawn at; 0 is greedy, infinity uniform.
        signals: What was measured, by name, before any filter or temperature.
        probability: Its probability at temperature 1.
        probability_after: Its probability in the draw.
        surprisal: -ln of `probability`, nats.
        entropy_after: Entropy of the draw, nats.
        surprisal_after: -ln of `probability_after`, nats. `surprisal_after - entropy_after` is the derivative of
            ln probability_after with respect to ln T.
        candidates: How many tokens the filters left.
        alternatives: The likeliest tokens, by probability at temperature 1.
        rest: What the filters left beside the alternatives, where there are any; see `dyntemp.bins`.
        origin: How it came: `drawn`; `forced` by the caller; `kept` from the run that this one follows, or `parted`
            where it had to differ from that one.
        finish: `end` (the model ended the text), `stop` (a stop text appeared) or `length` on the last token of a
            request, else None.
    """

    request: int
    position: int
    token: int
    text: str
    bytes: bytes
    temperature: float
    signals: Mapping[str, float]
    probability: float
    probability_after: float
    surprisal: float
    entropy_after: float
    surprisal_after: float
    candidates: int
    alternatives: tuple[Alternative, ...]
    rest: tuple[Bin, ...] = ()
    origin: str = "drawn"
    finish: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object: bytes in hexadecimal, infinities as text."""
        return {name: plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Token:
        """The token that `to_json` wrote.

        Raises:
            ValueError: If a field is missing, unknown or of the wrong kind.
        """
        data = {"rest": (), "origin": ORIGINS[0], **data}
        wanted = {entry.name for entry in fields(cls)}
        if unlike := set(data) ^ wanted:
            raise ValueError(f"fields missing or unknown: {', '.join(sorted(unlike))}")
        for name, allowed in (("finish", FINISHES), ("origin", ORIGINS)):
            if data[name] not in allowed:
                raise ValueError(f"{name} is {data[name]!r}; {allowed} are allowed")
        numbers = {name: _number(data[name]) for name in FLOATS}
        chances = [numbers["probability"], numbers["probability_after"]]
        chances += [_number(a[name]) for a in data["alternatives"] for name in ("probability", "probability_after")]
        if not all(0 <= chance <= 1 + ROUNDED for chance in chances):
            raise ValueError("a probability outside 0 to 1")
        signals = {str(name): _number(value) for name, value in data["signals"].items()}
        if "entropy" not in signals or numbers["temperature"] < 0:
            raise ValueError("it lacks the signal `entropy`, or has a negative temperature")
        return cls(
            request=_count(data["request"]),
            position=_count(data["position"]),
            token=_count(data["token"]),
            candidates=_count(data["candidates"]),
            **numbers,
            text=_text(data["text"]),
            bytes=bytes.fromhex(data["bytes"]),
            signals=signals,
            alternatives=tuple(
                Alternative(
                    _count(a["token"]), _text(a["text"]), _number(a["probability"]), _number(a["probability_after"])
                )
                for a in data["alternatives"]
            ),
            rest=tuple((_count(entries), _number(mass)) for entries, mass in data["rest"]),
            origin=data["origin"],
            finish=data["finish"],
        )


ROUNDED = 1e-6
"""How far above 1 a probability may come out, since it is a quotient of rounded numbers."""

FINISHES = (None, "end", "stop", "length")
ORIGINS = ("drawn", "forced", "kept", "parted")
FLOATS = ("temperature", "probability", "probability_after", "surprisal", "entropy_after", "surprisal_after")


def plain(value: Any) -> Any:
    """`value` as JSON has it: bytes in hexadecimal, infinities as text."""
    match value:
        case bytes():
            return value.hex()
        case float() if not isfinite(value):
            return str(value)
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or isnan(number := float(value)):
        raise ValueError(f"{value!r} among its numbers")
    return number


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} where a whole number from 0 is expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} where text is expected")  # noqa: TRY004 (a fault of the file, not of a caller)
    return value


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a trace: what is needed to run it again.

    Attributes:
        model: Name of the model.
        policy: Text of the policy.
        policy_name: Its name, if it has one.
        seed: The seed of every draw.
        prompts: The prompts as given: text, or conversations.
        settings: Filters, limits and the backend that ran.
        versions: Of dyntemp, Python and what took part.
        started: When, in ISO 8601 with the offset from UTC.
    """

    model: str
    policy: str
    policy_name: str | None
    seed: int
    prompts: list[Any]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    started: str


KINDS = {"model": str, "policy": str, "policy_name": str | None, "seed": int, "prompts": list, "settings": dict,
         "versions": dict, "started": str}  # fmt: skip
"""What JSON has for each field of a header."""


class TraceWriter:
    """A trace file that grows with the run.

    Args:
        path: Where to write.
        header: The first line.
        overwrite: Whether a file that is already there may be replaced.

    Raises:
        TraceError: If there is a file and `overwrite` is False, or if it cannot be written.
    """

    def __init__(self, path: str | Path, header: Header, *, overwrite: bool = False) -> None:
        try:
            self._file = Path(path).open("wb" if overwrite else "xb", buffering=0)  # noqa: SIM115 (closed by close)
        except FileExistsError:
            raise TraceError(f"{path} is already there: name another file, or say overwrite (--overwrite)") from None
        except OSError as error:
            raise TraceError(f"{path} cannot be written: {error.strerror}") from None
        self._write({"format": FORMAT, "version": VERSION, **asdict(header)})

    def write(self, token: Token) -> None:
        """Append one token."""
        self._write(token.to_json())

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    def sync(self) -> None:
        """Have all of it survive a power cut."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        self._file.close()

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace file: its header at once, its tokens when they are asked for, one line at a time.

    Iterating reads the file again from its start: `for token in Trace.open("run.jsonl"): ...`
    """

    path: Path
    header: Header = field(repr=False)

    @classmethod
    def open(cls, path: str | Path) -> Trace:
        """The trace at `path`.

        Raises:
            TraceError: If there is none, or if its first line is no header that this dyntemp reads.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                first = file.readline()
        except OSError as error:
            raise TraceError(f"{path} cannot be read: {error.strerror}") from None
        data = _object(path, 1, first)
        if data.pop("format", None) != FORMAT:
            raise TraceError(f'{path} is no trace: its first line lacks "format": "{FORMAT}"')
        if (version := data.pop("version", None)) not in READS:
            raise TraceError(
                f"{path} has format version {version!r}, and this dyntemp reads {' and '.join(map(str, READS))}: "
                "update dyntemp"
            )
        if unlike := {entry.name for entry in fields(Header)} ^ set(data):
            raise TraceError(f"{path}, line 1: fields missing or unknown: {', '.join(sorted(unlike))}")
        for name, kind in KINDS.items():
            if not isinstance(data[name], kind) or isinstance(data[name], bool):
                raise TraceError(f"{path}, line 1: {name} is {data[name]!r:.80}, which no header has")
        return cls(path, Header(**data))

    def _repr_html_(self) -> str:
        """The text in a notebook, coloured by temperature, with a card per token."""
        from dyntemp.show.html import notebook

        return notebook(self.header, self)

    def __iter__(self) -> Iterator[Token]:
        """The tokens, in the order they were drawn.

        Raises:
            TraceError: At the first line that is damaged; the tokens before it have been handed out.
        """
        with self.path.open("rb") as file:
            file.readline()
            for number, line in enumerate(file, start=2):
                try:
                    yield Token.from_json(_object(self.path, number, line))
                except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
                    if isinstance(error, TraceError):
                        raise
                    raise TraceError(f"{self.path}, line {number}: this is no token record ({error})") from None


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """One line as a JSON object."""
    if not line.endswith(b"\n"):
        what = "the line is cut off, as by a run that was killed" if line else "the file is empty"
        raise TraceError(f"{path}, line {number}: {what}")
    try:
        text = decoded(line)
    except ValueError as error:
        raise TraceError(f"{path}, line {number}: {error}") from None
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{path}, line {number}: this is not JSON ({error})") from None
    if not isinstance(data, dict):
        raise TraceError(f"{path}, line {number}: a JSON object is expected, not {type(data).__name__}")
    return data


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
