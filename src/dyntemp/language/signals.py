"""The signals of the policy language: measures of how sure the model is of one row of logits.

Natural logarithms throughout; p is the softmax of the row at temperature 1 over its support, the unmasked entries.
Every signal is unchanged when a constant is added to the row and when masked entries are added or removed. One
record each: parser, bounds, the command's help and the tests are driven by this table, and a backend that lacks a
measured signal fails a test.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, inf, log
from typing import Any, Literal

from dyntemp.errors import PolicyError
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.interval import Interval, widened
from dyntemp.language.nodes import Call, Const, Node, Signal, lift, walk

MAX_SUPPORT = 2**20
"""Largest support for which bounds hold when no vocabulary is named; longer rows are an error."""

ANY_SUPPORT = Interval(1.0, float(MAX_SUPPORT))
"""Every support that a row may have."""

MAX_POSITION = 2**32 - 1
"""Largest position: the noise counts positions in 32 bits."""

MAX_REQUESTED = 3.4e38
"""Largest temperature that a host may ask for: what float32 can hold."""

MAX_SURPRISAL = 50.0
"""Largest value of `surprisal`, in nats: rarer tokens count as drawn with probability exp(-50)."""

MAX_DIVERGENCE = 50.0
"""Largest value of `divergence`, in nats."""


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """One signal of the language.

    Attributes:
        name: As it is written in a policy.
        arguments: Names of its arguments, if any.
        meaning: One sentence.
        formula: How it is computed from p.
        unit: What its numbers count.
        range: Its range in words, for people; `bounds` is the exact one.
        source: What has to be known to compute it: `moments` (sums over one pass of the row), `order` (a selection
            among the probabilities), `solve` (an equation per row), `run` (supplied by the loop that runs the request,
            and kept in its records), or `context` (supplied by the caller, and not kept).
        bounds: Its range, given the interval of the support and the arguments.
    """

    name: str
    arguments: tuple[str, ...]
    meaning: str
    formula: str
    unit: str
    range: str
    source: Literal["moments", "order", "solve", "run", "context"]
    bounds: Callable[..., Interval] = field(repr=False)

    @property
    def spelling(self) -> str:
        """How a policy names it, with its arguments."""
        return f"{self.name}({', '.join(self.arguments)})" if self.arguments else self.name

    @property
    def measured(self) -> bool:
        """True if a backend computes it from the row's probabilities."""
        return self.source in ("moments", "order", "solve")


def _entropy_bounds(support: Interval) -> Interval:
    return Interval(0.0, widened(Interval(0.0, log(support.high))).high)  # the uniform row has the most


def _normalized_entropy_bounds(support: Interval) -> Interval:
    return Interval(0.0, 0.0 if support.high == 1 else 1.0)


def _varentropy_bounds(support: Interval) -> Interval:
    """The largest variance of -ln p over n outcomes is below ln(n - 1)^2/4 + 1 (Reeb and Wolf, arXiv:1304.0036)."""
    return Interval(0.0, 0.0 if support.high < 2 else log(support.high - 1) ** 2 / 4 + 1)


def _quantile_bounds(support: Interval, q: Const) -> Interval:
    """At least n - k entries are as large as the k-th smallest, and they sum to at most 1."""
    if support.low == 1:
        return Interval(0.0, 1.0)
    if q.value == 0.0:
        return Interval(0.0, 1.0 / support.low)
    n = support.low  # the bound falls as n grows
    return Interval(0.0, widened(Interval(0.0, 1.0 / max(n - ceil(q.value * (n - 1)), 1.0))).high)


def _top_mass_bounds(support: Interval, k: Const) -> Interval:
    return Interval(min(k.value, support.high) / support.high, 1.0)


def _at_least_uniform(support: Interval) -> Interval:
    return Interval(1.0 / support.high, 1.0)


def _margin_bounds(support: Interval) -> Interval:
    return Interval(1.0 if support.high == 1 else 0.0, 1.0)


