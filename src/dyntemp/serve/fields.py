"""Fields of requests: a reader and a JSON schema for each kind of value, and the record of a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from dyntemp.distribution.filters import Filters
from dyntemp.language.signals import suggestion
from dyntemp.serve.errors import ApiError, shown, wrong
from dyntemp.serve.settings import ServerSettings


class Unfit(Exception):  # noqa: N818 (the caller adds the field's name and raises the error)
    """A value that a field cannot hold; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Attributes:
        read: Turns the value of a client into the one that the server uses; raises `Unfit`.
        schema: The kind in JSON Schema.
    """

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]


Bend = Callable[[Any], tuple[Any, Sequence[str]]]
"""A value -> the value that a lenient server reads in its place, and the names inside it that the server ignores.

An empty name stands for the value itself."""


def as_it_is(value: Any) -> tuple[Any, Sequence[str]]:
    """The value itself; nothing is ignored."""
    return value, ()


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a request.

    Attributes:
        kind: The kind of its value; null means that the field is left out.
        default: Its value if it is left out.
        meaning: Its meaning, for the schema.
        bend: Replaces the value on a lenient server.
    """

    kind: Kind
    default: Any
    meaning: str
    bend: Bend = as_it_is


@dataclass(frozen=True, slots=True)
class Neutral:
    """A field of other servers that has no effect here. Only values without an effect there are accepted.

    Attributes:
        values: The accepted values.
        instead: Advice to clients that send another value.
    """

    values: tuple[Any, ...]
    instead: str


@dataclass(frozen=True, slots=True)
class RequestFields:
    """All fields of one kind of request.

    Attributes:
        fields: Fields that are read, by name.
        neutral: Fields of which only neutral values are accepted.
        unread: Fields that may hold anything, because they have no effect.
    """

    fields: Mapping[str, Field]
    neutral: Mapping[str, Neutral]
    unread: frozenset[str]

    def read(self, body: Mapping[str, Any], *, lenient: bool) -> tuple[dict[str, Any], list[str]]:
        """The value of each field, and the names of ignored fields; only a lenient server ignores any.

        Raises:
            ApiError: 400 for a field that is unknown or not supported, or for a value that it cannot hold.
        """
        values = {name: field.default for name, field in self.fields.items()}
        ignored = []
        for name, value in body.items():
            if name in self.fields:
                if value is not None:
                    field = self.fields[name]
                    bent, left_out = field.bend(value) if lenient else as_it_is(value)
                    values[name] = _read(name, field.kind, bent)
                    ignored += [f"{name}.{inner}" if inner else name for inner in left_out]
            elif fault := self._fault(name, value):
                if not lenient:
                    raise fault
                ignored.append(name)
        return values, ignored

    def _fault(self, name: str, value: Any) -> ApiError | None:
        """The error of a field that is not read, if its value has one."""
        if name in self.unread:
            return None
        if name in self.neutral:
            neutral = self.neutral[name]
            if value is None or any(type(value) is type(one) and value == one for one in neutral.values):
                return None
            text = f"`{name}` = {shown(value)} was given, which is not supported: {neutral.instead}"
            return wrong(name, text, "unsupported_value")
        known = [*self.fields, *self.neutral, *self.unread]
        return wrong(
            shown(name)[1:-1], f"unknown field `{shown(name)[1:-1]}`{suggestion(name, known)}", "unknown_field"
        )

    def schema(self) -> dict[str, Any]:
        """The fields that are read, in JSON Schema."""
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                name: {**field.kind.schema, "description": field.meaning} for name, field in self.fields.items()
            },
        }


def _read(name: str, kind: Kind, value: Any) -> Any:
    try:
        return kind.read(value)
    except Unfit as allowed:
        raise wrong(name, f"`{name}` = {shown(value)} was given; {allowed}") from None


