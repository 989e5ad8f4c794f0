"""Learn a policy for a model and a task by reinforcement, or from texts; it is one line, as every other policy.

dyntemp learn fluency -o mine                                     # a small network over signals
dyntemp learn fluency --shape 'curve(entropy, 6)' --filters '' -o curve
dyntemp learn letters --shape 'clip(param("a", 0, 3) + param("b", -3, 3)*margin, 0.1, 3)' -o sloped
dyntemp learn --texts passages.jsonl -o calibrated                # no task: the least surprise of these texts
dyntemp generate --policy mine/policy.json "Name a fruit."
dyntemp play mine/learning.json                                   # the curve of T as it moved
Running the same command again goes on where it was stopped, and several processes may share a folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dyntemp.cli import UsageError
from dyntemp.cli.common import readable
from dyntemp.cli.hosts import add_host_options, default_model, opened
from dyntemp.cli.learn_options import span
from dyntemp.cli.long_work import Outcome, add_output_options, long_work
from dyntemp.cli.policy_options import bindings
from dyntemp.cli.progress import shown
from dyntemp.cli.tune import noted
from dyntemp.evaluation.report.reading import difference_with_ends, value
from dyntemp.evaluation.tasks.table import task_of
from dyntemp.learn.learned import learned
from dyntemp.learn.learning import RESULTS, TRACE, learn
from dyntemp.learn.report import document
from dyntemp.learn.results import LearnResults
from dyntemp.learn.settings import LearnSettings

GIVEN = ("metric", "rounds", "epochs", "radius", "clip", "pull", "entropy", "runs", "parts", "seed")
"""Options that are settings of the same name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("task", nargs="?", metavar="TASK", help="a task of `dyntemp evaluate --tasks`, or a file")
    parser.add_argument("--texts", metavar="FILE", help="texts instead: JSON lines with `text`, or paragraphs")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where texts and results are kept")
    group = parser.add_argument_group("what is learned")
    group.add_argument(
        "--shape",
        metavar="SHAPE",
        help="`network`, `network(entropy; margin, 8)`, `curve`, `curve(entropy, 6)`, or a template with parameters "
        'such as param("a", 0, 1) (network)',
    )
    group.add_argument(
        "--filters",
        metavar="CHAIN",
        help='filters before the temperature: "min_p(0.05)", or "" for none (those of the tuned static temperature)',
    )
    group.add_argument("--bounds", metavar="LOW:HIGH", help="the lowest and the highest temperature (0.1:3)")
    how = parser.add_argument_group("how it is learned")
    how.add_argument("--metric", metavar="METRIC", help="the metric to make large (the task's own)")
    how.add_argument("--rounds", type=int, metavar="N", help="times that texts are written (24)")
    how.add_argument("--per-item", type=int, metavar="N", help="texts per item of a round (16)")
    how.add_argument("--epochs", type=int, metavar="N", help="steps with the texts of a round (4)")
    how.add_argument("--radius", type=float, metavar="NATS", help="divergence of the first steps, nats a token (0.01)")
    how.add_argument("--clip", type=float, metavar="SHARE", help="largest change of probability that counts (0.2)")
    how.add_argument("--pull", type=float, metavar="SHARE",
                     help="share of the metric that a nat away from static has to gain (0.01)")  # fmt: skip
    how.add_argument("--entropy", type=float, metavar="SHARE", help="the share that a nat of entropy is worth (0)")
    how.add_argument("--runs", type=int, metavar="N", help="learned policies, each from its own noise (3)")
    how.add_argument("--parts", type=int, metavar="N", help="parts of a round, for several processes (1)")
    how.add_argument("--items", action="append", default=[], metavar="SPLIT=N", help="items of tune, val or test")
    how.add_argument("--samples", action="append", default=[], metavar="SPLIT=N", help="texts per item of val or test")
    how.add_argument("--seed", type=int, metavar="N", help="seed of items and noise (0)")
    how.add_argument("--oracle", action="store_true", help="compute what the best T of every row would reach")
    how.add_argument("--most", type=int, metavar="N", help="with --texts: tokens that are read (3000)")
    how.add_argument("--storage", metavar="URL", help="a database that machines share: postgresql://USER@HOST/NAME")
    add_host_options(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Learn, and return the exit code.

    Raises:
        UsageError: For neither a task nor texts, or both.
    """
    if (options.task is None) == (options.texts is None):
        raise UsageError("name a task, such as `dyntemp learn fluency -o mine`, or texts with --texts FILE")
    if options.texts is not None:
        from dyntemp.cli.learn_texts import run_texts

        return run_texts(options)
    if options.most is not None:
        raise UsageError("--most was given without --texts: it is the number of tokens of texts")
    return long_work(options, lambda err: _learned(options, err), _outcome)


def _learned(options: argparse.Namespace, err: Console) -> LearnResults:
    settings = asked(options)
    task = task_of(settings.task)
    settings.metric_for(task)  # a mistake is found before the model is loaded
    model = opened(options, settings.model)
    settings = replace(settings, card=model.card)
    err.print(f"settings {settings.digest[:16]}", style="dim")
    with shown(err, "texts", quiet=options.quiet) as show:
        return learn(
            settings, task, model.runner, options.output, exact=model.exact if options.oracle else None,
            storage=options.storage, progress=show and (lambda at: show(at[:3], noted(at))),
        )  # fmt: skip


def _outcome(results: LearnResults, folder: Path) -> Outcome:
    policy = folder / "policy.json"
    learned(results).save(policy)
    files = {"trace": folder / TRACE, "policy": policy}
    return Outcome(folder / RESULTS, document(results), told(results), summary(results), files)


def asked(options: argparse.Namespace) -> LearnSettings:
    """The settings of the options."""
    given: dict[str, Any] = {name: getattr(options, name) for name in GIVEN if getattr(options, name) is not None}
    for name in ("items", "samples"):
        numbers = bindings(getattr(options, name), f"--{name}")
        given[name] = {split: int(number) if number.is_integer() else number for split, number in numbers}
    if options.shape is not None:
        given["shape"] = readable(options.shape)
    if options.filters is not None:
        given["filters"] = options.filters
    if options.per_item is not None:
        given["texts"] = options.per_item
    if options.bounds is not None:
        given["bounds"] = span(options.bounds)
    return LearnSettings(task=options.task, model=options.model or default_model(options), **given)


def told(results: LearnResults) -> Iterator[str]:
    """The answer, the warnings, and what was learned beside each control on test."""
    yield results.sentence
    for warning in results.warnings:
        yield f"  {warning}"
    yield ""
    yield f"{'run':<8} {'first score':>11} {'last score':>10} {'mean T':>7} {'spread':>7} {'outcome':>9}"
    for one in results.runs:
        first, last = one.rounds[0], one.rounds[-1]
        kept = "static" if one.static else "kept" if one.seed == results.kept else "learned"
        yield (
            f"{one.seed:<8} {value(first.score):>11} {value(last.score):>10} {last.temperature:>7.3g} "
            f"{last.spread:>7.3g} {kept:>9}"
        )
    yield ""
    yield f"{f'{results.metric} on test':<40} {'learned':>8} {'control':>8} {'difference, 95 %':>28} {'p':>6}"
    for pair in results.beside:
        less = difference_with_ends(pair.difference, pair.low, pair.high)
        yield f"{pair.control:<40} {value(pair.mean):>8} {value(pair.other):>8} {less:>28} {pair.p:>6.3f}"
    if (most := results.ceiling) is not None:
        yield ""
        yield (
            f"computed on test: static {value(most.static)}, learned {value(most.learned)}; with the best temperature "
            f"of every row {value(most.oracle)}, which no policy reaches"
        )
    yield ""
    yield results.policy
    yield ""


def summary(results: LearnResults) -> dict[str, Any]:
    """The outcome as JSON objects."""
    data = results.to_json()
    names = ("digest", "model", "answer", "sentence", "warnings", "beside", "ceiling", "budget")
    return {"learned": results.policy, "filters": results.filters, **{name: data[name] for name in names}}
