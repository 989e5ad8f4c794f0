"""The quantities that a text can be coloured by: the value of each token, and the scale of the colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log10

from dyntemp.errors import PolicyError, TraceError
from dyntemp.language.interval import Interval
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS, suggestion
from dyntemp.show.colour import WIDEST, Scale
from dyntemp.show.words import decimals, rounded
from dyntemp.traces.token import Token

SHARES = {"probability", "share"}
"""Units whose values, and so their scales, go from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number that every token of a trace has.

    Attributes:
        name: Its name in commands.
        title: Its name on a page.
        unit: Its unit; may be empty.
        value: Returns the value of a token; None if the record lacks it.
    """

    name: str
    title: str
    unit: str
    value: Callable[[Token], float | None]

    def scale(self, tokens: Iterable[Token], bounds: Interval = WIDEST) -> Scale:
        """The scale of the colours: `bounds` for temperatures, 0 to 1 for shares, else 0 to the largest value."""
        if self.name == "temperature":
            return Scale.of(bounds)
        if self.unit in SHARES:
            return Scale(0.0, 1.0, diverging=False)
        found = [value for token in tokens if (value := self.value(token)) is not None and isfinite(value)]
        return Scale(0.0, _above(max(found, default=1.0)), diverging=False)


RECORDED: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("temperature", "temperature", "", lambda token: token.temperature),
        Quantity("entropy_after", "entropy of the draw", "nats", lambda token: token.entropy_after),
        Quantity("surprisal", "surprisal", "nats", lambda token: token.surprisal),
        Quantity("surprisal_after", "surprisal in the draw", "nats", lambda token: token.surprisal_after),
        Quantity("probability", "probability", "probability", lambda token: token.probability),
        Quantity("probability_after", "probability in the draw", "probability", lambda token: token.probability_after),
        Quantity("candidates", "candidates left", "tokens", lambda token: float(token.candidates)),
    )
}
"""The quantities of every trace, by name; signals come beside these."""


def quantities(tokens: Sequence[Token]) -> dict[str, Quantity]:
    """The quantities of these tokens by name: those of every trace, and each recorded signal."""
    names = dict.fromkeys(name for token in tokens for name in token.signals)
    return {**RECORDED, **{name: _signal(name) for name in names if name not in RECORDED}}


def quantity(name: str, tokens: Sequence[Token]) -> Quantity:
    """The quantity `name` of these tokens.

    Raises:
        TraceError: If there is no such quantity; the message lists those there are.
    """
    known = quantities(tokens)
    if name in known:
        return known[name]
    raise TraceError(f"this trace holds no `{name}`{suggestion(name, known) or '.'} It holds {', '.join(known)}")


def reach(policy: str) -> Interval:
    """The bounds of a trace's policy, as (low, high); 0 to 2 for a policy that this version cannot read."""
    try:
        return Policy(policy).bounds()
    except PolicyError:
        return WIDEST


def short(value: float) -> str:
    """A value in few characters, to stand below a token: .42, 1.30, 12, ∞.

    >>> [short(value) for value in (0.418, 1.3, 12.4, 0.0)]
    ['.42', '1.30', '12', '0']
    """
    if not isfinite(value):
        return "∞" if value > 0 else "-∞"
    sign, size = "-" if value < 0 else "", abs(value)
    if size < 0.005:
        return "0"
    if size >= 1e5:
        return f"{sign}{size:.0e}".replace("e+0", "e").replace("e+", "e")
    whole, _, places = f"{floor(size * 100 + 0.5) / 100:.2f}".partition(".")
    if len(whole) > 1:
        return f"{sign}{floor(size + 0.5)}"
    return f"{sign}{whole if whole != '0' else ''}.{places}"


def figure(value: float) -> str:
    """A value with three digits: 0.307, 12.4, 48,900, 1.2e-05, inf."""
    if value in (inf, -inf):
        return "inf" if value > 0 else "-inf"
    sign, size = "-" if value < 0 else "", abs(value)
    if 0 < size < 0.001 or size >= 1e9:
        return f"{sign}{size:.1e}"
    shown = rounded(size, decimals(size, 3))
    return sign + (f"{int(shown):,}" if shown.isdigit() else shown)


def _signal(name: str) -> Quantity:
    record = SIGNALS.get(name.partition("(")[0])
    return Quantity(name, name, record.unit if record else "", lambda token: token.signals.get(name))


def _above(value: float) -> float:
    """A value rounded up to a multiple of half a power of ten; at least 0.5."""
    value = max(value, 0.5)
    step = 10 ** floor(log10(value)) / 2
    return ceil(value / step - 1e-9) * step
