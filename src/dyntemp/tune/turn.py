"""TURN: one temperature from the entropy of a model's own texts, without labels (Du, Yang and Welleck 2025).

The mean entropy per token rises with the temperature. Its logarithm first bends down, and bends up from the turning
point on, where texts begin to fall apart. Published in arXiv 2502.05234; the rule is that of its code, `predict.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.statistics.estimate import RESAMPLES, Values

TASKS = {"better-of-n": 0.1, "vote": 0.0}
"""Tasks -> degrees above the turning point: the best of n texts, or the majority of their answers."""

FEWEST = 3
"""Fewest temperatures that have one inside the grid."""


class Text(NamedTuple):
    """A text of the model at one temperature.

    Attributes:
        temperature: The temperature of all its tokens.
        prompt: Number of its prompt.
        number: Number of the text, one for each seed of noise.
        tokens: How many tokens were drawn.
        entropy: Mean entropy of its draws, nats per token.
    """

    temperature: float
    prompt: int
    number: int
    tokens: int
    entropy: float


class TurningPoint(NamedTuple):
    """Where the logarithm of the entropy begins to bend up.

    Attributes:
        temperature: The first temperature inside the grid with a bend above 0; without one, the last inside the grid.
        inside: True if there is one.
        bends: Second derivative of ln entropy at each temperature.
    """

    temperature: float
    inside: bool
    bends: list[float]


class Choice(NamedTuple):
    """A temperature for a task.

    Attributes:
        task: A name of `TASKS`.
        temperature: The turning point, with the task's degrees added.
        turning: The turning point.
        temperatures: The grid: the temperatures at which all texts were written.
        entropies: Mean entropy at each, nats per token.
        units: How many prompts the interval resamples; texts, where there is one prompt.
        resampled: "prompts" or "texts".
        low: Lower end of the temperature's 95 % interval; None with fewer than two units.
        high: Upper end.
        agreeing: Share of the resamples that choose the same temperature.
        outside: Share of the resamples without a turning point inside the grid.
    """

    task: str
    temperature: float
    turning: TurningPoint
    temperatures: list[float]
    entropies: list[float]
    units: int
    resampled: str
    low: float | None
    high: float | None
    agreeing: float | None
    outside: float | None


def turning_point(temperatures: ArrayLike, entropies: ArrayLike) -> TurningPoint:
    """The turning point of a curve.

    Args:
        temperatures: Rising temperatures, at least three.
        entropies: Mean entropy per token at each, above 0; any unit.

    Raises:
        ValueError: For other values.

    >>> found = turning_point([0.2, 0.4, 0.6, 0.8, 1.0], [0.1, 0.2, 0.3, 0.4, 1.6])
    >>> found.temperature, found.inside
    (0.6, True)
    """
    t, h = np.asarray(temperatures, np.float64), np.asarray(entropies, np.float64)
    if t.shape != h.shape or t.ndim != 1 or len(t) < FEWEST:
        raise ValueError(f"temperatures of shape {t.shape} and entropies of shape {h.shape} were given; a turning "
                         f"point needs at least {FEWEST} temperatures, with an entropy each")  # fmt: skip
    if not (np.all(np.diff(t) > 0) and np.all(np.isfinite(t))):
        raise ValueError(f"the temperatures {t.tolist()} were given; they rise from one to the next")
    if not (np.all(h > 0) and np.all(np.isfinite(h))):
        raise ValueError(f"the entropies {h.tolist()} were given; they lie above 0, so that each has a logarithm")
    bends = _bends(t, h)
    place, inside = _turns(bends)
    return TurningPoint(float(t[place]), bool(inside), bends.tolist())


def choose(task: str, texts: Iterable[Text]) -> Choice:
    """The temperature for a task, from texts at several temperatures.

    A prompt's entropy is the mean over its texts, and the curve is the mean over prompts. The interval is that of a
    percentile bootstrap over prompts, or over texts where there is one prompt. Temperatures with fewer texts than
    others, or where every token was certain, are left out.

    Raises:
        ValueError: For an unknown task, or if fewer than three temperatures are left.
    """
    if task not in TASKS:
        raise ValueError(f"task = {task!r} was given; {', '.join(TASKS)} are allowed")
    t, units, resampled = _table(texts)
    if len(t) < FEWEST:
        raise ValueError(f"texts at {len(t)} temperatures were given; a turning point needs at least {FEWEST}")
    entropies = units.mean(axis=1)
    turning = turning_point(t, entropies)
    chosen = _above(turning.temperature, task)
    low = high = agreeing = outside = None
    if (count := units.shape[1]) > 1:
        shares = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES) / count
        with np.errstate(divide="ignore", invalid="ignore"):  # a resample may hold certain texts alone
            places, insides = _turns(_bends(t, shares @ units.T))
        again = t[places]
        low, high = (_above(float(end), task) for end in np.quantile(again, [0.025, 0.975], method="inverted_cdf"))
        agreeing, outside = float(np.mean(again == turning.temperature)), float(np.mean(~insides))
    return Choice(task, chosen, turning, t.tolist(), entropies.tolist(), count, resampled, low, high, agreeing, outside)


def _above(temperature: float, task: str) -> float:
    """The task's degrees added, in decimals: 0.8 + 0.1 is 0.9."""
    return round(temperature + TASKS[task], 9)


def _bends(t: Values, entropies: Values) -> Values:
    """Second derivatives of ln entropy, by central differences twice, [..., temperatures]."""
    return np.asarray(np.gradient(np.gradient(np.log(entropies), t, axis=-1), t, axis=-1))


def _turns(bends: Values) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The place of the first bend above 0 between the ends of the grid, and whether there is one; else the last."""
    up = bends[..., 1:-1] > 0
    inside = np.asarray(up.any(axis=-1))
    return np.asarray(np.where(inside, up.argmax(axis=-1) + 1, bends.shape[-1] - 2)), inside


def _table(texts: Iterable[Text]) -> tuple[Values, Values, str]:
    """The temperatures, rising, and the mean entropy of each prompt at each, [temperatures, prompts].

    With one prompt, the texts take the place of the prompts. The last value names them.
    """
    found: dict[float, list[Text]] = {}
    for text in texts:
        found.setdefault(text.temperature, []).append(text)
    most = max(map(len, found.values()), default=0)
    alone = len({text.prompt for group in found.values() for text in group}) == 1
    rows = {
        t: _means([(text.number if alone else text.prompt, text.entropy) for text in group])
        for t, group in sorted(found.items())
        if len(group) == most
    }
    rows = {t: row for t, row in rows.items() if any(row)}
    return np.array(list(rows)), np.array(list(rows.values())), "texts" if alone else "prompts"


def _means(pairs: Sequence[tuple[int, float]]) -> list[float]:
    """The mean of the values of each key, in the order of the keys."""
    groups: dict[int, list[float]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return [float(np.mean(groups[key])) for key in sorted(groups)]