SIGNALS: dict[str, SignalRecord] = {
    record.name: record
    for record in (
        SignalRecord("max_prob", (), "probability of the likeliest token", "max p", "probability", "(0, 1]",
                     "moments", _at_least_uniform),
        SignalRecord("entropy", (), "how spread out the distribution is", "-sum p ln p", "nats", "[0, ln support]",
                     "moments", _entropy_bounds),
        SignalRecord("normalized_entropy", (), "entropy as a share of the largest possible; 0 when support is 1",
                     "entropy / ln support", "share", "[0, 1]", "moments", _normalized_entropy_bounds),
        SignalRecord("perplexity", (), "number of equally likely tokens with the same entropy", "exp(entropy)",
                     "tokens", "[1, support]", "moments",
                     lambda support: Interval(1.0, widened(support).high if support.high > 1 else 1.0)),
        SignalRecord("quantile", ("q",), "quantile of the probabilities, linearly interpolated",
                     "x with a share q of p at or below it", "probability", "[0, 1]", "order", _quantile_bounds),
        SignalRecord("median_prob", (), "median of the probabilities", "quantile(0.5)", "probability", "[0, 1]",
                     "order", lambda support: _quantile_bounds(support, Const(0.5))),
        SignalRecord("margin", (), "lead of the likeliest token over the second", "largest p - second largest p",
                     "probability", "[0, 1]", "order", _margin_bounds),
        SignalRecord("collision", (), "chance that two draws agree", "sum p^2", "probability", "(0, 1]", "moments",
                     _at_least_uniform),
        SignalRecord("varentropy", (), "how much the surprise of a draw varies", "sum p (ln p + entropy)^2", "nats^2",
                     ">= 0", "moments", _varentropy_bounds),
        SignalRecord("top_mass", ("k",), "probability of the k likeliest tokens together", "sum of the k largest p",
                     "probability", "(0, 1]", "order", _top_mass_bounds),
        SignalRecord("support", (), "number of unmasked entries", "n", "tokens", ">= 1", "moments",
                     lambda support: support),
        SignalRecord("temperature_for_entropy", ("h",), "the temperature at which this row's entropy is h, as far as "
                     "one exists", "T with entropy(softmax(z/T)) = h", "temperature", "[0, inf]", "solve",
                     lambda support, h: Interval(0.0, inf)),
        SignalRecord("entries", (), "number of entries of the row, masked ones too, as programs count that keep what "
                     "they filter out", "length of the row", "tokens", ">= support", "run",
                     lambda support: Interval(support.low, float(MAX_SUPPORT))),
        SignalRecord("inside", ('"zone"',), "1 if the text so far ends inside a zone, such as think or code; else 0",
                     "1 or 0", "-", "0 or 1", "run", lambda support, zone: Interval(0.0, 1.0)),
        SignalRecord("divergence", (), "how much the prompt matters for this token: the divergence of the row of a "
                     "second prompt from this row", "KL(p || p of the second prompt)", "nats", "[0, 50]", "run",
                     lambda support: Interval(0.0, MAX_DIVERGENCE)),
        SignalRecord("position", (), "number of tokens generated so far", "t", "tokens", ">= 0", "context",
                     lambda support: Interval(0.0, float(MAX_POSITION))),
        SignalRecord("surprisal", (), "surprise of the token drawn just before, at temperature 1; at the first token "
                     "the row's entropy", "-ln p of the previous token", "nats", "[0, 50]", "context",
                     lambda support: Interval(0.0, MAX_SURPRISAL)),
        SignalRecord("requested", (), "the temperature that the request asked for; 1 if it asked for none", "T",
                     "temperature", ">= 0", "context", lambda support: Interval(0.0, MAX_REQUESTED)),
        SignalRecord("given", ('"name"', "low", "high"), "a number that the caller supplies for each row", "x",
                     "the caller's", "[low, high]", "context",
                     lambda support, name, low, high: Interval(low.value, high.value)),
    )
}  # fmt: skip


