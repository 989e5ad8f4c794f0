"""Write texts to the same prompts under several policies, coupled so that they part only where they must, and compare.

dyntemp compare -p 0.7 -p "0.3 + 0.7*normalized_entropy**0.5" -o first "Name a river." "Tell a joke."
dyntemp compare -p 0.7 -p edt --prompts prompts.jsonl --seeds 5 -n 100 -o second
The first policy leads. Running the same command again goes on where it was stopped. FOLDER/report.html tells the rest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dyntemp.cli import INTERRUPTED, OK, UsageError
from dyntemp.cli.common import add_colour_option, add_model_options, open_model, print_json, readable
from dyntemp.cli.long_work import say_interrupted
from dyntemp.cli.policy_options import add_draw_options, add_preset_option, chosen_policy, draw_settings, read_given
from dyntemp.cli.progress import shown
from dyntemp.comparison import compare, seeds_of
from dyntemp.comparison.figures import Figures
from dyntemp.comparison.measures import MEASURES
from dyntemp.comparison.report import HONEST
from dyntemp.comparison.report_parts import LETTERS, number
from dyntemp.errors import DyntempError
from dyntemp.show.report_parts import signed
from dyntemp.show.terminal import console
from dyntemp.statistics.estimate import FEW_PROMPTS
from dyntemp.textfile import read_text
from dyntemp.tune.presets import presets
from dyntemp.zones.tracker import ZoneTracker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="what to write about, each argument one prompt")
    parser.add_argument("--prompts", metavar="FILE", help='prompts from FILE: a text, one on each line, or JSON lines '
                        'with {"prompt": "..."} or {"messages": [...]}')  # fmt: skip
    parser.add_argument("-p", "--policy", action="append", default=[], metavar="POLICY",
                        help="a policy, at least two times; the first leads")  # fmt: skip
    add_preset_option(parser, action="append", default=[])
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where traces and the report go")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seeds", type=int, default=1, metavar="K", help="texts of each policy to each prompt (1)")
    seeds.add_argument("--seed-list", metavar="S,S,...", help="the seeds themselves; else 0, 1, ...")
    parser.add_argument("--raw", action="store_true", help="continue the prompts as they are, without a chat template")
    add_model_options(parser)
    add_draw_options(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Compare, and return the exit code."""
    given = [read_given(readable(text)) for text in options.policy]
    given += [presets()[name] for name in options.preset]
    if len(given) < 2:
        raise UsageError(f"{len(given) or 'no'} policy was given; name at least two: -p 0.7 -p edt")
    policies = [chosen_policy(one, None)[0] for one in given]
    for policy in policies:
        policy.bounds()  # a template is refused before the model is loaded
        ZoneTracker.of(policy.zones, options.zone)  # so is an unknown zone
    settings = draw_settings(options, *given)
    if options.raw and options.system:
        raise UsageError("--raw and --system were given; a system message needs the chat template")
    prompts = given_prompts(options)
    seeds = _seeds(options)
    model = open_model(options)
    try:
        with shown(console(options.color, stderr=True), "cells", quiet=options.quiet) as progress:
            comparison = compare(
                model, prompts, policies, folder=options.output, seeds=seeds, **settings,
                system=readable(options.system) if options.system else None, chat=False if options.raw else None,
                progress=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        say_interrupted(console(options.color, stderr=True))
        return INTERRUPTED
    except DyntempError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    report = comparison.report()
    out = console(options.color)
    if options.json:
        print_json(out, {"folder": options.output, "report": str(report), "figures": plain_figures(comparison.figures)})
    else:
        for line in table(comparison.figures):
            out.print(line, soft_wrap=False)
        out.print(f"\n{report}", style="bold")
    return OK


def table(figures: Figures) -> Iterator[str]:
    """The figures as lines of at most 80 columns, where policies are short enough."""
    letters = LETTERS[: len(figures.policies)]
    for letter, one in zip(letters, figures.policies, strict=True):
        yield f"{letter}  {one.policy}{'' if one.parting else '   (leads)'}"
    seeds = "1 seed" if figures.seeds == 1 else f"{figures.seeds} seeds"
    yield f"\nn = {figures.prompts} prompts with {seeds} each{'':<12}mean   less A's   95 % interval"
    for name, measure in MEASURES.items():
        unit = f", {measure.unit}" if measure.unit not in ("", "share") else ""
        title = f"{measure.title}{unit}"
        for letter, one in zip(letters, figures.policies, strict=True):
            mean, difference, low, high, _ = one.measures[name]
            shown = "-" if mean is None else number(mean)
            less = "" if difference is None else signed(difference)
            between = "" if low is None or high is None else f"{signed(low)} to {signed(high)}"
            yield f"{title:<32} {letter} {shown:>10} {less:>10}   {between}".rstrip()
            title = ""
    yield ""
    for letter, one in zip(letters, figures.policies, strict=True):
        if (part := one.parting) is not None:
            yield (
                f"{letter} is equal to A to the end in {part.never:.0%} of {part.texts} texts; "
                f"{number(part.kept)} tokens are kept before they part, on average"
            )
    if figures.prompts < FEW_PROMPTS:
        yield f"With fewer than {FEW_PROMPTS} prompts, intervals are missing or too narrow."
    yield HONEST


def plain_figures(value: Any) -> Any:
    """Figures as JSON objects, by the names of their fields."""
    if hasattr(value, "_asdict"):
        return {name: plain_figures(inner) for name, inner in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: plain_figures(inner) for name, inner in value.items()}
    return [plain_figures(inner) for inner in value] if isinstance(value, list | tuple) else value


def given_prompts(options: argparse.Namespace) -> list[Any]:
    """The prompts of the arguments, or of the file of `--prompts`.

    Raises:
        UsageError: If there are none, both, or an empty one.
    """
    found: list[Any] = [readable(text) for text in options.prompt]
    if options.prompts is not None:
        if found:
            raise UsageError("prompts and --prompts were given; give one of them")
        found = read_prompts(Path(options.prompts))
    if not found:
        raise UsageError('no prompts: write them behind the command, "each in quotes", or in a file for --prompts')
    if not all(found):
        raise UsageError("an empty prompt was given")
    return found


def read_prompts(path: Path) -> list[Any]:
    """The prompts in a file: JSON lines if its name ends so, else one on each line; empty lines are skipped.

    Raises:
        UsageError: For a line that is no prompt; the message names it.
    """
    try:
        lines = read_text(path).splitlines()
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    numbered = [(at, line) for at, line in enumerate(lines, start=1) if line.strip()]
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        return [line.strip() for _, line in numbered]
    return [_prompt(path, at, line) for at, line in numbered]


def _prompt(path: Path, at: int, line: str) -> Any:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}, line {at}: this is not JSON ({error})") from None
    match data:
        case {"prompt": str(text)} if text:
            return text
        case {"messages": [*messages]} if messages and all(_is_message(message) for message in messages):
            return [{"role": message["role"], "content": message["content"]} for message in messages]
    raise UsageError(
        f'{path}, line {at}: {{"prompt": "..."}} or {{"messages": [{{"role": "user", "content": "..."}}]}} is expected'
    )


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def _seeds(options: argparse.Namespace) -> list[int]:
    try:
        if options.seed_list is None:
            return seeds_of(options.seeds)
        return seeds_of([int(seed) for seed in options.seed_list.split(",")])
    except ValueError as error:
        given = f"--seeds {options.seeds}" if options.seed_list is None else f"--seed-list {options.seed_list}"
        raise UsageError(f"{given}: {error}") from None
