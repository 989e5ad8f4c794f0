"""Tune the parameters of a policy, and of filters, for a model and a task; static temperature has the same budget.

dyntemp tune 'clip(param("a", 0, 1) + param("b", -1, 2)*normalized_entropy, 0.05, 2)' --task fluency -o mine
dyntemp tune edt --min-p 0:0.3 --task fluency --task letters --trials 64 -o edt
dyntemp generate --policy mine/policy.json "Name a fruit."
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
from dyntemp.cli.long_work import Outcome, add_output_options, long_work
from dyntemp.cli.policy_options import bindings
from dyntemp.cli.progress import shown
from dyntemp.evaluation.report.reading import difference_with_ends, value
from dyntemp.evaluation.tasks.table import task_of
from dyntemp.tune.progress import Progress
from dyntemp.tune.report import document
from dyntemp.tune.report.reading import Search, searches, with_interval
from dyntemp.tune.results import TuningResults
from dyntemp.tune.sensitivity import sensitivities, sentences
from dyntemp.tune.settings import SAMPLERS, TuneSettings
from dyntemp.tune.tuned import tuned
from dyntemp.tune.tuning import RESULTS, tune

FILTERS = ("top_k", "top_p", "min_p")
"""Filters that have an option of their own, in the order of the chain."""

GIVEN = ("constraint", "sampler", "trials", "seed")
"""Options that are settings of the same name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument(
        "template",
        metavar="TEMPLATE",
        help='a policy with parameters such as param("a", 0, 1), or a method of `dyntemp policies`',
    )
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where trials and results are kept")
    group = parser.add_argument_group("tuning")
    group.add_argument(
        "--task",
        action="append",
        metavar="NAME",
        help="a task of `dyntemp evaluate --tasks` (fluency); again for more, which share the score",
    )
    group.add_argument("--weight", action="append", default=[], metavar="TASK=NUMBER", help="the weight of a task (1)")
    for name in FILTERS:
        group.add_argument(f"--{name.replace('_', '-')}", metavar="LOW:HIGH", help=f"tune {name} too, at temperature 1")
    group.add_argument(
        "--filters",
        metavar="CHAIN",
        help='any chain instead, numbers or ranges: "min_p(0:0.3), temperature, xtc(0.1, 0.5)"',
    )
    group.add_argument(
        "--objective",
        action="append",
        metavar="METRIC",
        help="the metric to make large (the task's own); a second one gives a front",
    )
    group.add_argument("--constraint", metavar="METRIC", help="a metric that may not fall below the static policy's")
    group.add_argument("--sampler", choices=SAMPLERS, help="how configurations are drawn (tpe)")
    group.add_argument(
        "--trials", type=int, metavar="N", help="configurations of the policy, and as many static ones (32)"
    )
    group.add_argument("--items", action="append", default=[], metavar="SPLIT=N", help="items of tune, val or test")
    group.add_argument("--samples", action="append", default=[], metavar="SPLIT=N", help="texts per item of a split")
    group.add_argument("--seed", type=int, metavar="N", help="seed of configurations, items and noise (0)")
    group.add_argument("--storage", metavar="URL", help="a database that machines share: postgresql://USER@HOST/NAME")
    add_host_options(parser)
    add_output_options(parser)


def run(options: argparse.Namespace) -> int:
    """Tune, and return the exit code."""
    return long_work(options, lambda err: _tuned(options, err), _outcome)


def _tuned(options: argparse.Namespace, err: Console) -> TuningResults:
    settings = asked(options)
    settings.family()  # a mistake in the template is found before the model is loaded
    tasks = [task_of(name) for name in settings.tasks]
    model = opened(options, settings.model)
    settings = replace(settings, card=model.card)
    err.print(f"settings {settings.digest[:16]}", style="dim")
    with shown(err, "texts", quiet=options.quiet) as show:
        return tune(
            settings, tasks, model.runner, options.output, exact=model.exact, storage=options.storage,
            progress=show and (lambda at: show(at[:3], noted(at))),
        )  # fmt: skip


def _outcome(results: TuningResults, folder: Path) -> Outcome:
    files = {"static" if winner.control else "policy": winner for winner in results.tested}
    paths = {name: folder / f"{name}.json" for name in files}
    for name, winner in files.items():
        tuned(results, winner).save(paths[name])
    return Outcome(folder / RESULTS, document(results), told(results), summary(results), paths)


def noted(at: Progress) -> str:
    """The stage of a tuning, and the best value so far.

    >>> noted(Progress(12, 64, 0, "edt, trial 3 of 32", 4.25))
    'edt, trial 3 of 32, best 4.25'
    """
    return at.stage if at.best is None else f"{at.stage}, best {at.best:.4g}"


def asked(options: argparse.Namespace) -> TuneSettings:
    """The settings of the options."""
    given: dict[str, Any] = {name: getattr(options, name) for name in GIVEN if getattr(options, name) is not None}
    for name in ("items", "samples"):
        numbers = bindings(getattr(options, name), f"--{name}")
        given[name] = {split: int(number) if number.is_integer() else number for split, number in numbers}
    if options.task:
        given["tasks"] = tuple(options.task)
    return TuneSettings(
        template=readable(options.template), filters=chain(options), model=options.model or default_model(options),
        objectives=tuple(options.objective or ()), weights=dict(bindings(options.weight, "--weight")), **given,
    )  # fmt: skip


def chain(options: argparse.Namespace) -> str:
    """The chain of filters with its ranges.

    Raises:
        UsageError: For --filters beside an option of one filter.
    """
    short = {name: getattr(options, name) for name in FILTERS if getattr(options, name) is not None}
    if short and options.filters is not None:
        name = next(iter(short)).replace("_", "-")
        raise UsageError(f"--filters and --{name} were given; write all filters into --filters")
    return options.filters or ", ".join(f"{name}({span})" for name, span in short.items())


def told(results: TuningResults) -> Iterator[str]:
    """The answer, what was promised and what was left, and what may be left alone."""
    yield results.sentence
    yield ""
    yield f"{'best trial':<16} {'promised':>9} {'luck':>7} {'left on val':>26} {'winner on test':>26}"
    for search in searches(results):
        yield from _stages(search)
    for pair in results.differences:
        less = difference_with_ends(pair.difference, pair.low, pair.high)
        yield f"{pair.objective}: policy less static on test {less}, p = {pair.p:.3f}"
    yield ""
    for one in sensitivities(results):
        yield from sentences(one)
    yield ""


def _stages(search: Search) -> Iterator[str]:
    """The best trial of a search on tune and val, and the winner on test: a line for each objective."""
    if not search.finalists or search.winner is None:
        return
    best, winner = search.finalists[0], search.winner
    for at, objective in enumerate(search.results.objectives):
        luck = search.luck(objective.name)
        lucky = "" if luck is None else f"+{value(luck.expected)}"
        left, test = with_interval(best.left, at), with_interval(winner.measured, at)
        yield f"{search.title:<16} {value(best.promised[at]):>9} {lucky:>7} {left:>26} {test:>26}"
    yield f"  {'; '.join(filter(None, (winner.policy, winner.filters)))}"


def summary(results: TuningResults) -> dict[str, Any]:
    """The outcome as JSON objects."""
    data = results.to_json()
    return {name: data[name] for name in ("digest", "model", "answer", "sentence", "tested", "differences", "luck")}
