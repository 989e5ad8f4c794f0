"""Metrics: the samples of one item to one number."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from math import comb
from typing import Literal, NamedTuple

import numpy as np

from dyntemp.errors import StudyError
from dyntemp.evaluation.sample import Sample
from dyntemp.language.signals import suggestion

Of = Callable[[Sequence[Sample]], "float | None"]
"""The samples of one item to the metric's value; None where it is not defined."""

HOTTEST = 20.0
"""The temperature that infinite ones count as."""

VOCABULARY = 30_000
"""Words of the language in `ead`. One number for all arms, so that they can be compared."""

GRAM = 4
"""Words of an n-gram in `self_repetition`."""


class Metric(NamedTuple):
    """A metric of the samples of one item.

    Attributes:
        name: Its name. In `METRICS`, `k` stands for a number: `pass@k` is asked for as `pass@8`.
        title: Its meaning, in one line.
        unit: Unit of its values.
        better: The better direction, `more` or `less`; None where neither is.
        of: The samples of one item to its value; None where it is not defined.
    """

    name: str
    title: str
    unit: str
    better: Literal["more", "less"] | None
    of: Of


def metric_of(name: str) -> Metric:
    """The metric of a name, such as `accuracy` or `pass@8`.

    >>> metric_of("distinct@8").unit
    'answers'

    Raises:
        ValueError: For an unknown name, or a number that is missing or less than 1.
    """
    kind, at, number = name.partition("@")
    if not at and kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _NUMBERED and re.fullmatch(r"[1-9]\d*", number):
        metric, make = _NUMBERED[kind]
        return metric._replace(name=name, title=metric.title.replace("`k`", number), of=make(int(number)))
    known = list(METRICS)
    raise StudyError(
        f"the metric {name!r} was given; there are {', '.join(known)}, with a number of at least 1 for k and b"
        f"{suggestion(name, known)}"
    )


def pass_at(correct: int, samples: int, k: int) -> float:
    """The chance that one of k samples is correct: 1 - C(n - c, k) / C(n, k).

    It is the mean over all choices of k among the n samples, and so unbiased (Chen et al. 2021, arXiv:2107.03374).

    Raises:
        ValueError: For fewer samples than k.
    """
    _enough(samples, k)
    return 1 - comb(samples - correct, k) / comb(samples, k)


def distinct_at(counts: Sequence[int], samples: int, k: int) -> float:
    """The mean number of different answers among k samples, over all choices of k among them.

    Args:
        counts: How many samples gave each correct answer.
        samples: How many samples there are, those without a correct answer among them.
        k: Size of a choice.

    Raises:
        ValueError: For fewer samples than k.
    """
    _enough(samples, k)
    return sum(pass_at(count, samples, k) for count in counts)


@lru_cache(maxsize=4096)
def majority_at(right: tuple[int, ...], wrong: tuple[int, ...], samples: int, k: int) -> float:
    """The chance that a vote among k samples elects a correct answer, over all choices of k among the samples.

    The most frequent answer wins; answers that tie win with equal chances. Samples that no count holds do not vote;
    without a vote nothing is correct.

    Args:
        right: How many samples gave each correct answer.
        wrong: How many samples gave each wrong answer.
        samples: How many samples there are.
        k: Size of a choice.

    Raises:
        ValueError: For fewer samples than k.
    """
    _enough(samples, k)
    silent = samples - sum(right) - sum(wrong)
    groups = [(count, (1, 0)) for count in right] + [(count, (0, 1)) for count in wrong]
    won = 0.0
    for most in range(1, k + 1):  # votes of the winner
        ways = {(used, 0, 0): comb(silent, used) for used in range(min(silent, k) + 1)}
        for count, (is_right, is_wrong) in groups:
            after: Counter[tuple[int, int, int]] = Counter()
            for (used, rights, wrongs), number in ways.items():
                for votes in range(min(count, most, k - used) + 1):
                    tied = votes == most
                    state = (used + votes, rights + tied * is_right, wrongs + tied * is_wrong)
                    after[state] += number * comb(count, votes)
            ways = dict(after)
        won += sum(
            number * rights / (rights + wrongs)
            for (used, rights, wrongs), number in ways.items()
            if used == k and rights
        )
    return won / comb(samples, k)


def _enough(samples: int, k: int) -> None:
    if samples < k:
        raise StudyError(
            f"{samples} samples of an item were given for k = {k}; k is at most the number of samples: draw more "
            "samples, or take a smaller k"
        )


def _keys(samples: Sequence[Sample]) -> Counter[str]:
    return Counter(one.score.key for one in samples if one.score.correct)


