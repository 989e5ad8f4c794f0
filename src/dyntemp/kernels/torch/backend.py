"""Rows of logits on any device, in plain PyTorch: differentiable, and without a look at any number on a device.

Signals, temperatures and scaled rows have gradients in the logits and in parameters that are tensors; masked entries
get 0, and tokens have none. Where numbers cannot be looked at without waiting, on a device and under `torch.compile`, a
broken row raises nothing: `Outcome.broken` marks it, its signals and temperature are NaN, its token is -1, `scale`
leaves it as it was, and what its policy remembers begins afresh.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.errors import PolicyError
from dyntemp.kernels import tensor_filters as filtering
from dyntemp.kernels.job import UNNAMED, Job, Outcome
from dyntemp.kernels.tensor_memory import Memory, memory_of
from dyntemp.kernels.tensor_noise import coins_of
from dyntemp.kernels.tensors import DTYPES, context, distinct, known, tensor_of, to_device
from dyntemp.kernels.torch import draw as drawing
from dyntemp.kernels.torch.program import Evaluation, bound
from dyntemp.kernels.torch.rows import TensorRows, read
from dyntemp.kernels.torch.signals import MEASURES, Softmax, max_prob, solve_entropy
from dyntemp.language.bounds import unbound
from dyntemp.language.nodes import Const, Parameter, Signal
from dyntemp.language.policy import Policy
from dyntemp.language.program import lower
from dyntemp.language.signals import MAX_SURPRISAL, SIGNALS
from dyntemp.language.state import SURPRISAL_CELL

NAME = "torch"


def run(logits: Any, job: Job) -> Outcome:
    """Do `job` for every row; see `Job` and `Outcome`.

    Raises:
        InvalidLogitsError: For what is no row of logits; on the host also for a row with NaN, +inf, or no unmasked
            entry.
        PolicyError, StateError, ValueError: For a job that these rows do not fit.
    """
    rows = read(logits, job.position)
    device = rows.z.device
    noise = drawing.noise_of(job, rows.count, device) if job.draw else None
    _check(job, rows.count)
    memory, turns = memory_of(job, rows.count, device, rows.broken)
    values, outside = context(job, rows.count, rows.z.shape[-1], device)
    if outside is not None:
        rows.broken = outside if rows.broken is None else rows.broken | outside
    softmax = Softmax(rows)
    signals = _signals(rows, softmax, values, job)
    temperature = _temperatures(rows, signals, job, memory, turns) if job.policies else None
    found: dict[str, Any] = {"temperature": temperature}
    if noise is not None and temperature is not None:
        with torch.no_grad():
            found |= _drawn(rows, temperature, noise, job)
            _observe(rows, softmax, found["token"], job, memory)
    if temperature is not None:
        found["temperature"] = rows.where_sound(temperature, torch.nan)
    named = {str(signal) for signal in _wanted(job)} - UNNAMED
    return Outcome(
        NAME,
        {name: rows.handed(rows.where_sound(signals[name], torch.nan)) for name in signals if name in named},
        **{name: rows.handed(value) for name, value in found.items()},
        broken=rows.handed(rows.broken),
        shown=rows.shown(),
    )


def scale(logits: Any, temperature: Any, out: Any = None, threads: int | None = None) -> Any:  # noqa: ARG001
    """Each row divided by its temperature, in the shape, dtype and library of `logits`; see `Backend.scale`."""
    given = tensor_of(logits)
    z = given if given.ndim == 2 else given[None]
    t = temperature if isinstance(temperature, Tensor) else to_device(np.array(temperature), z.device)
    t = t[:, None]
    exact = torch.promote_types(z.dtype, torch.float32)
    wide = z.to(t.dtype)
    lowest = DTYPES[z.dtype]
    kept = ~(wide <= lowest / 2)
    regular = (t > GREEDY_AT) & (t < torch.inf)
    divisor = torch.where(regular, t, 1.0)
    shown = torch.where(kept, wide, 0.0)
    with torch.no_grad():
        beyond = ~((shown / divisor).abs() <= -lowest).all(-1, keepdim=True)
        highest = torch.where(beyond, torch.where(kept, wide, -torch.inf).amax(-1, keepdim=True), 0.0)
        likeliest = torch.arange(z.shape[-1], device=z.device) == wide.argmax(-1, keepdim=True)
        ends = torch.where((t > GREEDY_AT) | likeliest, 0.0, -torch.inf).to(t.dtype)
    divided = torch.where(kept, shown - highest, 0.0) / divisor
    result = torch.where(kept, torch.where(regular, divided, ends), -torch.inf).to(exact).to(z.dtype)
    result = torch.where(t.isnan(), z, result).view(given.shape)
    if result.dtype == torch.bfloat16 and not isinstance(logits, Tensor):
        result = result.view(torch.int16).numpy().view(logits.dtype)
    elif not isinstance(logits, Tensor):
        result = result.numpy().astype(np.asarray(logits).dtype)
    if out is None:
        return result
    out[...] = result
    return out


def _check(job: Job, rows: int) -> None:
    """Raise for what does not fit together; slots that only a device knows are taken to differ."""
    (job if known(job.slot) else replace(job, slot=None)).check(rows)


def _wanted(job: Job) -> dict[str, Signal]:
    """Every signal that the job reads, by its text, those inside others first."""
    read_by_policies = {str(signal): signal for policy in distinct(job.policies) for signal in policy.program.signals}
    return read_by_policies | {str(signal): signal for signal in job.also}


def _signals(rows: TensorRows, softmax: Softmax, values: dict[str, Tensor], job: Job) -> dict[str, Tensor]:
    """`values`, which the caller gave, and what is measured, [rows]."""
    values = dict(values)
    for name, signal in _wanted(job).items():
        source = SIGNALS[signal.name].source
        if source == "solve":
            values[name] = solve_entropy(rows, _target(name, signal, values, job, softmax.total.detach()))
        elif SIGNALS[signal.name].measured:
            arguments = [argument.value for argument in signal.arguments if isinstance(argument, Const)]
            values[name] = MEASURES[signal.name](softmax, *arguments)
    return values


def _target(name: str, signal: Signal, values: dict[str, Tensor], job: Job, like: Tensor) -> Tensor:
    """The entropy that `temperature_for_entropy` is to reach, [rows]."""
    for policy in distinct(job.policies):
        for other, steps in zip(policy.program.signals, policy.program.targets, strict=True):
            if str(other) == name:
                return Evaluation(policy.program, values, bound(job, policy, like), like).run(steps)
    program = lower(signal)
    for parameter in program.parameters:
        raise PolicyError(unbound(signal, Parameter(parameter)))
    return Evaluation(program, values, {}, like).run(program.targets[program.signals.index(signal)])


def _temperatures(
    rows: TensorRows, signals: dict[str, Tensor], job: Job, memory: Memory | None, turns: list[Any]
) -> Tensor:
    """The temperature of each row by its own policy; signals that a row's policy does not read become NaN."""
    like = torch.zeros_like(rows.highest, dtype=rows.wide)
    result = like
    for policy in distinct(job.policies):
        parameters = bound(job, policy, like)
        remembered = memory if policy.remembers else None
        for turn in turns if policy.remembers else [None]:
            mine = _rows_of(job, policy, turn, rows)
            part = Evaluation(policy.program, signals, parameters, like, remembered).of(mine)
            found = part.run(policy.program.steps)
            result = found if mine is None else result.index_copy(0, mine, found)
            if part.memory is not None and job.state is not None:
                part.memory.count(job.state)
    if len(job.policies) > 1:
        _hide_unread(signals, job, rows)
    return result


