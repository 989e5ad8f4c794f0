"""List the published policies, or show one: its parameters, its curve, and a text that was written with it.

dyntemp policies
dyntemp policies edt
dyntemp policies dynatemp --set low=0.1 --set high=2
dyntemp policies code
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_colour_option, print_json
from dyntemp.cli.policy_options import add_set_option, bindings, origin
from dyntemp.generation.policies import read_method
from dyntemp.methods import METHODS, Method, evidence
from dyntemp.methods.measured import Measured, read
from dyntemp.show.colour import Scale
from dyntemp.show.terminal import console, has_colours, legend, padded
from dyntemp.tune.presets import presets

GROUPS = {
    "heats": "hotter where the model is unsure",
    "cools": "colder where the model is unsure",
    "both": "hottest in between",
    "neither": "however sure the model is",
}
"""The titles of the list, by direction."""

VOCABULARY = 49_152
"""Entries of the rows of the curve, as the bundled model has them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this one")
    add_set_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the list or one policy, and return the exit code."""
    out = console(options.color)
    if options.name is None:
        if options.set:
            raise UsageError(f"--set {options.set[0]} was given; it needs the name of a policy")
        if options.json:
            print_json(out, [described(method) for method in METHODS.values()])
        else:
            _list(out)
        return OK
    if options.name in presets():
        return _preset(out, options)
    method = read_method(options.name)
    values = dict(bindings(options.set, "--set"))
    policy = method.policy(**values)
    if options.json:
        print_json(out, {**described(method), "policy": str(policy)})
        return OK
    _, lines = read()
    _show(out, method, values)
    for line in _evidence(method):
        _below(out, line)
    if (measured := lines.get(method.name)) is not None:
        _record(out, measured)
    return OK


def _preset(out: Console, options: argparse.Namespace) -> int:
    """Print a preset with its filters and where it comes from, and return the exit code."""
    if options.set:
        raise UsageError(f"--set {options.set[0]} was given; the preset {options.name} has no parameters")
    file = presets()[options.name]
    if options.json:
        print_json(out, json.loads(file.to_json()))
        return OK
    out.print(Text(options.name, style="bold").append(f"   T = {file.policy}", style="not bold"))
    for line in origin(file):
        _below(out, line)
    _below(out, f"\ndyntemp generate --preset {options.name} uses it; docs/presets.md has its evidence.")
    return OK


def described(method: Method) -> dict[str, Any]:
    """A method as JSON."""
    _, lines = read()
    measured = lines.get(method.name)
    figures = None if measured is None or measured.figures is None else measured.figures._asdict()
    return {
        "name": method.name, "policy": str(method.make()), "formula": method.formula, "idea": method.idea,
        "parameters": [parameter._asdict() for parameter in method.parameters.values()],
        "direction": method.direction, "remembers": method.remembers, "signals": method.signals, "cost": method.cost,
        "needs": method.needs, "source": method.source, "fails": method.fails, "measured": figures,
        "evidence": [one._asdict() for one in evidence.read().findings.get(method.name, ())],
    }  # fmt: skip


def _list(out: Console) -> None:
    width = max(map(len, METHODS)) + 2
    for direction, title in GROUPS.items():
        out.print(title, style="bold")
        for method in METHODS.values():
            if method.direction == direction:
                out.print(Text(f"  {padded(method.name, width)}", style="cyan").append(method.idea, style="not cyan"))
    out.print("presets, tuned on the bundled model", style="bold")
    for name, file in presets().items():
        told = "; ".join(filter(None, (f"T = {file.policy}", str(file.filters))))
        out.print(Text(f"  {padded(name, width)}", style="cyan").append(told, style="not cyan"))
    study = evidence.read()
    told = f"{study.sentence} That was one study; docs/evidence.md has it, losers included."
    out.print("\n" + "\n".join(wrap(told, 80)))
    out.print("\n`dyntemp policies NAME` shows one; --method NAME or --preset NAME uses it.")


def _show(out: Console, method: Method, values: dict[str, float]) -> None:
    from dyntemp.show.plots_terminal import draw_policy

    policy = method.policy(**values)
    out.print(Text(method.name, style="bold").append(f"   {method.idea}", style="not bold"))
    _below(out, f"T = {method.formula}", "cyan")
    if method.parameters:
        _below(out, f"as set: {policy}" if values else f"by default: {policy}", "cyan")
    for parameter in method.parameters.values():
        value = values.get(parameter.name, parameter.default)
        span = f"{parameter.low:g} to {parameter.high:g}"
        _below(out, f"{padded(parameter.name, 18)} {value:<8g} {padded(span, 16)} {parameter.meaning}")
    for line in _facts(method):
        _below(out, line, "dim")
    for text in draw_policy(policy, VOCABULARY):
        out.print(text)


def _facts(method: Method) -> Iterator[str]:
    memory = "; remembers earlier tokens" if method.remembers else ""
    yield f"{GROUPS[method.direction]}{memory}; {method.cost}"
    if method.needs:
        yield f"needs: {', '.join(method.needs)}"
    yield f"fails: {method.fails}"
    yield f"source: {method.source}"


def _evidence(method: Method) -> Iterator[str]:
    """The outcome of the study of all methods for this one."""
    study = evidence.read()
    if (reason := study.without.get(method.name)) is not None:
        yield f"\nnot in the study of docs/evidence.md: {reason}"
        return
    if found := study.findings.get(method.name, ()):
        yield f"\nat its best in the study of docs/evidence.md, on {study.model}:"
    for one in found:
        yield f"  {one.task}, {one.metric} on {one.split}: {one.mean:.3f}"
        yield f"    {one.difference:+.3f} ({one.low:+.3f} to {one.high:+.3f}, 95 %) less {one.against}"
        yield f"    {one.policy}{f'; {one.filters}' if one.filters else ''}"


def _record(out: Console, measured: Measured) -> None:
    """The figures and the text that were recorded at the default values."""
    run, _ = read()
    if measured.figures is None:
        _below(out, f"\nnot measured: {measured.reason}")
        return
    found = measured.figures
    title = f"\nby default, {run.model} on {len(run.prompts)} prompts, {found.tokens} tokens"
    _below(out, f"{title}: T {found.mean:.3g} ± {found.spread:.2g}, from {found.low:.3g} to {found.high:.3g}; "
           f"entropy {found.entropy:.3g} nats; {found.changed:.0%} of the tokens differ from T = 1")  # fmt: skip
    scale = Scale(0.0, max(*measured.temperatures, 1.0))
    text = Text(f"> {run.prompts[0]}\n", style="dim")
    for piece, temperature in zip(measured.text, measured.temperatures, strict=True):
        text.append(piece, style=f"not dim {scale.style(temperature)}")
    out.print(Padding(text, (1, 0, 0, 2), expand=False), soft_wrap=False)
    if has_colours(out):
        out.print(Padding(legend(scale), (0, 0, 0, 2)))


def _below(out: Console, text: str, style: str = "") -> None:
    out.print(Padding(Text(text, style=style), (0, 0, 0, 2), expand=False), soft_wrap=False)
