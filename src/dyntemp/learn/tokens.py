"""The tokens of sampled or given texts: all that learning needs of them, so that the model is not run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.draw_curve import DrawCurves, Draws
from dyntemp.errors import PolicyError
from dyntemp.evaluation.sample import Sample
from dyntemp.language.nodes import walk
from dyntemp.language.parameters import parameters_of
from dyntemp.language.policy import Policy
from dyntemp.models.torch_module import import_torch

Values = NDArray[np.float64]


class Tokens(NamedTuple):
    """The tokens of some texts, [tokens] each.

    Attributes:
        signals: The values of signals by their text.
        curves: The probability of each token at any temperature.
        text: Number of its text, from 0.
        position: Number of tokens before it in the text.
        surprisal: -ln of its probability at temperature 1, nats.
    """

    signals: Mapping[str, Values]
    curves: DrawCurves
    text: NDArray[np.int64]
    position: NDArray[np.int64]
    surprisal: Values

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        """The tokens of samples that were written with their curves."""
        lengths = [one.tokens for one in samples]
        names = samples[0].signals
        return cls(
            signals={name: np.concatenate([one.signals[name] for one in samples]).astype(np.float64) for name in names},
            curves=DrawCurves.joined([one.curves for one in samples if one.curves is not None]),
            text=np.repeat(np.arange(len(samples)), lengths),
            position=np.concatenate([np.arange(length) for length in lengths]),
            surprisal=np.concatenate([one.surprisal for one in samples]).astype(np.float64),
        )

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return int(self.text[-1]) + 1 if len(self.text) else 0

    def part(self, chosen: NDArray[np.bool_]) -> Self:
        """The tokens of the texts that are chosen, [texts], which are numbered anew."""
        kept = chosen[self.text]
        return type(self)(
            signals={name: values[kept] for name, values in self.signals.items()},
            curves=DrawCurves(self.curves.value[kept], self.curves.totals[kept]),
            text=(np.cumsum(chosen) - 1)[self.text[kept]],
            position=self.position[kept],
            surprisal=self.surprisal[kept],
        )


class Temperatures(NamedTuple):
    """The temperatures of a template's parameters at some tokens.

    Attributes:
        log_t: ln T of each token, [tokens].
        jacobian: Its derivative by each parameter, in the template's order, [tokens, parameters].
        draws: The probabilities of the tokens at these temperatures.
    """

    log_t: Values
    jacobian: Values
    draws: Draws


def check_learnable(template: Policy) -> None:
    """Refuse a template whose signals depend on its parameters, since recorded ones would not.

    Raises:
        PolicyError: The message names the signal.
    """
    for signal in template.signals:
        if found := [name for part in walk(signal) for name in parameters_of(part)]:
            raise PolicyError(
                f"`{signal}` in `{template}` has the parameter `{found[0]}` inside: its values were recorded for "
                "one number. Write a number there, or choose it with `dyntemp tune`"
            )


def temperatures(template: Policy, values: Mapping[str, float], tokens: Tokens) -> Temperatures:
    """The temperatures of a policy at recorded tokens, with their derivatives.

    A policy that remembers earlier tokens remembers plain numbers: the derivative is that of the token's own row.

    Raises:
        PolicyError: As `Policy.bound`.
        ValueError: For a temperature outside those of the tokens' curves.
    """
    torch = import_torch()
    from dyntemp.kernels.torch.texts import Along
    from dyntemp.kernels.torch.texts import temperatures as along

    count = len(tokens.text)
    own = {name: torch.full((count,), value, dtype=torch.float64, requires_grad=True) for name, value in values.items()}
    t = along(template, tokens.signals, Along(tokens.text, tokens.position, tokens.surprisal), own)
    log_t = t.log()
    gradients = torch.autograd.grad(log_t.sum(), list(own.values()), allow_unused=True)
    columns = [np.zeros(count) if one is None else one.numpy() for one in gradients]
    found = log_t.detach().numpy()
    return Temperatures(found, np.stack(columns, axis=1), tokens.curves.at(found))


def values_along(expression: str, tokens: Tokens) -> Values:
    """The values of an expression of signals at recorded tokens, [tokens], limited to -1e6 to 1e6.

    Raises:
        PolicyError: For a text that is no expression.
    """
    from dyntemp.kernels.torch.texts import Along
    from dyntemp.kernels.torch.texts import temperatures as along

    where = Along(tokens.text, tokens.position, tokens.surprisal)
    above, below = (
        along(Policy(f"min(max({sign}({expression}), 0), 1e6)"), tokens.signals, where, {}).numpy()
        for sign in ("", "-")
    )  # a policy is at least 0
    return above - below
