"""The adapter to SGLang: as a fake host calls it, through SGLang's own functions, and as a client of a server."""

import importlib.machinery
import json
import logging
import pickle
import subprocess
import sys
import threading
import types
import warnings
import weakref
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest

from dyntemp import PolicyError, temperatures
from dyntemp.engines import EngineError, sglang
from dyntemp.engines.sglang import DynamicTemperature, extra_body, self_test
from dyntemp.testing import EngineSuite
from dyntemp.testing.hosts.sglang import Running, SGLang

POLICIES = ["0.3 + 0.7*normalized_entropy**0.5", "0.5*requested + 0.1*max_prob", "0.8", None, "0.2 + 0.1*entropy"]


class TestArrays(EngineSuite):
    def make_host(self):
        return SGLang()


class TestTensors(EngineSuite):
    def make_host(self):
        return SGLang(pytest.importorskip("torch").from_numpy)


def test_a_request_is_text_and_the_name_of_a_class():
    body = json.loads(json.dumps(extra_body("0.8", mine=3)))

    assert body["custom_params"] == {"dyntemp": "0.8", "mine": 3}
    assert len(body["custom_logit_processor"]) < 300
    assert pickle.loads(bytes.fromhex(json.loads(body["custom_logit_processor"])["callable"])) is DynamicTemperature


@pytest.mark.parametrize("policy", ["0.3 + 0.01*position", "ema(entropy, 0.5)", "surprisal/9", "given('x', 0, 1)"])
def test_what_the_host_does_not_tell_is_refused_before_anything_is_sent(policy):
    with pytest.raises(EngineError, match="SGLang"):
        extra_body(policy)


def test_a_client_needs_no_more_than_dyntemp():
    code = "import sys; from dyntemp.engines.sglang import extra_body; extra_body('0.8'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"torch", "sglang", "dill", "openai"} & set(loaded)


def test_a_request_without_parameters_ends_no_server(caplog):
    row = np.zeros((1, 8), np.float32)
    with caplog.at_level(logging.WARNING):
        found = DynamicTemperature()(row.copy(), [None])
        DynamicTemperature()(row.copy(), [None])

    assert found.tobytes() == row.tobytes()
    assert len([one for one in caplog.records if "custom_params" in one.message]) == 1


def test_a_request_that_is_over_is_left_alone():
    request = Running(None, SimpleNamespace(top_k=5, temperature=1.0))
    params = {"dyntemp": "0.5", "__req__": weakref.proxy(request)}
    del request

    assert DynamicTemperature()(np.ones((1, 8), np.float32), [params]).tolist() == [[1] * 8]


def test_more_policies_than_are_kept(monkeypatch):
    monkeypatch.setattr(sglang, "MOST_KINDS", 3)
    monkeypatch.setattr(DynamicTemperature, "_kinds", {})
    row = np.float32([[0, 2, 4]])
    for _ in range(2):
        for t in (0.5, 1.0, 2.0, 4.0, 8.0):
            assert np.ptp(DynamicTemperature()(row.copy(), [{"dyntemp": str(t)}])) == pytest.approx(4 / t)


def test_more_policies_in_a_batch_than_are_kept(monkeypatch):
    monkeypatch.setattr(sglang, "MOST_KINDS", 3)
    monkeypatch.setattr(DynamicTemperature, "_kinds", {})
    temperatures = (0.5, 1.0, 2.0, 4.0, 8.0)
    for _ in range(2):
        rows = np.float32([[0, 2, 4]] * 5)
        found = DynamicTemperature()(rows, [{"dyntemp": str(t)} for t in temperatures])

        assert np.ptp(found, axis=1).tolist() == pytest.approx([4 / t for t in temperatures])


# SGLang's own code


@pytest.fixture(scope="module")
def host():
    """SGLang's modules, which load on a CPU but for a package for pictures that they name and do not use here."""
    pytest.importorskip("sglang", reason="SGLang is not installed")
    pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("", ".io", ".transforms", ".transforms.functional", ".transforms.v2",
                     ".transforms.v2.functional"):  # fmt: skip
            if "torchvision" + name not in sys.modules:
                sys.modules["torchvision" + name] = Pictures("torchvision" + name)
        from sglang.srt.layers import sampler
        from sglang.srt.managers import schedule_batch
        from sglang.srt.sampling import custom_logit_processor, sampling_batch_info, sampling_params

    return SimpleNamespace(sampler=sampler, batch=schedule_batch, info=sampling_batch_info,
                           processors=custom_logit_processor, params=sampling_params)  # fmt: skip


class Pictures(types.ModuleType):
    __path__ = ()
    __version__ = "0.28.0"

    def __init__(self, name):
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock()


def batch_of(host, policies, requested):
    """Requests with SGLang's own parameters, and its batch of them as far as processors are concerned."""
    import torch

    reqs = []
    for number, (policy, t) in enumerate(zip(policies, requested, strict=True)):
        body = {} if policy is None else extra_body("1") | {"custom_params": {"dyntemp": policy}}
        params = host.params.SamplingParams(temperature=t, custom_params=body.get("custom_params"))
        params.normalize(None)
        reqs.append(host.batch.Req(str(number), "", [1, 2, 3], params,
                                   custom_logit_processor=body.get("custom_logit_processor")))  # fmt: skip
    strings = [req.custom_logit_processor for req in reqs]
    entries = {}
    for string in dict.fromkeys(one for one in strings if one):
        rows = [row for row, other in enumerate(strings) if other == string]
        entries[hash(string)] = host.info.ProcessorEntry(
            host.processors.CustomLogitProcessor.from_str(string), rows, torch.tensor(rows)
        )
    info = host.info.SamplingBatchInfo(
        temperatures=torch.tensor([[req.sampling_params.temperature] for req in reqs]), top_ps=None, top_ks=None,
        min_ps=None, is_all_greedy=False, is_any_greedy=False, need_top_p_sampling=False, need_top_k_sampling=False,
        need_min_p_sampling=False, vocab_size=500, has_custom_logit_processor=True,
        custom_params=[req.sampling_params.custom_params for req in reqs], custom_logit_processor=entries, device="cpu",
    )  # fmt: skip
    return reqs, info


