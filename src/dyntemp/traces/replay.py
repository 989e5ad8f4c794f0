"""The replay of one recorded sequence under another policy: its temperatures, and the probabilities of its draws.

Each token is replayed given the recorded text before it. Temperatures follow exactly from the recorded signals.
Probabilities follow from the recorded ones and from the histogram of the entries that are not named, with a known
error. Filters keep the entries that they kept in the recorded run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.coupling import keeps, parts
from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.distribution.histogram import count, tempered
from dyntemp.errors import PolicyError
from dyntemp.language.evaluate import Evaluation
from dyntemp.language.given import GivenNumbers, check_lists, number_at
from dyntemp.language.nodes import Node
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS
from dyntemp.language.terms import terms
from dyntemp.traces.token import Token
from dyntemp.traces.zones import RecordedText

NO_TEXT = RecordedText()


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a temperature: its text in the policy, and its value."""

    text: str
    value: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """One recorded token under another policy.

    Attributes:
        temperature: The temperature that the policy gives it.
        terms: Its terms, which add up to it.
        alternatives: Probability in the draw of each of the token's alternatives, in their order.
        probability: Probability in the draw of the recorded token.
        rest: Probability in the draw of all entries that are not named.
        error: Largest error of a probability, which comes from the bins of the rest.
        entropy_after: Entropy of the draw, nats.
        kept: Whether the coupled draw keeps the recorded token.
        instead: The token drawn in its place, if it is not kept; None beside `kept = False` is one of the rest.
    """

    temperature: float
    terms: tuple[Term, ...]
    alternatives: tuple[float, ...]
    probability: float
    rest: float
    error: float
    entropy_after: float
    kept: bool
    instead: int | None = None


def missing(tokens: Sequence[Token], policy: Policy) -> list[str]:
    """The signals that `policy` reads and these records do not hold; zones follow from the text."""
    wanted = [
        str(signal)
        for signal in policy.program.signals
        if SIGNALS[signal.name].source != "context" and signal.name != "inside"
    ]
    return [name for name in wanted if any(name not in token.signals for token in tokens)]


def replay(
    tokens: Sequence[Token],
    policy: Policy,
    *,
    seed: int,
    requested: float = 1.0,
    given: Mapping[str, GivenNumbers] | None = None,
    parameters: Mapping[str, float] | None = None,
    text: RecordedText = NO_TEXT,
) -> list[Replayed]:
    """The tokens of one request under `policy`.

    Args:
        tokens: All of one request, in order.
        policy: Without free parameters, or with their values in `parameters`.
        seed: The seed of the recorded run, which decides the coupled draw.
        requested: The value of the signal `requested`.
        given: The value of each `given("name", low, high)`, by name: a number, or a list of numbers by position.
        parameters: Values of free parameters.
        text: The text before the tokens, for a policy that reads zones which the records do not hold.

    Raises:
        PolicyError: If the policy reads a signal that the records do not hold; the message says how to record it.
        ValueError: For tokens of several requests, or with gaps.
    """
    if not tokens:
        return []
    temperatures, shares = _temperatures(tokens, policy, requested, given or {}, parameters or {}, text)
    texts = [part.text for part in terms(policy.computed)]
    return [
        _replayed(token, float(temperature), tuple(map(Term, texts, values)), seed)
        for token, temperature, values in zip(tokens, temperatures, shares.T.tolist(), strict=True)
    ]


