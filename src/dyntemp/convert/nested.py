"""Settings inside of something larger: a server's answer, a request with an envelope, an export of several presets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Path = tuple[str, ...]


def unwrapped(settings: Mapping[str, Any], paths: tuple[Path, ...]) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """The settings at the first of `paths` that there is, the fields around them, and that path.

    Where there is none, these are the settings as they are, nothing, and an empty path.

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
    """A number that a program holds in float32, as the decimals that it was given.

    llama-server answers 0.800000011920929 for 0.8, which is the same number to it.

    >>> as_written(0.800000011920929), as_written(0.5), as_written(0.8)
    (0.8, 0.5, 0.8)
    """
    if isinstance(value, float) and abs(value) <= np.finfo(np.float32).max and float(np.float32(value)) == value:
        return float(str(np.float32(value)))
    return value
