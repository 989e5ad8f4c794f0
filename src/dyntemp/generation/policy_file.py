"""The file of a policy: the policy, the filters that belong to it, and where both come from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy, policy_object
from dyntemp.textfile import read_text, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of a policy on items that had no part in its choice.

    Attributes:
        task: Name of the task.
        metric: Name of the metric.
        mean: Mean over items.
        low: Lower end of the 95 % interval of the mean; None with too few items.
        high: Its upper end.
        items: How many items were scored.
    """

    task: str
    metric: str
    mean: float
    low: float | None
    high: float | None
    items: int

    def __str__(self) -> str:
        between = "" if self.low is None or self.high is None else f" ({self.low:.4g} to {self.high:.4g})"
        return f"{self.mean:.4g}{between} {self.metric}, {self.items} items"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The origin of a policy that was tuned.

    Attributes:
        sentence: The outcome of the tuning, in one sentence.
        model: Name of the model.
        trials: How many configurations were tried.
        scores: The scores on the test items of each task.
        digest: Hexadecimal digits of the tuning's settings.
        about: Date, versions of packages and machine, by name.
    """

    sentence: str
    model: str
    trials: int
    scores: Sequence[Score]
    digest: str
    about: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The provenance that `PolicyFile.to_json` wrote.

        Raises:
            PolicyError: If a field is missing, unknown or of another kind.
        """
        try:
            found = cls(**data | {"scores": tuple(Score(**score) for score in data["scores"])})
            text = [found.sentence, found.model, found.digest, *found.about, *found.about.values()]
            text += [word for score in found.scores for word in (score.task, score.metric)]
            numbers = [found.trials, *(n for score in found.scores for n in (score.mean, score.items))]
            ends = [end for score in found.scores for end in (score.low, score.high) if end is not None]
        except (TypeError, KeyError, AttributeError) as error:
            raise PolicyError(f"its provenance cannot be read: {error}") from None
        for kind, values in ((str, text), (int | float, [*numbers, *ends])):
            if wrong := [value for value in values if not isinstance(value, kind)]:
                raise PolicyError(f"its provenance cannot be read: {wrong[0]!r:.80} was given in place of another kind")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFile:
    """A policy with the filters that belong to it, as a JSON file holds them.

    Attributes:
        policy: The policy.
        filters: The filters that it was tuned with; none by default.
        provenance: Where it comes from, if it was tuned.

    >>> file = PolicyFile(policy=Policy("0.9"), filters=Filters.read("min_p(0.05)"))
    >>> PolicyFile.from_json(file.to_json()) == file
    True
    """

    policy: Policy
    filters: Filters = Filters()
    provenance: Provenance | None = None

    def to_json(self) -> str:
        """One JSON object: that of `Policy.to_json`, with `filters` and `provenance` where there are any."""
        data = json.loads(self.policy.to_json())
        if self.filters.active:
            data["filters"] = str(self.filters)
        if self.provenance is not None:
            data["provenance"] = asdict(self.provenance)
        return json.dumps(data, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The policy and the filters that `to_json` or `Policy.to_json` wrote.

        Raises:
            PolicyError: If it is not such an object, or of a later version.
        """
        data = policy_object(text)
        filters, provenance = data.get("filters"), data.get("provenance")
        if not isinstance(filters, str | None):
            raise PolicyError(f'its filters are {filters!r:.80}: a text is expected, such as "min_p(0.05)"')
        try:
            chain = Filters.read(filters or "")
        except ValueError as error:
            raise PolicyError(str(error)) from None
        return cls(
            policy=Policy(data["policy"], name=data.get("name")),
            filters=chain,
            provenance=None if provenance is None else Provenance.from_json(provenance),
        )

    def save(self, path: str | Path) -> None:
        """Write it to `path`; the file is whole at any moment."""
        write_whole(Path(path), self.to_json() + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The policy and the filters in the file at `path`.

        Raises:
            PolicyError: If the file holds no policy; the message names the file.
        """
        try:
            return cls.from_json(read_text(path))
        except ValueError as error:
            raise PolicyError(f"{path}: {error}") from None
