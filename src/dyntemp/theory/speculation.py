"""Speculative decoding under a policy: it is lossless, shown by enumeration; and the share of a draft it accepts.

A draft model proposes tokens x ~ q. Each is accepted with probability min(1, p(x)/q(x)); the first that is not is
replaced by a draw from the excess of p over q (Leviathan et al. 2023, arXiv:2211.17192). A policy tempers p.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.language.policy import Policy
from dyntemp.language.state import State
from dyntemp.sampling import temperatures
from dyntemp.theory.verdict import Verdict

Values = NDArray[np.float64]
Text = tuple[int, ...]
Rows = Callable[[Text], ArrayLike]
"""A model: the tokens of a text -> the logits of the next token, [vocabulary]."""


def lossless(policy: Policy) -> Verdict:
    """The verdict on speculative decoding drawing texts with the same probabilities as one token at a time.

    >>> lossless(Policy("0.1 + 0.8*entropy")).holds
    True
    """
    evidence = "T depends on the tokens before a position alone"
    if policy.remembers:
        evidence += "; its memory is kept by position, so that a position behind a rejected token is measured again"
    return Verdict("speculative decoding stays lossless", True, evidence, "rows.md#speculation", {}, ASSUMPTIONS)


ASSUMPTIONS = (
    "the rows that check a draft are those of one token at a time, to the bit",
    "the host accepts and replaces by the distribution of the policy, not by that of T = 1",
)


class Decoder(NamedTuple):
    """A target model under a policy, which is asked for the distribution of the next token.

    Attributes:
        target: The model.
        policy: Its policy, of the text alone.
        by_position: True if the memory is kept by the position of a token, as `State` does. False keeps it by the
            number of rows measured so far, as a host does that never takes rejected tokens back.
    """

    target: Rows
    policy: Policy
    by_position: bool = True

    def memory(self) -> State | None:
        """The memory of a new text."""
        return self.policy.state() if self.policy.remembers else None

    def next(self, text: Text, memory: State | None, measured: int) -> tuple[Values, Values]:
        """The probabilities of the next token, and its surprisals at temperature 1.

        Args:
            text: The tokens before it.
            memory: The policy's memory, which is changed.
            measured: How many rows were measured for this text before.
        """
        row = np.asarray(self.target(text), np.float64)
        place = len(text) if self.by_position else measured
        heat = temperatures(row, self.policy, state=memory, position=place)
        return tempered(row, float(heat)), -np.log(tempered(row, 1.0))

    def drew(self, text: Text, memory: State | None, measured: int, surprisal: float) -> None:
        """Tell the memory how surprising the token behind `text` was."""
        if memory is not None:
            memory.observe(0, len(text) if self.by_position else measured, surprisal)


def tempered(row: Values, temperature: float) -> Values:
    """softmax(row/T)."""
    if temperature <= GREEDY_AT:
        return np.eye(len(row))[int(np.argmax(row))]
    weights: Values = np.exp((row - row.max()) / temperature)
    return weights / weights.sum()


def one_by_one(decoder: Decoder, length: int) -> dict[Text, float]:
    """The probability of each text of `length` tokens, drawn one token at a time."""
    found: dict[Text, float] = defaultdict(float)

    def draw(text: Text, memory: State | None, chance: float) -> None:
        if len(text) == length:
            found[text] += chance
            return
        p, surprisals = decoder.next(text, memory, len(text))
        for token in np.flatnonzero(p).tolist():
            own = deepcopy(memory)
            decoder.drew(text, own, len(text), float(surprisals[token]))
            draw((*text, token), own, chance * float(p[token]))

    draw((), decoder.memory(), 1.0)
    return dict(found)


def speculated(decoder: Decoder, draft: Rows, length: int, ahead: int) -> dict[Text, float]:
    """The probability of each text of `length` tokens, drawn by speculative decoding, over all of its outcomes.

    Args:
        decoder: The target model and its policy.
        draft: The model that proposes tokens, at temperature 1.
        length: Tokens of a text; what a last round draws beyond it is dropped.
        ahead: Tokens that are proposed in a round, at least 1.
    """
    found: dict[Text, float] = defaultdict(float)

    def begin(text: Text, memory: State | None, measured: int, chance: float) -> None:
        if len(text) >= length:
            found[text[:length]] += chance
            return
        for proposal, qs, proposed in _proposals(draft, text, ahead):
            for longer, kept, ended in _round(decoder, text, proposal, qs, deepcopy(memory), measured):
                begin(longer, kept, measured + ahead + 1, chance * proposed * ended)

    begin((), decoder.memory(), 0, 1.0)
    return dict(found)


def _round(
    decoder: Decoder, text: Text, proposal: Text, qs: Sequence[Values], memory: State | None, measured: int
) -> Iterator[tuple[Text, State | None, float]]:
    """Every outcome of one round: text, memory and probability. All rows are measured first, as in one step."""
    steps = []
    for at in range(len(proposal) + 1):
        p, surprisals = decoder.next(text + proposal[:at], memory, measured + at)
        steps.append((p, surprisals))
        if at < len(proposal):
            decoder.drew(text + proposal[:at], memory, measured + at, float(surprisals[proposal[at]]))
    accepted = 1.0
    for at, (p, surprisals) in enumerate(steps):
        last = at == len(proposal)
        share = 0.0 if last else min(1.0, float(p[proposal[at]] / qs[at][proposal[at]]))
        excess = p if last else np.maximum(p - qs[at], 0)
        if share < 1:
            for token in np.flatnonzero(excess).tolist():
                kept = deepcopy(memory)
                decoder.drew(text + proposal[:at], kept, measured + at, float(surprisals[token]))
                yield (*text, *proposal[:at], token), kept, accepted * (1 - share) * float(excess[token] / excess.sum())
        accepted *= share


def _proposals(draft: Rows, text: Text, ahead: int) -> Iterator[tuple[Text, list[Values], float]]:
    """Every proposal of `ahead` tokens, the distributions that they come from, and the probability of all of them."""
    if ahead == 0:
        yield (), [], 1.0
        return
    q = tempered(np.asarray(draft(text), np.float64), 1.0)
    for token in np.flatnonzero(q).tolist():
        for rest, qs, chance in _proposals(draft, (*text, token), ahead - 1):
            yield (token, *rest), [q, *qs], chance * float(q[token])


def acceptance(target: ArrayLike, draft: ArrayLike, policy: Policy, drafting: Policy | None = None) -> Values:
    """The probability with which a drafted token is accepted, the sum of min(p, q), [rows].

    It is 1 less the total variation of p and q.

    Args:
        target: Logits of the target model, [rows, n].
        draft: Logits of the draft model at the same positions, [rows, n].
        policy: The policy of the target.
        drafting: The policy of the draft, on its own rows; by default that of the target.

    Raises:
        PolicyError, StateError: If a policy reads what a row alone does not determine.

    >>> acceptance([[0.0, 1.0]], [[0.0, 1.0]], Policy(0.5), Policy(1.0)).round(3).tolist()
    [0.85]
    """
    pairs = ((target, policy), (draft, drafting or policy))
    p, q = (
        np.array([tempered(row, t) for row, t in zip(rows, np.asarray(temperatures(rows, one)), strict=True)])
        for rows, one in ((np.asarray(logits, np.float64), one) for logits, one in pairs)
    )
    return np.minimum(p, q).sum(axis=1)