def _pass(k: int) -> Of:
    return lambda samples: pass_at(sum(one.score.correct for one in samples), len(samples), k)


def _distinct(k: int) -> Of:
    return lambda samples: distinct_at(list(_keys(samples).values()), len(samples), k)


def _majority(k: int) -> Of:
    def of(samples: Sequence[Sample]) -> float:
        wrong = Counter(one.text.strip() for one in samples if one.score.valid and not one.score.correct)
        counts = (tuple(sorted(found.values())) for found in (_keys(samples), wrong))
        return majority_at(*counts, len(samples), k)

    return of


def _compression(size: int) -> Of:
    def of(samples: Sequence[Sample]) -> float | None:
        data = "\n".join(one.text for one in samples).encode()
        return size / len(zlib.compress(data[:size], 9)) if len(data) >= size else None

    return of


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _ead(samples: Sequence[Sample]) -> float | None:
    words = list(chain.from_iterable(_words(one.text) for one in samples))
    expected = VOCABULARY * (1 - ((VOCABULARY - 1) / VOCABULARY) ** len(words))
    return len(set(words)) / expected if words else None


def _self_repetition(samples: Sequence[Sample]) -> float | None:
    grams = [
        tuple(words[at : at + GRAM])
        for words in (_words(one.text) for one in samples)
        for at in range(len(words) - GRAM + 1)
    ]
    return 1 - len(set(grams)) / len(grams) if grams else None


def _share(holds: Callable[[Sample], bool]) -> Of:
    return lambda samples: sum(map(holds, samples)) / len(samples) if samples else None


def _per_token(
    numbers: Callable[[Sample], tuple[float, ...]], summary: Callable[[np.ndarray], np.floating] = np.mean
) -> Of:
    def of(samples: Sequence[Sample]) -> float | None:
        values = np.fromiter(chain.from_iterable(map(numbers, samples)), np.float64)
        return float(summary(np.minimum(values, HOTTEST))) if len(values) else None

    return of


def _length(samples: Sequence[Sample]) -> float | None:
    return sum(one.tokens for one in samples) / len(samples) if samples else None


_PLAIN = {metric.name: metric for metric in (
    Metric("accuracy", "share of texts that are correct", "share", "more", _share(lambda one: one.score.correct)),
    Metric("validity", "share of texts that can be read as an answer", "share", "more",
           _share(lambda one: one.score.valid)),
    Metric("ead", "different words over those expected of as many random ones (Liu et al. 2022, arXiv:2202.13587)",
           "ratio", "more", _ead),
    Metric("self_repetition", "share of 4-word sequences that stood before in the item's texts", "share", "less",
           _self_repetition),
    Metric("length", "tokens of a text", "tokens", None, _length),
    Metric("truncated", "share of texts cut off at the most tokens", "share", "less",
           _share(lambda one: one.finish == "length")),
    Metric("temperature", "mean over tokens of the temperature; infinite ones count as 20", "", None,
           _per_token(lambda one: one.temperature)),
    Metric("temperature_spread", "standard deviation over tokens of the temperature", "", None,
           _per_token(lambda one: one.temperature, np.std)),
    Metric("entropy", "mean over tokens of the model's entropy", "nats", None, _per_token(lambda one: one.entropy)),
    Metric("surprisal", "mean over tokens of -ln of the model's probability, at temperature 1 before any filter",
           "nats", None, _per_token(lambda one: one.surprisal)),
    Metric("surprisal_after", "mean over tokens of -ln of the probability that each was drawn with", "nats", None,
           _per_token(lambda one: tuple(-value for value in one.log_prob))),
)}  # fmt: skip

_NUMBERED: dict[str, tuple[Metric, Callable[[int], Of]]] = {
    "pass": (Metric("pass@k", "chance that one of `k` texts is correct", "share", "more", _pass(1)), _pass),
    "distinct": (Metric("distinct@k", "different correct answers among `k` texts", "answers", "more", _distinct(1)),
                 _distinct),
    "maj": (Metric("maj@k", "chance that the most frequent answer of `k` texts is correct", "share", "more",
                   _majority(1)), _majority),
    "compression": (Metric("compression@b", "bytes over bytes after zlib, of the first `k` bytes of the item's texts",
                           "ratio", "less", _compression(1)), _compression),
}  # fmt: skip

METRICS: dict[str, Metric] = _PLAIN | {metric.name: metric for metric, _ in _NUMBERED.values()}
"""All metrics by name. `compression@b` is not defined for an item with fewer bytes than b: take the smallest number of
bytes among the arms and items compared, so that all are measured at equal bytes."""