def _rows_of(job: Job, policy: Policy, turn: Any, rows: TensorRows) -> Tensor | None:
    """The numbers of the rows that have a policy and a turn, or None for all rows."""
    if len(job.policies) <= 1:
        return None if turn is None else to_device(turn, rows.z.device)
    among = range(rows.count) if turn is None else turn.tolist()
    return _placed([row for row in among if job.policies[row] is policy], torch.int64, rows)


def _hide_unread(signals: dict[str, Tensor], job: Job, rows: TensorRows) -> None:
    also = [str(signal) for signal in job.also]
    for name, values in signals.items():
        if name not in also:
            reads = [any(str(signal) == name for signal in policy.program.signals) for policy in job.policies]
            signals[name] = torch.where(_placed(reads, torch.bool, rows), values, torch.nan)


def _placed(values: list[Any], dtype: torch.dtype, rows: TensorRows) -> Tensor:
    """Numbers of Python on the device of the rows, without waiting for it."""
    device = rows.z.device
    return torch.tensor(values, dtype=dtype).to(device, non_blocking=device.type == "cuda")


def _drawn(rows: TensorRows, temperature: Tensor, noise: drawing.Noise, job: Job) -> dict[str, Tensor]:
    """Token, candidates and what the filters left."""
    z = torch.where(rows.kept, rows.z.to(rows.wide), -torch.inf)
    kept, cut, last = rows.kept, torch.full_like(temperature, -torch.inf), None
    if job.filters.active:
        coins = None if job.filters.cut else coins_of(job, rows.count, z.device)
        kept = filtering.mask(z, temperature, job.filters, coins)
        cut, last = filtering.end(z, kept)
    candidates = kept.sum(-1)
    found = {
        "token": rows.where_sound(drawing.draw(torch.where(kept, z, -torch.inf), temperature, noise), -1),
        "candidates": rows.where_sound(candidates, 0),
    }
    if not job.filters.cut:
        return {**found, "kept": kept}
    return {**found, "cut": cut, "last": torch.full_like(candidates, z.shape[-1] - 1) if last is None else last}


def _observe(rows: TensorRows, softmax: Softmax, token: Tensor, job: Job, memory: Memory | None) -> None:
    """Keep how surprising each token was, before any filter or temperature."""
    if memory is None:
        return
    drawn = rows.z.gather(-1, token.clamp(min=0)[:, None])[:, 0]
    below = rows.highest.to(rows.wide) - drawn.to(rows.wide)
    surprisal = (below - max_prob(softmax).log()).clamp(0.0, MAX_SURPRISAL)
    for policy in distinct(job.policies):
        mine = _rows_of(job, policy, None, rows)
        if policy.reads_surprisal:
            here = memory if mine is None else memory.of(mine)
            here.keep(SURPRISAL_CELL, surprisal if mine is None else surprisal[mine])
