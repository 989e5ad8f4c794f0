"""Tell of each token in a trace how it came about: its figures, and one sentence.

dyntemp generate --trace run.jsonl "Once upon a time"
dyntemp explain run.jsonl                            every token: temperature, entropy, and why
dyntemp explain run.jsonl --text --by surprisal      the text alone, coloured by how surprising each token was
dyntemp explain run.jsonl --at 12                    one token: its candidates before and after, the policy's sum
dyntemp explain run.jsonl --policy "0.1 + 0.8*entropy"    what another policy would have changed
dyntemp explain run.jsonl --html run.html            all of it as a page to open in a browser
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

from rich.console import Console

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import add_colour_option, add_zone_option, print_json
from dyntemp.cli.policy_options import read_given
from dyntemp.errors import PolicyError, TraceError
from dyntemp.language.policy import Policy
from dyntemp.show.card import card
from dyntemp.show.colour import Scale
from dyntemp.show.html import page
from dyntemp.show.quantity import Quantity, quantity, reach
from dyntemp.show.summary import Summary
from dyntemp.show.terminal import console, explanation, has_colours, legend, shortened
from dyntemp.show.terminal_card import card_view
from dyntemp.show.terminal_text import lines
from dyntemp.show.words import changed, explain, temperature, visible
from dyntemp.traces.file import Trace
from dyntemp.traces.header import Header
from dyntemp.traces.replay import Replayed
from dyntemp.traces.replay_trace import as_if, own_replays, replays
from dyntemp.traces.token import Token

UNWRAPPED = 10_000
"""Columns of a line that goes to a file or a program."""

PROMPT = 60
"""Columns of a prompt that names its text."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("trace", metavar="TRACE", help="a file that `--trace` wrote")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="N", help="begin at position N (0)")
    parser.add_argument("--count", type=int, metavar="N", help="tell of N positions at most")
    parser.add_argument("--request", type=int, metavar="N", help="only the text of prompt N, from 0")
    shapes = parser.add_mutually_exclusive_group()
    shapes.add_argument("--text", action="store_true", help="the text alone, coloured")
    shapes.add_argument("--at", type=int, metavar="N", help="all about the token at position N")
    shapes.add_argument("--html", metavar="FILE", help="write a page to open in a browser")
    shapes.add_argument("--jsonl", action="store_true", help="one JSON object for each token, with its sentence")
    parser.add_argument(
        "--by", default="temperature", metavar="QUANTITY",
        help="what colours the text: temperature (the default), surprisal, probability, entropy_after, ... or a signal",
    )  # fmt: skip
    parser.add_argument("--numbers", action="store_true", help="beside --text: each token's number below it")
    parser.add_argument("--policy", metavar="POLICY", help="replay the trace under another policy: what it changes")
    add_zone_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace a page that is already there")
    add_colour_option(parser)


@dataclass(frozen=True, slots=True)
class Shown:
    """The tokens of a trace that are shown, under its own policy and under another.

    Attributes:
        header: The header of the trace.
        tokens: The tokens that the user asked for.
        other: The policy of `--policy`, if there is one.
        replayed: Each token under the other policy; None for each without one.
        owns: Each token under its own policy; None where the records do not hold enough.
        by: The quantity that colours the tokens.
        alone: True where the trace holds one sequence.
    """

    header: Header
    tokens: list[Token]
    other: Policy | None
    replayed: list[Replayed | None]
    owns: list[Replayed | None]
    by: Quantity
    alone: bool

    @property
    def coloured(self) -> list[Token]:
        """The tokens whose values are the colours."""
        return [as_if(token, now) if now else token for token, now in zip(self.tokens, self.replayed, strict=True)]

    @property
    def scale(self) -> Scale:
        """The legend of the colours."""
        return self.by.scale(self.coloured, self.other.bounds() if self.other else reach(self.header.policy))

    def changes(self, at: int) -> bool:
        """True if the draw under the other policy takes another token at a place."""
        now = self.replayed[at]
        return now is not None and not now.kept

    def places(self) -> Iterator[tuple[int, list[int]]]:
        """Each request, and the places of its tokens."""
        for request in sorted({token.request for token in self.tokens}):
            yield request, [at for at, token in enumerate(self.tokens) if token.request == request]


