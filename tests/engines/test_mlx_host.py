"""The adapters to MLX-LM on MLX-LM itself, with a small Llama of random weights."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress

import numpy as np
import pytest
from tests.waiting import wait_until

from dyntemp import Policy, temperatures
from dyntemp.engines import EngineError
from dyntemp.engines.mlx import DynamicTemperature, ScaleLogits

mx = pytest.importorskip("mlx.core")
mlx_lm = pytest.importorskip("mlx_lm")

from mlx.utils import tree_flatten, tree_map  # noqa: E402
from mlx_lm.generate import BatchGenerator, generate_step, speculative_generate_step  # noqa: E402
from mlx_lm.models import llama  # noqa: E402
from mlx_lm.sample_utils import make_sampler  # noqa: E402
from mlx_lm.tokenizer_utils import TokenizerWrapper  # noqa: E402

STATELESS = "0.3 + 0.7*normalized_entropy**0.5"
REMEMBERS = "0.2 + ema(max_prob, 0.5) + 0.01*position + surprisal/50"
VOCABULARY = 256
SHAPE = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128,
         "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5, "vocab_size": VOCABULARY,
         "tie_word_embeddings": False}  # fmt: skip


def random_llama(seed=0, dtype="float32"):
    mx.random.seed(seed)
    model = llama.Model(llama.ModelArgs(**SHAPE))
    model.update(tree_map(lambda weights: weights * 3, model.parameters()))  # so that rows differ
    model.set_dtype(getattr(mx, dtype))
    mx.eval(model.parameters())
    return model


@pytest.fixture(scope="module")
def model():
    return random_llama()


@pytest.fixture(scope="module")
def tokenizer():
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    words = {f"w{number}": number for number in range(VOCABULARY)}
    fast = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w0"))
    fast.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return TokenizerWrapper(transformers.PreTrainedTokenizerFast(tokenizer_object=fast))


def generated(model, prompt, sampler, tokens=6, processors=(), **options):
    """The tokens, and the rows that they were drawn from, of a prompt."""
    found = list(generate_step(mx.array(prompt), model, max_tokens=tokens, sampler=sampler,
                               logits_processors=list(processors), **options))  # fmt: skip
    return [token for token, _ in found], [np.array(row.astype(mx.float32)) for _, row in found]


def expected(policy, rows, tokens):
    """The temperatures of one text's rows by the reference."""
    policy = Policy(policy)
    state = policy.state()
    result = []
    for position, row in enumerate(rows):
        if position and policy.reads_surprisal:
            before = rows[position - 1].astype(np.float64)
            state.observe([0], [position - 1], [np.logaddexp.reduce(before) - before[tokens[position - 1]]])
        result.append(float(temperatures(row, policy, state=state, position=position, backend="reference")))
    return result


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_rows_of_every_dtype_get_the_temperatures_of_the_reference(dtype):
    steps = []
    sampler = DynamicTemperature(STATELESS, seed=3, record=steps.append)
    tokens, rows = generated(random_llama(dtype=dtype), [1, 2, 3], sampler)

    np.testing.assert_allclose([step.temperature[0] for step in steps[: len(rows)]],
                               expected(STATELESS, rows, tokens), rtol=1e-5)  # fmt: skip
    assert len(set(np.round([step.temperature[0] for step in steps], 6))) > 3


def test_the_host_calls_once_more_than_it_yields(model):
    sampler = DynamicTemperature(STATELESS)
    generated(model, [1, 2, 3], sampler, tokens=4)

    assert sampler.counts.as_dict() | {"calls": 5, "seen": 5, "changed": 5} == sampler.counts.as_dict()


def test_a_seed_gives_the_same_text_again_and_another_seed_another(model):
    first, again, other = (
        generated(model, [1, 2, 3], DynamicTemperature(2.0, seed=seed), tokens=12)[0] for seed in (5, 5, 6)
    )

    assert first == again != other


def test_draws_are_as_often_as_the_distribution_says(model):
    sampler = DynamicTemperature("0.5 + 0.2*max_prob", seed=1, top_k=5)
    row = mx.array(np.linspace(-100, 0, VOCABULARY, dtype=np.float32)[None].repeat(20_000, axis=0))
    tokens = np.array(sampler(row - mx.logsumexp(row, axis=-1, keepdims=True)))
    t = float(temperatures(np.array(row[0]), "0.5 + 0.2*max_prob"))
    weights = np.exp(np.array(row[0], np.float64)[-5:] / t)

    counts = np.bincount(tokens, minlength=VOCABULARY)
    assert counts[:-5].sum() == 0
    wanted = 20_000 * weights / weights.sum()
    assert ((counts[-5:] - wanted) ** 2 / wanted).sum() < 23.5  # chi-square, 4 degrees of freedom, p = 1e-4