def _temperatures(
    tokens: Sequence[Token], policy: Policy, requested: float, given: Mapping[str, GivenNumbers],
    parameters: Mapping[str, float], text: RecordedText,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """The temperature of each token, [tokens], and its terms, [terms, tokens]."""
    positions = np.array([token.position for token in tokens], np.int64)
    if len({token.request for token in tokens}) > 1 or np.any(np.diff(positions) != 1):
        raise ValueError("tokens of several requests, or with gaps, were given; pass those of one request, in order")
    for token in tokens:
        if not token.alternatives or count(token.rest) != token.candidates - sum(token.left):
            raise ValueError(
                f"the record of position {token.position} does not hold the whole row: record with this dyntemp, and "
                "with at least one alternative"
            )
    if policy.remembers and positions[0] > 0:
        raise PolicyError(f"`{policy}` remembers, and these records begin at position {positions[0]}: record from 0")
    if lacks := missing(tokens, policy):
        advice = f"with signals=[{', '.join(repr(name) for name in lacks)}], or --record on the command line"
        if "divergence" in lacks:
            advice = "under a policy that reads `divergence`, with contrast="
        raise PolicyError(
            f"`{policy}` reads {', '.join(f'`{name}`' for name in lacks)}, which these records do not hold: record "
            f"{advice}"
        )
    check_lists(policy, given)
    signals = _signals(tokens, text.with_zones(tokens, policy), policy, requested, given)
    state = policy.state(window=len(tokens) + 1) if policy.remembers else None
    slots = np.zeros(len(tokens), np.int64)
    if state is not None:
        state.observe(0, positions, [token.surprisal for token in tokens])
    found = policy.step(signals, state=state, slot=slots, position=positions, parameters=parameters)
    # the memory now holds every position, so that each term can be computed for all of them at once
    evaluation = Evaluation(signals, policy.bound(parameters), state, slots, positions, policy.program.cells)

    def compute(node: Node) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return np.broadcast_to(evaluation.value(node), len(tokens))

    return found, np.array([part.value(compute) for part in terms(policy.computed)])


def _signals(
    tokens: Sequence[Token], recorded: Sequence[Mapping[str, float]], policy: Policy, requested: float,
    given: Mapping[str, GivenNumbers],
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """The values of the signals that the policy reads, [tokens] each."""
    columns: dict[str, NDArray[np.float64]] = {}
    for signal in policy.program.signals:
        match signal.name:
            case "position":
                numbers = [float(token.position) for token in tokens]
            case "requested":
                numbers = [requested] * len(tokens)
            case "given":
                name = str(signal.arguments[0])
                if name in given:
                    numbers = [number_at(given[name], token.position) for token in tokens]
                elif all(str(signal) in token.signals for token in tokens):  # from a function of the hidden state
                    numbers = [token.signals[str(signal)] for token in tokens]
                else:
                    raise PolicyError(f"`{policy}` reads `{signal}`: pass given={{{name!r}: a number}}")
            case _:
                numbers = [values[str(signal)] for values in recorded]
        columns[str(signal)] = np.array(numbers)
    return columns


class Tempered:
    """The distribution of a recorded row at another temperature, with the error that its record leaves.

    Attributes:
        alternatives: Probability of each alternative, in their order; 0 where filters dropped it.
        bins: Probability of each histogram bin of the rest.
        rest: Sum over the bins.
        error: Largest error of a probability.
        entropy: Entropy of the whole distribution, nats.
    """

    def __init__(self, token: Token, temperature: float) -> None:
        left = token.left
        named = [alternative.probability for alternative in token.alternatives]
        logs = [log(p) if p > 0 else -inf for p in named]
        self._a = 0.0 if temperature == inf else 1.0 / temperature if temperature > GREEDY_AT else inf
        first = left.index(True) if any(left) else None
        self._first = logs[-1] if first is None else logs[first]
        if self._a == inf:
            self.alternatives = tuple(float(at == first) for at in range(len(logs)))
            self.bins: tuple[float, ...] = tuple(float(first is None and at == 0) for at in range(len(token.rest)))
            self.rest = self.error = float(first is None)  # of the rest, nobody knows which entry is the likeliest
            self.entropy = 0.0
            return
        weights = [self._weight(log_p) if stays else 0.0 for log_p, stays in zip(logs, left, strict=True)]
        masses = [tempered(one, self._a, self._first, logs[-1]) for one in token.rest]
        shown, rest = sum(weights), sum(mass.value for mass in masses)
        self._total = shown + rest
        self.alternatives = tuple(weight / self._total for weight in weights)
        self.bins = tuple(mass.value / self._total for mass in masses)
        self.rest = rest / self._total
        low, high = sum(mass.low for mass in masses), sum(mass.high for mass in masses)
        self.error = max(high / (shown + high) - self.rest, self.rest - low / (shown + low))
        drawn = [*zip(self.alternatives, logs, strict=True), *zip(self.bins, (m.log_p for m in masses), strict=True)]
        below = sum(q * (self._first - log_p) for q, log_p in drawn if q > 0 and log_p > -inf)
        self.entropy = max(log(self._total) + self._a * below, 0.0)

    def _weight(self, log_p: float) -> float:
        """p**a as a multiple of the likeliest entry's."""
        return 1.0 if self._a == 0 else exp(self._a * (log_p - self._first))

    def probability(self, token: Token) -> float:
        """The probability of the recorded token."""
        for q, alternative in zip(self.alternatives, token.alternatives, strict=True):
            if alternative.token == token.token:
                return q
        if self._a == inf or token.probability_after == 0 or token.probability == 0:
            return 0.0
        return self._weight(log(token.probability)) / self._total


def _replayed(token: Token, temperature: float, shares: tuple[Term, ...], seed: int) -> Replayed:
    new, old = Tempered(token, temperature), Tempered(token, token.temperature)
    probability = new.probability(token)
    kept, instead = True, None
    if token.origin != "forced" and not keeps(
        probability, token.probability_after, seed, token.request, token.position
    ):
        before = [*(alternative.probability_after for alternative in token.alternatives), *old.bins]
        excess = [q - p for q, p in zip([*new.alternatives, *new.bins], before, strict=True)]
        at = parts(excess, seed, token.request, token.position)
        kept = at < 0
        instead = token.alternatives[at].token if 0 <= at < len(token.alternatives) else None
    return Replayed(temperature, shares, new.alternatives, probability, new.rest, new.error, new.entropy, kept, instead)
