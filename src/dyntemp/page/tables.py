"""The policy language as data: what the page's JavaScript is told of signals, functions, limits and refusals."""

from __future__ import annotations

from typing import Any

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.histogram import LAST, WIDTH
from dyntemp.distribution.noise import Purpose
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.grammar import LEVELS, MAX_DIGITS, MAX_LENGTH, MAX_NESTING, OUTSIDE, REFUSED
from dyntemp.language.nodes import MAX_DEPTH, MAX_SIZE
from dyntemp.language.signals import MAX_DIVERGENCE, MAX_POSITION, MAX_REQUESTED, MAX_SUPPORT, MAX_SURPRISAL, SIGNALS
from dyntemp.zones.known import BOUNDARIES, KNOWN


def table() -> dict[str, Any]:
    """All of the language that is a table in Python, ready for JSON.

    >>> table()["functions"][0]["name"], table()["limits"]["depth"]
    ('exp', 100)
    """
    return {
        "signals": [
            {
                "name": record.name,
                "arguments": list(record.arguments),
                "spelling": record.spelling,
                "meaning": record.meaning,
                "formula": record.formula,
                "unit": record.unit,
                "range": record.range,
                "source": record.source,
            }
            for record in SIGNALS.values()
        ],
        "functions": [
            {
                "name": record.name,
                "arguments": list(record.arguments),
                "spelling": f"{record.name}({', '.join(record.arguments)})",
                "meaning": record.meaning,
                "remembers": record.remembers,
            }
            for record in FUNCTIONS.values()
        ],
        "zones": {
            "known": [
                {"name": zone.name, "meaning": zone.meaning, "pairs": list(zone.pairs.items()), "ends": zone.ends}
                for zone in KNOWN.values()
            ],
            "boundaries": BOUNDARIES,
        },
        "limits": {
            "length": MAX_LENGTH,
            "nesting": MAX_NESTING,
            "digits": MAX_DIGITS,
            "depth": MAX_DEPTH,
            "size": MAX_SIZE,
            "support": MAX_SUPPORT,
            "position": MAX_POSITION,
            "surprisal": MAX_SURPRISAL,
            "divergence": MAX_DIVERGENCE,
            "requested": MAX_REQUESTED,
            "greedyAt": GREEDY_AT,
        },
        "bins": {"width": WIDTH, "last": LAST},
        "purposes": {purpose.name.lower(): purpose.value for purpose in Purpose},
        "levels": [level.split() for level in LEVELS],
        "refusals": dict(REFUSED),
        "instead": dict(OUTSIDE),
    }
