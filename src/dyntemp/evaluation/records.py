"""Results as records: from JSON objects back to the classes that they were written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")


def read_results(kind: type[Kind], data: Mapping[str, Any], version: int) -> Kind:
    """The results of a file, whose `format` is checked.

    Raises:
        ValueError: For a file of another version.
    """
    rest = dict(data)
    if (found := rest.pop("format", None)) != version:
        raise ValueError(f"these results have format {found!r}; this version reads {version}")
    return read_record(kind, rest)


def read_record(kind: type[Kind], data: Mapping[str, Any]) -> Kind:
    """A dataclass from the JSON object that `dataclasses.asdict` gave of it.

    The annotations of its fields say what is inside. A field that the object lacks keeps its default.

    >>> from dyntemp.evaluation.results import Verdict
    >>> read_record(Verdict, {"sentence": "No.", "helps": [], "groups": {}, "reasons": ["too few items"]}).reasons
    ['too few items']
    """
    hints = get_type_hints(kind)
    return kind(**{name: _read(hints.get(name, Any), value) for name, value in data.items()})


def _read(hint: Any, value: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if value is None:
        return None
    if origin in (UnionType, Union):
        (hint,) = (one for one in arguments if one is not type(None))
        return _read(hint, value)
    if is_dataclass(hint):
        return read_record(hint, value)  # type: ignore[arg-type]  # mypy takes it for an instance
    if hasattr(hint, "_fields"):  # a named tuple, which JSON has as a list
        return hint(*value)
    if origin is tuple:
        return tuple(_read(one, each) for one, each in zip(arguments, value, strict=True))
    if origin is Sequence:
        return [_read(arguments[0], one) for one in value]
    if origin is Mapping:
        return {name: _read(arguments[1], one) for name, one in value.items()}
    return value
