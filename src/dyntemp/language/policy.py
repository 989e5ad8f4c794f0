"""Policy: an expression with a name, checked once when it is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import product
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.errors import PolicyError, StateError
from dyntemp.language import bounds as analysis
from dyntemp.language.bounds import unbound
from dyntemp.language.evaluate import Evaluation, Values
from dyntemp.language.functions import call
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Const, Expression, Node, Parameter, Signal, lift, walk
from dyntemp.language.parameters import parameters_of
from dyntemp.language.parse import parse
from dyntemp.language.program import Program, lower, read_by, simplified
from dyntemp.language.rewriting import rebuild
from dyntemp.language.signals import ANY_SUPPORT, MAX_POSITION, SIGNALS, remembers, suggestion
from dyntemp.language.state import State, rounds, whole
from dyntemp.textfile import read_text

FORMAT = "dyntemp.policy"
VERSION = 1

MOST_SHOWN = 3
"""Most wrong numbers of a signal that an error shows."""


class Policy:
    """A rule that gives each row of logits its temperature.

    Args:
        rule: Text, an expression, a number, or another policy.
        floor: Lowest temperature allowed, written into the expression (`max`, or `clip` beside a ceiling).
        ceiling: Highest temperature allowed, written into the expression as `clip(..., floor or 0, ceiling)`.
        name: What to call it. A label only: it stands outside equality, hash and text.

    Attributes:
        expression: The nodes that it is made of, floor and ceiling included.
        computed: The same as it is computed, simplified.
        name: What it is called.
        parameters: The free parameters by name, in order of appearance; each has `low` and `high`, None without a
            range.
        program: The steps that compute it, as kernels run them.
        remembers: Whether it reads earlier positions of the same request, and so needs a state.
        reads_surprisal: Whether it needs to know the token drawn just before.
        reads_place: Whether it depends on where in a text the row stands: it remembers, or reads `position`.
        signals: The distinct signals that have to be known to compute it, inner ones first.
        zones: The names of the zones that it reads with `inside`.

    Raises:
        PolicyError: If the text cannot be read, or if a temperature could be negative or undefined; the message
            names the fix. A policy with a parameter that has no range is a template: it is checked when bound.

    >>> policy = Policy("0.1 + 0.8*normalized_entropy")
    >>> policy.bounds()
    Interval(low=0.1, high=0.9)
    >>> policy == Policy(str(policy))
    True
    """

    __slots__ = (
        "_hash", "computed", "expression", "name", "parameters", "program", "reads_place",
        "reads_surprisal", "remembers", "signals", "zones",
    )  # fmt: skip

    expression: Expression
    name: str | None
    parameters: Mapping[str, Parameter]
    remembers: bool
    reads_surprisal: bool
    reads_place: bool
    signals: tuple[Signal, ...]
    zones: tuple[str, ...]
    program: Program
    computed: Expression
    _hash: int

    def __init__(
        self,
        rule: str | float | Expression | Policy,
        *,
        floor: float | None = None,
        ceiling: float | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(rule, Policy):
            name = rule.name if name is None else name
            rule = rule.expression
        expression = parse(rule) if isinstance(rule, str) else lift(rule)
        if floor is not None or ceiling is not None:
            expression = _limited(expression, floor, ceiling)
        if name is not None and not isinstance(name, str):
            raise PolicyError(f"a policy's name is text, but {type(name).__name__} was given")
        computed = simplified(expression)
        read = read_by(computed)
        fields = {
            "expression": expression,
            "name": name,
            "parameters": MappingProxyType(parameters_of(expression)),
            "program": lower(computed),
            "remembers": remembers(computed),
            "reads_surprisal": any(signal.name == "surprisal" for signal in read),
            "reads_place": remembers(computed) or any(signal.name == "position" for signal in read),
            "signals": read,
            "zones": tuple(str(signal.arguments[0]) for signal in read if signal.name == "inside"),
            "computed": computed,
            "_hash": hash(expression),  # a host's loop asks for it many times a token
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        if not self.is_template:
            _check(self)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a policy does not change: make another, or bind its parameters")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a policy does not change")

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (str(self), self.name))

    def __str__(self) -> str:
        return str(self.expression)

    def __repr__(self) -> str:
        return f"Policy({str(self)!r})" if self.name is None else f"Policy({str(self)!r}, name={self.name!r})"

    def _repr_html_(self) -> str:
        """The policy in a notebook: its text, its bounds and a curve."""
        from dyntemp.show.html import policy_card

        return policy_card(self)

    def __eq__(self, other: object) -> bool:
        return self.expression == other.expression if isinstance(other, Policy) else NotImplemented

    def __hash__(self) -> int:
        return self._hash

    @property
    def is_template(self) -> bool:
        """True if a parameter has neither a value nor a range. Such a policy has no temperature and no bounds."""
        return any(parameter.low is None for parameter in self.parameters.values())

    def bind(self, **values: float) -> Policy:
        """This policy with parameters replaced by numbers.

        Raises:
            PolicyError: For an unknown parameter, a value outside its range, or a result that may be negative.

        >>> str(Policy("a + b*entropy").bind(a=0.1, b=0.8))
        '0.1 + 0.8*entropy'
        """
        parameters = self.parameters
        numbers: dict[str, Expression] = {}
        for name, value in values.items():
            numbers[name] = Const(_bindable(parameters, name, value))

        def change(node: Expression) -> Expression | None:
            return numbers.get(node.name) if isinstance(node, Parameter) else None

        return Policy(rebuild(self.expression, change), name=self.name)

    def bounds(self, support: int | None = None) -> Interval:
        """(low, high) that encloses every temperature it can return, over the ranges of free parameters too.

        The bounds hold for float64, in which every backend evaluates a policy.

        Args:
            support: Number of unmasked entries of every row, such as the vocabulary's size; None for any row of up
                to 2**20 entries.

        Raises:
            PolicyError: If a parameter has no range.
        """
        return analysis.bounds(self.expression, support)

    def state(self, slots: int = 1, window: int = 1024, device: Any = None, beside: Sequence[Policy] = ()) -> State:
        """A memory for `slots` requests at a time; see `State`.

        Args:
            slots: How many requests run at a time.
            window: How many positions back a request may be run again.
            device: PyTorch's device of the logits, where they are not in the host's memory.
            beside: Other policies whose requests have slots of the same memory.
        """
        expressions = (self.computed, *(other.computed for other in beside))
        return State(*expressions, slots=slots, window=window, device=device)

    def require(self, state: State | None) -> State:
        """`state`, if it is one that this policy can use.

        Raises:
            StateError: If there is none, or it was made for another policy.
        """
        if state is None:
            raise StateError(f"`{self}` remembers: pass state=policy.state(slots), and the position of each row")
        if not state.holds(self.program.cells):
            raise StateError(f"this state was made for another policy: make one with policy.state() of `{self}`")
        return state

    def step(
        self,
        signals: Mapping[str, ArrayLike],
        *,
        state: State | None = None,
        slot: ArrayLike | None = None,
        position: ArrayLike = 0,
        parameters: Mapping[str, float] | None = None,
    ) -> Values:
        """The temperature of each row.

        Args:
            signals: Value per row, [rows], of each signal by its text, as `measure` returns them; `requested`
                defaults to 1, and `position` to the argument of that name.
            state: The policy's memory; required where it remembers.
            slot: Slot of each row in the state; the rows' numbers by default.
            position: Number of tokens generated so far, for each row or for all.
            parameters: Values for free parameters.

        Returns:
            float64 [rows].

        Raises:
            PolicyError: If a signal or a parameter is missing or outside its range.
            StateError: If it remembers and no state was given.
        """
        (rows,) = np.broadcast_shapes((1,), np.shape(position), *map(np.shape, signals.values()))
        values = {name: np.broadcast_to(np.asarray(value, np.float64), (rows,)) for name, value in signals.items()}
        if self.remembers:
            state = self.require(state).in_host_memory()
            slots, positions = state.places(slot, position, rows)
            turns = list(rounds(slots, positions))
        else:
            slots = positions = _positions(position, rows)
            state, turns = None, [np.arange(rows)]
        values.setdefault("position", positions.astype(np.float64))
        values.setdefault("requested", np.ones(rows))
        for signal in self.program.signals:
            if str(signal) not in values:
                raise PolicyError(f"`{self}` reads `{signal}`, which was not among the signals given: {sorted(values)}")
            self.within(signal, values[str(signal)])
        bound = self.bound(parameters or {})
        result = np.empty(rows)
        with np.errstate(all="ignore"):
            for turn in turns:
                now = {name: value[turn] for name, value in values.items()} if len(turns) > 1 else values
                evaluation = Evaluation(now, bound, state, slots[turn], positions[turn], self.program.cells)
                result[turn] = evaluation.value(self.computed)
                if state is not None:
                    state.restarts += int(evaluation.lost.sum())
        return result + 0.0

    def within(self, signal: Signal, values: Values) -> Values:
        """`values` of a signal, if they all lie in its range.

        Raises:
            PolicyError: If one does not, or is NaN.
        """
        low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
        fits = (values >= low) & (values <= high)
        if not np.all(fits):
            wrong = np.asarray(values)[~np.asarray(fits)]
            shown = ", ".join(map(str, wrong[:MOST_SHOWN].tolist())) + (", ..." if wrong.size > MOST_SHOWN else "")
            raise PolicyError(f"`{signal}` was given {shown}, outside its range of {low:g} to {high:g}, in `{self}`")
        return values

    def bound(self, values: Mapping[str, float]) -> dict[str, float]:
        """The value of each free parameter, checked.

        Raises:
            PolicyError: For an unknown parameter, a value outside its range, or a parameter without value or range.
        """
        bound = {name: _bindable(self.parameters, name, value) for name, value in values.items()}
        for name, parameter in self.parameters.items():
            if parameter.low is None or name not in bound:
                raise PolicyError(unbound(self.expression, parameter))
        return bound

    def to_json(self) -> str:
        """One JSON object with the text, the name and a format version."""
        return json.dumps({"format": FORMAT, "version": VERSION, "policy": str(self), "name": self.name})

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """The policy that `to_json` wrote.

        Raises:
            PolicyError: If it is not such an object, of a later version, or has filters beside the policy.
        """
        data = policy_object(text)
        if data.get("filters"):
            raise PolicyError(
                f"this policy has filters, `{data['filters']}`, which the policy alone would lose: read both with "
                "`PolicyFile`"
            )
        return cls(data["policy"], name=data.get("name"))

    def save(self, path: str | Path) -> None:
        """Write it to `path` as JSON."""
        Path(path).write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """The policy in the file at `path`, written by `save`.

        Raises:
            PolicyError: If the file holds no policy; the message names the file.
        """
        try:
            return cls.from_json(read_text(path))
        except ValueError as error:
            raise PolicyError(f"{path}: {error}") from None


def policy_object(text: str) -> dict[str, Any]:
    """The object in a policy's JSON: its format, its version and the kind of its text are checked.

    Raises:
        PolicyError: If it is not such an object, or of a later version.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"this is not the JSON of a policy: {error}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("policy"), str):
        raise PolicyError(f'this is not the JSON of a policy: an object with "format": "{FORMAT}" is expected')
    if data.get("version") != VERSION:
        raise PolicyError(
            f"this policy has format version {data.get('version')!r}, and this dyntemp reads {VERSION}: update dyntemp"
        )
    return data