def run(options: argparse.Namespace) -> int:
    """Print the explanations, and return the exit code."""
    _check(options)
    trace = Trace.open(options.trace)
    tokens, damage = _read(trace)
    out = console(options.color)
    if tokens:
        shown = _shown(trace.header, tokens, options)
        if options.html:
            _write(shown, options)
        elif options.jsonl:
            _print_json(out, shown)
        elif options.at is not None:
            _print_card(out, shown)
        else:
            _print_all(out, shown, text=options.text, numbers=options.numbers)
    elif not options.jsonl:
        out.print(f"{trace.header.model}: no tokens; {trace.header.drawn}", style="bold")
    if damage:
        raise damage
    return OK


def _check(options: argparse.Namespace) -> None:
    if options.first < 0 or (options.count is not None and options.count < 1):
        raise UsageError("--from counts from 0, and --count is at least 1")
    if options.numbers and not options.text:
        raise UsageError("--numbers stands beside --text")
    if options.html and Path(options.html).exists() and not options.overwrite:
        raise UsageError(f"{options.html} is already there: name another file, or add --overwrite")
    if options.html and Path(options.html).exists() and Path(options.html).samefile(options.trace):
        raise UsageError(f"--html {options.html} would replace the trace itself: name another file")


def _read(trace: Trace) -> tuple[list[Token], TraceError | None]:
    """The tokens of a trace up to where it is damaged, and the damage."""
    tokens: list[Token] = []
    try:
        for token in trace:
            tokens.append(token)  # noqa: PERF402 (what was read before a fault is kept)
    except TraceError as error:
        return tokens, error
    return tokens, None


def _shown(header: Header, tokens: list[Token], options: argparse.Namespace) -> Shown:
    """The trace as the options ask for it. All of it is replayed before a part is taken, since a policy may remember.

    Raises:
        UsageError: If nothing is left.
    """
    given = read_given(options.policy) if options.policy else None
    other = None if given is None else given.policy
    if given and given.filters.active and given.filters != (drawn := header.run().filters):
        console(options.color, stderr=True).print(
            f"the policy's file has the filters `{given.filters}`; the replay has those of the trace, "
            f"{f'`{drawn}`' if drawn.active else 'none'}",
            style="yellow", highlight=False, soft_wrap=True,
        )  # fmt: skip
    replayed: list[Replayed | None] = [None] * len(tokens)
    if other:
        try:
            replayed = [*replays(header, tokens, other, zones=options.zone)]
        except PolicyError:
            raise
        except ValueError as error:
            raise TraceError(f"{options.trace} cannot be replayed: {error}") from None
    owns = own_replays(header, tokens)
    wanted = _wanted(tokens, options)
    return Shown(
        header=header,
        tokens=[tokens[at] for at in wanted],
        other=other,
        replayed=[replayed[at] for at in wanted],
        owns=[owns[at] for at in wanted],
        by=quantity(options.by, tokens),
        alone=len({token.request for token in tokens}) == 1,
    )


def _wanted(tokens: Sequence[Token], options: argparse.Namespace) -> list[int]:
    """The places of the tokens that were asked for.

    Raises:
        UsageError: If the trace has none of them.
    """
    requests = sorted({token.request for token in tokens})
    if options.request is not None and options.request not in requests:
        raise UsageError(f"--request {options.request} was given; this trace holds {_range(requests)}")
    if options.at is not None and options.request is None and len(requests) > 1:
        raise UsageError(f"this trace holds several texts: add --request, of {_range(requests)}")
    wanted = [at for at, token in enumerate(tokens) if options.request in (None, token.request)]
    if options.at is not None:
        first, last = options.at, options.at + 1
    else:
        first, last = options.first, inf if options.count is None else options.first + options.count
    found = [at for at in wanted if first <= tokens[at].position < last]
    if not found:
        held = _range([tokens[at].position for at in wanted])
        raise UsageError(f"position {first} was asked for; this trace holds {held}")
    return found


