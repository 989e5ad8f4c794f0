"""The record of a token: its temperature, its signals, its probabilities, the likeliest candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import isfinite, isnan
from typing import Any

import numpy as np

from dyntemp.distribution.draw_curve import TEMPERATURES
from dyntemp.distribution.histogram import Bin


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of the likeliest tokens of a row.

    Attributes:
        token: Its number.
        text: How to show it.
        probability: Its probability at temperature 1, before any filter.
        probability_after: Its probability in the draw: filtered, at the row's temperature; 0 where it was dropped.
    """

    token: int
    text: str
    probability: float
    probability_after: float


@dataclass(frozen=True, slots=True)
class Token:
    """One token and how it came about. "After" means in the draw: filtered, at the row's temperature.

    Attributes:
        request: Number of its prompt, from 0.
        position: Number of tokens generated before it.
        token: Its number in the vocabulary.
        text: The text that it completes; empty for control tokens, and as long as bytes of its character are missing.
        bytes: Its own bytes; empty for control tokens.
        name: The name of a token without bytes, such as `<|im_end|>`; else empty.
        temperature: The temperature that it was drawn at; 0 is greedy, infinity uniform.
        signals: What was measured, by name, before any filter or temperature.
        probability: Its probability at temperature 1.
        probability_after: Its probability in the draw.
        surprisal: -ln of `probability`, nats.
        entropy_after: Entropy of the draw, nats.
        surprisal_after: -ln of `probability_after`, nats. `surprisal_after - entropy_after` is the derivative of
            ln probability_after with respect to ln T.
        candidates: How many tokens the filters left.
        alternatives: The likeliest tokens, by probability at temperature 1.
        rest: What the filters left beside the alternatives, where there are any; see `dyntemp.distribution.histogram`.
        dropped: Places among `alternatives` that the filters dropped, where they kept less likely tokens. Without any,
            the filters left the `candidates` likeliest.
        origin: How it came: `drawn`; `forced` by the caller; `kept` from the run that this one follows, or `parted`
            where it had to differ from that one.
        finish: `end` (the model ended the text), `stop` (a stop text appeared) or `length` on the last token of a
            request, else None.
        curve: The curve of its draw where the request asked for it: the value, then the 49 totals, of
            `dyntemp.distribution.draw_curve.DrawCurves`. Numbers of float32.
    """

    request: int
    position: int
    token: int
    text: str
    bytes: bytes
    temperature: float
    signals: Mapping[str, float]
    probability: float
    probability_after: float
    surprisal: float
    entropy_after: float
    surprisal_after: float
    candidates: int
    alternatives: tuple[Alternative, ...]
    rest: tuple[Bin, ...] = ()
    origin: str = "drawn"
    finish: str | None = None
    name: str = ""
    dropped: tuple[int, ...] = ()
    curve: tuple[float, ...] = ()

    @property
    def left(self) -> tuple[bool, ...]:
        """Of each alternative, whether the filters left it."""
        places = range(len(self.alternatives))
        return tuple(at not in self.dropped if self.dropped else at < self.candidates for at in places)

    def to_json(self) -> dict[str, Any]:
        """A JSON object: bytes in hexadecimal, infinities as text; without what is empty in nearly every record."""
        found = (asdict(self) | {"curve": [float(str(np.float32(value))) for value in self.curve]}).items()
        return {name: plain(value) for name, value in found if name not in LEFT_OUT or value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Token:
        """The token that `to_json` wrote.

        Raises:
            ValueError: If a field is missing, unknown or of the wrong kind.
        """
        data = {"rest": (), "origin": ORIGINS[0], **LEFT_OUT, **data}
        wanted = {entry.name for entry in fields(cls)}
        if unlike := set(data) ^ wanted:
            raise ValueError(f"fields missing or unknown: {', '.join(sorted(unlike))}")
        for name, allowed in (("finish", FINISHES), ("origin", ORIGINS)):
            if data[name] not in allowed:
                raise ValueError(f"{name} is {data[name]!r}; {allowed} are allowed")
        numbers = {name: _number(data[name]) for name in FLOATS}
        chances = [numbers["probability"], numbers["probability_after"]]
        chances += [_number(a[name]) for a in data["alternatives"] for name in ("probability", "probability_after")]
        if not all(0 <= chance <= 1 + ROUNDED for chance in chances):
            raise ValueError("a probability outside 0 to 1")
        signals = {str(name): _number(value) for name, value in data["signals"].items()}
        if "entropy" not in signals or numbers["temperature"] < 0:
            raise ValueError("it lacks the signal `entropy`, or has a negative temperature")
        return cls(
            request=_count(data["request"]),
            position=_count(data["position"]),
            token=_count(data["token"]),
            candidates=_count(data["candidates"]),
            **numbers,
            text=_text(data["text"]),
            bytes=bytes.fromhex(data["bytes"]),
            signals=signals,
            alternatives=tuple(
                Alternative(
                    _count(a["token"]), _text(a["text"]), _number(a["probability"]), _number(a["probability_after"])
                )
                for a in data["alternatives"]
            ),
            rest=tuple((_count(entries), _number(mass)) for entries, mass in data["rest"]),
            origin=data["origin"],
            finish=data["finish"],
            name=_text(data["name"]),
            dropped=tuple(_count(place) for place in data["dropped"]),
            curve=_curve(data["curve"]),
        )


CURVE = 1 + len(TEMPERATURES)
"""Numbers of the curve of a draw."""

ROUNDED = 1e-6
"""How far above 1 a probability may come out, since it is a quotient of rounded numbers."""

LEFT_OUT: dict[str, Any] = {"dropped": (), "name": "", "curve": ()}
"""Fields that a file leaves out where they are empty."""

FINISHES = (None, "end", "stop", "length")
ORIGINS = ("drawn", "forced", "kept", "parted")
FLOATS = ("temperature", "probability", "probability_after", "surprisal", "entropy_after", "surprisal_after")


def plain(value: Any) -> Any:
    """`value` as JSON has it: bytes in hexadecimal, infinities as text."""
    match value:
        case bytes():
            return value.hex()
        case float() if not isfinite(value):
            return str(value)
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or isnan(number := float(value)):
        raise ValueError(f"{value!r} among its numbers")
    return number


def _curve(numbers: Any) -> tuple[float, ...]:
    """The curve of a draw, as float32 holds it."""
    if numbers and len(numbers) != CURVE:
        raise ValueError(f"{len(numbers)} numbers of a curve where {CURVE} are expected, or none")
    return tuple(float(np.float32(_number(value))) for value in numbers)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} where a whole number from 0 is expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} where text is expected")  # noqa: TRY004 (a fault of the file, not of a caller)
    return value
