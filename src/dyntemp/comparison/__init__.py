"""Several policies on the same prompts, coupled, so that their texts differ only where the policies make them.

The first policy leads and the others follow it. A follower draws from its own distribution, and yet takes the leader's
token as often as that allows. Every text is a trace in the comparison's folder. A run that was stopped can be resumed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from dyntemp.comparison.figures import Figures, figures
from dyntemp.comparison.folder import MANIFEST, Cell, Manifest, begin, deciding_versions
from dyntemp.comparison.measures import written
from dyntemp.comparison.report import IN_NOTEBOOK, Contents, chosen, document, fragment
from dyntemp.comparison.report_texts import Sample
from dyntemp.distribution.filters import Filters, filters_of
from dyntemp.errors import TraceError
from dyntemp.generation.dry_run import dry_run
from dyntemp.generation.loop import Loop
from dyntemp.generation.prompts import Prompt, encode, prompts_of
from dyntemp.generation.request import Request, coupled
from dyntemp.generation.trace_header import header_of
from dyntemp.language.given import GivenNumbers
from dyntemp.models import Model, check_prompts
from dyntemp.sampling import PolicyLike, as_policy
from dyntemp.textfile import write_whole
from dyntemp.traces.file import Trace, TraceWriter
from dyntemp.traces.settings import Settings
from dyntemp.zones.zone import listed

REPORT = "report.html"

KEPT = (
    "max_tokens", "stop", "top_k", "top_p", "min_p", "filter_at", "requested", "given", "zones", "alternatives",
    "backend", "system", "chat",
)  # fmt: skip
"""Settings that the manifest holds, in the order of the file."""

TRACED = (*KEPT, "parameters", "follow")
"""Settings that the header of each trace holds."""


class Progress(NamedTuple):
    """How far a comparison is: a cell is one prompt with one seed, under all policies."""

    done: int
    cells: int
    tokens: int


@dataclass(frozen=True)
class Comparison:
    """A comparison and its folder.

    Attributes:
        folder: Where its traces are.
        manifest: Its model, policies, prompts, seeds and settings.
    """

    folder: Path
    manifest: Manifest = field(repr=False)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Comparison:
        """The complete comparison in a folder.

        Raises:
            TraceError: If the folder holds none, or if texts are missing.
        """
        manifest = Manifest.read(Path(folder) / MANIFEST)
        if missing := list(manifest.missing(Path(folder))):
            raise TraceError(
                f"{folder} is not complete: {len(missing)} of {len(manifest.cells)} cells are missing; run the same "
                "comparison again"
            )
        return cls(Path(folder), manifest)

    def trace(self, cell: Cell, policy: int) -> Trace:
        """The trace of a text."""
        return Trace.open(self.manifest.path(self.folder, cell, policy))

    @cached_property
    def figures(self) -> Figures:
        """The figures over all texts."""
        manifest = self.manifest
        texts = [
            [
                [written(self.trace(Cell(prompt, seed), policy)) for seed in range(len(manifest.seeds))]
                for prompt in range(len(manifest.prompts))
            ]
            for policy in range(len(manifest.policies))
        ]
        return figures(texts, [(str(policy["policy"]), policy["name"]) for policy in manifest.policies])

    def report(self) -> Path:
        """Write the report, one HTML file beside the traces, and return its path."""
        path = self.folder / REPORT
        write_whole(path, document(self._contents(chosen(self.manifest.cells))))
        return path

    def _repr_html_(self) -> str:
        return fragment(self._contents(chosen(self.manifest.cells, IN_NOTEBOOK, 1)))

    def _contents(self, cells: Sequence[Cell]) -> Contents:
        """The contents of a report with the texts of these cells."""
        manifest, policies = self.manifest, range(len(self.manifest.policies))
        samples = (
            Sample(
                manifest.prompts[cell.prompt],
                manifest.seeds[cell.seed],
                [list(self.trace(cell, policy)) for policy in policies],
                [str(manifest.path(Path(), cell, policy)) for policy in policies],
            )
            for cell in cells
        )
        return Contents(self.figures, manifest.model, Settings.from_json(manifest.settings), samples)


def compare(
    model: Model,
    prompts: Prompt | Sequence[Prompt],
    policies: Sequence[PolicyLike],
    *,
    folder: str | os.PathLike[str],
    seeds: int | Sequence[int] = 1,
    max_tokens: int = 256,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
    filter_at: str = "model",
    filters: Filters | str | None = None,
    system: str | None = None,
    chat: bool | None = None,
    stop: Sequence[str] = (),
    requested: float = 1.0,
    given: Mapping[str, GivenNumbers] | None = None,
    zones: str | Sequence[str] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Comparison:
    """Write texts to every prompt under every policy with every seed, coupled, each as a trace in `folder`.

    A folder that holds a part of the same comparison is completed; its texts are those of a run without a stop.

    Args:
        model: A model from `load_model`.
        prompts: Text, a conversation or tokens, or a list of these.
        policies: At least two policies, or their texts, expressions or numbers; the first leads.
        folder: Where traces, manifest and report go; made if it is not there.
        seeds: How many texts each policy writes to each prompt, with the seeds 0, 1, ...; or a list of seeds.
        max_tokens: Most tokens of a text.
        top_k: Keep the k likeliest tokens; 0 keeps all.
        top_p: Keep the likeliest that together have this probability; 1 keeps all.
        min_p: Keep what has at least this share of the likeliest's probability; 0 keeps all.
        filter_at: `"model"`: filters read probabilities at temperature 1; `"temperature"`: after the temperature.
        filters: Any chain of filters instead of these four: `"top_k(40), temperature, min_p(0.05)"`.
        system: Text of the system message; needs a chat template.
        chat: Whether text is put into the model's chat template; None does so where the model has one.
        stop: A text ends before any of these appears.
        requested: The value of the signal `requested`.
        given: The value of each `given("name", low, high)`, by name: a number, or a list of numbers by position.
        zones: Your own zone for `inside("name")`, or several, as `generate` takes them.
        progress: Called after each step.

    Raises:
        PolicyError, ModelError, ValueError: Before the model runs, for arguments that cannot be run.
        TraceError: If the folder holds another comparison; the message says what differs.
        InvalidLogitsError: During the run, for a broken row of logits.
    """
    if max_tokens < 1:
        raise ValueError(f"max_tokens = {max_tokens} was given; whole numbers from 1 are allowed")
    chosen = [as_policy(policy) for policy in policies]
    if len(chosen) < 2:
        raise ValueError(f"{len(chosen)} of the two or more policies that a comparison needs were given")
    settings = Settings(
        max_tokens=max_tokens, stop=stop, filters=filters_of(filters, top_k, top_p, min_p, filter_at),
        requested=requested, given=given or {}, zones=listed(zones),
        system=system, chat=chat,
    )  # fmt: skip
    for policy in chosen:
        dry_run(policy, settings)
    texts = prompts_of(prompts)
    encoded = [encode(model, prompt, system, chat) for prompt in texts]
    check_prompts(model, encoded)
    manifest = Manifest(
        model.name,
        [{"policy": str(policy), "name": policy.name} for policy in chosen],
        json.loads(json.dumps(texts)),
        seeds_of(seeds),
        settings.to_json(KEPT),
        deciding_versions(),
    )
    begin(Path(folder), manifest)
    comparison = Comparison(Path(folder), manifest)
    missing = list(manifest.missing(comparison.folder))
    done, tokens = len(manifest.cells) - len(missing), 0
    for cell in missing:
        if progress:
            progress(Progress(done, len(manifest.cells), tokens))
        seeded = replace(settings, seed=manifest.seed_of(cell))
        requests = coupled([Request(prompt=encoded[cell.prompt], policy=policy, settings=seeded) for policy in chosen])
        for count in _write(comparison, cell, model, requests):
            tokens += count
            if progress:
                progress(Progress(done, len(manifest.cells), tokens))
        done += 1
    if progress:
        progress(Progress(done, len(manifest.cells), tokens))
    return comparison


def seeds_of(seeds: int | Sequence[int]) -> list[int]:
    """The seeds 0, 1, ... of this number, or those of a list.

    Raises:
        ValueError: For no seed, for a number outside 0 to 2**64 - 1, or for a seed that comes twice.

    >>> seeds_of(3)
    [0, 1, 2]
    """
    found = list(range(seeds)) if isinstance(seeds, int) else [int(seed) for seed in seeds]
    if not found or len(set(found)) < len(found) or not all(0 <= seed < 2**64 for seed in found):
        raise ValueError(f"seeds = {seeds!r} was given; at least one is needed, 0 to 2**64 - 1, each once")
    return found


def _write(comparison: Comparison, cell: Cell, model: Model, requests: Sequence[Request]) -> Iterator[int]:
    """Write the texts of a cell, and yield the number of tokens of each step.

    Files have another name until all of them are complete.
    """
    manifest = comparison.manifest
    paths = [manifest.path(comparison.folder, cell, policy) for policy in range(len(requests))]
    partial = [path.with_suffix(".partial") for path in paths]
    loop = Loop(model)
    with ExitStack() as stack:
        stack.callback(loop.close)
        writers = {}
        for number, request, path in zip(loop.add(requests), requests, partial, strict=True):
            prompt = manifest.prompts[cell.prompt]
            header = header_of(model, request.policy, [prompt], [request.prompt], request.settings, TRACED)
            writers[number] = stack.enter_context(TraceWriter(path, header, overwrite=True))
        while loop.live:
            ready = loop.step()
            for number, token in ready:
                writers[number].write(token)
            yield len(ready)
        for writer in writers.values():
            writer.sync()
    for path, name in zip(partial, paths, strict=True):
        path.replace(name)