def _range(numbers: Sequence[int]) -> str:
    """`0 to 20`, or `0`."""
    return f"{min(numbers)} to {max(numbers)}" if len(numbers) > 1 else str(numbers[0])


def _write(shown: Shown, options: argparse.Namespace) -> None:
    """Write the page."""
    text = page(shown.header, shown.tokens, by=shown.by.name, other=shown.other, replayed=shown.replayed)
    try:
        Path(options.html).write_text(text, encoding="utf-8")
    except OSError as error:
        raise TraceError(f"{options.html} cannot be written: {error.strerror}") from None
    console(options.color, stderr=True).print(f"wrote {options.html}")


def _print_json(out: Console, shown: Shown) -> None:
    """One line for each token, with its sentence and what the other policy makes of it."""
    for token, now in zip(shown.tokens, shown.replayed, strict=True):
        told = {**token.to_json(), "why": explain(token)}
        print_json(out, {**told, "replayed": asdict(now)} if now else told)


def _print_card(out: Console, shown: Shown) -> None:
    """All about one token."""
    for part in card_view(card(shown.tokens[0], shown.owns[0], shown.replayed[0])):
        out.print(part, soft_wrap=False)


def _print_all(out: Console, shown: Shown, *, text: bool, numbers: bool) -> None:
    """Every token with its sentence, or the text alone; the run's own figures around it."""
    header = shown.header
    out.print(f"{header.model}, {header.drawn}, policy {header.policy}", style="bold")
    if shown.other:
        out.print(f"replayed under {shown.other}", style="bold")
    if has_colours(out):
        out.print(legend(shown.scale, "T" if shown.by.name == "temperature" else shown.by.title))
    if not out.is_terminal and not text:
        out.width = UNWRAPPED
    for request, places in shown.places():
        if not shown.alone:
            out.print(f"\nprompt {request}{_asked(header, request)}", style="bold")
        if text:
            _print_text(out, shown, places, numbers=numbers or not has_colours(out))
        else:
            _print_sentences(out, shown, places)
    out.print(Summary.of(shown.tokens).line(0.0, header.drawn), style="bold")
    if shown.other:
        out.print(_verdict(shown), style="bold")


def _asked(header: Header, request: int) -> str:
    """`: Name a river.`, the beginning of what was asked, where that is text."""
    prompt = header.prompts[request] if request < len(header.prompts) else None
    return (
        f": {shortened(visible(' '.join(prompt.split())).replace('␣', ' '), PROMPT)}" if isinstance(prompt, str) else ""
    )


def _print_text(out: Console, shown: Shown, places: Sequence[int], *, numbers: bool) -> None:
    coloured = shown.coloured
    tokens = [coloured[at] for at in places]
    marked = [shown.changes(at) for at in places]
    for text, below in lines(tokens, shown.by, shown.scale, out.width, numbers=numbers, marked=marked):
        out.print(text)
        if below is not None:
            out.print(below)


def _print_sentences(out: Console, shown: Shown, places: Sequence[int]) -> None:
    scale, coloured = shown.scale, shown.coloured
    for at in places:
        token, now = shown.tokens[at], shown.replayed[at]
        for part in explanation(token, scale, shown.by, coloured[at], changed(token, now) if now else ""):
            out.print(part, soft_wrap=False)


def _verdict(shown: Shown) -> str:
    """`under 0.1 + 0.8*entropy: T mean 0.9, from 0.1 to 2; 12 of 96 tokens would differ`."""
    summary = Summary.of(shown.coloured)
    mean = temperature(summary.mean) if summary.finite else "inf"
    between = f"T mean {mean}, from {temperature(summary.low)} to {temperature(summary.high)}"
    differ = sum(shown.changes(at) for at in range(summary.count))
    return f"under {shown.other}: {between}; {differ} of {summary.count} tokens would differ"
