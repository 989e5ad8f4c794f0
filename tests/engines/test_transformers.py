"""transformers: the suite of all adapters, and the real host with small networks of random weights."""

import pytest

from dyntemp.testing import EngineSuite

torch = pytest.importorskip("torch")

from dyntemp.testing.hosts.transformers import WithHook, WithProcessor, WithSampler  # noqa: E402

pytestmark = pytest.mark.torch


class TestProcessorConforms(EngineSuite):
    def make_host(self):
        return WithProcessor()


class TestHookConforms(EngineSuite):
    def make_host(self):
        return WithHook()


class TestSamplerConforms(EngineSuite):
    def make_host(self):
        return WithSampler()
