"""A learned network is a long text; every host takes it, and draws at its temperatures."""

import json

import numpy as np
import pytest
from tests.learned import NETWORK, ROW_NETWORK

from dyntemp import Policy, temperatures
from dyntemp.engines.sglang import extra_body
from dyntemp.testing import Asked
from dyntemp.testing.checks import check_row, some_rows


def vllm(runner):
    pytest.importorskip("torch")
    from dyntemp.engines.vllm import DynamicTemperature
    from dyntemp.testing.hosts import vllm as hosts

    return getattr(hosts, runner)(DynamicTemperature)


def sglang():
    from dyntemp.testing.hosts.sglang import SGLang

    return SGLang()


def llama_cpp():
    from dyntemp.testing.hosts.llama_cpp import ChainHost

    return ChainHost()


HOSTS = {
    "vllm/v1": (lambda: vllm("FirstRunner"), NETWORK), "vllm/v2": (lambda: vllm("SecondRunner"), NETWORK),
    "llama.cpp": (llama_cpp, NETWORK),
    "sglang": (sglang, ROW_NETWORK),  # it does not tell positions
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTS)
def test_the_host_draws_at_the_networks_temperatures(name):
    make, policy = HOSTS[name]
    host = make()
    assert len(policy) > 2300
    (request,) = host.begin([Asked(policy, tokens=(5, 6))])
    seen = []
    for position, row in enumerate(some_rows(6, host.vocabulary, seed=2)):
        found = host.step({request: row.copy()})[request]
        expected = float(temperatures(row, policy, position=position, backend="reference"))
        check_row(row, found, expected)
        seen.append(expected)
        host.draw({request: 7 + position})
    assert np.ptp(seen) > 0.1


def test_a_request_to_sglang_holds_the_whole_text():
    assert json.loads(json.dumps(extra_body(Policy(ROW_NETWORK))))["custom_params"]["dyntemp"] == ROW_NETWORK
