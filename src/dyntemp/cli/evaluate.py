"""Measure whether policies help: on tasks that can be scored, with equal budgets, beside controls, with one verdict.

dyntemp evaluate -o first --tier smoke
dyntemp evaluate -o mine -p "0.1 + 0.8*normalized_entropy" --task fluency --report mine.html
dyntemp evaluate study.toml -o study
Running the same command again goes on where it was stopped, and several processes may share a folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from dyntemp.cli import OK, UsageError
from dyntemp.cli.common import readable
from dyntemp.cli.hosts import add_host_options, default_model, opened
from dyntemp.cli.long_work import Outcome, add_output_options, long_work
from dyntemp.cli.policy_options import read_given
from dyntemp.cli.progress import shown
from dyntemp.evaluation.configuration import TIERS, StudySettings, read_study
from dyntemp.evaluation.report import document
from dyntemp.evaluation.results import Comparison, Results, TaskResult
from dyntemp.evaluation.selection import mean
from dyntemp.evaluation.study import RESULTS, run_study
from dyntemp.evaluation.tasks.table import TASKS, task_of
from dyntemp.show.terminal import console

TIER = "short"

SETTINGS = {"task": "tasks", "policy": "policies", "method": "methods", "filters": "filters", "model": "model",
            "budget": "budget", "seed": "seed"}  # fmt: skip
"""Options that stand for settings of a study file, and go before it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("study", nargs="?", metavar="STUDY.toml", help="a study file; options go before its settings")
    parser.add_argument("-o", "--output", metavar="FOLDER", help="where texts and results are kept")
    parser.add_argument("--tasks", action="store_true", help="list the tasks, and end")
    group = parser.add_argument_group("study")
    group.add_argument("--tier", choices=TIERS, help=f"how much is done ({TIER})")
    group.add_argument("--task", action="append", metavar="NAME", help="a task of --tasks; again for more")
    group.add_argument("-p", "--policy", action="append", metavar="POLICY",
                       help="a policy of your own, or a JSON file; parameters with ranges are drawn")  # fmt: skip
    group.add_argument("--method", action="append", metavar="NAME", help="a method of `dyntemp policies`, or `all`")
    group.add_argument("--filters", action="append", metavar="NAME",
                       help="a filter beside a static temperature, such as top_p, or `all`")  # fmt: skip
    group.add_argument("--budget", type=int, metavar="N", help="configurations of each family")
    group.add_argument("--seed", type=int, metavar="N", help="equal seeds give equal figures (0)")
    add_host_options(parser)
    add_output_options(parser, "verdict and comparisons")


def run(options: argparse.Namespace) -> int:
    """Run a study, and return the exit code."""
    if options.tasks:
        out = console(options.color)
        for task in TASKS.values():
            out.print(f"{task.name:<20} {task.group:<10} {task.metric or 'no metric':<12} {task.about}", soft_wrap=True)
        return OK
    if options.output is None:
        raise UsageError("no folder was given: name one with -o FOLDER")
    return long_work(options, lambda err: _studied(options, err), _outcome)


def _studied(options: argparse.Namespace, err: Console) -> Results:
    settings = asked(options)
    settings.families()  # a mistake in a name is found before the model is loaded
    tasks = [task_of(name) for name in settings.tasks]
    model = opened(options, settings.model)
    err.print(f"study {settings.digest[:16]}", style="dim")
    with shown(err, "texts", quiet=options.quiet) as progress:
        return run_study(settings, tasks, model.runner, options.output, exact=model.exact, progress=progress)


def _outcome(results: Results, folder: Path) -> Outcome:
    return Outcome(folder / RESULTS, document(results), told(results), {"digest": results.digest, **summary(results)})


def asked(options: argparse.Namespace) -> StudySettings:
    """The settings of the study file and the options."""
    given = read_study(options.study) if options.study else {}
    tier = given.pop("tier", TIER)
    for option, name in SETTINGS.items():
        value = getattr(options, option)
        if value is not None:
            given[name] = [readable(one) for one in value] if isinstance(value, list) else value
    if options.policy:
        given["policies"] = [contents(one) for one in given["policies"]]
    given.setdefault("model", default_model(options))
    return StudySettings.read(given, options.tier or tier)


def contents(policy: str) -> str:
    """A policy of the command line; of a file, what it holds, which the digest of the study covers."""
    return replace(read_given(policy), provenance=None).to_json() if policy.endswith(".json") else policy


def told(results: Results) -> Iterator[str]:
    """The verdict, and a table for each task."""
    yield results.verdict.sentence
    for reason in results.verdict.reasons:
        yield f"  {reason}"
    for task in results.tasks:
        yield ""
        yield from _table(results, task)
    yield ""


def _table(results: Results, task: TaskResult) -> Iterator[str]:
    """The arms of a task on test, the best first, each method beside the best control."""
    arms = [one for one in results.arms if one.task == task.name and one.split == "test"]
    if task.metric is None:
        yield f"{task.name}: {len(arms)} arms, without a verifier"
        return
    metric = task.metric
    head = f"{task.name}, {metric}, n = {len(task.items['test'])} items, {task.samples['test']} texts each"
    yield f"{head:<52} {'mean':>7} {'less best control':>26} {'Holm p':>7}"
    for one in sorted(arms, key=lambda arm: -mean(arm.values[metric])):
        name = f"{one.name}   (control)" if one.control else one.name
        yield f"{name:<52} {mean(one.values[metric]):>7.3f} {_beside(results, task, one.name)}".rstrip()


def _beside(results: Results, task: TaskResult, arm: str) -> str:
    """The difference of a method to the best of its controls, with its interval; empty for a control."""
    against = [one for one in results.comparisons if (one.task, one.metric, one.arm) == (task.name, task.metric, arm)]
    if not against:
        return ""
    least: Comparison = min(against, key=lambda one: one.difference)
    holm = "" if least.holm is None else f"{least.holm:.3f}"
    return f"{least.difference:>+8.3f} [{least.low:+.3f}, {least.high:+.3f}] {holm:>7}"


def summary(results: Results) -> dict[str, Any]:
    """Verdict and comparisons as JSON objects."""
    data = results.to_json()
    return {name: data[name] for name in ("model", "verdict", "comparisons", "detectable")}
