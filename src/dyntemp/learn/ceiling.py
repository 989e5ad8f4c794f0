"""How much temperature could do on a task: its metric with a temperature of its own for each row of logits."""

from __future__ import annotations

from math import log

import numpy as np

from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.exact.answers import Answers
from dyntemp.evaluation.exact.prefixes import Values
from dyntemp.language.policy import Policy
from dyntemp.learn.results import Ceiling

STEPS = 200
"""Most steps of the search."""


def ceiling(answers: Answers, static: Arm, policy: Policy, metric: str, bounds: tuple[float, float]) -> Ceiling:
    """The metric of a static temperature, of a policy, and of the best temperature of each row that was found.

    The oracle's rows are those on the way to the listed answers. It knows them, so no policy reaches it. It is found by
    L-BFGS-B (Byrd et al. 1995) along the exact gradient, from the static temperature and from the policy's: the better
    of two local bests.

    Args:
        answers: The rows of the items.
        static: A static temperature with its filters, which stand before it.
        policy: A policy, under the same filters.
        metric: Name of the metric.
        bounds: The lowest and the highest temperature of the oracle.

    Raises:
        ValueError: For a metric without an expected value, or a policy that the rows do not tell.
    """
    from scipy.optimize import minimize

    def at(temperatures: Values) -> tuple[float, Values]:
        return answers.gradient(temperatures, metric, static.filters)

    def loss(log_t: Values) -> tuple[float, Values]:
        value, slopes = at(np.exp(log_t))
        return -value, -slopes

    def best(start: Values) -> float:
        found = minimize(loss, np.clip(np.log(start), *ends), jac=True, method="L-BFGS-B", bounds=[ends] * len(start),
                         options={"maxiter": STEPS})  # fmt: skip
        return -float(found.fun)

    ends = log(bounds[0]), log(bounds[1])
    starts = [answers.summaries.temperatures(one) for one in (static.policy, policy)]
    return Ceiling(
        static=at(starts[0])[0],
        learned=at(starts[1])[0],
        oracle=max(map(best, starts)),
    )