def _restore(text: str, name: str | None) -> Policy:
    return Policy(text, name=name)


def _positions(position: ArrayLike, rows: int) -> NDArray[np.int64]:
    try:
        return whole("position", position, rows, np.int64, MAX_POSITION + 1)
    except ValueError as error:
        raise PolicyError(str(error)) from None


def _limited(expression: Expression, floor: float | None, ceiling: float | None) -> Expression:
    for name, limit in (("floor", floor), ("ceiling", ceiling)):
        if limit is not None and not isinstance(limit, Real):
            raise PolicyError(f"{name} = {limit} was given; it is a number")
    if floor is not None and not floor >= 0:
        raise PolicyError(f"floor = {floor} was given; temperatures are at least 0")
    if ceiling is None:
        return call("max", expression, floor)
    if not ceiling >= (floor or 0):
        raise PolicyError(f"ceiling = {ceiling} was given, below the floor of {floor or 0}")
    return call("clip", expression, floor or 0, ceiling)


def _bindable(parameters: Mapping[str, Parameter], name: str, value: float) -> float:
    if name not in parameters:
        known = f"its parameters are {', '.join(parameters)}" if parameters else "it has none"
        raise PolicyError(f"no parameter `{name}` in this policy; {known}{suggestion(name, parameters)}")
    lifted = lift(value)
    if not isinstance(lifted, Const):
        raise PolicyError(f"parameter `{name}` is bound to a number, but `{value}` was given")
    parameter = parameters[name]
    low, high = parameter.low, parameter.high
    if low is not None and high is not None and not low <= lifted.value <= high:
        raise PolicyError(f"`{name}` = {lifted} was given, outside its range of {low:g} to {high:g}")
    return lifted.value


