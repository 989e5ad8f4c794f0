"""The summary of a cell: values of metrics for each item, and the temperatures of its tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.controls import Samples
from dyntemp.evaluation.metrics import HOTTEST, METRICS, metric_of
from dyntemp.evaluation.results import ArmResult
from dyntemp.evaluation.task import Split, Task

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

POINTS = 200
"""Tokens of an arm whose signals are kept, for plots."""

BYTES = 1000
"""The bytes of an item's texts that `compression` takes."""

MOST = 8
"""The number k of `pass@k`, `distinct@k` and `maj@k` beside the task's own metric, where there are as many samples."""


def summarised(task: Task, split: Split, arm: Arm, samples: Samples) -> ArmResult:
    """The result of an arm whose samples are these, by item."""
    count = len(samples[0])
    texts = list(chain.from_iterable(samples))
    temperatures = np.concatenate([np.asarray(one.temperature, np.float64) for one in texts])
    finite = np.minimum(temperatures, HOTTEST)
    some = temperatures.size > 0
    return _result(
        task, split, arm,
        exact=False,
        values={name: [metric_of(name).of(one) for one in samples] for name in metrics(task, count)},
        texts=len(texts),
        tokens=sum(one.tokens for one in texts),
        temperatures=np.quantile(finite, QUANTILES).tolist() if some else (),
        temperature=float(finite.mean()) if some else None,
        spread=float(finite.std()) if some else None,
        points=_points(arm, samples),
    )  # fmt: skip


def computed(task: Task, split: Split, arm: Arm, values: Mapping[str, Sequence[float | None]]) -> ArmResult:
    """The result of an arm whose values were computed without sampling."""
    return _result(task, split, arm, exact=True, values=values, texts=0, tokens=0, temperatures=(), temperature=None,
                   spread=None, points=())  # fmt: skip


def _result(task: Task, split: Split, arm: Arm, **rest: object) -> ArmResult:
    return ArmResult(
        task=task.name,
        split=split,
        name=arm.name,
        family=arm.family,
        control=arm.control,
        of=arm.of,
        policy=str(arm.policy),
        filters=str(arm.filters),
        **rest,  # type: ignore[arg-type]
    )


def metrics(task: Task, samples: int) -> tuple[str, ...]:
    """The names of the metrics of a task with so many samples for each item; its own comes first."""
    k = min(MOST, samples)
    correct = ("accuracy", "validity", f"pass@{k}", f"distinct@{k}", f"maj@{k}")
    any_text = (name for name in METRICS if "@" not in name and name not in correct)
    own = () if task.metric is None else (task.metric, *correct)
    return tuple(dict.fromkeys((*own, *any_text, f"compression@{BYTES}")))


def _points(arm: Arm, samples: Samples) -> list[list[float]]:
    """Entropy, largest probability and temperature of some tokens, the same for equal samples."""
    texts = [one for of_item in samples for one in of_item]
    points = [
        [entropy, likeliest, min(temperature, HOTTEST)]
        for one in texts
        for entropy, likeliest, temperature in zip(one.entropy, one.max_prob, one.temperature, strict=False)
    ]
    if len(points) <= POINTS:
        return points
    seed = int.from_bytes(hashlib.sha256(arm.digest.encode()).digest()[:8])
    return [points[at] for at in sorted(np.random.default_rng(seed).choice(len(points), POINTS, replace=False))]
