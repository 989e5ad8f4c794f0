"""Steps of the natural gradient, whose metric is the varentropy of the draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dyntemp.language.policy import Policy

Values = NDArray[np.float64]

RIDGE = 0.1
"""The divergence, nats a token, that a move counts for that is one eighth of a parameter's range."""


def ranges(template: Policy) -> tuple[Values, Values]:
    """The lowest and the highest value of each parameter, in the template's order."""
    spans = [(found.low, found.high) for found in template.parameters.values()]
    return np.array([low for low, _ in spans], np.float64), np.array([high for _, high in spans], np.float64)


def natural_step(
    template: Policy, values: Mapping[str, float], jacobian: Values, by_log_t: Values, varentropy: Values, radius: float
) -> dict[str, float]:
    """The values after one step that changes the draws by `radius` nats a token on average, inside their ranges.

    The information of ln T in a draw is its varentropy V, so that the metric is F = mean over tokens of V J J', with J
    the derivative of ln T by the parameters, and half of d'Fd the divergence of a step d (Kakade 2001; Schulman et al.
    2015, arXiv:1502.05477). Tokens of which the model is sure neither push nor hold. `RIDGE` is added to F, so that
    parameters that hardly matter, as those of a network that sits at a bound, do not run away.

    Args:
        template: The template.
        values: The value of each parameter, in the template's order.
        jacobian: J, [tokens, parameters].
        by_log_t: The derivative of what is made large by ln T of each token, [tokens].
        varentropy: V, [tokens].
        radius: The divergence of the step, nats a token.
    """
    low, high = ranges(template)
    now = np.array(list(values.values()))
    gradient = jacobian.T @ by_log_t
    metric = (jacobian * np.maximum(varentropy, 0.0)[:, None]).T @ jacobian / len(jacobian)
    free = ~(((now <= low) & (gradient <= 0)) | ((now >= high) & (gradient >= 0)))
    if not np.any(gradient[free]):
        return dict(values)
    metric += RIDGE * np.diag((8 / (high - low)) ** 2)
    step = np.zeros_like(now)
    step[free] = np.linalg.solve(metric[np.ix_(free, free)], gradient[free])
    size = step @ metric @ step
    after = np.clip(now + step * np.sqrt(2 * radius / size), low, high)
    return dict(zip(values, after.tolist(), strict=True))
