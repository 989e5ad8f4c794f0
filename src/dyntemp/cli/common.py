"""Options and steps that several commands share."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from dyntemp.cli import UsageError
from dyntemp.models import BUNDLED, Model, load_model
from dyntemp.textfile import decoded, read_text, unmarked
from dyntemp.traces.token import plain
from dyntemp.zones.zone import EXAMPLE

MODEL_VARIABLE = "DYNTEMP_MODEL"


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """The options that name a model and how it runs."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "-m", "--model", default=os.environ.get(MODEL_VARIABLE, BUNDLED), metavar="MODEL",
        help=f"`{BUNDLED}` (bundled), a GGUF file, a directory or a hub name; default: ${MODEL_VARIABLE} or {BUNDLED}",
    )  # fmt: skip
    group.add_argument("--threads", type=int, metavar="N", help="processor threads of llama.cpp")
    group.add_argument("--context", type=int, metavar="N", help="most tokens of prompt and text together, in llama.cpp")


def add_zone_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The option that defines zones."""
    parser.add_argument(
        "--zone", action="append", default=[], metavar="ZONE",
        help=f'a zone of your own that policies read: "{EXAMPLE}" for inside("note")',
    )  # fmt: skip


def add_colour_option(parser: argparse.ArgumentParser) -> None:
    """The option that decides about colours."""
    parser.add_argument("--color", "--colour", choices=("auto", "always", "never"), default="auto",
                        help="auto asks the terminal and NO_COLOR")  # fmt: skip


def open_model(options: argparse.Namespace) -> Model:
    """The model that the options name; a message appears if loading takes long."""
    given = {name: getattr(options, name) for name in ("threads", "context") if getattr(options, name) is not None}
    with waiting(f"loading {options.model} ..."):
        return load_model(options.model, **given)


@contextmanager
def waiting(message: str, after: float = 1.0) -> Iterator[None]:
    """Print `message` to the standard error if the block takes longer than `after` seconds."""
    timer = threading.Timer(after, print, (f"dyntemp: {message}",), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def read_prompt(words: list[str], file: str | None) -> str:
    """The prompt from the arguments, a file, or the standard input.

    Raises:
        UsageError: If there is none, or more than one.
    """
    if words and words != ["-"]:
        if file is not None:
            raise UsageError("a prompt and -f were given; give one of them")
        return readable(" ".join(words))
    if file is not None and file != "-":
        try:
            return read_text(file).removesuffix("\n")
        except ValueError as error:
            raise UsageError(f"{file}: {error}") from None
    if sys.stdin is None or (sys.stdin.isatty() and not words and file is None):
        raise UsageError('no prompt: write it behind the command, as in `dyntemp generate "Once upon a time"`')
    text = readable(_read_stdin().removesuffix("\n"))
    if not text.strip():
        raise UsageError("the standard input held no prompt")
    return text


def _read_stdin() -> str:
    """All of the standard input.

    Raises:
        UsageError: If it is not text in the encoding that it is read in.
    """
    if not hasattr(sys.stdin, "buffer"):  # what a program put in its place has text already
        return unmarked(sys.stdin.read())
    try:
        return decoded(sys.stdin.buffer.read(), sys.stdin.encoding, sys.stdin.errors or "strict")
    except ValueError as error:
        raise UsageError(f"the standard input: {error}") from None


def readable(text: str) -> str:
    """`text` without a byte order mark in front, if it can be encoded.

    Raises:
        UsageError: For bytes that are not of the terminal's encoding, which Python keeps as lone surrogates.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} was given, with bytes that are not text: write UTF-8, in a UTF-8 locale") from None
    return unmarked(text)


def print_json(out: Console, data: Any) -> None:
    """One line of JSON, at once; in ASCII where the output is not UTF-8."""
    utf8 = (getattr(out.file, "encoding", None) or "").lower().replace("-", "") == "utf8"
    out.file.write(json.dumps(plain(data), ensure_ascii=not utf8, allow_nan=False) + "\n")
    out.file.flush()
