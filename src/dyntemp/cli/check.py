"""Tell what a policy can do: its bounds, its free parameters, which way it moves with each signal, a plot, warnings.

Then come the verdicts, each with the place of its proof: `+` is certain, `-` does not hold, `?` cannot be said.

dyntemp check "0.1 + 0.8*entropy"
dyntemp check edt --vocabulary 128256
dyntemp check "a + b*normalized_entropy" --bind a=0.3 --bind b=0.7
dyntemp check "0.1 + 0.8*entropy" --model smollm2
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from math import inf

from rich.cells import cell_len
from rich.padding import Padding
from rich.text import Text

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_colour_option, print_json
from dyntemp.cli.policy_options import add_policy_argument, bindings, origin, read_given
from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.language.direction import directions
from dyntemp.language.functions import Direction
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_SUPPORT
from dyntemp.models import BUNDLED, Model, load_model
from dyntemp.show.terminal import console, padded
from dyntemp.show.words import temperature
from dyntemp.theory.verdict import Verdict
from dyntemp.theory.verdicts import verdicts

HOT = 2.0
CONSTANT = 1e-3
HEATS: dict[str, Direction] = {"entropy": 1, "perplexity": 1, "varentropy": 1, "max_prob": -1, "margin": -1}
"""Signals by which heat feeds on itself, and the direction in which it does."""

SIGNS = {True: "+", False: "-", None: "?"}

MOVES: dict[Direction, str] = {1: "rises with it", -1: "falls with it", 0: "does not move", None: "either way"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    add_policy_argument(parser)
    parser.add_argument("--vocabulary", type=int, default=49_152, metavar="N", help="entries of a row (49152)")
    parser.add_argument("--bind", action="append", default=[], metavar="NAME=NUMBER", help="bind a parameter")
    parser.add_argument(
        "-m", "--model", metavar="MODEL",
        help=f"predict how texts of this model fare, from texts that are recorded once; those of `{BUNDLED}` are here",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print what can be said, and return the exit code."""
    if not 2 <= options.vocabulary <= MAX_SUPPORT:
        raise UsageError(f"--vocabulary {options.vocabulary} was given; 2 to {MAX_SUPPORT} are allowed")
    given = read_given(options.policy)
    policy = given.policy.bind(**dict(bindings(options.bind, "--bind")))
    bounds = None if policy.is_template else policy.bounds(options.vocabulary)
    moves = {} if bounds is None else directions(policy.expression, options.vocabulary)
    free = {name: None if p.low is None else [p.low, p.high] for name, p in policy.parameters.items()}
    warnings = [] if bounds is None else list(_warnings(policy, bounds, options.vocabulary, moves))
    found = [] if bounds is None else verdicts(policy, options.vocabulary)
    if options.model is not None and bounds is not None:
        found += _on_model(policy, options)
    out = console(options.color)
    if options.json:
        anywhere = None if bounds is None else policy.bounds()
        print_json(out, {
            "policy": str(policy), "name": policy.name, "parameters": free, "vocabulary": options.vocabulary,
            "bounds": bounds, "bounds_any_vocabulary": anywhere,
            "directions": {str(signal): direction for signal, direction in moves.items()},
            "remembers": policy.remembers, "warnings": warnings, "verdicts": [verdict.to_json() for verdict in found],
            "filters": str(given.filters), "provenance": given.provenance and asdict(given.provenance),
        })  # fmt: skip
        return OK
    out.print(str(policy), style="bold")
    for told in origin(given):
        out.print(Padding(Text(told), (0, 0, 0, 2), expand=False), soft_wrap=False)
    if bounds is None:
        names = ", ".join(free)
        out.print(f"  a template: bind {names} (--bind {next(iter(free))}=0.5) to see what it can do")
        return OK
    low, high = policy.bounds()
    here = f"{bounds.low:.4g} to {bounds.high:.4g} on a vocabulary of {options.vocabulary:,}"
    lines = [("bounds", f"{here}; {low:.4g} to {high:.4g} on any")]
    lines += [(f"parameter {name}", f"{span[0]:g} to {span[1]:g}") for name, span in free.items() if span]
    lines += [(str(signal), MOVES[direction]) for signal, direction in moves.items()]
    if policy.remembers:
        lines.append(("memory", "reads earlier tokens of the same request"))
    width = max(cell_len(label) for label, _ in lines)
    for label, text in lines:
        out.print(f"  {padded(label, width)}  {text}")
    for warning in warnings:
        out.print(Padding(Text(f"warning: {warning}", style="yellow"), (0, 0, 0, 2), expand=False), soft_wrap=False)
    for verdict in found:
        for text, style, indent in ((f"{SIGNS[verdict.holds]} {verdict.claim}", "", 2),
                                    (f"{verdict.evidence} ({verdict.link})", "dim", 4)):  # fmt: skip
            out.print(Padding(Text(text, style), (0, 0, 0, indent), expand=False), soft_wrap=False)
    if not free:
        from dyntemp.show.plots_terminal import draw_policy

        for line in draw_policy(policy, options.vocabulary):
            out.print(line)
    return OK


def _on_model(policy: Policy, options: argparse.Namespace) -> list[Verdict]:
    """The verdicts that rest on texts of a model; a bar shows their recording."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from dyntemp.theory.on_model import verdicts_on
    from dyntemp.theory.record import recordings_for

    err = console(options.color, stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("tokens"),
               TimeRemainingColumn())  # fmt: skip
    bar = Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
    task = bar.add_task("", total=None)

    def shown(done: int, most: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=most)

    def load() -> Model:
        err.print(f"dyntemp: recording texts of {options.model}, once: some minutes")
        return load_model(options.model)

    try:
        return verdicts_on(policy, recordings_for(options.model, policy, load, shown))
    finally:
        bar.stop()


def _warnings(policy: Policy, bounds: Interval, vocabulary: int, moves: Mapping[Signal, Direction]) -> Iterator[str]:
    if bounds.high == inf:
        yield "can reach T = infinity, a uniform draw: add a ceiling, as in clip(..., 0.05, 2)"
    elif bounds.high > HOT:
        feeds = any(signal.name in HEATS and direction == HEATS[signal.name] for signal, direction in moves.items())
        why = ": a hot token makes the next row less certain, which heats it further" if feeds else ""
        yield (
            f"can reach T = {temperature(bounds.high)} on a vocabulary of {vocabulary:,}{why}. "
            f"{'Use normalized_entropy, or add' if feeds else 'Unless that is meant, add'} a ceiling: "
            "clip(..., 0.05, 2)"
        )
    if bounds.high - bounds.low < CONSTANT and policy.signals:
        yield (
            f"is practically constant on a vocabulary of {vocabulary:,}, between {bounds.low:.6f} and "
            f"{bounds.high:.6f}: its signals do not move there"
        )
    if bounds.low <= GREEDY_AT < bounds.high:
        yield "can reach T = 0, where the likeliest token is taken: add a floor, as in max(..., 0.05), if you mean none"
    elif bounds.high <= GREEDY_AT:
        yield "is greedy in all but name"
