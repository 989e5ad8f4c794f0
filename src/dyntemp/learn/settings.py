"""The settings of learning on a task, and their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dyntemp.distribution.filters import Filters, check_fixed
from dyntemp.errors import StudyError
from dyntemp.evaluation.configuration import check_sizes, check_whole
from dyntemp.evaluation.metrics import metric_of
from dyntemp.evaluation.task import Task
from dyntemp.learn.learnable import Shape, check_bounds
from dyntemp.models import BUNDLED
from dyntemp.tune.settings import SAMPLES, TuneSettings

TUNED = "tuned"
"""The filters of the tuned static temperature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnSettings:
    """The settings that decide what is learned.

    Attributes:
        task: Name of the task.
        shape: The shape of the policy, as `Shape.read` takes it: `curve`, `network`, or a template.
        filters: A chain before the temperature; `tuned` for the one of the tuned static temperature, empty for none.
        model: Name of the model, as `load_model` takes it, or as a server calls it.
        card: The sampling that the model's makers recommend, for the first trials of the static temperature.
        metric: The metric that is made large; None for the task's own.
        bounds: The lowest and the highest temperature of a curve and of a network.
        rounds: How many times texts are written and learned from.
        texts: Texts per item of a round.
        epochs: Steps with the texts of a round.
        radius: The divergence of the first round's steps, nats a token; it falls to 0 in equal steps.
        clip: The largest change of a token's probability, as a share, that counts with the texts of a round.
        pull: The price of leaving the static temperature: the share of the metric that a nat a text has to gain.
        entropy: The share of the metric that a nat a text of entropy is worth.
        runs: Learned policies, each from noise of its own.
        parts: Parts of a round, which processes that share the folder write at the same time.
        items: Items of each split.
        samples: Texts per item of val and test.
        seed: Seed of items and noise.

    Raises:
        ValueError: For a value that is not allowed.
    """

    task: str
    shape: str = "network"
    filters: str = TUNED
    model: str = BUNDLED
    card: Mapping[str, float] = field(default_factory=dict)
    metric: str | None = None
    bounds: tuple[float, float] = (0.1, 3.0)
    rounds: int = 24
    texts: int = 16
    epochs: int = 4
    radius: float = 0.01
    clip: float = 0.2
    pull: float = 0.01
    entropy: float = 0.0
    runs: int = 3
    parts: int = 1
    items: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        Shape.read(self.shape)
        check_bounds(self.bounds)
        for name in ("rounds", "texts", "epochs", "runs", "parts"):
            check_whole(name, getattr(self, name), 1)
        check_whole("seed", self.seed, 0)
        for name in ("items", "samples"):
            check_sizes(name, getattr(self, name))
        for name, low, high in (("radius", 0.0, 1.0), ("clip", 0.0, 1.0)):
            if not low < getattr(self, name) <= high:
                raise StudyError(
                    f"{name} = {getattr(self, name)!r} was given; a number above {low:g}, at most {high:g}, is allowed"
                )
        for name in ("pull", "entropy"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise StudyError(f"{name} = {getattr(self, name)!r} was given; a number of at least 0 is allowed")
        if self.filters != TUNED:
            check_fixed(Filters.read(self.filters), "learning")
        if self.metric is not None and metric_of(self.metric).better != "more":
            raise StudyError(f"the metric {self.metric!r} was given; one of which more is better is allowed")

    def metric_for(self, task: Task) -> str:
        """The metric that is made large on a task.

        Raises:
            StudyError: If neither the settings nor the task name one, or a round has too few texts for it.
        """
        name = self.metric or task.metric
        if name is None:
            raise StudyError(f"the task {task.name!r} has no metric of its own: name one")
        least = int(name.partition("@")[2] or 1) + 1
        if self.texts < least:
            raise StudyError(
                f"texts = {self.texts} was given; {name} needs {least} or more texts of an item, since "
                "each is left out once"
            )
        return name

    @property
    def tuning(self) -> TuneSettings:
        """The settings with which static temperature is tuned: as many texts as one run learns from."""
        metrics = () if self.metric is None else (self.metric,)
        return TuneSettings(
            template='param("T", 0.05, 3)', model=self.model, card=self.card, tasks=(self.task,), objectives=metrics,
            items=self.items, samples=self.samples, seed=self.seed,
            trials=max(1, round(self.rounds * self.texts / self.samples.get("tune", SAMPLES["tune"]))),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
