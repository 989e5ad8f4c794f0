"""The adapters to MLX-LM: as a fake host calls them, and on MLX-LM itself where it is installed."""

import numpy as np
import pytest

from dyntemp.engines import EngineError
from dyntemp.engines.mlx import DynamicTemperature, ScaleLogits
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


def test_a_text_for_which_no_row_came_is_not_taken_for_the_next():
    dynamic = DynamicTemperature("0.2 + ema(entropy, 0.5)", seed=1)
    row = np.zeros((1, 9), np.float32)
    dynamic.follow(np.array([1, 2]), row)  # and then the host failed
    dynamic.follow(np.array([3]), row)
    dynamic(row)
    with pytest.raises(EngineError, match=r"call reset\(\)"):
        dynamic.follow(np.array([3, 4]), row)
    dynamic.reset()
    dynamic.follow(np.array([3, 4]), row)

    assert dynamic(row).shape == (1,)


def test_lists_of_given_are_read_by_position():
    steps, given, row = [], {"kl": [0.25, 0.5]}, np.zeros((1, 9), np.float32)
    processor = ScaleLogits("given('kl', 0, 1)", given=given, record=steps.append)
    sampler = DynamicTemperature("given('kl', 0, 1)", seed=1, given=given, record=steps.append)
    for length in (2, 3, 4):
        processor(np.arange(length), row)
        sampler.follow(np.arange(length), row)
        sampler(row)

    assert [float(step.temperature[0]) for step in steps] == [0.25, 0.25, 0.5, 0.5, 0.25, 0.25]
    with pytest.raises(EngineError, match="what only tokens tell"):
        sampler(row)
