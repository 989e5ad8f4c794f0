"""The command `dyntemp`: names of commands -> modules, imported on use."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from dyntemp._version import __version__
from dyntemp.cli.messages import announce
from dyntemp.errors import DyntempError, ModelError, PolicyError, StudyError

COMMANDS = {
    "generate": "write text whose temperature moves token by token",
    "chat": "talk with a model, and ask it why",
    "explain": "tell of each token in a trace how it came about",
    "play": "look at traces in a browser, under any policy, and write with a model",
    "plot": "draw traces: along the text, over a signal, one beside another",
    "compare": "run policies on the same prompts, coupled, and report where they part",
    "evaluate": "measure whether policies help, on tasks with scores, beside controls",
    "tune": "choose the parameters of a policy for a model and a task, by Bayesian optimisation",
    "learn": "learn a policy for a model, by reinforcement on a task or from texts",
    "turn": "choose one temperature from the entropy of a model's own texts",
    "serve": "serve a model with the OpenAI API, a policy per request",
    "check": "tell what a policy can do: bounds, directions, a plot, warnings",
    "signals": "list what a policy can read, and its functions",
    "policies": "list the published policies, and where each is known to fail",
    "convert": "turn settings of other programs into a policy, and back",
}

OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130


class UsageError(Exception):
    """Wrong usage of a command; the message says what is right."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors end with where the help is."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where the help is."""
        self.exit(USAGE, f"{self.prog}: {message}\nSee `{self.prog} --help`.\n")


class _Version(argparse.Action):
    """Prints the versions and ends; it opens the library of llama.cpp, and so names the one that would run."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(nargs=0, **settings)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from dyntemp.models.llama.library import open_library

        try:
            library = open_library().name
        except ModelError as error:
            library = f"none; {error}"
        print(f"dyntemp {__version__}\nllama.cpp: {library}")  # noqa: T201
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _mend_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of the output has gone, which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    else:
        return code


def _mend_streams() -> None:
    """Let no character that the terminal lacks, and no stream that is closed, end a command."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 (lives as long as we do)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _run(arguments: list[str]) -> int:
    parser = Parser(
        prog="dyntemp",
        description="Dynamic temperature for language models.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {name:<10} {summary}" for name, summary in COMMANDS.items())
        + "\n\n`dyntemp COMMAND --help` tells the rest.",
    )  # fmt: skip
    parser.add_argument("--version", action=_Version, help="the version, and the library of llama.cpp that runs models")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    name = parser.parse_args(arguments[:1] if arguments else ["--help"]).command
    module = importlib.import_module(f"dyntemp.cli.{name}")
    own = Parser(
        prog=f"dyntemp {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(own)
    options = own.parse_intermixed_args(arguments[1:])  # options may stand anywhere
    announce()
    try:
        return int(module.run(options))
    except (UsageError, PolicyError, StudyError) as error:
        return _report(name, error, USAGE)
    except DyntempError as error:
        return _report(name, error, FAILURE)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _report(name, f"{error.filename}: {error.strerror}" if error.filename else error, FAILURE)


def _report(name: str, error: Exception | str, code: int) -> int:
    sys.stdout.flush()
    print(f"dyntemp {name}: {error}", file=sys.stderr)  # noqa: T201
    return code