def number(low: float, high: float = inf, *, above: bool = False) -> Kind:
    """A finite number from `low`, or above it, to `high`."""
    span = f"{'numbers above' if above else 'numbers from'} {low:g}" + ("" if high == inf else f" to {high:g}")

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unfit(f"{span} are allowed")
        try:
            found = float(value)
        except OverflowError:
            found = inf
        if not (low < found if above else low <= found) or found > high or not isfinite(found):
            raise Unfit(f"{span} are allowed")
        return found

    bounds = {"exclusiveMinimum" if above else "minimum": low} | ({} if high == inf else {"maximum": high})
    return Kind(read, {"type": "number", **bounds})


def whole(low: int, high: int) -> Kind:
    """A whole number from `low` to `high`."""

    def read(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():  # 1.0, as some languages write 1
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Unfit(f"whole numbers from {low} to {high} are allowed")
        return value

    return Kind(read, {"type": "integer", "minimum": low, "maximum": high})


def flag() -> Kind:
    """True or false."""

    def read(value: Any) -> bool:
        if not isinstance(value, bool):
            raise Unfit("true and false are allowed")
        return value

    return Kind(read, {"type": "boolean"})


def one_of(*names: str) -> Kind:
    """One of a few words."""
    allowed = " and ".join(f'"{name}"' for name in names)

    def read(value: Any) -> str:
        if value not in names:
            raise Unfit(f"{allowed} are allowed")
        return str(value)

    return Kind(read, {"enum": list(names)})


def text(most: int | None = None) -> Kind:
    """Text that can be encoded, of at most `most` characters."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise Unfit("text is allowed")
        if most is not None and len(value) > most:
            raise Unfit(f"it has {len(value)} characters, and at most {most} are allowed")
        return encodable(value)

    return Kind(read, {"type": "string"} | ({} if most is None else {"maxLength": most}))


def encodable(value: str) -> str:
    """The text itself, if it can be encoded.

    Raises:
        Unfit: If it holds a lone surrogate, half of a character that JSON writes in two.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unfit("half of a character stands in it (a lone surrogate): write whole ones") from None
    return value


def known_names(*names: str) -> Bend:
    """Ignores all other names in an object."""

    def bend(value: Any) -> tuple[Any, Sequence[str]]:
        if not isinstance(value, dict):
            return as_it_is(value)
        return {name: value[name] for name in value if name in names}, [name for name in value if name not in names]

    return bend


def at_most(most: int) -> Bend:
    """Reads a number above `most` as `most`, and a negative one too, which means no limit to other programs."""

    def bend(value: Any) -> tuple[Any, Sequence[str]]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return (most, [""]) if is_number and (value > most or value < 0) else as_it_is(value)

    return bend


def stop_texts(settings: ServerSettings) -> Kind:
    """A stop text, or a list of them."""
    one = text(settings.max_stop)

    def read(value: Any) -> list[str]:
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or len(found) > settings.max_stops:
            raise Unfit(f"a text, or a list of at most {settings.max_stops} texts, is allowed")
        found = [one.read(stop) for stop in found]
        if not all(found):
            raise Unfit("an empty text would stop everything: leave it out")
        return found

    return Kind(read, {"anyOf": [one.schema, {"type": "array", "items": one.schema, "maxItems": settings.max_stops}]})


def numbers_by_name(most: int = 100, *, lists: bool = False) -> Kind:
    """Numbers, each under a name; with `lists`, also lists of one number or more."""
    one = number(-inf)
    schema: dict[str, Any] = {"type": "number"}
    if lists:
        schema = {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}

    def read_one(value: Any) -> Any:
        return [one.read(inner) for inner in value] if lists and value and isinstance(value, list) else one.read(value)

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or len(value) > most:
            raise Unfit(f'an object of at most {most} numbers is allowed, such as {{"a": 0.5}}')
        return {encodable(name): read_one(inner) for name, inner in value.items()}

    return Kind(read, {"type": "object", "additionalProperties": schema})


def chain(most: int = 200) -> Kind:
    """A chain of filters, as `Filters.read` takes it, of at most so many characters."""
    one = text(most)

    def read(value: Any) -> Filters:
        try:
            return Filters.read(one.read(value))
        except ValueError as error:
            raise Unfit(str(error)) from None

    return Kind(read, one.schema)


def anything(description: str) -> Kind:
    """Any value; the endpoint checks it."""
    return Kind(lambda value: value, {"description": description})
