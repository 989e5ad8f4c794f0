"""The runner of vLLM: with a stand-in for vLLM's `LLM`, and with vLLM itself where it is installed."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from tests.evaluation.test_loop_runner import arm, item, jobs_of
from tests.evaluation.vllm_jobs import CHAT, all_jobs, curved_jobs

from dyntemp.distribution.packed import packed
from dyntemp.errors import EngineError
from dyntemp.evaluation.host_fields import seed_of
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.vllm_runner import VllmRunner

TOTALS = np.linspace(0, 1, 49, dtype=np.float32)


class Logprob(NamedTuple):
    logprob: float


class StandIn:
    """An `LLM` that writes three tokens for each prompt, and a trace of two ranks, with the first position twice."""

    def __init__(self, **options):
        self.options, self.batches = options, []
        self.folder = Path(options["additional_config"]["dyntemp"]["trace"])

    def get_tokenizer(self):
        return SimpleNamespace(apply_chat_template=lambda messages, **options: [len(messages), *options.values()])

    def generate(self, prompts, params, use_tqdm):
        assert not use_tqdm
        self.batches.append((prompts, params))
        for rank in range(2):
            with (self.folder / f"dyntemp-rank{rank}.jsonl").open("a", encoding="utf-8") as file:
                for position in (0, 0, 1, 2):
                    for one in params:
                        line = {"id": one.extra_args["dyntemp_id"], "position": position, "temperature": position / 2}
                        if "entropy" in one.extra_args["dyntemp"]:
                            line["entropy"] = 0.25
                        if one.extra_args.get("dyntemp_curves"):
                            line["totals"] = packed(TOTALS + position)
                        file.write(json.dumps(line) + "\n")
        reasons = {"stop": ("stop", "x"), "end": ("stop", None), "length": ("length", None)}
        outputs = []
        for one, finish in zip(params, [*reasons] * len(params), strict=False):
            reason, stop = reasons[finish]
            logprobs = [{token: Logprob(-token), 9: Logprob(-0.5)} for token in (1, 2, 3)]
            output = SimpleNamespace(text=f"{one.seed}", token_ids=[1, 2, 3], finish_reason=reason, stop_reason=stop,
                                     logprobs=logprobs if vars(one).get("logprobs") == 1 else None)  # fmt: skip
            outputs.append(SimpleNamespace(outputs=[output]))
        return outputs


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(LLM=StandIn, SamplingParams=SimpleNamespace))
    return VllmRunner("tiny", batch=2, max_model_len=99)


def test_jobs_run_in_batches_with_their_own_settings_and_come_back_with_their_temperatures(runner):
    jobs = jobs_of([item(stop=("x",))], [arm("entropy", "min_p(0.1), temperature, top_k(9)"), arm("0.5")], 2)
    asked = iter(jobs)
    found = [next(running := runner.run(asked))]
    assert next(asked) is jobs[2]  # only the first batch was taken
    found += [*running, *runner.run(jobs[2:])]

    assert [job for job, _ in found] == [jobs[0], jobs[1], jobs[3], jobs[2], jobs[3]]
    assert [len(prompts) for prompts, _ in runner._llm.batches] == [2, 1, 2]
    params = runner._llm.batches[0][1][0]
    assert vars(params) == {
        "temperature": 1.0, "max_tokens": 12, "stop": ["x"], "seed": seed_of(jobs[0]), "top_p": 1.0, "top_k": 9,
        "min_p": 0.1, "presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0,
        "extra_args": {"dyntemp": "entropy", "dyntemp_id": "0"},
    }  # fmt: skip
    first, second, third, *_ = (sample for _, sample in found)
    assert (first.text, first.tokens, first.finish, second.finish) == (str(seed_of(jobs[0])), 3, "stop", "end")
    assert (first.temperature, first.entropy, first.max_prob, first.surprisal, first.log_prob) == (
        (0, 0.5, 1),
        (0.25,) * 3,
        (),
        (),
        (),
    )
    assert (third.temperature, third.entropy) == ((0, 0.5, 1), ())
    assert not list(runner._llm.folder.iterdir())


def test_prompts_are_text_or_tokens_and_series_go_with_their_item(runner):
    replays = arm('given("t", 0, 9)', given={"chat": {"t": (1.5, 2)}})
    jobs = jobs_of([CHAT, item(prompt=[7, 8]), item(prompt="ab")], [replays], 1)
    list(runner.run(jobs))
    prompts = [prompt for prompts, _ in runner._llm.batches for prompt in prompts]
    extra = [one.extra_args for _, params in runner._llm.batches for one in params]

    assert prompts == [{"prompt_token_ids": [1, True, False]}, {"prompt_token_ids": [7, 8]}, "ab"]
    assert extra[0]["dyntemp_given"] == {"t": [1.5, 2]}
    assert "dyntemp_given" not in extra[1]


def test_a_trace_that_lacks_a_token_tells_nothing(runner, monkeypatch):
    whole = StandIn.generate

    def generate(self, *arguments, **options):
        outputs = whole(self, *arguments, **options)
        outputs[0].outputs[0].token_ids.append(4)
        return outputs

    monkeypatch.setattr(StandIn, "generate", generate)
    ((_, sample),) = runner.run(jobs_of([item()], [arm("0.5")], 1))

    assert (sample.tokens, sample.temperature) == (4, ())


def test_curves_come_from_the_trace_and_from_vllms_log_probabilities(runner):
    jobs = jobs_of([item()], [arm("0.5 + entropy + 0.1*position", "min_p(0.1)")], 1)
    ((_, sample),) = runner.run([jobs[0]._replace(curves=True)])
    ((_, plain),) = runner.run(jobs)

    assert sample.curves.value.tolist() == [-0.5, -1.5, -2.5]
    assert np.array_equal(sample.curves.totals, TOTALS + np.arange(3, dtype=np.float32)[:, None])
    assert sample.signals == {"entropy": (0.25,) * 3, "position": (0, 1, 2)}
    assert sample.surprisal == (1, 2, 3)
    assert (plain.curves, plain.signals, plain.surprisal) == (None, {}, ())


def test_curves_that_cannot_be_right_are_refused(runner, monkeypatch):
    def written(policy="0.5", filters=""):
        (job,) = jobs_of([item()], [arm(policy, filters)], 1)
        return list(runner.run([job._replace(curves=True)]))

    for chain in ("top_k(5)", "temperature, top_p(0.9)", "min_p(0.1), temperature, top_k(9)"):
        with pytest.raises(EngineError, match="top-k and top-p after the temperature: take min_p alone"):
            written(filters=chain)
    with pytest.raises(
        EngineError, match=r"the numbers of `varentropy`, which `0.5 \+ varentropy` reads, were not told"
    ):
        written("0.5 + varentropy")
    whole = StandIn.generate

    def generate(self, *arguments, **options):
        outputs = whole(self, *arguments, **options)
        outputs[0].outputs[0].token_ids.append(4)
        return outputs

    with (
        monkeypatch.context() as lacking,
        pytest.raises(EngineError, match="told the curves of 3 and the log probabilities of 3 of the 4 tokens"),
    ):
        lacking.setattr(StandIn, "generate", generate)
        written()
    runner = VllmRunner("tiny", logprobs_mode="processed_logprobs")
    with pytest.raises(EngineError, match='need "raw_logprobs": leave the option out'):
        written()


def test_what_vllm_cannot_run_is_refused(runner):
    with pytest.raises(EngineError, match="surprisal"):
        runner.check(arm("0.1 + surprisal"))
    with pytest.raises(EngineError, match="in the order of"):
        runner.check(arm("0.5", "typical(0.5)"))
    with pytest.raises(EngineError, match="batch = 0"):
        VllmRunner("tiny", batch=0)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_a_missing_vllm_is_told():
    with pytest.raises(EngineError, match="vLLM is not installed"):
        VllmRunner("tiny")


@pytest.mark.torch
@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_itself(tmp_path):
    from tests.engines.test_vllm_host import QUIET
    from tests.engines.tiny_llama import tiny_llama

    script, out = Path(__file__).with_name("vllm_jobs.py"), tmp_path / "samples.json"
    command = [sys.executable, "-W", "ignore", str(script), tiny_llama(tmp_path / "model"), str(out)]
    environment = os.environ | QUIET | {"VLLM_ALLOW_INSECURE_SERIALIZATION": "1"}  # of a function, by collective_rpc
    ran = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=500)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    jobs, (found, curved) = all_jobs(), json.loads(out.read_text(encoding="utf-8"))
    samples = [(jobs[at], Sample.from_json(sample)) for at, sample in found]

    assert sorted(at for at, _ in found) == sorted([*range(len(jobs)), 0])
    for job, sample in samples:
        assert len(sample.temperature) == sample.tokens > 0
        assert sample.finish == "stop" if job.item.id == "stopped" and sample.tokens < 100 else sample.finish != "stop"
        assert not any(stop in sample.text for stop in job.item.stop)
        policy = str(job.arm.policy)
        if "max_prob" in policy:
            pairs = zip(sample.entropy, sample.max_prob, strict=True)
            expected = [0.1 + 0.4 * entropy + 0.05 * largest for entropy, largest in pairs]
            assert sample.temperature == pytest.approx(expected, rel=1e-3)
        elif "ema" in policy:
            assert len(sample.entropy) == sample.tokens
        elif "given" in policy:
            assert sample.temperature == tuple([0.5, 0.0, 2.0][position % 3] for position in range(sample.tokens))
            assert sample.entropy == ()
    greedy = {sample.text for job, sample in samples if str(job.arm.policy) == "0" and job.item.id == "one"}
    others = {sample.text for job, sample in samples if job.arm is not jobs[-1].arm and job.item.id == "one"}
    assert len(greedy) == 1 < len(others)
    check_curves_are_those_of_vllms_draws(curved)


@pytest.mark.torch
@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("vllm") is None, reason="vLLM is not installed")
def test_two_processes_with_vllm_learn_in_one_folder(tmp_path):
    pytest.importorskip("optuna")
    from tests.engines.test_vllm_host import QUIET
    from tests.engines.tiny_llama import tiny_llama

    script, model = Path(__file__).with_name("vllm_learning.py"), tiny_llama(tmp_path / "model")
    outs, logs = [tmp_path / f"{at}.json" for at in range(2)], [tmp_path / f"{at}.log" for at in range(2)]
    command = [sys.executable, "-W", "ignore", str(script), model, str(tmp_path / "learned")]
    with ExitStack() as files:
        running = [
            subprocess.Popen([*command, str(out), str(other)], env=os.environ | QUIET, stderr=subprocess.STDOUT,
                             stdout=files.enter_context(log.open("w")))
            for out, other, log in zip(outs, reversed(outs), logs, strict=True)
        ]  # fmt: skip
        try:
            for process, log in zip(running, logs, strict=True):
                assert process.wait(timeout=500) == 0, log.read_text(encoding="utf-8")[-3000:]
        finally:
            for process in running:
                process.kill()  # one that is still there after an error
    first, second = (json.loads(out.read_text(encoding="utf-8")) for out in outs)

    assert first["results"] == second["results"]
    assert min(first["written"], second["written"]) > 0, "both have written texts"
    last = first["results"]["runs"][0]["rounds"][-1]
    assert (last["round"], last["texts"]) == (2, 3 * 2 * 6)
    assert last["spread"] > 0, "what was learned is no constant"


def check_curves_are_those_of_vllms_draws(found):
    for job, (data, log_probs) in zip(curved_jobs(), found, strict=True):
        sample = Sample.from_json(data)
        draws = sample.curves.at(np.log(sample.temperature))

        assert sample.curves.count == sample.tokens == len(log_probs)
        np.testing.assert_allclose(draws.log_prob, log_probs, atol=1e-5)
        if not job.arm.filters.active:
            static = sample.curves.at(0.0)
            assert sample.surprisal == pytest.approx(-static.log_prob, abs=1e-5)
            assert sample.entropy == pytest.approx(static.entropy, abs=1e-4)
            assert sample.signals["entropy"] == pytest.approx(sample.entropy, rel=1e-4)
        else:
            assert list(sample.signals) == ["position"]
            assert max(static := sample.curves.totals[:, 32]) < np.log(1 / 0.02), "min-p leaves less than 1/0.02"
            assert min(static) >= 0
