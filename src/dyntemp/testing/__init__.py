"""For tests of what is built on dyntemp: a model without weights, and what an adapter to a host must pass."""

from dyntemp.testing.engines import Asked, EngineSuite, FakeHost
from dyntemp.testing.models import FakeModel, FakeSession

__all__ = ["Asked", "EngineSuite", "FakeHost", "FakeModel", "FakeSession"]
