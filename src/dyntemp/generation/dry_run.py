"""A dry run, which tells what a policy lacks before a model runs."""

from __future__ import annotations

import numpy as np

from dyntemp.kernels import backend_of
from dyntemp.kernels.job import Job
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.traces.settings import Settings
from dyntemp.zones.tracker import ZoneTracker


def dry_run(policy: Policy, settings: Settings, signals: tuple[Signal, ...] = ()) -> None:
    """Draw one token from two equal logits, with the policy and the settings of a run, and forget it.

    Raises:
        PolicyError: For a parameter or a `given` without a value, a value outside its range, or an unknown zone.
        ValueError: For a setting outside its range.
    """
    logits = np.zeros((1, 2), np.float32)
    zones = ZoneTracker.of(policy.zones, settings.zones).names
    job = Job(
        policies=(policy,),
        also=signals,
        draw=True,
        filters=settings.filters,
        seed=settings.seed,
        state=policy.state() if policy.remembers else None,
        requested=settings.requested,
        given={**settings.given, **{str(Signal("inside", (name,))): 0.0 for name in zones}},
        parameters=settings.parameters,
    )
    backend_of(logits, settings.backend).run(logits, job)
