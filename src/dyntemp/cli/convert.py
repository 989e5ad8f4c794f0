"""Turn sampler settings of another program into a policy, or a policy into such settings.

dyntemp convert llama.cpp temperature=0.8 dynatemp_range=0.5 top_k=0 top_p=1 min_p=0
dyntemp convert llama.cpp -- --temp 0.8 --dynatemp-range 0.5
dyntemp convert sillytavern --file preset.json
dyntemp convert --to llama.cpp "0.3 + normalized_entropy"
dyntemp convert --list
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from dyntemp.cli import FAILURE, OK, UsageError
from dyntemp.cli.common import add_colour_option, print_json
from dyntemp.cli.policy_options import filters_beside, read_given
from dyntemp.convert import PROGRAMS, Conversion, ConversionError, Settings, from_settings, to_settings
from dyntemp.convert.command_line import over, settings_of
from dyntemp.convert.files import load
from dyntemp.convert.programs import program_of
from dyntemp.distribution.filters import Filters, filters_of
from dyntemp.show.terminal import console

LABEL = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("what", nargs="*", metavar="PROGRAM KEY=VALUE ... | POLICY",
                        help="a program and its settings, or behind `--` its options; with --to a policy")  # fmt: skip
    parser.add_argument("--file", metavar="FILE", help="settings from a JSON or YAML file, or from standard input (-)")
    parser.add_argument("--to", metavar="PROGRAM", help="the settings of PROGRAM that compute a policy")
    parser.add_argument("--list", action="store_true", help="list the programs, and what they call things")
    parser.add_argument(
        "--skip-unknown", action="store_true", help="list unknown fields and samplers, do not refuse them"
    )
    group = parser.add_argument_group("filters, with --to")
    group.add_argument("--top-k", type=int, default=0, metavar="K", help="as for `dyntemp generate` (0)")
    group.add_argument("--top-p", type=float, default=1.0, metavar="P", help="likewise (1)")
    group.add_argument("--min-p", type=float, default=0.0, metavar="P", help="likewise (0)")
    group.add_argument("--filter-at", choices=("model", "temperature"), default="model", help="likewise (model)")
    group.add_argument("--filters", metavar="CHAIN", help="likewise: any chain of filters instead")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_colour_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print what was converted, and return the exit code: 1 where a program has no settings for a policy."""
    out = console(options.color)
    if options.list:
        return _list(out, options.json)
    if options.to is not None:
        return _to(out, options)
    if not options.what:
        raise UsageError(f"no program: write one of {', '.join(PROGRAMS)}, or --list")
    program, *words = options.what
    try:
        known = program_of(program)
        settings = settings_of(known, words)
        if options.file is not None:
            settings = over(known, load(options.file), settings)
        found = from_settings(program, settings, skip_unknown=options.skip_unknown)
    except ConversionError as error:
        raise UsageError(str(error)) from None
    if options.json:
        print_json(out, {
            "program": found.program, "policy": str(found.policy), **found.arguments, "exact": found.exact,
            "notes": found.notes, "differs": found.differs, "off": found.off, "unknown": found.unknown,
            "ignored": [aside._asdict() for aside in found.ignored],
            "not_temperature": [aside._asdict() for aside in found.not_temperature],
        })  # fmt: skip
    else:
        _print_policy(out, found)
    return OK


def _to(out: Console, options: argparse.Namespace) -> int:
    if len(options.what) != 1 or options.file is not None:
        raise UsageError(
            '--to takes a policy and no file, as in `dyntemp convert --to llama.cpp "0.3 + normalized_entropy"`'
        )
    try:
        chain = filters_of(options.filters, options.top_k, options.top_p, options.min_p, options.filter_at)
        given = read_given(options.what[0])
        found = to_settings(options.to, given.policy, filters=filters_beside(chain, [given]))
    except ConversionError as error:
        if options.to.lower() not in PROGRAMS and str(error).startswith("no program"):
            raise UsageError(str(error)) from None
        console(options.color, stderr=True).print(f"dyntemp convert: {error}")
        return FAILURE
    except ValueError as error:
        raise UsageError(str(error)) from None
    if options.json:
        print_json(out, {"program": found.program, "settings": dict(found.fields), "flags": found.flags,
                         "exact": found.exact, "notes": found.notes, "differs": found.differs})  # fmt: skip
    else:
        _print_settings(out, found)
    return OK


