"""Write text, each token at the temperature that a policy gives it, coloured by that temperature.

dyntemp generate "Write a haiku about rain"
dyntemp generate --policy "0.5 - 0.4*max_prob" --seed 7 "Name three rivers"
dyntemp generate --temp 0.8 --min-p 0.05 --trace run.jsonl -f prompt.txt
dyntemp generate --policy 'where(inside("note") > 0.5, 1.2, 0.3)' --zone "note=<note>...</note>" -f prompt.txt
dyntemp generate --policy kl_guided --contrast "Who won?" -f prompt-with-sources.txt
dyntemp generate --policy 1.2 --follow run.jsonl -f prompt.txt   # parts from that run only where it must
echo "Why is the sky blue?" | dyntemp generate --jsonl -
"""

from __future__ import annotations

import argparse
import time
from math import inf

from dyntemp.cli import INTERRUPTED, OK, UsageError
from dyntemp.cli.common import add_colour_option, add_model_options, open_model, print_json, read_prompt, readable
from dyntemp.cli.policy_options import add_sampling_options, asked_policy, chosen_policy, sampling_settings
from dyntemp.generation.dry_run import check_contrast
from dyntemp.generation.generate import Generation, generate
from dyntemp.language.policy import Policy
from dyntemp.sampling import measurable
from dyntemp.show.colour import Scale
from dyntemp.show.summary import Summary
from dyntemp.show.terminal import console, has_colours, legend, write
from dyntemp.traces.file import Trace
from dyntemp.traces.row_record import RECORDED
from dyntemp.traces.settings import ALTERNATIVES
from dyntemp.zones.tracker import ZoneTracker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("prompt", nargs="*", metavar="PROMPT", help="what to write about; `-` or nothing: stdin")
    parser.add_argument("-f", "--file", metavar="FILE", help="read the prompt from FILE; `-`: stdin")
    parser.add_argument("--raw", action="store_true", help="continue the text as it is, without a chat template")
    second = parser.add_mutually_exclusive_group()
    second.add_argument(
        "--contrast",
        metavar="TEXT",
        help="a second prompt, such as the first without its context; the policy's `divergence` compares their rows",
    )
    second.add_argument("--contrast-file", metavar="FILE", help="read the second prompt from FILE")
    parser.add_argument(
        "--follow",
        metavar="TRACE",
        help="couple this text to a recorded one of the same prompt: it parts only where it must",
    )
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end where TEXT appears")
    add_model_options(parser)
    add_sampling_options(parser)
    group = parser.add_argument_group("output")
    shape = group.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="one JSON object at the end, with the text and its tokens")
    shape.add_argument("--jsonl", action="store_true", help="one JSON object for each token, as it comes")
    shape.add_argument("--no-stream", action="store_true", help="print the text when it is finished")
    group.add_argument("--trace", metavar="FILE", help="keep a record of each token in FILE, for `dyntemp explain`")
    group.add_argument(
        "--record",
        action="append",
        default=[],
        metavar="SIGNAL",
        help="also keep SIGNAL, such as quantile(0.9), of each token",
    )
    group.add_argument(
        "--alternatives",
        type=int,
        default=ALTERNATIVES,
        metavar="N",
        help=f"how many of the likeliest tokens a record names ({ALTERNATIVES})",
    )
    group.add_argument("--overwrite", action="store_true", help="replace the trace if it is already there")
    group.add_argument("-q", "--quiet", action="store_true", help="no legend and no closing line")
    add_colour_option(group)  # type: ignore[arg-type]


def run(options: argparse.Namespace) -> int:
    """Write, and return the exit code."""
    given = asked_policy(options)
    policy, requested = chosen_policy(given, options.temp)
    policy.bounds()  # a template is refused before the model is loaded
    ZoneTracker.of(policy.zones, options.zone)  # so is an unknown zone
    settings = sampling_settings(options, given)
    if options.raw and options.system:
        raise UsageError("--raw and --system were given; a system message needs the chat template")
    for text in (options.system or "", *options.stop):
        readable(text)
    if any(not stop for stop in options.stop):
        raise UsageError("an empty --stop was given; it would stop everything")
    if options.alternatives < 0:
        raise UsageError(f"--alternatives {options.alternatives} was given; 0 or more are allowed")
    recorded = [*RECORDED, *map(measurable, options.record)]
    prompt = read_prompt(options.prompt, options.file)
    contrast = _contrast(options, policy)
    follow = None if options.follow is None else Trace.open(options.follow)
    model = open_model(options)
    try:
        generation = generate(
            model, prompt, policy, **settings, requested=requested, stop=options.stop, system=options.system,
            chat=False if options.raw else None, trace=options.trace, overwrite=options.overwrite,
            signals=recorded, alternatives=options.alternatives, follow=follow,
            contrast=contrast,
        )  # fmt: skip
    except ValueError as error:
        raise (error if type(error) is not ValueError else UsageError(str(error))) from None
    with generation:
        return _write(generation, options, Scale.of(policy.bounds(model.vocabulary)))


def _contrast(options: argparse.Namespace, policy: Policy) -> str | None:
    """The second prompt; checked before the model is loaded.

    Raises:
        UsageError: If the policy needs one and there is none, or does not read it.
    """
    contrast = None if options.contrast is None else readable(options.contrast)
    if options.contrast_file is not None:
        contrast = read_prompt([], options.contrast_file)
    try:
        check_contrast(policy, contrast)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return contrast


def _write(generation: Generation, options: argparse.Namespace, scale: Scale) -> int:
    out, err = console(options.color), console(options.color, stderr=True)
    talkative = not (options.quiet or options.json or options.jsonl)
    if talkative and has_colours(out):
        err.print(legend(scale).append(f"   {generation.header.policy}", style="dim"))
    summary, kept = Summary(), []
    began = time.perf_counter()
    code = OK
    try:
        for token in generation:
            summary.add(token)
            if options.jsonl:
                print_json(out, token.to_json())
            elif options.json or options.no_stream:
                kept.append(token)
            else:
                write(out, token, scale)
    except KeyboardInterrupt:
        code = INTERRUPTED
    generation.close()
    seconds = time.perf_counter() - began
    if options.json:
        answer = {
            "text": "".join(token.text for token in kept),
            "finish": summary.finish,
            "seed": generation.seed,
            "policy": generation.header.policy,
            "temperature": {"mean": summary.mean if summary.finite else inf, "low": summary.low, "high": summary.high}
            if kept
            else None,
            "seconds": seconds,
            "tokens": [token.to_json() for token in kept],
        }
        print_json(out, answer)
    elif not options.jsonl:
        for token in kept:
            write(out, token, scale)
        out.print()
    if talkative:
        stopped = "interrupted; " if code == INTERRUPTED else ""
        err.print(f"{stopped}{summary.line(seconds, generation.header.drawn)}", style="dim")
    return code
