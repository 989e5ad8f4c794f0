"""Learning from given texts, for `dyntemp learn --texts`: a policy that is least surprised by them.

dyntemp learn --texts passages.jsonl --shape 'curve(entropy, 6)' -o calibrated
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from dyntemp.cli import UsageError
from dyntemp.cli.common import readable
from dyntemp.cli.hosts import default_model, loaded
from dyntemp.cli.learn_options import span
from dyntemp.cli.long_work import Outcome, long_work
from dyntemp.cli.progress import shown
from dyntemp.learn.passages.calibration import Calibration
from dyntemp.learn.passages.learning import POLICY, RESULTS, TRACE, learn_passages
from dyntemp.learn.passages.reading import Passage, read_passages
from dyntemp.learn.passages.report import document
from dyntemp.learn.passages.results import PassageResults
from dyntemp.learn.passages.settings import PassageSettings, digest_of
from dyntemp.learn.settings import TUNED

OF_TASKS = (
    "metric", "rounds", "per_item", "epochs", "radius", "clip", "pull", "entropy", "runs", "parts", "items", "samples",
    "oracle", "storage", "server", "vllm",
)  # fmt: skip
"""Options of `dyntemp learn` that texts have no use for."""


def run_texts(options: argparse.Namespace) -> int:
    """Learn from the texts that the options name, and return the exit code."""
    return long_work(options, lambda err: _learned(options, err), _outcome)


def _learned(options: argparse.Namespace, err: Console) -> PassageResults:
    passages = read_passages(options.texts)
    settings = asked_texts(options, passages)
    model = loaded(options, settings.model)
    with shown(err, "texts", quiet=options.quiet) as show:
        return learn_passages(settings, Path(options.texts).name, passages, model, options.output, show)


def _outcome(results: PassageResults, folder: Path) -> Outcome:
    files = {"trace": folder / TRACE, "policy": folder / POLICY}
    return Outcome(folder / RESULTS, document(results), told(results), summary_of_texts(results), files)


def asked_texts(options: argparse.Namespace, passages: list[Passage]) -> PassageSettings:
    """The settings of the options.

    Raises:
        UsageError: For options of learning on a task.
    """
    if wrong := [name for name in OF_TASKS if getattr(options, name)]:
        named = wrong[0].replace("_", "-")
        raise UsageError(f"--{named} was given with --texts, which has no use for it: leave it out")
    if options.filters == TUNED:
        raise UsageError("--filters tuned was given with --texts, which tunes nothing: write a chain, or leave it out")
    given: dict[str, Any] = {name: getattr(options, name) for name in ("seed", "most")
                             if getattr(options, name) is not None}  # fmt: skip
    if options.shape is not None:
        given["shape"] = readable(options.shape)
    if options.bounds is not None:
        given["bounds"] = span(options.bounds)
    return PassageSettings(
        texts=digest_of(passages), model=options.model or default_model(options), filters=options.filters or "", **given
    )


def told(results: PassageResults) -> Iterator[str]:
    """The answer, the warnings, and the figures on the half that was held out."""
    yield results.sentence
    for warning in results.warnings:
        yield f"  {warning}"
    yield ""
    yield f"{'held out':<12} {'nats a token':>12} {'mean T':>7} {'spread':>7} {'calibration error, 95 %':>26}"
    for one in results.held_out:
        yield (
            f"{one.name:<12} {one.loss:>12.4f} {one.temperature:>7.3f} {one.spread:>7.3f} "
            f"{_with_ends(one.calibration):>26}"
        )
    yield f"{'oracle':<12} {results.oracle:>12.4f}   the best temperature of every token, which no policy knows"
    yield ""
    for gain in results.gains:
        ends = "" if gain.low is None or gain.high is None else f" ({gain.low:+.4f} to {gain.high:+.4f})"
        yield f"gain over {gain.other}: {gain.difference:+.4f}{ends} nats a token, p = {gain.p:.3f}"
    (fitted, held_out), (first, second) = results.passages, results.tokens
    price = "static" if results.pull is None else f"{results.pull:g}"
    yield (
        f"learned from {fitted} passages ({first:,} tokens), held out {held_out} ({second:,} tokens); price of a "
        f"nat of divergence, by cross-validation: {price}"
    )
    yield ""
    yield results.policy
    yield ""


def summary_of_texts(results: PassageResults) -> dict[str, Any]:
    """The outcome as JSON objects."""
    data = results.to_json()
    names = ("digest", "model", "verdict", "sentence", "warnings", "filters", "anchor", "pull", "held_out", "gains",
             "oracle", "passages", "tokens", "dropped")  # fmt: skip
    return {"policy": results.policy, **{name: data[name] for name in names}}


def _with_ends(found: Calibration) -> str:
    ends = "" if found.low is None or found.high is None else f" ({found.low:.4f} to {found.high:.4f})"
    return f"{found.error:.4f}{ends}"
