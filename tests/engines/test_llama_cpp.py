from dyntemp.testing import EngineSuite
from dyntemp.testing.hosts.llama_cpp import ChainHost, ProcessorHost
import pytest

class TestChain(EngineSuite):
    def make_host(self):
        return ChainHost()


class TestSortedCandidates(EngineSuite):
    def make_host(self):
        return ChainHost("sorted")


class TestShuffledCandidates(EngineSuite):
    def make_host(self):
        return ChainHost("shuffled")

    def test_temperature_zero_leaves_the_likeliest(self) -> None:
        pytest.skip("x")


class TestProcessor(EngineSuite):
    def make_host(self):
        return ProcessorHost()
