"""Checks that rows were divided by their policies' temperatures, and random rows for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dyntemp.errors import EngineError, PolicyError
from dyntemp.sampling import PolicyLike, temperatures
from dyntemp.testing.fake_host import Asked, FakeHost, Row

TOLERANCE = 2e-5
"""Largest relative error of a temperature: 5e-6 from signals of float32 rows, the rest from scaled float32 rows."""


def some_rows(count: int, n: int, seed: int = 0) -> Any:
    """Rows of many kinds, float32 [count, n]: flat, peaked, with few and with many candidates."""
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.5, 6, (count, 1))
    rows = rng.normal(0, 1, (count, n)) * spread + rng.normal(0, 5, (count, 1))
    lead = rng.integers(0, n, count)
    rows[np.arange(count), lead] += rng.exponential(8, count)
    return rows.astype(np.float32)


def check(given: Mapping[int, Row], found: Mapping[int, Row], policies: Mapping[int, PolicyLike]) -> None:
    """Check that each row was divided by the temperature of its policy."""
    for request, row in given.items():
        check_row(row, found[request], float(temperatures(row, policies[request], backend="reference")))


def check_row(row: Row, found: Row, temperature: float) -> None:
    """Check that `found` is the row divided by the temperature, up to a constant."""
    kept = row > np.finfo(np.float32).min / 2
    z, s = row[kept].astype(np.float64), found[kept].astype(np.float64)
    order = np.argsort(z)[[0, -1]]
    implied = np.diff(z[order])[0] / np.diff(s[order])[0]
    assert abs(implied / temperature - 1) < TOLERANCE, f"T = {implied}, and {temperature} was expected"
    centred = (s - s.max()) - (z - z.max()) / temperature
    assert np.all(np.abs(centred) <= 2 * TOLERANCE * np.maximum(1.0, np.abs(z - z.max()) / temperature))


def refuses(host: FakeHost, policy: str, reason: str = "") -> None:
    """Check that a request with this policy is refused, and that the message says why."""
    said = None
    try:
        host.begin([Asked(policy)])
    except (EngineError, PolicyError) as error:
        said = str(error)
    assert said is not None, f"`{policy}` was not refused"
    assert reason in said, f"{reason!r} is not in {said!r}"
