"""The errors that dyntemp raises on purpose; every message says what was given, what is allowed and what to do."""

from __future__ import annotations


class DyntempError(ValueError):
    """An error of one of the classes below."""


class PolicyError(DyntempError):
    """A policy that cannot be read, or that could return a temperature that makes no sense.

    Attributes:
        position: Character offset in the policy's text at which the fault begins, or None where the policy was
            built from Python objects or the fault belongs to no single place.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class InvalidLogitsError(DyntempError):
    """Rows of logits that no temperature can be computed for: NaN, +inf, nothing unmasked, wrong shape or dtype."""


class StateError(DyntempError):
    """A policy that remembers was used without its state, or with one that does not fit."""


class TraceError(DyntempError):
    """A trace file that cannot be read or written; the message names the file, and the line where one is damaged."""


class ModelError(DyntempError):
    """A model that cannot be loaded or asked; the message says what to install or to name instead."""


class EngineError(DyntempError):
    """A host, or the way it was set up, cannot do what was asked; the message says why, and what to do instead."""


class StudyError(DyntempError):
    """A study that cannot be run as it is described; the message says what to change."""
