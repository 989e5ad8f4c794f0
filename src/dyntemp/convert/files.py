"""Settings in a file, or from standard input: JSON or YAML."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dyntemp.convert.curve import ConversionError

STANDARD_INPUT = "-"


def load(path: str) -> dict[str, Any]:
    """The settings in the file `path`, or from standard input where that is "-".

    A file with the ending .yaml or .yml is YAML, any other is JSON. Standard input is JSON if it begins with a brace,
    else YAML. A byte order mark is skipped. YAML is read like the presets of text-generation-webui, with PyYAML's
    `safe_load`. That is YAML 1.1: `yes` and `on` are true; 1e-3 is text, and 1.0e-3 a number.

    Raises:
        ConversionError: If the file holds no settings, or one of them twice.
        OSError: If the file cannot be read.
    """
    source = "standard input" if path == STANDARD_INPUT else path
    try:
        text = (sys.stdin.buffer.read() if path == STANDARD_INPUT else Path(path).read_bytes()).decode("utf-8-sig")
        in_braces = text.lstrip().startswith(("{", "["))
        is_yaml = not in_braces if path == STANDARD_INPUT else path.lower().endswith((".yaml", ".yml"))
        found = _yaml(text) if is_yaml else json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{source}: {error}") from None
    if not isinstance(found, dict):
        raise ConversionError(
            f"{source} holds no settings: a JSON object, or YAML of the form `name: value`, is read, with fields such "
            "as temperature"
        )
    return found


def _object(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: If it has a name twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"`{name}` was given twice; leave one of them out")
        found[name] = value
    return found


def _yaml(text: str) -> Any:
    """The value of a YAML document.

    Raises:
        ValueError: If the text is no YAML, or has a name twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # Any to a type checker
        """PyYAML's safe loader, except that it refuses names that are given twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            _object((name.value, value) for name, value in node.value if isinstance(name, yaml.ScalarNode))
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)  # noqa: S506  # a safe loader
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
