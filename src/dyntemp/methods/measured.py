"""Figures and a recorded text of each method, from one run on the bundled model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("measured.jsonl")
"""A line on the run, then a line for each method; `docs/measure_methods.py` writes it."""


class Figures(NamedTuple):
    """Figures over all tokens of one method's texts.

    Attributes:
        tokens: Number of tokens.
        mean: Mean temperature.
        spread: Standard deviation of the temperature.
        low: Lowest temperature.
        high: Highest temperature.
        entropy: Mean entropy of the rows at T = 1, in nats.
        changed: Mean total variation between the draw and the draw at T = 1: the share of the tokens that differ
            between two draws from the same row, coupled so that they agree as often as possible.
    """

    tokens: int
    mean: float
    spread: float
    low: float
    high: float
    entropy: float
    changed: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The line of one method.

    Attributes:
        policy: The policy that was run.
        reason: The reason why there are no figures, else None.
        figures: The figures, else None.
        text: The text that each token of the first answer adds.
        temperatures: The temperature of each of them.
    """

    policy: str
    reason: str | None
    figures: Figures | None
    text: tuple[str, ...]
    temperatures: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """The run that measured: the model, the machine, the versions, the commits, the seed and the prompts."""

    model: str
    machine: str
    versions: Mapping[str, str]
    commits: tuple[str, ...]
    seed: int
    tokens: int
    prompts: tuple[str, ...]


@cache
def read() -> tuple[Run, dict[str, Measured]]:
    """The run, and its line for each method by name."""
    head, *lines = (json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines())
    run = Run(**{**head, "commits": tuple(head["commits"]), "prompts": tuple(head["prompts"])})
    return run, {line["method"]: _measured(line) for line in lines}


def _measured(line: Mapping[str, Any]) -> Measured:
    figures = Figures(*(line[name] for name in Figures._fields)) if "tokens" in line else None
    return Measured(
        line["policy"], line.get("reason"), figures, tuple(line.get("text", ())), tuple(line.get("temperatures", ()))
    )