@pytest.mark.parametrize("follows", [False, True])
def test_each_call_draws_anew(follows):
    sampler = DynamicTemperature(1, seed=1)
    row = mx.zeros((1, VOCABULARY))
    tokens = []
    for _ in range(30):
        if follows:
            sampler.follow(mx.array([1, 2, *tokens]), row)
        tokens += np.array(sampler(row)).tolist()

    assert len(set(tokens)) > 20


def test_requested_zero_is_greedy(model):
    tokens, _ = generated(model, [1, 2, 3], DynamicTemperature(STATELESS, requested=0))

    assert tokens == generated(model, [1, 2, 3], None)[0]


@pytest.mark.parametrize("policy", ["0.2 + ema(max_prob, 0.5)", "0.3 + 0.01*position", "0.3 + surprisal/50"])
def test_what_reads_more_than_its_row_is_refused_unless_it_can_follow(model, policy):
    with pytest.raises(EngineError, match="follow"):
        generated(model, [1, 2, 3], DynamicTemperature(policy))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_policy_that_remembers_begins_afresh_with_each_text(dtype):
    model = random_llama(dtype=dtype)
    steps = []
    sampler = DynamicTemperature(REMEMBERS, seed=3, record=steps.append)
    prompt = [1, 2, 3]
    for length in (6, 5, 1, 6):
        tokens, rows = generated(model, prompt, sampler, tokens=length, processors=[sampler.follow])
        found = [step.temperature[0] for step in steps[:length]]
        np.testing.assert_allclose(found, expected(REMEMBERS, rows, tokens), rtol=1e-5)
        assert [step.position[0] for step in steps] == list(range(length + 1))
        steps.clear()
        prompt = [7] * (len(prompt) + length + 1)  # as long as the next step of the text before would be
    assert sampler.counts.as_dict()["restarts"] == 0


def test_a_text_from_within_another_is_an_error_until_reset(model):
    sampler = DynamicTemperature(REMEMBERS)
    tokens, _ = generated(model, [1, 2, 3], sampler, processors=[sampler.follow])
    with pytest.raises(EngineError, match="reset"):
        generated(model, [1, 2, 3, *tokens[:4]], sampler, processors=[sampler.follow])
    sampler.reset()

    assert len(generated(model, [1, 2, 3, *tokens[:4]], sampler, processors=[sampler.follow])[0]) == 6


def test_the_same_prompt_again_is_another_text(model):
    steps = []
    sampler = DynamicTemperature(REMEMBERS, record=steps.append)
    for _ in range(3):
        generated(model, [1, 2, 3], sampler, processors=[sampler.follow])

    assert [step.position[0] for step in steps] == 3 * list(range(7))


def test_a_prompt_in_chunks_and_a_cache_kept_between_turns(model):
    steps = []
    sampler = DynamicTemperature(REMEMBERS, record=steps.append)
    cache = mlx_lm.models.cache.make_prompt_cache(model)
    for prompt in ([1, 2, 3, 4, 5, 6, 7], [8, 9, 10]):
        steps.clear()
        tokens, rows = generated(model, prompt, sampler, processors=[sampler.follow], prompt_cache=cache,
                                 prefill_step_size=2)  # fmt: skip
        np.testing.assert_allclose([step.temperature[0] for step in steps[:6]], expected(REMEMBERS, rows, tokens),
                                   rtol=1e-5)  # fmt: skip


def batch(model, prompts, samplers, processors, later=()):
    """The tokens of each sequence; the later ones join after three steps."""
    generator = BatchGenerator(model, max_tokens=7)
    uids = generator.insert([list(prompt) for prompt in prompts[: len(prompts) - len(later)]],
                            max_tokens=[4 + 2 * number for number in range(len(prompts) - len(later))],
                            samplers=samplers[: len(prompts) - len(later)],
                            logits_processors=processors[: len(prompts) - len(later)])  # fmt: skip
    found = {uid: [] for uid in uids}
    for turn in range(40):
        if turn == 3 and later:
            start = len(prompts) - len(later)
            more = generator.insert([list(prompt) for prompt in prompts[start:]], samplers=samplers[start:],
                                    logits_processors=processors[start:])  # fmt: skip
            uids += more
            found |= {uid: [] for uid in more}
        _, responses = generator.next()
        for one in responses:
            found[one.uid].append((one.token, np.array(one.logprobs)))
    return [found[uid] for uid in uids]


PROMPTS = [[1, 2, 3], [9, 8, 7, 6, 5], [4], [1, 2, 3, 11]]


