"""Policies in torch: every step for all rows at once, differentiable in signals and parameters, with their memory.

What a policy remembers are plain numbers: no gradient flows from one position to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyntemp.errors import StateError
from dyntemp.kernels.job import Job, per_row, said
from dyntemp.kernels.torch.rows import known, numbers, on_host, to_device, wide_of
from dyntemp.language.nodes import Parameter, Signal
from dyntemp.language.policy import Policy
from dyntemp.language.program import Op, Program, Step, run
from dyntemp.language.signals import ANY_SUPPORT, MAX_POSITION, SIGNALS
from dyntemp.language.state import State, rounds


def _compared(holds: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda left, right: holds(left, right).to(left.dtype)


OPERATIONS: dict[Op, Callable[..., Tensor]] = {
    Op.NEGATE: torch.neg,
    Op.ADD: torch.add,
    Op.SUBTRACT: torch.sub,
    Op.MULTIPLY: torch.mul,
    Op.DIVIDE: lambda left, right: left / (right + 0.0),
    Op.POWER: lambda base, exponent: torch.pow(base + 0.0, exponent),
    Op.LESS: _compared(torch.lt),
    Op.LESS_EQUAL: _compared(torch.le),
    Op.GREATER: _compared(torch.gt),
    Op.GREATER_EQUAL: _compared(torch.ge),
    Op.EXP: torch.exp,
    Op.LOG: torch.log,
    Op.SQRT: torch.sqrt,
    Op.ABS: torch.abs,
    Op.TANH: torch.tanh,
    Op.SIGMOID: torch.sigmoid,
    Op.MIN: torch.minimum,
    Op.MAX: torch.maximum,
    Op.CLIP: lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
    Op.LERP: lambda low, high, t: low + (high - low) * t,
    Op.WHERE: lambda condition, x, y: torch.where(condition > 0, x, y),
}
"""The steps that take all from the stack."""


class FiniteGradient(torch.autograd.Function):  # type: ignore[misc]
    """x itself, through which a gradient that is infinite or undefined passes as 0.

    0.8**(1/entropy) is flat at entropy 0, but the chain rule meets 0 * inf there; each step of a policy takes its
    arguments through this.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        """The same numbers."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        """The gradient where it is finite, else 0."""
        (gradient,) = gradients
        return torch.where(gradient.isfinite(), gradient, 0.0)


@dataclass(slots=True, eq=False)
class Evaluation:
    """Runs the steps of a program for some rows.

    Attributes:
        program: The policy's.
        signals: Values by text, [rows].
        parameters: Values by name, 0-d or [rows].
        like: A tensor of the device and dtype of all numbers.
        memory: What the policy remembers; None where it does not, and for targets.
    """

    program: Program
    signals: Mapping[str, Tensor]
    parameters: Mapping[str, Tensor]
    like: Tensor
    memory: Memory | None = None

    def of(self, rows: Tensor | None) -> Evaluation:
        """The same for some of the rows, given by number."""
        if rows is None:
            return self
        signals = {name: values[rows] for name, values in self.signals.items()}
        parameters = {name: value[rows] if value.ndim else value for name, value in self.parameters.items()}
        memory = None if self.memory is None else self.memory.of(rows)
        return Evaluation(self.program, signals, parameters, self.like[rows], memory)

    def run(self, steps: tuple[Step, ...]) -> Tensor:
        """What `steps` compute, [rows]."""
        return run(steps, self.compute).expand(self.like.shape) + 0.0

    def compute(self, step: Step, *arguments: Tensor) -> Tensor:
        """The value of one step."""
        if torch.is_grad_enabled():
            arguments = tuple(FiniteGradient.apply(x) if x.requires_grad else x for x in arguments)
        match step.op:
            case Op.NUMBER:
                return self.like.new_full((), self.program.numbers[step.operand])
            case Op.PARAMETER:
                return self.parameters[self.program.parameters[step.operand]]
            case Op.SIGNAL:
                return self.signals[str(self.program.signals[step.operand])]
            case Op.SURPRISAL | Op.PREV | Op.EMA | Op.INTEGRAL:
                assert self.memory is not None, "checked with the job"
                return self.memory.compute(step.op, step.operand, arguments)
            case _:
                return OPERATIONS[step.op](*arguments)


@dataclass(slots=True, eq=False)
class Memory:
    """The cells of a state for some rows, at one position each.

    Attributes:
        state: A state whose tables are tensors.
        slots: Slot of each row, int64 [rows].
        positions: Position of each row, int64 [rows].
        broken: Rows whose cells stay unknown; None for none.
        lost: Rows at a position above 0 that found nothing at the position before.
    """

    state: State
    slots: Tensor
    positions: Tensor
    broken: Tensor | None
    lost: Tensor

    def compute(self, op: Op, cell: int, arguments: tuple[Tensor, ...]) -> Tensor:
        """A step that remembers: `x`, and what stands beside it, -> its value; see `evaluate.Evaluation`."""
        x = arguments[0].expand(self.slots.shape)
        old = self.state.read(cell, self.slots, self.positions)
        unknown = old.isnan()
        self.lost = self.lost | (unknown & (self.positions > 0))
        old = torch.where(unknown, 0.0 if op is Op.INTEGRAL else x, old)
        match op:
            case Op.SURPRISAL:
                return old
            case Op.PREV:
                result, kept = old, x
            case Op.EMA:
                mean = arguments[1] * old + (1 - arguments[1]) * x
                result = kept = torch.minimum(torch.maximum(mean, torch.minimum(old, x)), torch.maximum(old, x))
            case _:
                result = kept = torch.minimum(torch.maximum(old + x, arguments[1]), arguments[2])
        self.keep(cell, kept)
        return result

    def keep(self, cell: int, values: Tensor) -> None:
        """Write the numbers of a cell at these positions; unknown for broken rows."""
        values = values.detach()
        if self.broken is not None:
            values = torch.where(self.broken, torch.nan, values)
        self.state.write(cell, self.slots, self.positions, values)

    def count(self, state: State) -> None:
        """Add to the state's restarts what began afresh here."""
        lost = self.lost.sum()
        state.restarts += int(lost) if state.device is None else lost

    def of(self, rows: Tensor) -> Memory:
        """The same for some of the rows, given by number."""
        broken = None if self.broken is None else self.broken[rows]
        return Memory(self.state, self.slots[rows], self.positions[rows], broken, self.lost[rows])