def make_signal(name: str, *arguments: object) -> Signal:
    """The signal `name` with its arguments checked: `make_signal("quantile", 0.9)`.

    Raises:
        PolicyError: For arguments that are missing, too many, of the wrong kind or outside their range.
    """
    record = SIGNALS[name]
    if len(arguments) != len(record.arguments):
        wanted = len(record.arguments) or "no"
        raise PolicyError(
            f"`{record.spelling}` takes {wanted} argument{'' if wanted == 1 else 's'}, but {len(arguments)} were given"
        )
    match name:
        case "quantile":
            q = _number(record, "q", arguments[0])
            if not 0 <= q.value <= 1:
                raise PolicyError(f"`quantile({q})` asks for a share outside 0 to 1; the median is quantile(0.5)")
            return Signal(name, (q,))
        case "top_mass":
            k = _number(record, "k", arguments[0])
            if not (k.value.is_integer() and 1 <= k.value <= MAX_SUPPORT):
                raise PolicyError(f"`top_mass({k})` counts tokens: k is a whole number from 1 to {MAX_SUPPORT}")
            return Signal(name, (k,))
        case "temperature_for_entropy":
            target = lift(arguments[0])
            if remembers(target) or any(isinstance(node, Signal) and node.name == name for node in walk(target)):
                raise PolicyError(
                    f"the target of `{name}` may use neither {name} itself nor anything that remembers (ema, prev, "
                    "integral, surprisal): it is solved for one row at a time"
                )
            return Signal(name, (target,))
        case "inside":
            (zone,) = arguments
            if not isinstance(zone, str) or not zone.isascii() or not zone.isidentifier():
                raise PolicyError(f'`{record.spelling}` names its zone in quotes: inside("think")')
            return Signal(name, (zone,))
        case "given":
            key, low, high = arguments[0], *(_number(record, end, value) for end, value in
                                             zip(("low", "high"), arguments[1:], strict=True))  # fmt: skip
            if not isinstance(key, str) or not key.isascii() or not key.isidentifier():
                raise PolicyError(f'`{record.spelling}` names its number in quotes: given("kl", 0, 20)')
            if not low.value < high.value:
                raise PolicyError(f"`given` has the empty range {low} to {high}: low must be below high")
            return Signal(name, (key, low, high))
        case _:
            return Signal(name)


def _number(record: SignalRecord, argument: str, value: object) -> Const:
    lifted = value if isinstance(value, str) else lift(value)
    if isinstance(lifted, Const):
        return lifted
    raise PolicyError(f"`{argument}` of `{record.spelling}` must be a number, but `{value}` was given")


def owns_a_cell(node: Node) -> bool:
    """True if `node` itself keeps a number from one position of a request to the next."""
    match node:
        case Call(function):
            return FUNCTIONS[function].remembers
        case Signal("surprisal"):
            return True
        case _:
            return False


def cells_of(node: Node) -> tuple[Node, ...]:
    """The nodes in `node` that keep a number, in the order of their cells. The first cell is always `surprisal`'s."""
    own = [part for part in walk(node) if owns_a_cell(part)]
    return tuple(dict.fromkeys([Signal("surprisal"), *own])) if own else ()


def remembers(node: Node) -> bool:
    """True if the value depends on earlier positions of the same request, so that a state is needed."""
    return any(owns_a_cell(part) for part in walk(node))


def signals_of(node: Node) -> list[Signal]:
    """The distinct signals that occur in `node`, inside other signals too, inner ones first."""
    found: dict[Signal, None] = {}
    for part in reversed(list(walk(node))):
        if isinstance(part, Signal):
            found[part] = None
    return list(found)


def suggestion(name: str, known: Any) -> str:
    """`; did you mean ...?` for a misspelt name, or nothing where no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""
