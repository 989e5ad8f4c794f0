"""Expected scores as PyTorch tensors, so that the free parameters of a policy can be learned by their gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dyntemp.distribution.filters import GREEDY_AT, Filters
from dyntemp.evaluation.exact.answers import Answers
from dyntemp.evaluation.exact.summaries import NO_FILTERS, Summaries
from dyntemp.language.policy import Policy
from dyntemp.models.torch_module import import_torch


def expected(
    answers: Answers,
    policy: Policy,
    parameters: Mapping[str, Any],
    metric: str = "accuracy",
    filters: Filters = NO_FILTERS,
    given: Mapping[str, ArrayLike] | None = None,
) -> Any:
    """The mean of a metric over the items, a 0-d float64 tensor that is differentiable in the parameters.

    Args:
        answers: The items' rows.
        policy: A policy with free parameters that have ranges.
        parameters: A number or a 0-d tensor for each.
        metric: As for `Answers.values`.
        filters: A chain before the temperature.
        given: As for `Summaries.temperatures`.

    Raises:
        PolicyError: As `Summaries.temperatures`, and for parameters as `Policy.bound`.
        ValueError: As `Answers.gradient`.

    >>> import torch
    >>> from dyntemp.evaluation.task import Item
    >>> from dyntemp.testing import FakeModel
    >>> model = FakeModel([b"a", b"b"], lambda tokens: [1.0, 0.0])
    >>> item = Item(id="1", cluster="1", prompt="a", max_tokens=1, answers={"a": "a"})
    >>> t = torch.tensor(1.0, requires_grad=True)
    >>> score = expected(Answers.read(model, [item]), Policy('param("t", 0.1, 2)'), {"t": t})
    >>> score.backward()
    >>> f"{score.item():.3f} {t.grad.item():.3f}"
    '0.731 -0.197'
    """
    torch = import_torch()
    t = temperatures(answers.summaries, policy, parameters, given)
    value, slopes = answers.gradient(t.detach().numpy(), metric, filters)
    moving = (t > GREEDY_AT) & (t < torch.inf)
    log_t = torch.where(moving, t, 1.0).log()
    return value + (torch.from_numpy(slopes) * (log_t - log_t.detach())).sum()


def temperatures(
    summaries: Summaries,
    policy: Policy,
    parameters: Mapping[str, Any],
    given: Mapping[str, ArrayLike] | None = None,
) -> Any:
    """The temperature of each row, a float64 tensor [rows] that is differentiable in the parameters.

    A policy that remembers remembers plain numbers: no gradient flows from one position to the next.

    Raises:
        PolicyError: As `expected`.
    """
    torch = import_torch()
    from dyntemp.kernels.torch.texts import Along
    from dyntemp.kernels.torch.texts import temperatures as of_tokens

    row, text, position, surprisal = summaries.visits
    values = summaries.values_of(policy, given or {})
    signals = {name: np.asarray(value)[row] for name, value in values.items()}
    along = of_tokens(policy, signals, Along(text, position, surprisal), parameters)
    first = np.zeros(len(summaries), np.int64)
    first[summaries.visits.row] = np.arange(len(row))
    return along[torch.from_numpy(first)]
