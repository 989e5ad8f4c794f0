"""Choose one temperature for a model and a task from the entropy of the model's own texts (TURN), without labels.

dyntemp turn --task better-of-n -f prompts.jsonl --save texts.jsonl
dyntemp turn --task vote -m model.gguf --temps 0.2:1.4:0.2 --samples 16 "Solve: 12*7 + 5"
With --save, running the same command again goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal

import numpy as np
from rich.console import Console
from rich.text import Text as Line

from dyntemp.cli import INTERRUPTED, OK, UsageError
from dyntemp.cli.common import add_colour_option, add_model_options, open_model, print_json, readable
from dyntemp.cli.compare import given_prompts
from dyntemp.cli.progress import shown
from dyntemp.show.plots_terminal import draw_curve
from dyntemp.show.terminal import console
from dyntemp.tune.texts import Plan, TextFile, write_texts
from dyntemp.tune.turn import FEWEST, TASKS, Choice, Text, choose

MOST_TEMPERATURES = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="a prompt of the task, each argument one")
    parser.add_argument("-f", "--prompts", metavar="FILE", help='prompts from FILE: a text, one on each line, or JSON '
                        'lines with {"prompt": "..."} or {"messages": [...]}')  # fmt: skip
    parser.add_argument("--task", required=True, choices=tuple(TASKS),
                        help="what several texts are for: keep the best of them, or vote on their answers")  # fmt: skip
    parser.add_argument("--temps", type=grid, default="0.1:1.5:0.1", metavar="LOW:HIGH:STEP",
                        help="the temperatures to measure (0.1:1.5:0.1)")  # fmt: skip
    parser.add_argument("--samples", type=int, default=32, metavar="N",
                        help="texts at each temperature, over all prompts together (32)")  # fmt: skip
    parser.add_argument("-n", "--max-tokens", type=int, default=256, metavar="N", help="most tokens of a text (256)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the texts (0)")
    parser.add_argument("--system", metavar="TEXT", help="the system message of a chat")
    parser.add_argument("--raw", action="store_true", help="continue the prompts as they are, without a chat template")
    parser.add_argument("--save", metavar="FILE", help="keep the texts' entropies in FILE, and go on from those there")
    add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Write the texts, choose, and return the exit code."""
    if not 0 <= options.seed < 2**64:
        raise UsageError(f"--seed {options.seed} was given; 0 to 2**64 - 1 are seeds")
    if options.raw and options.system:
        raise UsageError("--raw and --system were given; a system message needs the chat template")
    try:
        plan = Plan(
            prompts=given_prompts(options), temperatures=options.temps, samples=options.samples,
            max_tokens=options.max_tokens, seed=options.seed, chat=False if options.raw else None,
            system=readable(options.system) if options.system else None,
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(str(error)) from None
    model = open_model(options)
    wanted = set(plan.keys())
    out, err = console(options.color), console(options.color, stderr=True)
    with TextFile(options.save, plan.header(model)) if options.save else nullcontext() as file:
        texts = [text for text in (file.texts if file else ()) if (text.temperature, text.number) in wanted]
        try:
            with shown(err, "texts", quiet=options.quiet) as progress:
                for text in write_texts(model, plan, list(texts), progress):
                    texts.append(text)
                    if file:
                        file.add(text)
        except KeyboardInterrupt:
            kept = "the same command goes on from here" if file else "--save FILE would keep the texts"
            err.print(f"interrupted after {len(texts)} of {len(wanted)} texts; {kept}", style="dim")
            _report(out, options, texts)
            return INTERRUPTED
    _report(out, options, texts)
    return OK


def grid(text: str) -> list[float]:
    """The temperatures of LOW:HIGH:STEP, with both ends, in decimals.

    >>> grid("0.1:0.4:0.1")
    [0.1, 0.2, 0.3, 0.4]
    """
    try:
        low, high, step = map(Decimal, text.split(":"))
        count = int((high - low) / step) + 1 if step > 0 < low else 0
    except (ValueError, ArithmeticError):
        count = 0
    if not FEWEST <= count <= MOST_TEMPERATURES:
        raise argparse.ArgumentTypeError(
            f"{text!r} was given; write the lowest temperature, the highest and the step, such as 0.1:1.5:0.1, all "
            f"above 0, for {FEWEST} to {MOST_TEMPERATURES} temperatures"
        )
    return [float(low + step * at) for at in range(count)]


def _report(out: Console, options: argparse.Namespace, texts: list[Text]) -> None:
    """Print the choice that these texts allow."""
    try:
        choice = choose(options.task, texts)
    except ValueError as error:
        console(options.color, stderr=True).print(f"no choice yet: {error}", highlight=False)
        return
    if options.json:
        turning = choice.turning._asdict()
        print_json(out, choice._asdict() | {"turning": turning, "texts": [text._asdict() for text in texts]})
        return
    for line in lines(choice):
        out.print(line, soft_wrap=False)


def lines(choice: Choice) -> Iterator[Line]:
    """The choice, its interval, the figures at each temperature, and a chart."""
    turning, first, last = choice.turning, choice.temperatures[1], choice.temperatures[-2]
    yield Line(f"{choice.temperature:g}", style="bold").append(
        f"   temperature for {choice.task}: {TASKS[choice.task]:g} above the turning point, {turning.temperature:g}",
        style="not bold",
    )
    if not turning.inside:
        yield Line(
            f"There is no turning point from {first:g} to {last:g}: ln entropy bends down at every temperature inside "
            f"the grid. {turning.temperature:g}, the last of them, stands in for it: measure higher with --temps.",
            style="yellow",
        )
    if choice.low is None or choice.high is None or choice.agreeing is None or choice.outside is None:
        yield Line("No interval: one text has none; ask for more with --samples.")
    else:
        yield Line(
            f"95 % interval {choice.low:g} to {choice.high:g}, from {choice.units} resampled {choice.resampled}; "
            f"{choice.agreeing:.0%} of the resamples choose the same, {choice.outside:.0%} have no turning point"
        )
    yield Line("\n     T  entropy (nats)   ln entropy     its bend")
    for t, entropy, bend in zip(choice.temperatures, choice.entropies, turning.bends, strict=True):
        mark = "   turning point" if t == turning.temperature and turning.inside else ""
        yield Line(f"{t:6g} {entropy:15.4g} {np.log(entropy):12.4g} {bend:12.4g}{mark}")
    yield Line()
    yield from draw_curve("ln entropy", np.array(choice.temperatures), np.log(choice.entropies))
