"""Functions of the hidden state inside transformers' own loop, against `output_hidden_states=True` by hand."""

import gc
import warnings

import numpy as np
import pytest

from dyntemp import PolicyError, temperatures
from dyntemp.engines import EngineError
from dyntemp.errors import ModelError
from dyntemp.models.hidden import KnowledgeAwareness

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers")

from tests.models.tiny import gpt2, llama  # noqa: E402

from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature, neutral  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

POLICY = '0.3 + given("risk", 0, 1)'
DETAILS = {"return_dict_in_generate": True, "output_hidden_states": True, "pad_token_id": 0}
BATCH = {
    "input_ids": torch.tensor([[3, 4, 5, 6, 7], [0, 0, 0, 8, 9], [0, 0, 10, 11, 12]]),
    "attention_mask": torch.tensor([[1] * 5, [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]),
}


def risk(states):
    return torch.sigmoid(3 * states[:, 0] - states[:, 1])


def early(last, first):
    return torch.sigmoid(last[:, 0] - 2 * first[:, 2])


early.reads_layers = (1,)


def with_processor(model, function, record, **settings):
    processor = DynamicTemperature(POLICY, given={"risk": function}, record=record, model=model)
    return model.generate(**neutral(model), logits_processor=[processor], **settings)


def with_hook(model, function, record, **settings):
    with AfterWarpers(model, POLICY, given={"risk": function}, record=record):
        return model.generate(do_sample=True, top_k=20, **settings)


def with_sampler(model, function, record, **settings):
    sampler = DynamicSampler(POLICY, given={"risk": function}, record=record, seed=3)
    return model.generate(custom_generate=sampler, do_sample=True, **settings)


FORMS = pytest.mark.parametrize("form", [with_processor, with_hook, with_sampler])


def hooks(model):
    return sum(len(part._forward_pre_hooks) for part in model.modules())


@pytest.fixture(params=[llama, gpt2], ids=lambda make: make.__name__)
def model(request):
    torch.manual_seed(1)
    return request.param()


@FORMS
@pytest.mark.parametrize("function", [risk, early])
def test_the_temperature_follows_the_state_that_the_host_computes(model, form, function):
    """A batch with padding and a cache; the host's own hidden states tell the numbers."""
    steps = []
    output = form(model, function, steps.append, **BATCH, **DETAILS, max_new_tokens=5)

    assert len(steps) == len(output.hidden_states)
    for step, states in zip(steps, output.hidden_states, strict=True):
        wanted = [states[-1][:, -1], *(states[layer][:, -1] for layer in getattr(function, "reads_layers", ()))]
        assert step.temperature == pytest.approx(0.3 + function(*wanted).double().numpy(), abs=1e-6)
    assert len({temperature for step in steps for temperature in step.temperature.tolist()}) == 3 * len(steps)


@FORMS
def test_no_more_passes_are_made_and_no_hook_is_left(form):
    model, passes = llama(), []
    counted = model.register_forward_hook(lambda *_: passes.append(1))
    form(model, risk, None, **BATCH, pad_token_id=0, max_new_tokens=4, min_new_tokens=4)
    counted.remove()
    gc.collect()

    assert (len(passes), hooks(model)) == (4, 0)


def test_beams_have_the_states_of_their_own_rows():
    model, steps = llama(), []
    processor = DynamicTemperature(POLICY, given={"risk": risk}, record=steps.append, model=model)
    output = model.generate(**BATCH, **neutral(model), **DETAILS, num_beams=2, logits_processor=[processor],
                            max_new_tokens=4)  # fmt: skip

    for step, states in zip(steps, output.hidden_states, strict=True):
        assert step.temperature == pytest.approx(0.3 + risk(states[-1][:, -1]).double().numpy(), abs=1e-6)


@pytest.mark.parametrize("drafts", ["assistant", "lookup"])
@pytest.mark.parametrize("form", [with_processor, with_hook])
def test_drafted_tokens_are_refused_since_their_states_are_not_known(form, drafts):
    model = llama()
    settings = {"assistant_model": llama()} if drafts == "assistant" else {"prompt_lookup_num_tokens": 2}
    ids = torch.tensor([[5, 6, 7, 5, 6, 7, 5, 6, 7, 5, 6]])

    with pytest.raises(ModelError, match="without an assistant model and without prompt lookup"):
        form(model, risk, None, input_ids=ids, pad_token_id=0, max_new_tokens=8, **settings)
    gc.collect()
    assert hooks(model) == 0


@pytest.mark.parametrize("make", ["processor", "hook", "sampler"])
def test_the_self_tests_know_functions(make):
    model = llama()
    if make == "processor":
        DynamicTemperature(POLICY, given={"risk": risk}, model=model).self_test(model)
    elif make == "sampler":
        DynamicSampler(POLICY, given={"risk": risk}).self_test(model)
    else:
        with AfterWarpers(model, POLICY, given={"risk": risk}) as hook:
            hook.self_test()
    gc.collect()
    assert hooks(model) == 0


def test_knowledge_awareness_works_in_the_hosts_loop_too():
    model, steps = llama(initializer_range=0.3), []
    policy = 'max(0.5**(given("knowledge", 0, 50)/4), 0.05)'
    function = KnowledgeAwareness(model, [0, 1])
    processor = DynamicTemperature(policy, given={"knowledge": function}, record=steps.append, model=model)
    output = model.generate(**BATCH, **neutral(model), **DETAILS, logits_processor=[processor], max_new_tokens=3)

    for step, states in zip(steps, output.hidden_states, strict=True):
        with torch.no_grad():
            expected = function(*(states[layer][:, -1] for layer in (-1, 0, 1))).double().numpy()
        assert step.signals['given("knowledge", 0, 50)'] == pytest.approx(expected, rel=1e-4)
        assert step.temperature == pytest.approx(np.maximum(0.5 ** (expected / 4), 0.05), rel=1e-4)


def test_a_broken_row_leaves_the_numbers_of_the_others_alone():
    class Breaks(transformers.LogitsProcessor):
        def __call__(self, input_ids, scores):
            scores[1] = torch.nan
            return scores

    model, steps = llama(), []
    processor = DynamicTemperature(POLICY, given={"risk": risk}, record=steps.append, model=model)
    output = model.generate(**BATCH, **DETAILS, do_sample=False, logits_processor=[Breaks(), processor],
                            max_new_tokens=1)  # fmt: skip
    expected = 0.3 + risk(output.hidden_states[0][-1][:, -1]).double().numpy()

    assert steps[0].temperature[[0, 2]] == pytest.approx(expected[[0, 2]], abs=1e-6)
    assert np.isnan(steps[0].temperature[1])


def test_functions_are_refused_where_there_is_no_state():
    with pytest.raises(EngineError, match=r"given\['risk'\] is a function of the hidden state, .* pass model="):
        DynamicTemperature(POLICY, given={"risk": risk})
    with pytest.raises(PolicyError, match="was given a function; only `generate` with a model of transformers"):
        temperatures(np.zeros(3), POLICY, given={"risk": risk})