def test_sequences_of_a_batch_have_policies_seeds_and_memories_of_their_own(model):
    policies = [REMEMBERS, STATELESS, "0.2 + prev(entropy)/9", "0.8"]
    steps = [[] for _ in policies]
    samplers = [DynamicTemperature(policy, seed=number, record=kept.append)
                for number, (policy, kept) in enumerate(zip(policies, steps, strict=True))]  # fmt: skip
    found = batch(model, PROMPTS, samplers, [[sampler.follow] for sampler in samplers], later=PROMPTS[3:])
    for number, (policy, one) in enumerate(zip(policies, found, strict=True)):
        tokens, rows = [token for token, _ in one], [row for _, row in one]
        given = [step.temperature[0] for step in steps[number][: len(rows)]]
        np.testing.assert_allclose(given, expected(policy, rows, tokens), rtol=1e-5)
        alone = DynamicTemperature(policy, seed=number)
        assert tokens == generated(model, PROMPTS[number], alone, len(tokens), [alone.follow])[0]


def test_sequences_that_share_a_sampler_come_in_one_call_and_keep_apart(model):
    steps = []
    sampler = DynamicTemperature(REMEMBERS, seed=2, record=steps.append)
    found = batch(model, PROMPTS, [sampler] * 4, [[sampler.follow]] * 4, later=PROMPTS[3:])
    told = {}
    for step in steps:
        for slot, position, t in zip(step.slot, step.position, step.temperature, strict=True):
            told.setdefault(int(slot), {})[int(position)] = float(t)

    assert max(len(step.slot) for step in steps) >= 3
    assert len(told) == 4
    for one in found:
        tokens, rows = [token for token, _ in one], [row for _, row in one]
        wanted = expected(REMEMBERS, rows, tokens)
        alike = [slot for slot, at in told.items()
                 if np.allclose([at.get(position, 0) for position in range(len(rows))], wanted, rtol=1e-5)]  # fmt: skip
        assert len(alike) == 1


def test_sequences_of_which_two_share_a_sampler_come_one_by_one(model):
    steps, other = [], DynamicTemperature("0.3 + 0.01*position", seed=1)
    sampler = DynamicTemperature(REMEMBERS, seed=2, record=steps.append)
    samplers = [sampler, other, sampler]
    found = batch(model, PROMPTS[:3], samplers, [[one.follow] for one in samplers])
    told = {}
    for step in steps:
        told.setdefault(int(step.slot[0]), []).append(float(step.temperature[0]))

    for one in (found[0], found[2]):
        wanted = expected(REMEMBERS, [row for _, row in one], [token for token, _ in one])
        assert any(np.allclose(at[: len(wanted)], wanted, rtol=1e-5) for at in told.values())
    assert len(told) == 2


def test_sequences_that_share_a_sampler_need_no_tokens_without_memory(model):
    steps = []
    sampler = DynamicTemperature(STATELESS, seed=2, record=steps.append)
    found = batch(model, PROMPTS, [sampler] * 4, [[]] * 4, later=PROMPTS[3:])

    told = {round(float(t), 5) for step in steps for t in step.temperature}
    for one in found:
        assert {round(t, 5) for t in expected(STATELESS, [row for _, row in one], [])} <= told
    assert sampler.counts.as_dict()["seen"] == sum(len(one) for one in found) + 4


def drafted(model, sampler, tokens=12, processors=None):
    other = random_llama(1)
    return list(speculative_generate_step(mx.array([1, 2, 3]), model, other, num_draft_tokens=3, max_tokens=tokens,
                                          sampler=sampler, logits_processors=processors))  # fmt: skip


def test_drafts_and_targets_are_drawn_by_the_same_rule(model):
    steps = []
    sampler = DynamicTemperature(STATELESS, seed=4, record=steps.append)
    found = drafted(model, sampler)
    told = np.concatenate([step.temperature for step in steps])
    for _, row, _ in found:
        t = float(temperatures(np.array(row), STATELESS, backend="reference"))
        assert np.abs(told / t - 1).min() < 1e-5

    greedy = [token for token, _, _ in drafted(model, DynamicTemperature(STATELESS, requested=0))]
    assert greedy == generated(model, [1, 2, 3], None, tokens=12)[0]


def test_policies_that_remember_are_refused_with_drafts(model):
    with pytest.raises(EngineError, match="draft_model"):
        drafted(model, DynamicTemperature(REMEMBERS))
    for seed in range(5):
        sampler = DynamicTemperature(REMEMBERS, seed=seed)
        with pytest.raises(EngineError, match="draft_model"):
            drafted(model, sampler, processors=[sampler.follow])
        with pytest.raises(EngineError, match="draft_model"):
            drafted(model, make_sampler(temp=1.0), processors=[ScaleLogits("0.2 + ema(max_prob, 0.5)")])


