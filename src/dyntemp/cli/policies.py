"""List the published policies: the formula, where it comes from, and where it is known to fail."""

from __future__ import annotations

import argparse

from rich.padding import Padding
from rich.text import Text

from dyntemp.cli import OK
from dyntemp.cli.common import add_colour_option, print_json
from dyntemp.methods import METHODS
from dyntemp.show.terminal import console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the list, and return the exit code."""
    out = console(options.color)
    if options.json:
        found = [
            {"name": method.name, "policy": str(method.make()), "source": method.source, "idea": method.idea,
             "fails": method.fails} for method in METHODS.values()
        ]  # fmt: skip
        print_json(out, found)
        return OK
    for method in METHODS.values():
        out.print(Text(method.name, style="bold").append(f"   {method.make()}", style="not bold cyan"))
        for text, style in ((method.idea, ""), (f"fails: {method.fails}", "dim"), (f"source: {method.source}", "dim")):
            out.print(Padding(Text(text, style=style), (0, 0, 0, 4), expand=False), soft_wrap=False)
    out.print("\nUse one by its name: dyntemp generate --policy edt ...")
    return OK
