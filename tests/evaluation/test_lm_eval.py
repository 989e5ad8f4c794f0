"""lm-evaluation-harness runs its tasks under a policy; offline, on a tiny Llama and a task of local files."""

import json
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.evaluation.lm_eval import MODELS, register
from dyntemp.evaluation.lm_eval.arguments import Draws, read_arguments
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.policy import Policy

TASK = """
task: letters
dataset_path: json
dataset_kwargs:
  data_files: {{"test": "{folder}/letters.jsonl"}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{text}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["a"], max_gen_toks: 4, do_sample: false, temperature: 0.0}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


def test_a_policy_is_text_a_number_or_a_file(tmp_path):
    (tmp_path / "policy.txt").write_text("clip(entropy,\n 0.1, 2)\n")

    assert (Policy("0.1 + entropy"), None) == read_arguments("0.1 + entropy", None)
    assert [Policy(1), Policy(0.7)] == [read_arguments(one, None)[0] for one in (1, 0.7)], "as the harness reads them"
    assert Policy("clip(entropy, 0.1, 2)") == read_arguments(f"@{tmp_path}/policy.txt", None)[0]
    assert Filters.read("min_p(0.05)") == read_arguments(1, "min_p(0.05)")[1]


def test_the_file_of_a_policy_brings_its_filters(tmp_path):
    file = PolicyFile(policy=Policy("0.9"), filters=Filters.read("min_p(0.05)"))
    file.save(tmp_path / "tuned.json")
    given = f"@{tmp_path}/tuned.json"

    assert (file.policy, file.filters) == read_arguments(given, None) == read_arguments(given, "min_p(0.05)")
    with pytest.raises(PolicyError, match=r"`min_p\(0.05\)`, and `top_k\(5\)` was given: leave one out"):
        read_arguments(given, "top_k(5)")


@pytest.mark.parametrize(("policy", "told"), [(("clip(a", 1), "as JSON"), (None, "a number or @FILE"),
                                              (True, "a number"), ('param("a", 0, 1)', "parameter `a`"),
                                              ("clip(entropy", "not closed")])  # fmt: skip
def test_other_policies_are_refused(policy, told):
    with pytest.raises(PolicyError, match=told):
        read_arguments(policy, None)


def test_seeds_follow_from_the_prompt_and_its_repeats():
    one, two = Draws(0), Draws(0)

    found = [one.seed_of(prompt) for prompt in ([1, 2], [3], [1, 2])]
    assert [found[1], found[0], found[2]] == [two.seed_of(prompt) for prompt in ([3], [1, 2], [1, 2])]
    assert 3 == len(set(found))
    assert Draws(1).seed_of([3]) not in found
    assert all(0 <= seed < 2**63 for seed in found)


def test_requests_are_sampled_and_greedy_ones_are_told_once(caplog):
    draws = Draws(0)

    for settings, requested in (
        ({"do_sample": False, "temperature": 0.0}, 1.0),
        ({}, 1.0),
        ({"temperature": 0.3}, 0.3),
    ):
        assert {"do_sample": True, "temperature": requested, "top_k": 3} == draws.sampled({**settings, "top_k": 3})
    assert 1 == caplog.text.count("greedy decoding, and tokens are drawn")


class FakeVllm:
    """What the model of the harness for vLLM has that ours reads."""

    def __init__(self, pretrained, **rest):
        self.made = {"pretrained": pretrained, **rest}

    @staticmethod
    def modify_gen_kwargs(gen_kwargs, eos=None, default_max_gen_toks=256):
        return {"temperature": 0.0, **gen_kwargs}, [eos], default_max_gen_toks

    def _model_generate(self, requests, generate=False, sampling_params=None):
        return requests, generate, sampling_params


@pytest.fixture
def on_vllm(monkeypatch):
    pytest.importorskip("lm_eval")
    monkeypatch.setitem(sys.modules, "lm_eval.models.vllm_causallms", SimpleNamespace(VLLM=FakeVllm))
    monkeypatch.delitem(sys.modules, "dyntemp.evaluation.lm_eval.on_vllm", raising=False)
    from dyntemp.evaluation.lm_eval.on_vllm import PolicyVLLM

    yield PolicyVLLM
    sys.modules.pop("dyntemp.evaluation.lm_eval.on_vllm")


def test_vllm_gets_the_processor_and_each_request_its_policy(on_vllm):
    model = on_vllm("tiny", policy="0.1 + entropy", filters="min_p(0.05)", seed=7, dtype="auto")

    assert ["dyntemp.engines.vllm:DynamicTemperature"] == model.made["logits_processors"]
    assert (7, "auto") == (model.made["seed"], model.made["dtype"])
    settings, until, most = model.modify_gen_kwargs({"top_k": 3}, eos="</s>", default_max_gen_toks=9)
    assert (["</s>"], 9) == (until, most)
    assert {"temperature": 1.0, "min_p": 0.05, "top_k": 0, "top_p": 1.0} == {
        name: settings[name] for name in ("temperature", "min_p", "top_k", "top_p")
    }
    assert {"dyntemp": "0.1 + entropy"} == settings["extra_args"]
    assert "do_sample" not in settings
    params = [SimpleNamespace(seed=None) for _ in range(3)]
    model._model_generate([[1], [1], [2]], generate=True, sampling_params=params)
    assert 3 == len({one.seed for one in params})
    assert ([[1]], False, None) == model._model_generate([[1]]), "log-likelihoods are vLLM's"


def test_filters_that_vllm_lacks_are_refused_before_the_model_is_loaded(on_vllm):
    with pytest.raises(ValueError, match="vLLM has top_k, top_p and min_p alone"):
        on_vllm("tiny", policy="1", filters="xtc(0.1, 0.5)")


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("lm_eval")
    pytest.importorskip("torch")
    from tests.models.tiny import byte_level, llama

    model = llama()
    model.lm_head.weight.data.mul_(6)  # neither flat nor certain
    return {"pretrained": model, "tokenizer": byte_level(), "batch_size": 100}


@pytest.fixture(scope="module")
def plain(tiny):
    from lm_eval.models.huggingface import HFLM

    return HFLM(**tiny)


def made(tiny, policy, **more):
    register()
    from lm_eval.api.registry import get_model

    return get_model("dyntemp")(**tiny, policy=policy, **more)


def texts(model, count, prompt="one", **settings):
    from lm_eval.api.instance import Instance

    kwargs = {"until": ["a"], "max_gen_toks": 2, **settings}
    prompts = [prompt] if isinstance(prompt, str) else prompt
    requests = [Instance("generate_until", {}, (text, kwargs), at) for at in range(count) for text in prompts]
    return model.generate_until(requests, disable_tqdm=True)


def chance(one, two):
    """The p-value that two lists are of one distribution; rare texts are put together."""
    stats = pytest.importorskip("scipy.stats")
    both = Counter(one) + Counter(two)
    names = [name for name, count in both.items() if count >= 16]
    rows = [[found[name] for name in names] + [sum(n for name, n in found.items() if name not in names)]
            for found in (Counter(one), Counter(two))]  # fmt: skip
    return stats.chi2_contingency([[a for a, b in zip(*rows, strict=True) if a + b],
                                   [b for a, b in zip(*rows, strict=True) if a + b]]).pvalue  # fmt: skip


def test_the_policy_1_draws_as_the_plain_model_at_temperature_1(tiny, plain):
    import torch

    torch.manual_seed(0)
    theirs = texts(plain, 400, do_sample=True, temperature=1.0)
    ours = texts(made(tiny, 1), 400, do_sample=True, temperature=1.0)

    assert chance(theirs, ours) > 0.001
    assert chance(theirs, texts(made(tiny, 0.3), 400)) < 1e-6, "the test tells distributions apart"
    assert len(set(ours)) > 20


def test_log_likelihoods_do_not_know_the_policy(tiny, plain):
    from lm_eval.api.instance import Instance

    requests = [Instance("loglikelihood", {}, ("one two", ending), 0) for ending in (" three", " two", " Привет")]
    assert plain.loglikelihood(requests, disable_tqdm=True) == made(tiny, "9").loglikelihood(
        requests, disable_tqdm=True
    )


def test_a_text_depends_on_seed_and_prompt_and_not_on_the_batch(tiny):
    alone, batched = made({**tiny, "batch_size": 1}, "0.5 + entropy"), made(tiny, "0.5 + entropy")

    prompts = ["one", "one two three", "x"]
    assert texts(alone, 3, prompts) == texts(batched, 3, prompts)
    assert texts(made(tiny, "0.5 + entropy", seed=1), 6) != texts(made(tiny, "0.5 + entropy"), 6)


def test_texts_end_at_the_stop_text_and_greedy_policies_are_greedy(tiny, plain):
    [greedy] = texts(plain, 1, max_gen_toks=8, until=["zz"])

    assert [greedy] * 3 == texts(made(tiny, 0), 3, max_gen_toks=8, until=["zz"])
    assert [greedy.partition(greedy[2])[0]] == texts(made(tiny, 0), 1, max_gen_toks=8, until=[greedy[2]])


def test_filters_replace_those_of_the_request(tiny, plain):
    [greedy] = texts(plain, 1)

    assert {greedy} == set(texts(made(tiny, "5", filters="top_k(1)"), 8, top_k=9))
    assert {greedy} == set(texts(made(tiny, "5"), 8, top_k=1))
    assert 1 < len(set(texts(made(tiny, "5"), 8)))


def test_the_harness_runs_a_task_of_local_files(tiny, tmp_path):
    pytest.importorskip("datasets")
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    lines = [json.dumps({"text": text, "answer": "b"}) for text in ("one", "two", "three")]
    (tmp_path / "letters.jsonl").write_text("\n".join(lines))
    (tmp_path / "letters.yaml").write_text(TASK.format(folder=tmp_path))
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)

    found = simple_evaluate(
        model=made(tiny, "0.2 + entropy"), tasks=["letters"], task_manager=manager, bootstrap_iters=0
    )
    assert 3 == len(found["samples"]["letters"])
    assert 0 <= found["results"]["letters"]["exact_match,none"] <= 1


def test_the_command_knows_our_models():
    pytest.importorskip("lm_eval")
    code = (
        "from dyntemp.evaluation.lm_eval import MODELS, register\n"
        "register(); register()\n"
        "from lm_eval.api.registry import model_registry\n"
        "assert MODELS.keys() <= set(model_registry), sorted(model_registry)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    command = [sys.executable, "-m", "dyntemp.evaluation.lm_eval", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "lm-eval" in done.stdout
    assert {"dyntemp", "dyntemp-vllm"} == MODELS.keys()
