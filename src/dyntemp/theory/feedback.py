"""The loop of a text and its temperature: how hot a text becomes under a policy, predicted from recorded texts.

A policy at a row adds surprise to the text, as much as some static temperature would add at that row: its heat there.
The rows that the model shows next depend on the heat of the text so far. Both are read off texts that were recorded at
static temperatures. See `docs/theory/loop.md`.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import PolicyError
from dyntemp.language.nodes import Call, walk
from dyntemp.language.policy import Policy
from dyntemp.theory.recordings import Recordings

Values = NDArray[np.float64]

TOKENS = 60
"""Tokens of a text that a forecast covers."""

EDGES = (0, 1, 4, 8, 14, 20, 30, 40, TOKENS)
"""Positions at which the parts of a text begin, whose rows are taken together; the last part is the last third."""

THIRD = TOKENS // 3

MEMORY = 16
"""Tokens over which the heat of a text is averaged; fitted to the development policies in `evidence/theory`."""

HEATS = np.concatenate([np.linspace(0.05, 3, 60), np.geomspace(3.1, 40, 25)])
"""Static temperatures among which the heat of a policy is looked for."""

RESAMPLES = 200
"""Resamples of the recorded texts."""

MARGIN = 1.0
"""A text runs away where the entropy of its last third is so many nats above that of texts drawn at T = 1."""

TEXTS = 8
"""The number of texts whose mean a forecast's interval is for."""

MODEL_ERROR = 0.1
"""Standard error of the logarithm of a text's heat, beside that of sampling; fitted to the same policies."""

INSIDE = 0.95
"""Share of runs that an interval is meant to hold."""


class Expected(NamedTuple):
    """A mean over the texts of a run, with the interval that is meant to hold 95 % of runs of `TEXTS` texts."""

    value: float
    low: float
    high: float


class FixedPoint(NamedTuple):
    """A heat of the text at which the policy adds as much heat.

    Attributes:
        heat: The heat, as a static temperature.
        gain: The loop gain d ln(heat of the next tokens)/d ln(heat of the text); the point is stable below 1.
    """

    heat: float
    gain: float


class Forecast(NamedTuple):
    """A run of `TEXTS` texts of 60 tokens, as predicted.

    Attributes:
        temperature: Mean temperature over all tokens.
        first: Mean temperature over the first third.
        last: Mean temperature over the last third.
        entropy: Mean entropy of the rows in the last third, at temperature 1, nats.
        own_entropy: The same of texts drawn at T = 1, nats.
        fixed_points: The fixed points of the loop, rising.
        likely: Share of the resamples that agree with `runs_away`.
    """

    temperature: Expected
    first: Expected
    last: Expected
    entropy: Expected
    own_entropy: float
    fixed_points: tuple[FixedPoint, ...]
    likely: float

    @property
    def runs_away(self) -> bool:
        """True where the entropy of the last third is expected to be `MARGIN` nats above that of texts at T = 1."""
        return self.entropy.value > self.own_entropy + MARGIN


class Tables(NamedTuple):
    """Means over the rows of one static temperature and one part of a text, [resamples, temperatures, parts].

    Attributes:
        temperature: Temperature of the policy.
        heat: Static temperature that adds as much surprise as the policy.
        entropy: Entropy of the rows.
    """

    temperature: Values
    heat: Values
    entropy: Values


