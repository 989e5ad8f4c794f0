"""The measures of texts that one policy wrote to one prompt: lengths, means, distinct n-grams, repetition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dyntemp.statistics.estimate import Values, mean
from dyntemp.traces.token import Token


class Written(NamedTuple):
    """The numbers of one text.

    Attributes:
        tokens: Its tokens, without the one that ended it.
        temperature: Temperature of every draw, [draws]; the token that ends the text is one of them, here and below.
        entropy: Entropy of the model, nats.
        entropy_after: Entropy of the draw, nats.
        surprisal: -ln of the drawn token's probability at temperature 1, nats.
        finish: How it ended.
    """

    tokens: tuple[int, ...]
    temperature: Values
    entropy: Values
    entropy_after: Values
    surprisal: Values
    finish: str | None


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of a prompt's texts.

    Attributes:
        title: Its name in tables.
        unit: Its unit.
        meaning: Its definition, in one sentence.
        of: The texts of one policy to one prompt, one for each seed -> the number, or None where they are too short.
    """

    title: str
    unit: str
    meaning: str
    of: Callable[[Sequence[Written]], float | None]


def written(tokens: Iterable[Token]) -> Written:
    """The numbers of a recorded text."""
    records = list(tokens)
    columns = ("temperature", "entropy_after", "surprisal")
    temperature, after, surprisal = (np.array([getattr(token, name) for token in records]) for name in columns)
    entropy = np.array([token.signals["entropy"] for token in records])
    finish = records[-1].finish if records else None
    kept = tuple(token.token for token in (records[:-1] if finish == "end" else records))
    return Written(kept, temperature, entropy, after, surprisal, finish)


def parted_at(text: Sequence[int], leader: Sequence[int]) -> int | None:
    """The position of the first token that differs, or at which only one of them goes on; None for equal texts.

    >>> parted_at([1, 2, 3], [1, 2, 4]), parted_at([1, 2], [1, 2, 4]), parted_at([1], [1])
    (2, 2, None)
    """
    shared = next((at for at, (a, b) in enumerate(zip(text, leader, strict=False)) if a != b), None)
    return shared if shared is not None or len(text) == len(leader) else min(len(text), len(leader))


def mean_of(field: str) -> Callable[[Sequence[Written]], float | None]:
    """The measure that takes the mean of `field` over each text's draws, then over the texts."""

    def value(texts: Sequence[Written]) -> float | None:
        return mean([float(getattr(text, field).mean()) for text in texts if len(text.temperature)])

    return value


def distinct(n: int) -> Callable[[Sequence[Written]], float | None]:
    """The measure of Li et al. (2016), arXiv:1510.03055: distinct n-grams over all tokens.

    The n-grams of all texts to one prompt are counted together, in tokens of the model. The measure falls as texts get
    longer or more, so that it compares only texts of equal lengths and numbers.
    """

    def value(texts: Sequence[Written]) -> float | None:
        total = sum(len(text.tokens) for text in texts)
        return len({gram for text in texts for gram in _grams(text.tokens, n)}) / total if total else None

    return value


def repetition(texts: Sequence[Written], n: int = 4) -> float | None:
    """Share of a text's n-grams that came before in it: `seq-rep-n` of Welleck et al. (2020), arXiv:1908.04319."""
    shares = []
    for text in texts:
        grams = _grams(text.tokens, n)
        if grams:
            shares.append(1 - len(set(grams)) / len(grams))
    return mean(shares)


def ended(texts: Sequence[Written]) -> float | None:
    """Share of texts that the model ended itself."""
    return mean([float(text.finish == "end") for text in texts])


MEASURES: dict[str, Measure] = {
    "length": Measure(
        "length", "tokens", "Tokens written, without the one that ends the text.",
        lambda texts: mean([len(text.tokens) for text in texts]),
    ),
    "ended": Measure("ended by the model", "share", "Share of texts that the model ended before the limit.", ended),
    "temperature": Measure("temperature", "", "Mean temperature of a text's draws.", mean_of("temperature")),
    "entropy": Measure("entropy of the model", "nats", "Mean entropy before filters and temperature.",
                       mean_of("entropy")),
    "entropy_after": Measure("entropy of the draw", "nats", "Mean entropy after filters and temperature.",
                             mean_of("entropy_after")),
    "surprisal": Measure("surprisal", "nats", "Mean of -ln p of each drawn token at temperature 1: how "
                         "unlikely the text is to the model itself.", mean_of("surprisal")),
    "distinct_1": Measure("distinct-1", "share", "Distinct tokens over all tokens, of the texts to one prompt "
                          "together (Li et al. 2016).", distinct(1)),
    "distinct_2": Measure("distinct-2", "share", "Distinct pairs of tokens over all tokens.", distinct(2)),
    "distinct_3": Measure("distinct-3", "share", "Distinct runs of three tokens over all tokens.", distinct(3)),
    "repetition": Measure("repetition", "share", "Share of a text's runs of four tokens that came before in it "
                          "(seq-rep-4, Welleck et al. 2020).", repetition),
}  # fmt: skip


def _grams(tokens: Sequence[int], n: int) -> list[tuple[int, ...]]:
    return list(zip(*(tokens[at:] for at in range(n)), strict=False))
