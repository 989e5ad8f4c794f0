"""The settings of learning from texts, and their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dyntemp.distribution.filters import Filters, check_fixed
from dyntemp.evaluation.configuration import check_whole
from dyntemp.learn.learnable import Shape, check_bounds
from dyntemp.learn.passages import Passage
from dyntemp.models import BUNDLED


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageSettings:
    """The settings that decide what is learned from texts.

    Attributes:
        texts: The digest of the passages; see `digest_of`.
        shape: The shape of the policy, as `Shape.read` takes it: `curve`, `network`, or a template.
        filters: A chain before the temperature; empty for none.
        model: Name of the model, as `load_model` takes it.
        bounds: The lowest and the highest temperature of a curve, of a network, and of static temperature.
        each: Most tokens of a passage that are scored.
        most: Tokens of all passages that are scored, about: reading stops once there are so many. The bundled model
            reads the default in about a minute on two cores.
        seed: Seed of a network's first weights.

    Raises:
        ValueError: For a value that is not allowed.
    """

    texts: str
    shape: str = "curve"
    filters: str = ""
    model: str = BUNDLED
    bounds: tuple[float, float] = (0.1, 3.0)
    each: int = 128
    most: int = 3000
    seed: int = 0

    def __post_init__(self) -> None:
        Shape.read(self.shape)
        check_bounds(self.bounds)
        check_fixed(Filters.read(self.filters), "learning")
        for name in ("each", "most"):
            check_whole(name, getattr(self, name), 1)
        check_whole("seed", self.seed, 0)

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal."""
        return _sha256(self.to_json())


def digest_of(passages: Sequence[Passage]) -> str:
    """SHA-256 of the passages in any order, hexadecimal."""
    return _sha256(sorted(json.dumps(one) for one in passages))


def _sha256(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
