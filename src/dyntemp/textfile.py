"""Text in files and on the standard input: UTF-8, perhaps behind a byte order mark."""

from __future__ import annotations

import codecs
import io
import os
from pathlib import Path

MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""A byte order mark, once it is decoded."""

OTHERS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
"""Encodings that some editors write, and the marks that their files begin with; the longer marks come first."""

FEWEST_ZEROS = 4
"""Fewest zero bytes that show UTF-16 without a mark."""


def read_text(path: str | Path) -> str:
    """The text of a file; see `decoded`.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not UTF-8.
    """
    return decoded(Path(path).read_bytes())


def write_whole(path: Path, text: str, writer: str = "") -> None:
    """Write a file under another name, and rename it when it is complete.

    The other name is `path`, `writer` and `.partial`. The writer is by default this process, so that two processes may
    write the same file.
    """
    partial = path.with_name(f"{path.name}.{writer or os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def decoded(data: bytes, encoding: str = "utf-8", errors: str = "strict") -> str:
    r"""Bytes as text, without the byte order mark that editors put in front; every line ends with `\n`.

    Args:
        data: The bytes, from their beginning.
        encoding: The encoding of bytes without a mark.
        errors: The treatment of bytes that are not of this encoding; see `bytes.decode`.

    Raises:
        ValueError: For bytes in UTF-16 or UTF-32, or not of the encoding; the message says what to do.

    >>> decoded(b"\xef\xbb\xbfOnce\r\n")
    'Once\n'
    """
    if data.startswith(codecs.BOM_UTF8):
        data, encoding = data[len(codecs.BOM_UTF8) :], "utf-8"
    elif other := _other(data):
        raise ValueError(
            f"this is {other}, and only UTF-8 is read: save it as UTF-8, or run `iconv -f {other} -t UTF-8`"
        )
    try:
        text = data.decode(encoding, errors)
    except UnicodeDecodeError as error:
        name = encoding.upper()
        raise ValueError(f"this is not {name} ({error.reason} at byte {error.start}): save it as {name}") from None
    return io.IncrementalNewlineDecoder(None, translate=True).decode(text, final=True)


def unmarked(text: str) -> str:
    """Text without a byte order mark in front, as `$(cat FILE)` passes one on."""
    return text.removeprefix(MARK)


def _other(data: bytes) -> str | None:
    """UTF-16 or UTF-32, where the bytes begin with its mark, or every second byte is zero, as in Latin text."""
    for name, marks in OTHERS.items():
        if data.startswith(marks):
            return name
    zeros = max(data[::2].count(0), data[1::2].count(0))
    return "UTF-16" if zeros >= FEWEST_ZEROS and zeros > len(data) / 4 else None
