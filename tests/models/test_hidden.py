"""Functions of the hidden state in `generate`, on tiny networks, against `output_hidden_states=True` by hand."""

import gc
import threading
import warnings
import weakref

import numpy as np
import pytest

from dyntemp import ModelError, Policy, PolicyError, Trace, TraceError, generate
from dyntemp.models.hidden import HiddenStates, KnowledgeAwareness
from dyntemp.testing import FakeModel
from dyntemp.traces.replay_trace import replays

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers")

from tests.models.tiny import bloom, gpt2, llama, model_of  # noqa: E402

pytestmark = pytest.mark.torch

POLICY = '0.3 + given("risk", 0, 1)'
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13, 14]]


def head(width=32, seed=0):
    """A small network from the hidden state to a number from 0 to 1."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(width, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1), torch.nn.Sigmoid(), torch.nn.Flatten(0)
    )


@pytest.fixture(params=[llama, gpt2, bloom], ids=lambda make: make.__name__)
def model(request):
    return model_of(request.param())


def states_of(module, tokens):
    """The hidden states of the last position after each number of layers, in one pass over the whole text."""
    with torch.no_grad():
        found = module(torch.tensor([tokens]), use_cache=False, output_hidden_states=True)
    return [states[:, -1] for states in found.hidden_states]


def by_hand(module, function, tokens, layers=()):
    states = states_of(module, tokens)
    with torch.no_grad():
        return float(function(states[-1], *(states[layer] for layer in layers)))


def hooks(module):
    return sum(len(part._forward_pre_hooks) for part in module.modules())


def check(model, tokens, function, text='given("risk", 0, 1)', layers=(), prompts=PROMPTS):
    """Each recorded number is that of a pass over the whole text."""
    for number, prompt in enumerate(prompts):
        own = [token for token in tokens if token.request == number]
        for token in own:
            text_before = [*prompt, *(before.token for before in own[: token.position])]
            expected = by_hand(model.module, function, text_before, layers)
            assert token.signals[text] == pytest.approx(expected, abs=2e-6)
    assert len({token.signals[text] for token in tokens}) > len(prompts)


def test_a_function_receives_the_state_that_enters_the_head(model):
    """In a batch with padding and a cache, whose texts end each at its own time."""
    function = head()
    tokens = list(generate(model, PROMPTS, POLICY, given={"risk": function}, max_tokens=6, seed=2))

    check(model, tokens, function)
    assert all(token.temperature == 0.3 + token.signals['given("risk", 0, 1)'] for token in tokens)


def test_no_more_passes_of_the_model_are_made_and_the_hooks_are_removed(model):
    passes = []
    counted = model.module.register_forward_hook(lambda *_: passes.append(1))
    run = generate(model, PROMPTS[0], POLICY, given={"risk": head()}, max_tokens=5, seed=2)
    next(run)
    during = hooks(model.module)
    list(run)
    counted.remove()

    assert (len(passes), during, hooks(model.module)) == (5, 1, 0)


@pytest.mark.parametrize("end", ["close", "error", "refused"])
def test_hooks_are_removed_however_a_run_ends(end, tmp_path):
    def function(states):
        return states[:, 0] * (torch.nan if end == "error" else 0)

    model, path = model_of(llama()), tmp_path / "run.jsonl"
    if end == "refused":
        path.write_text("there already")
        with pytest.raises(TraceError):
            generate(model, PROMPTS, POLICY, given={"risk": function}, trace=path)
    else:
        run = generate(model, PROMPTS, POLICY, given={"risk": function}, seed=1)
        if end == "error":
            with pytest.raises(PolicyError, match="outside its range"):
                next(run)
        else:
            next(run)
            assert hooks(model.module) == 1
            run.close()

    assert hooks(model.module) == 0


def test_functions_of_layers_receive_their_input(model):
    def early(last, first, second):
        return torch.sigmoid(last[:, 0] + 2 * first[:, 1] - second[:, 2])

    early.reads_layers = (0, 1)
    tokens = list(generate(model, PROMPTS, POLICY, given={"risk": early}, max_tokens=4, seed=3))

    check(model, tokens, early, layers=(0, 1))


def test_two_functions_and_a_number_and_a_second_prompt_go_together():
    model = model_of(llama())
    one, two = head(seed=1), head(seed=2)
    policy = '0.1 + given("one", 0, 1)*given("two", 0, 1) + given("x", 0, 1) + divergence/50'
    tokens = list(generate(model, PROMPTS[:2], policy, given={"one": one, "x": 0.25, "two": two},
                           contrast=[[3], [4, 5]], max_tokens=4, seed=3))  # fmt: skip

    check(model, tokens, one, 'given("one", 0, 1)', prompts=PROMPTS[:2])
    check(model, tokens, two, 'given("two", 0, 1)', prompts=PROMPTS[:2])
    for token in tokens:
        s = token.signals
        expected = 0.1 + s['given("one", 0, 1)'] * s['given("two", 0, 1)'] + 0.25 + s["divergence"] / 50
        assert token.temperature == pytest.approx(expected, rel=1e-12)


def test_numbers_are_recorded_and_replayed(tmp_path):
    model, path = model_of(llama()), tmp_path / "run.jsonl"
    tokens = list(generate(model, PROMPTS[0], POLICY, given={"risk": head()}, max_tokens=4, seed=3, trace=path))
    trace = Trace.open(path)

    assert trace.header.settings["given"] == {}
    assert [one.temperature for one in replays(trace.header, list(trace))] == [one.temperature for one in tokens]
    other = replays(trace.header, list(trace), Policy('1 - given("risk", 0, 1)/2'))
    assert other[2].temperature == 1 - tokens[2].signals['given("risk", 0, 1)'] / 2


def test_the_states_of_a_step_are_kept_no_longer():
    model, kept = model_of(llama()), []

    def function(states):
        assert not states.requires_grad
        kept.append(weakref.ref(states))
        return states[:, 0] * 0

    list(generate(model, PROMPTS[2], POLICY, given={"risk": function}, max_tokens=3, seed=3))
    gc.collect()

    assert [one() for one in kept] == [None] * 3


def knowledge_by_hand(module, tokens, layers):
    """The source's formula, in NumPy and float64."""
    states = states_of(module, tokens)
    weight = module.get_output_embeddings().weight.detach().double().numpy()
    final, *early = (states[at][0].double().numpy() @ weight.T for at in (-1, *layers))
    p = np.exp(final - final.max())
    kept = p > 0.1 * p.max()
    p = p[kept] / p[kept].sum()
    found = []
    for z in early:
        q = np.exp(z[kept] - z[kept].max())
        found.append(np.sum(p * np.log(p / (q / q.sum()))))
    return np.mean(found)


