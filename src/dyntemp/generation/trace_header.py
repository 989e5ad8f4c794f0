"""The header of a trace that begins now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dyntemp.language.policy import Policy
from dyntemp.models import Model, full_bytes
from dyntemp.models.versions import versions
from dyntemp.traces.header import Header
from dyntemp.traces.settings import TRACED, Settings


def header_of(
    model: Model, policy: Policy, prompts: list[Any], tokens: Sequence[Sequence[int]], settings: Settings,
    names: Sequence[str] = TRACED,
) -> Header:  # fmt: skip
    """The header of a trace that begins now.

    Args:
        model: The model, in whose thread this runs.
        policy: The policy.
        prompts: The prompts as given.
        tokens: The tokens of each prompt.
        settings: The settings of the run.
        names: The settings that the header holds, in their order.
    """
    return Header(
        model=model.name,
        policy=str(policy),
        policy_name=policy.name,
        seed=settings.seed,
        prompts=prompts,
        settings=settings.to_json(names),
        versions=versions(),
        rendered=[full_bytes(model, one).decode(errors="replace") for one in tokens],
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
    )
