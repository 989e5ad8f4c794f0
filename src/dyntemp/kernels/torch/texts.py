"""The temperatures along recorded texts, differentiable in the parameters of a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dyntemp.kernels.job import Job
from dyntemp.kernels.tensor_memory import memory_of
from dyntemp.kernels.torch.program import Evaluation, bound
from dyntemp.language.policy import Policy


class Along(NamedTuple):
    """The tokens of some texts, in any order, [tokens] each.

    Attributes:
        text: Number of the text, from 0.
        position: Number of tokens generated before.
        surprisal: -ln of the token's probability at temperature 1, nats.
    """

    text: NDArray[np.int64]
    position: NDArray[np.int64]
    surprisal: NDArray[np.float64]


def temperatures(
    policy: Policy, signals: Mapping[str, NDArray[np.float64]], along: Along, parameters: Mapping[str, Any]
) -> Tensor:
    """The temperature of each token, a float64 tensor [tokens] that is differentiable in the parameters.

    A policy that remembers remembers plain numbers: no gradient flows from one position to the next.

    Args:
        policy: A policy whose free parameters have ranges.
        signals: Values of the signals that it reads, `position` aside, by text, [tokens].
        along: The place of each token.
        parameters: A number or a tensor for each parameter, 0-d or [tokens].

    Raises:
        PolicyError: For parameters as `Policy.bound`.
    """
    state = None
    if policy.remembers:
        state = policy.state(slots=int(along.text.max()) + 1, window=int(along.position.max()) + 2)
        state.observe(along.text, along.position, along.surprisal)
    job = Job((policy,), state=state, slot=along.text, position=along.position, parameters=parameters)
    like = torch.zeros(len(along.text), dtype=torch.float64)
    read = {name: torch.from_numpy(np.ascontiguousarray(values, np.float64)) for name, values in signals.items()}
    read["position"] = torch.from_numpy(along.position).to(like.dtype)
    memory, turns = memory_of(job, len(like), like.device, None)
    evaluation = Evaluation(policy.program, read, bound(job, policy, like), like, memory)
    result = like
    for turn in turns:
        at = None if turn is None else torch.from_numpy(turn)
        found = evaluation.of(at).run(policy.program.steps)
        result = found if at is None else result.index_copy(0, at, found)
    return result