def memory_of(job: Job, rows: int, device: torch.device, broken: Tensor | None) -> tuple[Memory | None, list[Any]]:
    """What the job's policies remember, and the rounds that hold each slot once: arrays of rows, or None for all.

    Slots and positions that are tensors on a device are taken as they are: that they lie in the table, and that no
    slot occurs twice in one call, is the caller's to see to.

    Raises:
        StateError: For a state whose tables are elsewhere, and slots and positions that it does not have.
    """
    if job.state is None or not any(policy.remembers for policy in job.policies):
        return None, [None]
    state = job.state
    turns: list[Any] = []
    if known(job.slot, job.position):
        places = state.places(job.slot, job.position, rows)
        turns = list(rounds(*places)) if job.slot is not None else []
    elif job.slot is None and rows > state.slots:
        state.places(None, 0, rows)  # raises
    slots = numbers("slot", job.slot, rows, device, state.slots)
    positions = numbers("position", job.position, rows, device, MAX_POSITION + 1)
    memory = Memory(tensors_of(state, device), slots, positions, broken, torch.zeros_like(slots, dtype=torch.bool))
    return memory, turns if len(turns) > 1 else [None]


def tensors_of(state: State, device: torch.device) -> State:
    """`state` if its tables are on `device`; for NumPy tables and the CPU one that shares their memory.

    Raises:
        StateError: If they are elsewhere.
    """
    if state.device is not None and torch.device(state.device).type == device.type:
        return state
    if state.device is not None or device.type != "cpu":
        raise StateError(
            f"this state lives on {state.device or 'the host'}, the logits on {device}: make it with "
            "policy.state(slots, device=logits.device)"
        )
    return state.shared()


