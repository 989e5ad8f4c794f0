"""Measure whether policies help: on tasks that can be scored, with equal budgets, beside controls, with one verdict.

dyntemp evaluate -o first --tier smoke
dyntemp evaluate -o mine -p "0.1 + 0.8*normalized_entropy" --task fluency --report mine.html
dyntemp evaluate study.toml -o study
Running the same command again goes on where it was stopped, and several processes may share a folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dyntemp.cli import INTERRUPTED, OK, UsageError
from dyntemp.cli.common import add_colour_option, print_json, readable, waiting
from dyntemp.cli.progress import shown
from dyntemp.errors import EngineError, InvalidLogitsError, ModelError, PolicyError, StateError, TraceError
from dyntemp.evaluation.configuration import TIERS, StudySettings, read_study
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.results import Comparison, Results, TaskResult
from dyntemp.evaluation.runner import Runner
from dyntemp.evaluation.selection import mean
from dyntemp.evaluation.study import RESULTS, run_study
from dyntemp.evaluation.tasks.table import TASKS, task_of
from dyntemp.models import load_model
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
    group.add_argument("--tier", choices=TIERS, help=f"how much is done: minutes, an hour or a night ({TIER})")
    group.add_argument("--task", action="append", metavar="NAME", help="a task of --tasks; again for more")
    group.add_argument("-p", "--policy", action="append", metavar="POLICY",
                       help="a policy of your own; parameters with ranges are drawn")  # fmt: skip
    group.add_argument("--method", action="append", metavar="NAME", help="a method of `dyntemp policies`, or `all`")
    group.add_argument("--filters", action="append", metavar="NAME",
                       help="a filter beside a static temperature, such as top_p, or `all`")  # fmt: skip
    group.add_argument("--budget", type=int, metavar="N", help="configurations of each family")
    group.add_argument("--seed", type=int, metavar="N", help="equal seeds give equal figures (0)")
    where = parser.add_argument_group("model")
    where.add_argument("-m", "--model", metavar="MODEL", help="a model as in `dyntemp generate`, or the server's name")
    host = where.add_mutually_exclusive_group()
    host.add_argument("--server", metavar="URL", help="a server with the OpenAI API, such as http://localhost:8000/v1")
    host.add_argument("--vllm", action="store_true", help="run the model in vLLM, in this process")
    where.add_argument("--batch", type=int, default=64, metavar="N", help="texts that are written at a time (64)")
    where.add_argument("--threads", type=int, metavar="N", help="processor threads of llama.cpp")
    out = parser.add_argument_group("output")
    out.add_argument("--report", metavar="FILE", help="the report as one HTML file; default: FOLDER/report.html")
    out.add_argument("--json", action="store_true", help="print verdict and comparisons as JSON")
    out.add_argument("-q", "--quiet", action="store_true", help="no progress")
    add_colour_option(out)


def run(options: argparse.Namespace) -> int:
    """Run a study, and return the exit code."""
    out, err = console(options.color), console(options.color, stderr=True)
    if options.tasks:
        for task in TASKS.values():
            out.print(f"{task.name:<20} {task.group:<10} {task.metric or 'no metric':<12} {task.about}", soft_wrap=True)
        return OK
    if options.output is None:
        raise UsageError("no folder was given: name one with -o FOLDER")
    try:
        settings = asked(options)
        tasks = [task_of(name) for name in settings.tasks]
        runner, exact = opened(options, settings)
        err.print(f"study {settings.digest[:16]}", style="dim")
        with shown(err, "texts", quiet=options.quiet) as progress:
            results = run_study(settings, tasks, runner, options.output, exact=exact, progress=progress)
    except KeyboardInterrupt:
        err.print("interrupted; the same command goes on from here", style="dim")
        return INTERRUPTED
    except (ModelError, PolicyError, TraceError, StateError, InvalidLogitsError, EngineError):
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    report = Path(options.report or Path(options.output) / "report.html")
    written = reported(results, report)
    paths = {"results": str(Path(options.output) / RESULTS), **({"report": str(report)} if written else {})}
    if options.json:
        print_json(out, {"digest": results.digest, **summary(results), **paths})
        return OK
    for line in told(results):
        out.print(line, soft_wrap=True, highlight=False)
    for path in paths.values():
        out.print(path, style="bold", soft_wrap=True)
    return OK
