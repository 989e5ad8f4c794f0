"""The sampling that a model's makers recommend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from dyntemp.models import BUNDLED, Model

FIELDS = ("temperature", "top_k", "top_p", "min_p")
"""The numbers of a recommendation that are read."""

CARDS: Mapping[str, Mapping[str, float]] = {BUNDLED: {"temperature": 0.2, "top_p": 0.9}}
"""Recommendations that stand on a model's card and not in its files, by the name of the model."""


@runtime_checkable
class Recommends(Protocol):
    """A model whose files may hold a recommendation."""

    @property
    def recommended(self) -> Mapping[str, float]:
        """Its numbers, by their names in `FIELDS`; empty without one."""


def recommended(model: Model) -> dict[str, float]:
    """The temperature, and the numbers of filters, that the makers of a model recommend, by their names in `FIELDS`.

    They are those of `generation_config.json` in transformers, where it samples, those of `general.sampling` in a GGUF
    file, or those of the card in `CARDS`. Empty where there is no recommendation.
    """
    own = model.recommended if isinstance(model, Recommends) else {}
    return dict(own or CARDS.get(model.name.rpartition(":")[2], {}))
