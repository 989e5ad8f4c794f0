"""For tests of code that uses dyntemp: a model without weights, and a suite for adapters to hosts."""

from dyntemp.testing.engine_suite import EngineSuite
from dyntemp.testing.fake_host import Asked, FakeHost
from dyntemp.testing.models import FakeModel, FakeSession

__all__ = ["Asked", "EngineSuite", "FakeHost", "FakeModel", "FakeSession"]
