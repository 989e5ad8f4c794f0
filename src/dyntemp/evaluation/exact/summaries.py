"""Rows of many texts in short, each with the tokens in question: their log-probabilities under any policy and filters.

Rows are read once. After that a policy costs one pass over the sorted lists of `prefixes`, and no model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyntemp.distribution.filters import Filters, check_fixed
from dyntemp.errors import PolicyError
from dyntemp.evaluation.exact import cuts
from dyntemp.evaluation.exact.prefixes import Counts, Prefixes, Values
from dyntemp.evaluation.exact.row_signals import MEASURED, temperature_for_entropy, top_mass
from dyntemp.language.nodes import Const, Signal
from dyntemp.language.policy import Policy
from dyntemp.sampling import measure
from dyntemp.theory.row_summary import inverse

NO_FILTERS = Filters()


class Visits(NamedTuple):
    """The rows along each text, in any order, [visits]. Texts with a common beginning share its rows.

    Attributes:
        row: Number of the row.
        text: Number of the text.
        position: Number of tokens generated before.
        surprisal: -ln of the probability at temperature 1 of the token that the text has there, nats.
    """

    row: Counts
    text: Counts
    position: Counts
    surprisal: Values


class Draws(NamedTuple):
    """ln of the probability of each target, and its derivative by ln T of the row, [targets]."""

    log_prob: Values
    gradient: Values


@dataclass(frozen=True, slots=True, eq=False)
class Summaries:
    """Rows, and targets: sets of tokens of a row, of which one is drawn, such as all that end a line.

    Attributes:
        rows: The rows' logits.
        signals: Value of each signal by its name, [rows].
        visits: The texts that the rows belong to.
        target_row: The row of each target, [targets].
        begins: Place among `depth` of the first token of each target, and their number, [targets + 1].
        depth: Logit of each token less the row's largest, float32.
        rank: Number of tokens of the row that are likelier, or as likely with a lower number.
    """

    rows: Prefixes
    signals: Mapping[str, Values]
    visits: Visits
    target_row: Counts
    begins: Counts
    depth: NDArray[np.float32]
    rank: Counts

    @classmethod
    def of(cls, logits: NDArray[Any], targets: Sequence[Sequence[Collection[int]]]) -> Self:
        """The summaries of full rows, each taken as a text of its own.

        Args:
            logits: [rows, vocabulary], float32 or float64, -inf where masked.
            targets: The targets of each row, sets of at least one token.

        Raises:
            ValueError: For a target without tokens.
            InvalidLogitsError: For broken rows.
        """
        if any(not len(target) for row in targets for target in row):
            raise ValueError("a target without tokens was given; each is a set of one token or more")
        falling = -np.sort(-logits, axis=1)
        rows = Prefixes.of(falling)
        depth, rank = [], []
        for row, sorted_row, sets in zip(logits, falling, targets, strict=True):
            wanted = np.array([token for target in sets for token in target], np.int64)
            below = row[wanted].astype(np.float64) - sorted_row[0]
            depth.append(np.where(below > -np.inf, below, 0.0).astype(np.float32))  # the rank says who is masked
            rank.append(_ranks(row, sorted_row[::-1], wanted))
        count = np.arange(len(rows))
        return cls(
            rows,
            measure(logits, *MEASURED),
            Visits(count, count, np.zeros_like(count), np.zeros(len(rows))),
            np.repeat(count, [len(sets) for sets in targets]),
            np.cumsum([0, *(len(target) for sets in targets for target in sets)]),
            np.concatenate(depth),
            np.concatenate(rank),
        )

    @classmethod
    def joined(cls, parts: Sequence[Summaries], visits: Visits) -> Self:
        """The rows and targets of several parts, one after another, along the texts of `visits`."""
        ends = np.cumsum([0, *(len(part.rows) for part in parts)])
        places = np.cumsum([0, *(len(part.depth) for part in parts)])
        begins = [part.begins[:-1] + at for part, at in zip(parts, places, strict=False)]
        return cls(
            Prefixes.joined([part.rows for part in parts]),
            {name: np.concatenate([part.signals[name] for part in parts]) for name in MEASURED},
            visits,
            np.concatenate([part.target_row + at for part, at in zip(parts, ends, strict=False)]),
            np.concatenate([*begins, places[-1:]]),
            np.concatenate([part.depth for part in parts]),
            np.concatenate([part.rank for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def temperatures(self, policy: Policy, given: Mapping[str, ArrayLike] | None = None) -> Values:
        """The temperature of each row, given the text before it, [rows].

        Args:
            policy: Without free parameters.
            given: The value of each `given("name", low, high)` by name, and of each `inside("zone")` and `divergence`
                by its text: one for each row, or one for all.

        Raises:
            PolicyError: For a parameter without a value, or a signal that has no value here.
        """
        signals = self.values_of(policy, given or {})
        row, text, position, surprisal = self.visits
        if policy.remembers:
            state = policy.state(slots=int(text.max()) + 1, window=int(position.max()) + 2)
            state.observe(text, position, surprisal)
            along = {name: values[row] for name, values in signals.items()}
            found = policy.step(along, state=state, slot=text, position=position)
        else:
            found = policy.step(signals, position=self.positions)[row]
        result = np.empty(len(self))
        result[row] = found
        return result

    @property
    def positions(self) -> Counts:
        """Number of tokens generated before each row, [rows]."""
        result = np.zeros(len(self), np.int64)
        result[self.visits.row] = self.visits.position
        return result

    def values_of(self, policy: Policy, given: Mapping[str, ArrayLike]) -> dict[str, Values]:
        """The signals that a policy reads, by their text, [rows]; those that the text's place gives left out.

        Raises:
            PolicyError: As `temperatures`.
        """
        values: dict[str, Values] = {"requested": np.ones(len(self))}
        for signal in policy.program.signals:
            name = str(signal.arguments[0]) if signal.name == "given" else str(signal)
            if name in given:
                values[str(signal)] = np.broadcast_to(np.asarray(given[name], np.float64), len(self))
            elif signal.name not in ("position", "surprisal", "requested"):
                values[str(signal)] = self._signal(policy, signal)
        if policy.reads_surprisal:
            values.setdefault("entropy", self.signals["entropy"])
        return values

    def _signal(self, policy: Policy, signal: Signal) -> Values:
        match signal:
            case Signal(name) if name in self.signals:
                return self.signals[name]
            case Signal("entries"):
                return np.full(len(self), float(self.rows.starts[-1]))
            case Signal("top_mass", (Const(count),)):
                return top_mass(self.rows, int(count))
            case Signal("temperature_for_entropy", (Const(entropy),)):
                return temperature_for_entropy(self.rows, float(entropy))
        raise PolicyError(
            f"`{policy}` reads `{signal}`, which summaries of rows do not hold: pass its value in given=, or sample "
            "this policy instead"
        )

    def log_prob(self, temperatures: ArrayLike, filters: Filters = NO_FILTERS) -> Values:
        """ln of the probability that one of each target's tokens is drawn, [targets].

        Args:
            temperatures: One for each row, [rows], or one for all.
            filters: A chain of filters that keep the likeliest entries.

        Raises:
            ValueError: For another chain.
        """
        return self.draws(temperatures, filters).log_prob

    def gradient(self, temperatures: ArrayLike, filters: Filters = NO_FILTERS) -> Values:
        """The derivative of `log_prob` by ln T of the row, [targets]: the surprisal of the target less the entropy.

        It is 0 at temperatures of 0 and infinity, and for targets that cannot be drawn.

        Raises:
            ValueError: As `log_prob`, and for filters whose choice depends on the temperature, since the derivative
                does not exist where the choice jumps.
        """
        check_fixed(filters, "a gradient")
        return self.draws(temperatures, filters).gradient

    def draws(self, temperatures: ArrayLike, filters: Filters = NO_FILTERS) -> Draws:
        """`log_prob` and its gradient, both from one pass; for filters after the temperature, that of the kept entries.

        Raises:
            ValueError: As `log_prob`.
        """
        b = inverse(np.broadcast_to(np.asarray(temperatures, np.float64), len(self)))
        greedy = np.isinf(b)
        kept = cuts.kept_by(self.rows, filters, b)
        b = np.where(greedy, 1.0, b)
        log_partition, mean = self.rows.sums(b, kept)
        owner = np.repeat(np.arange(len(self.target_row)), np.diff(self.begins))
        row = self.target_row[owner]
        inside = self.rank < np.where(greedy, 1, kept)[row]
        first = self.begins[:-1]
        z = np.where(inside, b[row] * self.depth, -np.inf)
        top = np.maximum.reduceat(z, first)
        shown = np.where(top > -np.inf, top, 0.0)
        weight = np.exp(z - shown[owner])
        total = np.add.reduceat(weight, first)
        with np.errstate(divide="ignore"):
            log_p = shown + np.log(total) - log_partition[self.target_row]
        at = self.target_row
        certain, drawn = greedy[at], total > 0
        log_p = np.where(certain & drawn, 0.0, np.minimum(log_p, 0.0))
        depth = np.add.reduceat(weight * self.depth, first) / np.where(drawn, total, 1.0)
        gradient = np.where(certain | ~drawn, 0.0, b[at] * (mean[at] - depth))
        return Draws(log_p, gradient)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All numbers by name, for a NumPy archive."""
        found: dict[str, NDArray[Any]] = {f"rows {name}": getattr(self.rows, name) for name in Prefixes.__slots__}
        found |= {f"visits {name}": values for name, values in self.visits._asdict().items()}
        found |= {f"signal {name}": values for name, values in self.signals.items()}
        return found | {f"target {name}": getattr(self, name) for name in TARGETS}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The summaries that `arrays` gave."""
        return cls(
            Prefixes(*(arrays[f"rows {name}"] for name in Prefixes.__slots__)),
            {name: arrays[f"signal {name}"] for name in MEASURED},
            Visits(*(arrays[f"visits {name}"] for name in Visits._fields)),
            *(arrays[f"target {name}"] for name in TARGETS),
        )


TARGETS = ("target_row", "begins", "depth", "rank")


def _ranks(row: NDArray[Any], rising: NDArray[Any], tokens: Counts) -> Counts:
    """How many entries of a row go before each of these tokens, in the order of falling logits, ties by number."""
    values = row[tokens]
    ranks = len(row) - np.searchsorted(rising, values, side="right")
    same = len(row) - np.searchsorted(rising, values, side="left") - ranks
    for at in np.flatnonzero(same > 1):
        ranks[at] += np.count_nonzero(row[: tokens[at]] == values[at])
    return np.asarray(ranks, np.int64)
