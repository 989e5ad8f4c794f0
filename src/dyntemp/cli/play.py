"""Play with temperatures in a page: traces to look at and to replay under any policy, and a model to write new ones.

dyntemp play                              # the page with the bundled model, in the browser
dyntemp play run.jsonl                    # the same, open at a trace
dyntemp play --html page.html run.jsonl   # one file that needs neither server nor model
dyntemp play FOLDER/learning.json         # the curve of T as it moved while `dyntemp learn` learned it
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_model_options, open_model
from dyntemp.cli.serve import PACKAGES, own_names
from dyntemp.errors import ModelError, TraceError
from dyntemp.models import BUNDLED, Model
from dyntemp.page import OpenLearning, OpenTrace, document
from dyntemp.page.learning import check_learning, is_learning
from dyntemp.textfile import decoded, read_text
from dyntemp.traces.file import Trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "traces",
        nargs="*",
        metavar="TRACE",
        help="files of `--trace` or `dyntemp learn`; the page opens with them",
    )
    add_model_options(parser)
    group = parser.add_argument_group("page")
    group.add_argument("--html", metavar="FILE", help="write the page into FILE instead of serving it")
    group.add_argument("--overwrite", action="store_true", help="replace FILE if it is already there")
    group.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine alone)")
    group.add_argument("--port", type=int, default=8000, help="port to listen on; 0: any that is free (8000)")
    group.add_argument("--no-browser", action="store_true", help="open no browser")
    group.add_argument("--no-model", action="store_true", help="serve the page for traces alone")


def run(options: argparse.Namespace) -> int:
    """Write or serve the page, and return the exit code."""
    if not 0 <= options.port <= 65535:
        raise UsageError(f"--port {options.port} was given; 1 to 65535 are ports, and 0 takes any that is free")
    found = [(path, learning_in(path)) for path in options.traces]
    learnings = [learning for _, learning in found if learning is not None]
    traces = [opened(path) for path, learning in found if learning is None]
    if options.html is not None:
        write(Path(options.html), document(traces=traces, learnings=learnings), overwrite=options.overwrite)
        return OK
    if options.overwrite:
        raise UsageError("--overwrite was given without --html, which names the file")
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise UsageError(
            f"serving the page needs {', '.join(missing)}: run `pip install 'dyntemp[serve]'`; without it, "
            "`dyntemp play --html FILE` writes the page as a file"
        )
    from dyntemp.serve import ServerSettings
    from dyntemp.serve import run as serve
    from dyntemp.serve.app import make_app

    settings = ServerSettings(hosts=own_names(options.host, []))
    if settings.hosts is None:
        _say(f"{options.host} is open to other machines, which may write with this model")
    page = document(traces=traces, learnings=learnings, server=True)
    app = make_app(None if options.no_model else model_of(options), settings=settings, page=page)
    serve(app, options.host, options.port, announce=lambda address: _tell(address, browse=not options.no_browser))
    return OK


def learning_in(path: str) -> OpenLearning | None:
    """The learning in a file, checked; None where the file is another one, or is not there.

    Raises:
        TraceError: If it is a learning that the page cannot show; the message names the file.
    """
    try:
        text = read_text(path)
    except (OSError, ValueError):
        return None
    if not is_learning(text):
        return None
    try:
        check_learning(text)
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from None
    return {"name": Path(path).name, "text": text}


def opened(path: str) -> OpenTrace:
    """A trace for the page, checked from its first line to its last; without a last line that was cut off.

    Raises:
        TraceError: If it cannot be read, or holds no tokens.
    """
    trace, count, damage = Trace.open(path), 0, None
    try:
        for _ in trace:
            count += 1
    except TraceError as error:
        damage = error
    data = Path(path).read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if damage and (whole == data or count < whole.count(b"\n") - 1):
        raise damage
    if not count:
        raise TraceError(f"{path} holds no tokens: there is nothing to show")
    if damage:
        _say(f"{damage}; what comes before it is shown")
    return {"name": Path(path).name, "lines": decoded(whole)}


def model_of(options: argparse.Namespace) -> Model | None:
    """The model that writes; None, said aloud, where the bundled one is not installed."""
    try:
        return open_model(options)
    except ModelError as error:
        if options.model != BUNDLED:
            raise
        _say(f"no model: {error}. The page shows and replays traces all the same")
        return None


def write(path: Path, page: str, *, overwrite: bool) -> None:
    """Write the page.

    Raises:
        UsageError: If the file is there, and may not be replaced.
    """
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8", newline="\n") as file:
            file.write(page)
    except FileExistsError:
        raise UsageError(f"{path} is already there: name another file, or say --overwrite") from None
    _say(f"{path} holds the page: open it in a browser")


def _tell(address: Any, *, browse: bool) -> None:
    _say(f"the page is at {address} (Ctrl-C ends it)")
    if browse and sys.stdout.isatty():
        webbrowser.open(str(address))


def _say(message: str) -> None:
    print(f"dyntemp: {message}", file=sys.stderr, flush=True)  # noqa: T201 (what the terminal is told)
