"""Settings inside a larger object: a server's answer, a request with an envelope, an export of several presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Keys = tuple[str, ...]
"""The names that lead to the settings, from the outside in."""


def unwrapped(settings: Mapping[str, Any], paths: tuple[Keys, ...]) -> tuple[dict[str, Any], dict[str, Any], Keys]:
    """The settings at the first of `paths` that exists, the fields around them, and that path.

    If none exists, the result is the settings themselves, no fields, and an empty path.

    >>> unwrapped({"params": {"temperature": 0.7}, "id": 0}, (("params",),))
    ({'temperature': 0.7}, {'id': 0}, ('params',))
    """
    for path in paths:
        inside: Any = settings
        around: dict[str, Any] = {}
        for name in path:
            if not isinstance(inside, Mapping) or not isinstance(inside.get(name), Mapping):
                break
            around |= {other: value for other, value in inside.items() if other != name}
            inside = inside[name]
        else:
            return dict(inside), around, path
    return dict(settings), {}, ()


def as_written(value: Any) -> Any:
    """The shortest decimals of a float32 number.

    llama-server holds numbers in float32, and answers 0.800000011920929 for 0.8.

    >>> as_written(0.800000011920929), as_written(0.5), as_written(0.8)
    (0.8, 0.5, 0.8)
    """
    if isinstance(value, float) and abs(value) <= np.finfo(np.float32).max and float(np.float32(value)) == value:
        return float(str(np.float32(value)))
    return value
