"""The frame of commands whose work is long, is kept in a folder, and goes on there: evaluate, tune and learn."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rich.console import Console

from dyntemp.cli import INTERRUPTED, OK, UsageError
from dyntemp.cli.common import add_colour_option, print_json
from dyntemp.errors import DyntempError
from dyntemp.show.terminal import console
from dyntemp.textfile import write_whole

REPORT = "report.html"

Found = TypeVar("Found")


class Outcome(NamedTuple):
    """All that a command says when its work has ended.

    Attributes:
        results: The file of the results, which the work has written.
        report: The report, an HTML page, which is to be written.
        lines: The outcome for a terminal.
        summary: The outcome for --json.
        files: Further files that were written into the folder, by what they are.
    """

    results: Path
    report: str
    lines: Iterable[str]
    summary: Mapping[str, Any]
    files: Mapping[str, Path] = {}


def add_output_options(parser: argparse.ArgumentParser, outcome: str = "the outcome") -> None:
    """The options that decide what is written and printed; `long_work` reads them."""
    out = parser.add_argument_group("output")
    out.add_argument("--report", metavar="FILE", help=f"the report as one HTML file; default: FOLDER/{REPORT}")
    out.add_argument("--json", action="store_true", help=f"print {outcome} as JSON")
    out.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_colour_option(parser)


def long_work(
    options: argparse.Namespace, work: Callable[[Console], Found], outcome: Callable[[Found, Path], Outcome]
) -> int:
    """Do the work, write its report, print its outcome, and return the exit code.

    Args:
        options: Those of `add_output_options`, and `output`, the folder.
        work: Does the work, and keeps its results in the folder; it takes the standard error.
        outcome: The outcome of these results; it takes the folder too, and may write further files.

    Raises:
        UsageError: For numbers that are not allowed.
    """
    out, err = console(options.color), console(options.color, stderr=True)
    try:
        found = work(err)
    except KeyboardInterrupt:
        say_interrupted(err)
        return INTERRUPTED
    except DyntempError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    folder = Path(options.output)
    ended = outcome(found, folder)
    report = Path(options.report or folder / REPORT)
    write_whole(report, ended.report)
    paths = {name: str(path) for name, path in {"results": ended.results, "report": report, **ended.files}.items()}
    if options.json:
        print_json(out, {**ended.summary, **paths})
        return OK
    for line in ended.lines:
        out.print(line, soft_wrap=True, highlight=False)
    for path in paths.values():
        out.print(path, style="bold", soft_wrap=True)
    return OK


def say_interrupted(err: Console) -> None:
    """Say that nothing is lost."""
    err.print("interrupted; the same command goes on from here", style="dim")