def rows_of(count, n=500):
    import torch

    return torch.from_numpy(np.random.default_rng(0).normal(0, 3, (count, n)).astype(np.float32))


def test_through_the_hosts_own_functions(host):
    requested = [1.0, 0.7, 1.5, 0.9, 0.0]
    _, info = batch_of(host, POLICIES, requested)
    given = rows_of(5)
    logits = host.sampler.Sampler._preprocess_logits(None, given.clone(), info)
    after = logits / info.temperatures

    for row, (policy, t) in enumerate(zip(POLICIES, requested, strict=True)):
        if policy is None or t == 0:
            assert (logits[row] == given[row]).all()
            continue
        expected = float(temperatures(given[row].numpy(), policy, requested=t, backend="reference"))
        np.testing.assert_allclose(after[row], given[row] / expected, rtol=1e-5)


def test_after_the_hosts_own_filter_and_merge(host):
    import torch

    requested = [1.0, 0.7, 1.5, 0.9, 0.0]
    _, info = batch_of(host, POLICIES, requested)
    info._filter_batch_custom_logit_processor([1, 2, 3])
    given = rows_of(3)
    info.temperatures = info.temperatures[[1, 2, 3]]
    logits = given.clone()
    host.sampler.apply_custom_logit_processor(logits, info)

    t = float(temperatures(given[0].numpy(), POLICIES[1], requested=0.7, backend="reference"))
    np.testing.assert_allclose(logits[0] / 0.7, given[0] / t, rtol=1e-5)
    np.testing.assert_allclose(logits[1] / 1.5, given[1] / 0.8, rtol=1e-5)
    assert torch.equal(logits[2], given[2])


def test_rows_of_drafts_that_the_host_hands_over_with_their_request(host):
    _, info = batch_of(host, ["0.5", POLICIES[0]], [1.0, 1.0])
    given = rows_of(6)
    logits = given.clone()
    host.sampler.apply_custom_logit_processor(logits, info, num_tokens_in_batch=3)

    np.testing.assert_allclose(logits[:3], given[:3] * 2, rtol=1e-6)
    expected = temperatures(given[3:].numpy(), POLICIES[0], backend="reference")
    np.testing.assert_allclose(logits[3:], given[3:].numpy() / expected[:, None], rtol=1e-5)


@pytest.mark.parametrize("policy", ["0.1 + entropi", "0.3 - 0.4*max_prob", "0.3 + 0.01*position", "prev(entropy)", 7])
def test_a_wrong_policy_ends_its_request_and_no_other(host, policy):
    reqs, info = batch_of(host, [policy, "0.5"], [1.0, 1.0])
    given = rows_of(2)
    logits = given.clone()
    host.sampler.apply_custom_logit_processor(logits, info)

    assert (logits[0] == given[0]).all()
    assert (logits[1] == given[1] * 2).all()
    assert reqs[1].to_finish is None
    reqs[0].output_ids.append(5)
    reqs[0].update_finish_state()
    told = reqs[0].finished_reason.to_json()
    assert told["type"] == "abort"
    assert "dyntemp" in told["message"]


def test_parameters_pass_the_hosts_own_checks(host):
    import msgspec

    params = extra_body(POLICIES[0], mine=[1, 2])["custom_params"]
    wanted = dict[str, host.params.CustomParamValue]

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(params), type=wanted) == params


# A server that answers as SGLang does, which this is not: what `self_test` makes of it


class Server(BaseHTTPRequestHandler):
    misses = staticmethod(lambda token: False)
    flat = False

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rng = np.random.default_rng(0)
        content = []
        for token in range(asked["max_tokens"]):
            row = rng.normal(0, 0.01 if self.flat else 3, (1, 200)).astype(np.float32)
            if asked.get("custom_logit_processor") and not self.misses(token):
                row = DynamicTemperature()(row, [asked["custom_params"]])
            top = np.sort(row[0] - np.logaddexp.reduce(row[0]))[::-1][: asked["top_logprobs"]]
            content.append({"top_logprobs": [{"logprob": float(value)} for value in top]})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"choices": [{"logprobs": {"content": content}}]}).encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(**behaviour):
        servers.append(HTTPServer(("127.0.0.1", 0), type("Behaving", (Server,), behaviour)))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_self_test_passes_where_each_token_is_ours(serve):
    assert max(self_test(serve())) < 0.1


@pytest.mark.parametrize(("misses", "why"), [(lambda token: token > 0, "speculative"),
                                             (lambda token: True, "enable-custom-logit-processor")])  # fmt: skip
def test_self_test_tells_a_server_that_does_not_call_us(serve, misses, why):
    with pytest.raises(EngineError, match=why):
        self_test(serve(misses=staticmethod(misses)))


def test_self_test_cannot_tell_on_rows_that_are_flat_anyway(serve):
    with pytest.raises(EngineError, match="another model"):
        self_test(serve(flat=True))


def test_policies_are_checked_where_they_are_sent():
    with pytest.raises(PolicyError, match="did you mean"):
        extra_body("0.1 + entropi")
