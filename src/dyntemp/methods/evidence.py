"""The outcome of each method in the committed study of all methods, task by task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("evidence.json")
"""Written by `python evidence/evaluation/tables.py` from the results of the study."""


class Finding(NamedTuple):
    """A method's best setting on one task, less the static temperature, or the control, that it did worst against.

    Attributes:
        task: Name of the task.
        group: The use that it stands for.
        metric: Name of the metric.
        split: `test` for a finalist, less the control that it did worst against; else `val`, less the better one of the
            static temperature and the static temperature behind min-p, tuned with the same budget.
        policy: The policy with the parameters that were chosen on tune.
        filters: Its filters.
        mean: Its mean.
        against: Name of the control.
        difference: The mean over items of the method's value less the control's.
        low: Lower end of the 95 % interval of the difference.
        high: Its upper end.
    """

    task: str
    group: str
    metric: str
    split: str
    policy: str
    filters: str
    mean: float
    against: str
    difference: float
    low: float
    high: float


class Evidence(NamedTuple):
    """The study, and what it found.

    Attributes:
        sentence: Its verdict.
        model: The model.
        date: The date, year first.
        study: Its digest, hexadecimal.
        findings: By method: its findings, one for each task.
        without: By method: the reason why it was not run.
    """

    sentence: str
    model: str
    date: str
    study: str
    findings: Mapping[str, tuple[Finding, ...]]
    without: Mapping[str, str]


@cache
def read() -> Evidence:
    """The evidence that the package ships."""
    data: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    findings = {method: tuple(Finding(**one) for one in found) for method, found in data["findings"].items()}
    return Evidence(**{**data, "findings": findings})