@pytest.mark.parametrize(("layers", "read"), [(None, (0, 1)), ((1,), (1,))])
def test_knowledge_awareness_is_that_of_dynamic_focus_decoding(layers, read):
    model = model_of(llama(initializer_range=0.3))
    function = KnowledgeAwareness(model.module, layers)
    policy = 'clip(1.1*0.5**(given("knowledge", 0, 50)/4), 0.05, 2)'
    tokens = list(generate(model, PROMPTS, policy, given={"knowledge": function}, max_tokens=4, seed=3))

    assert function.reads_layers == read
    for number, prompt in enumerate(PROMPTS):
        own = [token for token in tokens if token.request == number]
        for token in own:
            before = [*prompt, *(one.token for one in own[: token.position])]
            expected = knowledge_by_hand(model.module, before, read)
            assert token.signals['given("knowledge", 0, 50)'] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert max(token.signals['given("knowledge", 0, 50)'] for token in tokens) > 0.1


def test_the_embeddings_are_no_layer_where_they_are_the_head():
    assert KnowledgeAwareness(llama(tie_word_embeddings=True)).reads_layers == (1,)


def test_what_cannot_be_read_is_refused():
    fake = FakeModel([b"a", b"b"], lambda tokens: [0.0, 1.0])
    model = model_of(llama())
    deep = KnowledgeAwareness(model.module, [7])

    with pytest.raises(ModelError, match="whose hidden states cannot be read: load the model with transformers"):
        generate(fake, "a", POLICY, given={"risk": head()})
    with pytest.raises(ValueError, match=r"a function was given for 'other', and .* reads no given"):
        generate(model, [1], POLICY, given={"risk": head(), "other": head()})
    with pytest.raises(ModelError, match=r"layers \[7\] were asked for; LlamaForCausalLM has 0 to 1"):
        generate(model, [1], POLICY, given={"risk": deep})
    with pytest.raises(ModelError, match="no layer was given"):
        KnowledgeAwareness(model.module, [])
    with pytest.raises(ValueError, match=r"'risk' in `given` returned an array of shape \(2, 32\) for 2 rows"):
        next(generate(model, PROMPTS[:2], POLICY, given={"risk": lambda states: states}))
    assert hooks(model.module) == 0


def test_a_pass_of_the_model_is_read_once_and_its_last_position_alone_is_kept():
    states = HiddenStates(module := llama(), [])
    expected = states_of(module, [1, 2, 3])[-1]
    found = states.take()[None]

    torch.testing.assert_close(found, expected)
    assert found.untyped_storage().nbytes() == found.numel() * 4
    with pytest.raises(ModelError, match="without a forward pass"):
        states.take()
    states.close()
    states.close()
    assert hooks(module) == 0


def test_each_thread_has_the_states_of_its_own_passes():
    states = HiddenStates(module := llama(), [])
    ours, theirs, taken = states_of(module, [1, 2])[-1], [], []

    def other():
        theirs.append(states_of(module, [3, 4])[-1])
        taken.append(states.take()[None])

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()

    torch.testing.assert_close(states.take()[None], ours)
    torch.testing.assert_close(taken, theirs)
