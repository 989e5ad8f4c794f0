"""Traces that are written inside transformers' `generate()`, with small networks of random weights."""

import warnings

import pytest

from dyntemp import Trace, TraceError
from dyntemp.engines import EngineError

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("transformers")

from tests.engines.test_transformers import llama  # noqa: E402
from tests.engines.traced import check_trace  # noqa: E402

from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature, neutral  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

ROW, MEMORY = "0.1 + 0.8*normalized_entropy", "0.2 + ema(entropy, 0.5)/5 + surprisal/20 + position/100"
BATCH = {
    "input_ids": torch.tensor([[3, 4, 5, 6, 7], [0, 0, 0, 8, 9], [0, 0, 10, 11, 12]]),
    "attention_mask": torch.tensor([[1] * 5, [0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]),
}


def spelled(token):
    return bytes([97 + token % 26])


@pytest.fixture(scope="module")
def model():
    return llama()


@pytest.fixture(autouse=True)
def _same_draws():
    torch.manual_seed(3)


def processed(model, path, policy, **settings):
    with DynamicTemperature(policy, record=path, tokenizer=spelled, model=model) as adapter:
        return model.generate(**neutral(model), **adapter.arguments, **settings)


def hooked(model, path, policy, **settings):
    with AfterWarpers(model, policy, record=path, tokenizer=spelled) as hook:
        return model.generate(do_sample=True, temperature=0.7, top_k=30, **hook.arguments, **settings)


def sampled(model, path, policy, **settings):
    sampler = DynamicSampler(policy, seed=7, record=path, tokenizer=spelled)
    return model.generate(do_sample=True, top_p=0.9, custom_generate=sampler, **settings)


FORMS = pytest.mark.parametrize("form", [processed, hooked, sampled])


@FORMS
@pytest.mark.parametrize("policy", [ROW, MEMORY])
def test_a_batch_is_one_trace_with_a_text_for_each_row(model, tmp_path, form, policy):
    """Rows end early, and go on as padding."""
    path, ends = tmp_path / "run.jsonl", [2, *range(40, 240)]
    output = form(model, path, policy, **BATCH, eos_token_id=ends, max_new_tokens=12)
    tokens = check_trace(path)
    ended = 0
    for row, drawn in enumerate(output[:, 5:].tolist()):
        last = next((at for at, token in enumerate(drawn) if token in ends), len(drawn) - 1)
        mine = [token for token in tokens if token.request == row]
        assert [token.token for token in mine] == drawn[: last + 1]
        assert [token.position for token in mine] == [*range(last + 1)]
        if form is not processed:  # a processor does not know the end tokens of a call
            assert mine[-1].finish == ("end" if drawn[last] in ends else None)
        ended += last + 1 < len(drawn)
    assert ended
    header = Trace.open(path).header
    assert header.prompts == [[3, 4, 5, 6, 7], [8, 9], [10, 11, 12]]
    assert header.rendered == ["defgh", "ij", "klm"]
    assert header.policy == policy


def test_the_truncation_is_where_the_form_has_it(model, tmp_path):
    for form in (processed, hooked, sampled):
        form(model, tmp_path / f"{form.__name__}.jsonl", ROW, **BATCH, max_new_tokens=3)
    read = {form.__name__: check_trace(tmp_path / f"{form.__name__}.jsonl") for form in (processed, hooked, sampled)}
    headers = {name: Trace.open(tmp_path / f"{name}.jsonl").header for name in read}

    assert {token.candidates for token in read["processed"]} == {320}
    assert {(token.candidates, token.signals["support"]) for token in read["hooked"]} == {(30, 30)}
    assert all(token.candidates < token.signals["support"] == 320 for token in read["sampled"])
    assert [header.drawn for header in headers.values()] == ["drawn by transformers"] * 2 + ["seed 7"]
    assert headers["sampled"].run().filters.top_p == 0.9
    assert headers["hooked"].run().requested == 0.7


def test_rejected_drafts_are_not_recorded(model, tmp_path):
    path, prompt = tmp_path / "run.jsonl", torch.tensor([[3, 4, 5, 6, 3, 4, 5, 6, 3, 4]])
    for number, assistant in enumerate(({"prompt_lookup_num_tokens": 4}, {"assistant_model": llama(seed=5)})):
        path = tmp_path / f"{number}.jsonl"
        output = processed(model, path, MEMORY, inputs=prompt, **assistant, max_new_tokens=16, suppress_tokens=[2])
        assert [token.token for token in check_trace(path)] == output[0, 10:].tolist()


def test_numbers_of_each_row_are_in_the_records(model, tmp_path):
    path, known = tmp_path / "run.jsonl", {"t": [0.5, 0.7, 0.9]}
    with DynamicTemperature("given('t', 0, 9)", given=known, record=path, tokenizer=spelled) as adapter:
        model.generate(**BATCH, **neutral(model), **adapter.arguments, max_new_tokens=3, min_new_tokens=3)

    assert [token.temperature for token in check_trace(path)[:3]] == [0.5, 0.5, 0.5]
    assert [token.temperature for token in check_trace(path) if token.request == 0] == [0.5, 0.7, 0.9]


def test_one_file_holds_one_run(model, tmp_path):
    path = tmp_path / "run.jsonl"
    with DynamicTemperature(ROW, record=path, tokenizer=spelled) as adapter:
        arguments = {**neutral(model), **adapter.arguments, "max_new_tokens": 3}
        model.generate(**BATCH, **arguments)
        with pytest.raises(EngineError, match="holds one run already: give record= another file"):
            model.generate(**BATCH, **arguments)
    for make in (DynamicTemperature, DynamicSampler):
        with pytest.raises(TraceError, match="this file is already there"):
            make(ROW, record=path, tokenizer=spelled)
    assert len({token.request for token in check_trace(path)}) == 3


def test_what_a_trace_needs_is_asked_for(model, tmp_path):
    path = tmp_path / "run.jsonl"
    for make in (DynamicTemperature, DynamicSampler, lambda *one, **more: AfterWarpers(model, *one, **more)):
        with pytest.raises(EngineError, match="pass tokenizer="):
            make(ROW, record=path)
    with (
        pytest.raises(EngineError, match=r"holds no token: pass \*\*adapter.arguments to generate"),
        DynamicTemperature(ROW, record=path, tokenizer=spelled) as adapter,
    ):
        model.generate(**BATCH, **neutral(model), logits_processor=[adapter], max_new_tokens=3)
    with (
        pytest.raises(EngineError, match="do_sample=True"),
        AfterWarpers(model, ROW, record=tmp_path / "hook.jsonl", tokenizer=spelled) as hook,
    ):
        model.generate(**BATCH, **hook.arguments, max_new_tokens=3)
    sampler = DynamicSampler(ROW, seed=[1, 2, 3], record=tmp_path / "seeds.jsonl", tokenizer=spelled)
    with pytest.raises(EngineError, match="3 seeds were given, and a trace has one"):
        model.generate(**BATCH, do_sample=True, custom_generate=sampler, max_new_tokens=3)
    with pytest.raises(EngineError, match="the policy 0 is greedy"):
        model.generate(**BATCH, custom_generate=sampler, max_new_tokens=3)


def test_beams_have_no_texts_of_their_own(model, tmp_path):
    with pytest.raises(EngineError, match="or they are recorded"):
        hooked(model, tmp_path / "run.jsonl", ROW, **BATCH, num_beams=2, max_new_tokens=8)


def test_a_run_that_is_interrupted_leaves_what_it_drew(model, tmp_path):
    def interrupt(input_ids, scores):
        if input_ids.shape[1] > 8:
            raise KeyboardInterrupt
        return scores

    path = tmp_path / "run.jsonl"
    with pytest.raises(KeyboardInterrupt), DynamicTemperature(ROW, record=path, tokenizer=spelled) as adapter:
        arguments = adapter.arguments | {"logits_processor": [interrupt, adapter]}
        model.generate(**BATCH, **neutral(model), **arguments, max_new_tokens=9, min_new_tokens=9)

    assert [token.position for token in check_trace(path) if token.request == 0] == [0, 1, 2, 3]


def test_a_function_still_gets_each_step_and_nothing_is_written(model, tmp_path):
    steps = []
    adapter = DynamicTemperature(ROW, record=steps.append)
    model.generate(**BATCH, **neutral(model), **adapter.arguments, max_new_tokens=3, min_new_tokens=3)

    assert len(steps) == 3
    assert adapter.arguments == {"logits_processor": [adapter]}
    assert not list(tmp_path.iterdir())