def _print_policy(out: Console, found: Conversion) -> None:
    out.print(Text(str(found.policy), style="bold"))
    low, high = found.policy.bounds()
    reach = f"{low:.4g} for every token" if low == high else f"{low:.4g} to {high:.4g}"
    _line(
        out, "temperature", f"{reach}, {'exact' if found.exact else 'not exact'}", "green" if found.exact else "yellow"
    )
    command = f"dyntemp generate --policy {shlex.quote(str(found.policy))}{_filter_options(found.filters)} ..."
    _line(out, "run it", command, "cyan")
    _lines(out, "differs", found.differs, "yellow")
    _lines(out, "note", found.notes, "dim")
    _lines(out, "no effect", (f"{', '.join(aside.fields)}: {aside.why}" for aside in found.ignored), "")
    _lines(out, "not temperature", (f"{', '.join(aside.fields)}: {aside.why}" for aside in found.not_temperature), "")
    _lines(out, "unknown", [", ".join(found.unknown)] if found.unknown else [], "yellow")
    _lines(out, "off", [", ".join(found.off)] if found.off else [], "dim")


def _print_settings(out: Console, found: Settings) -> None:
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found.fields.items()]
    out.print(Text("{\n" + ",\n".join(lines) + "\n}", style="bold"))
    _line(out, "the same", "exact" if found.exact else "not exact", "green" if found.exact else "yellow")
    _lines(out, "options", [" ".join(found.flags)] if found.flags else [], "cyan")
    _lines(out, "differs", found.differs, "yellow")
    _lines(out, "note", found.notes, "dim")


def _lines(out: Console, label: str, texts: Iterable[str], style: str) -> None:
    for text in texts:
        _line(out, label, text, style)
        label = ""


def _line(out: Console, label: str, text: str, style: str) -> None:
    """One line behind its label; what is longer than the terminal goes on below its own beginning."""
    width = max(out.width - LABEL - 4, 30)
    first, *rest = Text(text, style=style).wrap(out, width) if out.is_terminal else [Text(text, style=style)]
    out.print(Text(f"  {label:<{LABEL}}").append(first))
    for further in rest:
        out.print(Padding(further, (0, 0, 0, LABEL + 2), expand=False))


def _filter_options(filters: Filters) -> str:
    short = filters.short
    if short is None:
        return f" --filters {shlex.quote(str(filters))}"
    given = {"--top-k": short["top_k"] or None, "--top-p": short["top_p"] if short["top_p"] < 1 else None,
             "--min-p": short["min_p"] or None,
             "--filter-at": short["at"] if short["at"] != "model" else None}  # fmt: skip
    return "".join(f" {option} {value}" for option, value in given.items() if value is not None)


def _list(out: Console, as_json: bool) -> int:
    if as_json:
        print_json(out, [
            {"name": program.name, "title": program.title, "fields": program.fields, "temperature": program.formula,
             "exactness": program.exactness, "source": program.source} for program in PROGRAMS.values()
        ])  # fmt: skip
        return OK
    for program in PROGRAMS.values():
        out.print(Text(program.name, style="bold").append(f"   {program.title}", style="not bold"))
        _line(out, "fields", ", ".join(program.fields), "")
        _line(out, "T", program.formula, "cyan")
        _line(out, "the same", program.exactness, "")
        _line(out, "read in", program.source, "dim")
    out.print("\nh is the normalized entropy. `dyntemp convert PROGRAM KEY=VALUE ...` tells what settings mean.")
    return OK
