"""The settings of a tuning, and their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from dyntemp.errors import StudyError
from dyntemp.evaluation.configuration import check_names, check_sizes, check_whole
from dyntemp.evaluation.families import Family
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.task import SPLITS, Split, Task
from dyntemp.language.signals import suggestion
from dyntemp.models import BUNDLED
from dyntemp.models.recommended import FIELDS
from dyntemp.tune.space import family_of

Sampler = Literal["tpe", "cmaes", "gp", "random"]

SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)

MOST_OBJECTIVES = 2

ITEMS = {"tune": 12, "val": 8, "test": 20}

SAMPLES = {"tune": 8, "val": 64, "test": 64}
"""Texts per item. Val has 8 times those of tune, which takes back most of the luck of the best trials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """The settings that decide the figures of a tuning.

    Attributes:
        template: A policy whose parameters have ranges, or the name of a method or a sign-free template.
        filters: A chain of filters, where a number may be a range: `min_p(0:0.3)`.
        model: Name of the model, as `load_model` takes it, or as a server calls it.
        card: The temperature and the numbers of filters that the model's makers recommend, as
            `dyntemp.models.recommended.recommended` gives them; they are tried among the first.
        tasks: Names of tasks.
        weights: The weight of each task in the score; those that are not named have 1.
        objectives: Names of one or two metrics of which more is better; empty for each task's own metric.
        constraint: A metric that must be no less than that of the tuned static temperature; None without one.
        sampler: `tpe`, `cmaes`, `gp` or `random`, of Optuna.
        trials: Configurations of the template, and as many of the static temperature with min-p.
        kept: The best configurations of each that are measured again on val.
        items: Items of each split.
        samples: Texts per item of each split.
        seed: Seed of samplers, items and noise.

    Raises:
        ValueError: For a value that is not allowed.
    """

    template: str
    filters: str = ""
    model: str = BUNDLED
    card: Mapping[str, float] = field(default_factory=dict)
    tasks: tuple[str, ...] = ("fluency",)
    weights: Mapping[str, float] = field(default_factory=dict)
    objectives: tuple[str, ...] = ()
    constraint: str | None = None
    sampler: Sampler = "tpe"
    trials: int = 32
    kept: int = 5
    items: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise StudyError(f"the tasks {', '.join(self.tasks) or '(none)'} were given; name one or more, each once")
        if self.sampler not in SAMPLERS:
            raise StudyError(
                f"the sampler {self.sampler!r} was given; there are {', '.join(SAMPLERS)}"
                f"{suggestion(self.sampler, SAMPLERS)}"
            )
        check_whole("trials", self.trials, 1)
        check_whole("kept", self.kept, 1)
        check_whole("seed", self.seed, 0)
        for name in ("items", "samples"):
            check_sizes(name, getattr(self, name))
        check_names("weights", self.weights, self.tasks)
        check_names("card", self.card, FIELDS)
        if wrong := [f"{task}: {weight}" for task, weight in self.weights.items() if not 0 < weight < float("inf")]:
            raise StudyError(f"the weight {wrong[0]} was given; a number above 0 is allowed")
        self._check_metrics()

    def _check_metrics(self) -> None:
        count = len(self.objectives)
        if count > MOST_OBJECTIVES or len(set(self.objectives)) < count:
            raise StudyError(f"the objectives {', '.join(self.objectives)} were given; name one, or two different ones")
        if count == MOST_OBJECTIVES and self.sampler == "cmaes":
            raise StudyError("cmaes searches for one objective: take tpe, gp or random for two")
        if self.constraint is not None and self.sampler == "cmaes":
            raise StudyError("cmaes knows no constraint: take tpe or gp with one")
        for name in self.metrics:
            if metric_of(name).better != "more":
                raise StudyError(f"the metric {name!r} was given; one of which more is better is allowed")

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are named: objectives and constraint."""
        return (*self.objectives, *([] if self.constraint is None else [self.constraint]))

    def family(self) -> Family:
        """The policy and filters that are searched.

        Raises:
            ValueError: As `family_of`, or if CMA-ES was asked for with one parameter.
        """
        found = family_of(self.template, self.filters)
        if self.sampler == "cmaes" and len(found.policy.parameters) + len(found.ranges) < 2:
            raise StudyError("cmaes searches for two parameters or more: take tpe, gp or random for one")
        return found

    def sizes(self, task: Task) -> tuple[dict[Split, int], dict[Split, int]]:
        """Items and texts per item of each split: at least as many texts as the metrics of the task need."""
        names = (task.metric or "", *self.metrics)
        least = max(int(name.partition("@")[2] or 1) for name in names)
        items, samples = {**ITEMS, **self.items}, {**SAMPLES, **self.samples}
        return {split: items[split] for split in SPLITS}, {split: max(samples[split], least) for split in SPLITS}

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
