"""Policies in torch: every step for all rows at once, differentiable in signals and parameters, with their memory.

A policy remembers plain numbers: no gradient flows from one position to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import pi
from typing import Any

import torch
from torch import Tensor

from dyntemp.kernels.job import Job
from dyntemp.kernels.tensor_memory import Memory
from dyntemp.language.nodes import Parameter
from dyntemp.language.policy import Policy
from dyntemp.language.program import Op, Program, Step, run


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
    Op.HALFCOS: lambda x: torch.sin(pi / 2 * x.clamp(0, 1)).square(),
    Op.TANH: torch.tanh,
    Op.SIGMOID: torch.sigmoid,
    Op.MIN: torch.minimum,
    Op.MAX: torch.maximum,
    Op.CLIP: lambda x, low, high: torch.minimum(torch.maximum(x, low), high),
    Op.LERP: lambda low, high, t: low + (high - low) * t,
    Op.WHERE: lambda condition, x, y: torch.where(condition > 0, x, y),
}
"""The steps that take all their inputs from the stack."""


class FiniteGradient(torch.autograd.Function):  # type: ignore[misc]
    """x itself, through which a gradient that is infinite or undefined passes as 0.

    0.8**(1/entropy) is flat at entropy 0, but the chain rule meets 0 * inf there; each step of a policy takes its
    arguments through this.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        """Return `x`."""
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
        """The evaluation for some of the rows, given by number."""
        if rows is None:
            return self
        signals = {name: values[rows] for name, values in self.signals.items()}
        parameters = {name: value[rows] if value.ndim else value for name, value in self.parameters.items()}
        memory = None if self.memory is None else self.memory.of(rows)
        return Evaluation(self.program, signals, parameters, self.like[rows], memory)

    def run(self, steps: tuple[Step, ...]) -> Tensor:
        """The result of `steps`, [rows]."""
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
    """Return True where `value` is certainly in the range of a parameter."""
    if parameter.low is None or parameter.high is None:
        return False
    return isinstance(value, Tensor) or (type(value) in (int, float) and parameter.low <= value <= parameter.high)


def _stand_in(policy: Policy, name: str, value: Any) -> Any:
    """`value`, or for a tensor a number that the parameter may have."""
    low = policy.parameters[name].low if name in policy.parameters else None
    return (low or 0.0) if isinstance(value, Tensor) else value