def context(job: Job, rows: int, device: torch.device) -> tuple[dict[str, Tensor], Tensor | None]:
    """What the caller says of each row, [rows], by the signal that reads it, and where it is outside its range.

    What the host knows is checked as in `job.context`. A tensor elsewhere is not read: rows outside the range count as
    broken.

    Raises:
        PolicyError: For a number that a policy reads and nobody gave, or one outside its range.
        ValueError: For a wrong number of numbers.
    """
    values: dict[str, Tensor] = {}
    outside = None
    for policy in distinct(job.policies):
        for signal in policy.program.signals:
            if SIGNALS[signal.name].source != "context" or str(signal) in values:
                continue
            value = said(job, policy, signal)
            if isinstance(value, Tensor):
                numbers_ = _expanded(signal, value.to(device, wide_of(device)), rows)
                if on_host(value.device):
                    policy.within(signal, value.detach().numpy())
                else:
                    low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
                    wrong = ~((numbers_ >= low) & (numbers_ <= high))
                    numbers_ = torch.where(wrong, low, numbers_)
                    outside = wrong if outside is None else outside | wrong
            elif isinstance(value, int | float):
                low, high = SIGNALS[signal.name].bounds(ANY_SUPPORT, *signal.arguments)
                if not low <= value <= high:
                    policy.within(signal, per_row(signal, value, rows))
                numbers_ = torch.full((rows,), float(value), dtype=wide_of(device), device=device)
            else:
                numbers_ = to_device(policy.within(signal, per_row(signal, value, rows)), device).to(wide_of(device))
            values[str(signal)] = numbers_
    return values, outside


def _expanded(signal: Signal, value: Tensor, rows: int) -> Tensor:
    if value.ndim > 1 or (value.ndim == 1 and value.shape[0] not in (1, rows)):
        per_row(signal, np.empty(tuple(value.shape)), rows)  # says what is wrong
    return value.expand(rows)


def distinct(policies: tuple[Policy, ...]) -> list[Policy]:
    """Each policy object once."""
    found: list[Policy] = []
    for policy in policies:
        if not any(policy is other for other in found):
            found.append(policy)
    return found


def bound(job: Job, policy: Policy, like: Tensor) -> dict[str, Tensor]:
    """The value of each free parameter of a policy, 0-d or [rows].

    Numbers are checked as by `Policy.bound`. Tensors, 0-d or [rows], are checked for their name alone, and moved into
    the range of the parameter; the gradient passes inside it.

    Raises:
        PolicyError: As `Policy.bound`.
    """
    given = job.parameters or {}
    known_to_one = all(any(name in other.parameters for other in job.policies) for name in given)
    if not known_to_one or not all(_fits(parameter, given.get(name)) for name, parameter in policy.parameters.items()):
        stand_ins = {name: _stand_in(policy, name, value) for name, value in given.items()}
        Job(job.policies, filters=job.filters, parameters=stand_ins).bound(policy)
    values: dict[str, Tensor] = {}
    for name, parameter in policy.parameters.items():
        value = given[name]
        if isinstance(value, Tensor):
            value = value.to(like.device, like.dtype).clamp(min=parameter.low, max=parameter.high)
            values[name] = value.expand(like.shape) if value.ndim else value
        else:
            values[name] = like.new_full((), float(value))
    return values


def _fits(parameter: Parameter, value: Any) -> bool:
    """Whether `value` is surely one that a parameter may have."""
    if parameter.low is None or parameter.high is None:
        return False
    return isinstance(value, Tensor) or (type(value) in (int, float) and parameter.low <= value <= parameter.high)


def _stand_in(policy: Policy, name: str, value: Any) -> Any:
    """`value`, or for a tensor a number that the parameter may have."""
    low = policy.parameters[name].low if name in policy.parameters else None
    return (low or 0.0) if isinstance(value, Tensor) else value