def _check(policy: Policy) -> None:
    """Refuse a policy that may be negative. `bounds` itself refuses one that may be undefined."""
    low, _ = policy.bounds()
    if low < 0:
        raise PolicyError(
            f"`{policy}` {_surely(policy)} a temperature of {low:.6g}{_where(policy.expression, low)}: "
            f"add `clip(..., 0.05, 2)` or floor=0.05"
        )


def _surely(policy: Policy) -> str:
    """`can reach` if one signal or parameter occurs once, since the bound is then attained; else `may reach`."""
    moving = [node for node in walk(policy.expression) if isinstance(node, Signal | Parameter)]
    return "can reach" if len(moving) < 2 else "may reach"


def _where(expression: Expression, low: float) -> str:
    """` (at max_prob = 1)` if the policy is lowest with every signal at an end of its range; else nothing."""
    ranges = analysis.ranges_of(expression)
    varying: list[Node] = [leaf for leaf, span in ranges.items() if not span.is_point]
    if not 1 <= len(varying) <= 6:
        return ""
    for ends in product(*(ranges[leaf] for leaf in varying)):
        corner = {leaf: Interval(end, end) for leaf, end in zip(varying, ends, strict=True)}
        try:
            reached = analysis.enclose(expression, {**ranges, **corner}).low
        except PolicyError:
            continue
        if reached == low:
            return f" (at {', '.join(f'{leaf} = {end:.6g}' for leaf, end in zip(varying, ends, strict=True))})"
    return ""
