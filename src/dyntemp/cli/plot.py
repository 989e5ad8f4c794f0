"""Draw traces: temperature and entropy along a text, a policy over what a text met, or runs beside one another.

dyntemp plot run.jsonl
dyntemp plot run.jsonl --kind curve --policy "0.1 + 0.8*entropy"
dyntemp plot one.jsonl two.jsonl -o runs.svg
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from rich.text import Text as Line

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_colour_option, readable
from dyntemp.cli.policy_options import read_policy
from dyntemp.errors import PolicyError, TraceError
from dyntemp.language.policy import Policy
from dyntemp.show import plots
from dyntemp.show.terminal import console
from dyntemp.traces.file import Trace

KINDS = {
    "track": "temperature and a signal along the text",
    "curve": "the policy over the values of a signal that came, and how often they came",
    "runs": "the spread of temperature and entropy of each trace, and their running means",
}
MOST = {"track": 6, "runs": 26}
"""Most traces in one drawing; with more, readers cannot tell them apart."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("traces", nargs="+", metavar="TRACE", help="files that `--trace` wrote")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="write a picture, FILE.png or FILE.svg; without it, draw in the terminal")  # fmt: skip
    parser.add_argument(
        "--kind", choices=KINDS, help="; ".join(f"{name}: {what}" for name, what in KINDS.items())
        + "; default: track for one trace, runs for several",
    )  # fmt: skip
    parser.add_argument(
        "--signal", metavar="SIGNAL", help="what is drawn beside the temperature (entropy); in a curve, what it is "
        "drawn over (the one signal that the policy reads, else entropy)",
    )  # fmt: skip
    parser.add_argument(
        "--request", type=int, metavar="N",
        help="the text of prompt N; without it a track shows the first, the other kinds use all",
    )  # fmt: skip
    parser.add_argument("--policy", metavar="POLICY", help="draw the temperatures that this policy would have given")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Draw, and return the exit code."""
    kind = options.kind or ("track" if len(options.traces) == 1 else "runs")
    if kind == "runs" and (options.policy or options.signal):
        given = "--policy" if options.policy else "--signal"
        raise UsageError(f"{given} was given; runs show the traces as they are: use it with --kind track or curve")
    if len(options.traces) > MOST.get(kind, len(options.traces)):
        raise UsageError(f"{len(options.traces)} traces were given; {MOST[kind]} at most fit into --kind {kind}")
    policy = read_policy(readable(options.policy)) if options.policy else None
    if policy is not None:
        policy.bounds()  # a template is refused
    if options.output:
        _check(options.output)
    texts = _texts([Trace.open(path) for path in options.traces], options.request)
    try:
        if options.output:
            _save(kind, texts, options.signal, policy, options.output)
        else:
            out = console(options.color)
            for line in _lines(kind, texts, options.signal, policy):
                out.print(line)
    except (PolicyError, TraceError):
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    if (more := _more(kind, texts)) is not None:
        console(options.color, stderr=True).print(more, style="dim")
    return OK


def _texts(traces: list[Trace], request: int | None) -> list[plots.Text]:
    try:
        return plots.texts_of(traces, request)
    except TraceError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None


def _check(path: str) -> None:
    """Say what is missing for a picture before the traces are read."""
    from dyntemp.show.plots_matplotlib import FORMATS, require

    if Path(path).suffix.lower() not in FORMATS:
        raise UsageError(f"-o {path} was given; a picture's name ends in {' or '.join(FORMATS)}")
    try:
        require()
    except ValueError as error:
        raise UsageError(str(error)) from None


def _save(kind: str, texts: list[plots.Text], signal: str | None, policy: Policy | None, path: str) -> None:
    from dyntemp.show import plots_matplotlib as pictures

    match kind:
        case "track":
            figure = pictures.draw_tracks(
                [plots.track_info(text, signal or "entropy", policy) for text in firsts(texts)]
            )
        case "curve":
            figure = pictures.draw_visited(plots.visited_info(texts, signal, policy))
        case _:
            figure = pictures.draw_runs(plots.runs_info(texts))
    pictures.save(figure, path)


def _lines(kind: str, texts: list[plots.Text], signal: str | None, policy: Policy | None) -> Iterable[Line]:
    from dyntemp.show import plots_terminal as terminal

    match kind:
        case "track":
            for number, text in enumerate(firsts(texts)):
                if number:
                    yield Line()
                yield from terminal.draw_track(plots.track_info(text, signal or "entropy", policy))
        case "curve":
            yield from terminal.draw_visited(plots.visited_info(texts, signal, policy))
        case _:
            yield from terminal.draw_runs(plots.runs_info(texts))


def firsts(texts: list[plots.Text]) -> list[plots.Text]:
    """The first text of each trace."""
    return list({str(text.trace.path): text for text in reversed(texts)}.values())[::-1]


def _more(kind: str, texts: list[plots.Text]) -> str | None:
    """A note on the texts that a track leaves out."""
    left_out = len(texts) - len(firsts(texts))
    if kind != "track" or not left_out:
        return None
    return f"{left_out} more {'text is' if left_out == 1 else 'texts are'} in the trace: --request N shows another"