class Feedback:
    """The feedback of a model, from its recordings.

    Args:
        recordings: Texts at three or more static temperatures, among them 1, of 60 tokens and more.

    Raises:
        ValueError: For recordings without these.
    """

    def __init__(self, recordings: Recordings) -> None:
        static = recordings.static
        if len(static) < 3 or not np.any(static == 1) or recordings.positions.max() < TOKENS - 1:
            raise ValueError(
                f"these recordings have texts of up to {recordings.positions.max() + 1} tokens at the temperatures "
                f"{static.tolist()}; a forecast needs {TOKENS} tokens, and three temperatures, 1 among them"
            )
        self.recordings = recordings
        used = recordings.positions < TOKENS
        self._used = used
        part = np.searchsorted(EDGES, recordings.positions[used], side="right") - 1
        self._cell = recordings.texts[used] * (len(EDGES) - 1) + part
        starts = np.unique(recordings.texts, return_index=True)[1]
        self._heat_of_text = np.searchsorted(static, recordings.heats[starts])
        self._weights = self._resampled()

    def forecast(self, policy: Policy) -> Forecast:
        """The run that `policy` is expected to give.

        Raises:
            PolicyError: If it reads a signal that is not recorded, or sums with `integral`: a sum winds up on texts
                that it did not heat itself.
        """
        if sums(policy):
            raise PolicyError(f"`{policy}` sums with `integral`; the theory of controllers applies to it instead")
        tables = self._tables(policy)
        temperature, entropy = self._run(tables)
        own = float(self._entropy[0, np.flatnonzero(self.recordings.static == 1)[0], -1])
        ends = entropy[:, -THIRD:].mean(axis=1)
        return Forecast(
            temperature=_expected(temperature.mean(axis=1)),
            first=_expected(temperature[:, :THIRD].mean(axis=1)),
            last=_expected(temperature[:, -THIRD:].mean(axis=1)),
            entropy=_expected(ends),
            own_entropy=own,
            fixed_points=self._fixed_points(tables.heat[0, :, -1]),
            likely=float(np.mean((ends > own + MARGIN) == (ends[0] > own + MARGIN))),
        )

    def _tables(self, policy: Policy) -> Tables:
        temperatures = self.recordings.temperatures(policy)
        temperature = self._means(temperatures[self._used])
        added = self._means(self.recordings.mean_surprisal(temperatures)[self._used])
        heat = np.empty_like(added)
        for at in np.ndindex(*added.shape):
            heat[at] = np.interp(added[at], self._static_surprisal[at], HEATS)
        return Tables(temperature, heat, self._entropy)

    @cached_property
    def _static_surprisal(self) -> Values:
        """Mean surprisal that each temperature of `HEATS` gives, [resamples, temperatures, parts, heats]."""
        columns = [self._means(self.recordings.mean_surprisal(heat)[self._used]) for heat in HEATS]
        return np.stack(columns, axis=-1)

    @cached_property
    def _entropy(self) -> Values:
        return self._means(self.recordings.signals["entropy"][self._used])

    def _means(self, values: Values) -> Values:
        """Mean of one value per used token, [resamples, temperatures, parts]."""
        cells = self.recordings.count * (len(EDGES) - 1)
        shape = (self.recordings.count, len(EDGES) - 1)
        total = np.bincount(self._cell, values, cells).reshape(shape)
        count = np.bincount(self._cell, minlength=cells).reshape(shape)
        with np.errstate(invalid="ignore"):  # a part that no text of a resample reaches, or an infinite temperature
            return np.asarray((self._weights @ total) / (self._weights @ count))

    def _resampled(self) -> Values:
        """How often each resample has each text, [resamples, temperatures, texts]; the first has each once."""
        generator = np.random.default_rng(0)
        heats = len(self.recordings.static)
        weights = np.zeros((RESAMPLES, heats, self.recordings.count))
        for heat in range(heats):
            own = np.flatnonzero(self._heat_of_text == heat)
            drawn = round(1 / (1 / len(own) + 1 / TEXTS))  # as uncertain as the recorded and the run's texts together
            weights[:, heat, own] = generator.multinomial(drawn, np.full(len(own), 1 / len(own)), RESAMPLES)
            weights[0, heat] = self._heat_of_text == heat
        return weights

    def _run(self, tables: Tables) -> tuple[Values, Values]:
        """Temperature and entropy at each position, [resamples, tokens], as the text heats or cools."""
        known = np.log(self.recordings.static)
        temperature, entropy = np.empty((2, RESAMPLES, TOKENS))
        error = MODEL_ERROR * np.random.default_rng(1).standard_normal(RESAMPLES)
        error[0] = 0
        log_heat = np.zeros(RESAMPLES)  # a prompt counts as text at T = 1
        for position in range(TOKENS):
            part = int(np.searchsorted(EDGES, position, side="right")) - 1
            temperature[:, position] = _between(tables.temperature[:, :, part], known, log_heat + error)
            entropy[:, position] = _between(tables.entropy[:, :, part], known, log_heat + error)
            added = _between(np.log(tables.heat[:, :, part]), known, log_heat + error)
            share = 1 / min(position + 1, MEMORY)
            log_heat = (1 - share) * log_heat + share * added
        return temperature, entropy

    def _fixed_points(self, heat: Values) -> tuple[FixedPoint, ...]:
        """Where the heat of the last part, linear in logarithms between static temperatures, is that of the text."""
        x, y = np.log(self.recordings.static), np.log(heat)
        found = []
        for left in range(len(x) - 1):
            gain = (y[left + 1] - y[left]) / (x[left + 1] - x[left])
            before, after = y[left] - x[left], y[left + 1] - x[left + 1]
            if before * after < 0 or after == 0 != before:
                at = x[left] + (x[left + 1] - x[left]) * before / (before - after)
                found.append(FixedPoint(float(np.exp(at)), float(gain)))
        return tuple(found)


def sums(policy: Policy) -> list[Call]:
    """The `integral`s in a policy."""
    return [node for node in walk(policy.computed) if isinstance(node, Call) and node.function == "integral"]


def _expected(means: Values) -> Expected:
    """The value of the first resample, and the range of most resamples."""
    low, high = np.nanquantile(means, [(1 - INSIDE) / 2, (1 + INSIDE) / 2])
    return Expected(float(means[0]), float(low), float(high))


def _between(table: Values, known: Values, at: Values) -> Values:
    """Linear interpolation of each resample's values, [resamples, temperatures], at its own place, held at the ends."""
    place = np.clip(at, known[0], known[-1])
    left = np.clip(np.searchsorted(known, place, side="right") - 1, 0, len(known) - 2)
    share = (place - known[left]) / (known[left + 1] - known[left])
    rows = np.arange(len(table))
    with np.errstate(invalid="ignore"):  # infinite temperatures
        low, high = table[rows, left], table[rows, left + 1]
        return np.asarray(np.where(share == 0, low, low * (1 - share) + high * share))
