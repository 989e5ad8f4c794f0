"""For tests of code that uses dyntemp: a model without weights, and a suite for adapters to hosts."""

from dyntemp.testing.engines import Asked, EngineSuite, FakeHost
from dyntemp.testing.models import FakeModel, FakeSession

__all__ = ["Asked", "EngineSuite", "FakeHost", "FakeModel", "FakeSession"]
