"""Tell of each token in a trace how it came about: its figures, and one sentence.

dyntemp generate --trace run.jsonl "Once upon a time"
dyntemp explain run.jsonl
dyntemp explain run.jsonl --from 10 --count 5
"""

from __future__ import annotations

import argparse

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_colour_option, print_json
from dyntemp.errors import PolicyError
from dyntemp.interval import Interval
from dyntemp.policy import Policy
from dyntemp.show.colour import WIDEST, Scale
from dyntemp.show.terminal import Summary, console, explanation, has_colours, legend
from dyntemp.show.words import explain
from dyntemp.trace import Trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("trace", metavar="TRACE", help="a file that `--trace` wrote")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="N", help="begin at position N (0)")
    parser.add_argument("--count", type=int, metavar="N", help="tell of N positions at most")
    parser.add_argument("--jsonl", action="store_true", help="one JSON object for each token, with its sentence")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print the explanations, and return the exit code."""
    if options.first < 0 or (options.count is not None and options.count < 1):
        raise UsageError("--from counts from 0, and --count is at least 1")
    trace = Trace.open(options.trace)
    out = console(options.color)
    scale = Scale.of(_bounds(trace.header.policy))
    last = None if options.count is None else options.first + options.count
    summary = Summary()
    if not options.jsonl:
        out.print(f"{trace.header.model}, seed {trace.header.seed}, policy {trace.header.policy}", style="bold")
        if has_colours(out):
            out.print(legend(scale))
    for token in trace:
        if token.position < options.first or (last is not None and token.position >= last):
            continue
        summary.add(token)
        if options.jsonl:
            print_json(out, {**token.to_json(), "why": explain(token)})
        else:
            for line in explanation(token, scale):
                out.print(line, soft_wrap=False)
    if not options.jsonl:
        out.print(summary.line(0.0, trace.header.seed), style="bold")
    return OK


def _bounds(policy: str) -> Interval:
    """What the trace's policy can return; a policy that a later dyntemp wrote may not read."""
    try:
        return Policy(policy).bounds()
    except PolicyError:
        return WIDEST
