"""The first line of a trace: the model, the policy, the seed, the prompts and the settings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a trace: what is needed to run it again.

    Attributes:
        model: Name of the model.
        policy: Text of the policy.
        policy_name: Its name, if it has one.
        seed: The seed of every draw.
        prompts: The prompts as given: text, or conversations.
        settings: Filters, limits and the backend that ran.
        versions: Of dyntemp, Python and what took part.
        started: When, in ISO 8601 with the offset from UTC.
    """

    model: str
    policy: str
    policy_name: str | None
    seed: int
    prompts: list[Any]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    started: str


KINDS = {"model": str, "policy": str, "policy_name": str | None, "seed": int, "prompts": list, "settings": dict,
         "versions": dict, "started": str}  # fmt: skip
"""What JSON has for each field of a header."""
