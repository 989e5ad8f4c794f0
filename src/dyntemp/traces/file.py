"""The file of a trace: a header line, then one JSON line per token.

Each line is written at once and as a whole. After a run that was killed, the file can be read up to its last token. A
line that the disk has no room for is taken back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any

from dyntemp.errors import TraceError
from dyntemp.textfile import decoded
from dyntemp.traces.header import KINDS, Header
from dyntemp.traces.token import Token

FORMAT = "dyntemp.trace"
VERSION = 2
READS = (1, 2)
"""Versions of the format that can be read; tokens of version 1 lack `rest` and `origin`."""


class TraceWriter:
    """A trace file that grows with the run.

    Args:
        path: Where to write.
        header: The first line.
        overwrite: Whether a file that is already there may be replaced.

    Raises:
        TraceError: If the file is there and `overwrite` is False, or if it cannot be written, then or later.
    """

    def __init__(self, path: str | Path, header: Header, *, overwrite: bool = False) -> None:
        try:
            self._file = Path(path).open("wb" if overwrite else "xb", buffering=0)  # noqa: SIM115 (closed by close)
        except FileExistsError:
            raise TraceError(f"{path} is already there: name another file, or say overwrite (--overwrite)") from None
        except OSError as error:
            raise TraceError(f"{path} cannot be written: {error.strerror}") from None
        self._path, self._length = path, 0
        self._write({"format": FORMAT, "version": VERSION, **asdict(header)})

    def write(self, token: Token) -> None:
        """Append one token."""
        self._write(token.to_json())

    def _write(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            while len(line) > (written := self._file.write(line)):  # a disk that gets full takes a part of the line
                line = line[written:]
        except OSError as error:
            self._file.seek(self._file.truncate(self._length))
            raise TraceError(
                f"{self._path} cannot be written further: {error.strerror}; it holds all tokens before this one"
            ) from None
        self._length = self._file.tell()

    def sync(self) -> None:
        """Write the file to the disk, so that it survives a power cut."""
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
    """A trace file. Its header is read when it is opened, its tokens one line at a time.

    Each iteration reads the file from its start: `for token in Trace.open("run.jsonl"): ...`
    """

    path: Path
    header: Header = field(repr=False)

    @classmethod
    def open(cls, path: str | Path) -> Trace:
        """The trace at `path`.

        Raises:
            TraceError: If there is no file, or if this dyntemp cannot read its first line.
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
        data = {"rendered": [], "host": "", **data}  # which older traces lack
        if unlike := {entry.name for entry in fields(Header)} ^ set(data):
            raise TraceError(f"{path}, line 1: fields missing or unknown: {', '.join(sorted(unlike))}")
        for name, kind in KINDS.items():
            if not isinstance(data[name], kind) or isinstance(data[name], bool):
                raise TraceError(f"{path}, line 1: {name} is {data[name]!r:.80}, which no header has")
        if not all(isinstance(text, str) for text in data["rendered"]):
            raise TraceError(f"{path}, line 1: rendered is {data['rendered']!r:.80}, which no header has")
        return cls(path, Header(**data))

    def _repr_html_(self) -> str:
        """The text in a notebook, coloured by temperature, with a card per token."""
        from dyntemp.show.html import notebook

        return notebook(self.header, self)

    def __iter__(self) -> Iterator[Token]:
        """The tokens, in the order of their draws.

        Raises:
            TraceError: At the first damaged line, after the tokens before it.
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
