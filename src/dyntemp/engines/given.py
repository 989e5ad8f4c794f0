"""The numbers that policies read by `given("name", low, high)`, for the rows of one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dyntemp.engines.arrays import beside, on_host
from dyntemp.engines.row_settings import RowSettings
from dyntemp.language.given import number_at


def at_positions(given: Mapping[str, Any] | None, position: Any) -> dict[str, Any]:
    """The numbers at the rows' positions, by name: each list becomes [rows] numbers, and other values stay.

    Args:
        given: The values, by name.
        position: Number of tokens generated before each row, an integer, or an array or a tensor [rows].
    """
    return {
        name: beside(np.asarray(value, np.float64), position)[position % len(value)]
        if isinstance(value, list | tuple)
        else value
        for name, value in (given or {}).items()
    }


def by_row(shared: Mapping[str, Any], rows: RowSettings) -> dict[str, Any]:
    """`shared`, with the values of the requests' own in their rows; 0 in rows that nobody gave a number."""
    found = dict(shared)
    for name in set().union(*rows.given):
        column = np.array(np.broadcast_to(on_host(shared.get(name, 0.0)), len(rows.slots)), np.float64)
        for row, (own, position) in enumerate(zip(rows.given, rows.position.tolist(), strict=True)):
            if name in own:
                column[row] = number_at(own[name], position)
        found[name] = column
    return found
