"""List what a policy can read, and the functions it can use."""

from __future__ import annotations

import argparse

from rich.padding import Padding
from rich.text import Text

from dyntemp.cli import OK
from dyntemp.cli.common import add_colour_option, print_json
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.signals import SIGNALS
from dyntemp.show.terminal import console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the tables, and return the exit code."""
    out = console(options.color)
    if options.json:
        tables = {
            "signals": [
                {"name": s.name, "spelling": s.spelling, "meaning": s.meaning, "formula": s.formula, "unit": s.unit,
                 "range": s.range} for s in SIGNALS.values()
            ],
            "functions": [
                {"name": f.name, "arguments": list(f.arguments), "meaning": f.meaning, "remembers": f.remembers}
                for f in FUNCTIONS.values()
            ],
        }  # fmt: skip
        print_json(out, tables)
        return OK
    out.print("Signals (p: softmax at temperature 1; nats)", style="bold")
    for signal in SIGNALS.values():
        out.print(Text(signal.spelling, style="cyan").append(f"   {signal.range}", style="dim"))
        out.print(Padding(f"{signal.meaning}: {signal.formula}", (0, 0, 0, 4), expand=False), soft_wrap=False)
    out.print("\nFunctions", style="bold")
    for function in FUNCTIONS.values():
        out.print(Text(f"{function.name}({', '.join(function.arguments)})", style="cyan"))
        out.print(Padding(function.meaning, (0, 0, 0, 4), expand=False), soft_wrap=False)
    out.print(
        "\nOperators: + - * / ** and, in where(), < <= > >=. Parameters: one letter and digits (a, T0), or "
        'param("name", low, high).',
        soft_wrap=False,
    )
    return OK
