"""The adapters to MLX-LM: as a fake host calls them, and on MLX-LM itself where it is installed."""

from dyntemp.testing import EngineSuite
from dyntemp.testing.hosts import mlx as hosts


class TestSampler(EngineSuite):
    def make_host(self):
        return hosts.Sampler()


class TestSharedSampler(EngineSuite):
    def make_host(self):
        return hosts.Shared()


class TestProcessor(EngineSuite):
    def make_host(self):
        return hosts.Processor()


class TestSharedProcessor(EngineSuite):
    def make_host(self):
        return hosts.Processor(shared=True)