def test_drafts_go_with_a_processor_of_rows_alone(model):
    processor = ScaleLogits(STATELESS)

    assert len(drafted(model, make_sampler(temp=1.0), processors=[processor])) == 12
    assert processor.counts.as_dict()["changed"] > 12


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("policy", [STATELESS, REMEMBERS])
def test_a_processor_scales_what_it_is_given(policy, dtype):
    model = random_llama(dtype=dtype)
    given, steps = [], []

    def spy(tokens, logits):
        given.append(np.array(logits.astype(mx.float32))[0])
        return logits

    processor = ScaleLogits(policy, record=steps.append)
    tokens, rows = generated(model, [1, 2, 3], make_sampler(temp=1.0), processors=[spy, processor])
    wanted = expected(policy, given[:6], tokens)

    np.testing.assert_allclose([step.temperature[0] for step in steps[:6]], wanted, rtol=1e-5)
    for row, raw, t in zip(rows, given, wanted, strict=False):
        np.testing.assert_allclose(row, raw / t - np.logaddexp.reduce(raw / t), rtol=1e-4, atol=1e-4)


def test_batches_with_processors(model):
    steps = [[], []]
    processors = [ScaleLogits(REMEMBERS, record=steps[0].append), ScaleLogits(STATELESS, record=steps[1].append)]
    mx.random.seed(0)
    batch(model, PROMPTS[:2], [make_sampler(temp=1.0)] * 2, [[one] for one in processors])

    assert [step.position[0] for step in steps[0]] == list(range(5))
    assert len(steps[1]) == 7


@pytest.mark.parametrize("make", [DynamicTemperature, ScaleLogits])
@pytest.mark.parametrize("policy", [STATELESS, "0.2 + ema(max_prob, 0.5) + 0.01*position"])
def test_self_test_passes_on_the_host(model, tokenizer, make, policy):
    counts = make(policy).self_test(model, tokenizer, "w1 w2 w3").as_dict()

    assert counts["changed"] == counts["calls"] >= 4


@pytest.mark.parametrize("make", [DynamicTemperature, ScaleLogits])
def test_self_test_fails_on_a_host_that_does_otherwise(model, tokenizer, make, monkeypatch):
    honest = mlx_lm.stream_generate

    def deaf(*arguments, sampler, logits_processors, **options):
        return honest(*arguments, **options)

    def halving(*arguments, sampler, logits_processors, **options):
        def half(tokens, logits):
            return logits / 2

        return honest(*arguments, sampler=lambda row: sampler(row / 3), logits_processors=[*logits_processors, half],
                      **options)  # fmt: skip

    for host in (deaf, halving):
        monkeypatch.setattr(mlx_lm, "stream_generate", host)
        with pytest.raises(EngineError):
            make(STATELESS).self_test(model, tokenizer, "w1 w2 w3")


def test_a_broken_row_is_counted_and_the_others_drawn():
    sampler = DynamicTemperature(STATELESS)
    rows = np.zeros((2, 8), np.float32)
    rows[0, 2], rows[0, 5] = np.nan, 3

    assert np.array(sampler(mx.array(rows)))[0] == 5
    assert sampler.counts.as_dict() | {"broken": 1, "changed": 1} == sampler.counts.as_dict()


SERVER = """
import sys
from dyntemp.engines.mlx import DynamicTemperature
from mlx_lm import server

record = lambda step: print("T", *step.temperature, file=sys.stderr, flush=True)
server._make_sampler = lambda args, tokenizer: DynamicTemperature(
    "0.3 + 0.1*requested", requested=args.sampling.temperature, top_p=args.sampling.top_p, record=record)
server.main()
"""


def test_the_server_with_its_sampler_replaced(model, tokenizer, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(SHAPE), encoding="utf-8")
    mx.save_safetensors(str(tmp_path / "model.safetensors"), dict(tree_flatten(model.parameters())))
    tokenizer._tokenizer.save_pretrained(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    body = json.dumps({"prompt": "w1 w2 w3", "max_tokens": 4, "temperature": 0.7}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/completions", body)
    command = [sys.executable, "-c", SERVER, "--model", str(tmp_path), "--port", str(port)]
    found = {}

    def answered():
        with suppress(ConnectionError, urllib.error.URLError), urllib.request.urlopen(request) as answer:
            found.update(json.load(answer))
        return bool(found)

    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log, stdout=log) as server:
        try:
            wait_until(answered, server, tmp_path / "log")
        finally:
            server.kill()
    told = [
        line.split()[1] for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines() if line.startswith("T ")
    ]

    assert found["usage"]["completion_tokens"] == 4
    assert len(told) >= 4
    assert {round(float(t), 6) for t in told} == {0.37}
