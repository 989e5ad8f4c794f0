"""A dry run, which tells what a policy lacks before a model runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from dyntemp.errors import PolicyError
from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job
from dyntemp.language.given import check_lists, numbers_at
from dyntemp.language.nodes import Const, Signal
from dyntemp.language.policy import Policy
from dyntemp.signals import divergence
from dyntemp.traces.settings import Settings
from dyntemp.traces.zones import inside_values
from dyntemp.zones.tracker import ZoneTracker


def dry_run(
    policy: Policy, settings: Settings, signals: tuple[Signal, ...] = (), functions: Collection[str] = ()
) -> None:
    """Draw one token from two equal logits, with the policy and the settings of a run, and forget it.

    Args:
        policy: The policy.
        settings: The settings.
        signals: Signals to measure beside those of the policy.
        functions: Names of `given(...)` whose numbers come from functions of the hidden state.

    Raises:
        PolicyError: For a parameter or a `given` without a value, a value outside its range, an unknown zone, or
            `divergence` without a second prompt.
        ValueError: For a setting outside its range, or one that the policy does not read.
    """
    check_contrast(policy, settings.contrast)
    check_lists(policy, settings.given)
    logits = np.zeros((1, 2), np.float32)
    tracker = ZoneTracker.of(policy.zones, settings.zones)
    job = Job(
        policies=(policy,),
        also=signals,
        draw=True,
        filters=settings.filters,
        seed=settings.seed,
        state=policy.state() if policy.remembers else None,
        requested=settings.requested,
        given={
            **numbers_at(settings.given, 0),
            **inside_values(tracker, tracker.start),
            str(divergence): 0.0,
            **_lowest(policy, functions),
        },
        parameters=settings.parameters,
    )
    backend_of(logits, settings.backend).run(logits, job)


def check_contrast(policy: Policy, contrast: Any) -> None:
    """Check that a second prompt is there exactly if the policy reads `divergence`.

    Raises:
        PolicyError: If there is none, and the policy reads `divergence`.
        ValueError: If there is one, and the policy does not.
    """
    reads = divergence in policy.signals
    if reads and contrast is None:
        raise PolicyError(
            f"`{policy}` reads `divergence`, which needs a second prompt: pass contrast= to `generate`, or "
            "--contrast to `dyntemp generate`"
        )
    if contrast is not None and not reads:
        raise ValueError(
            f"a second prompt (contrast) has no effect: `{policy}` does not read `divergence`. To record the "
            "divergence all the same, add `0*divergence` to the policy"
        )


def _lowest(policy: Policy, functions: Collection[str]) -> dict[str, float]:
    """The lowest number of each `given(...)` of these names.

    Raises:
        ValueError: For a name that the policy does not read.
    """
    found: dict[str, float] = {}
    for signal in policy.signals:
        match signal:
            case Signal("given", (str(name), Const(low), Const())) if name in functions:
                found[name] = max(low, found.get(name, low))
    if unread := [name for name in functions if name not in found]:
        raise ValueError(
            f"a function was given for {', '.join(map(repr, unread))}, and `{policy}` reads no given() of this name"
        )
    return found
