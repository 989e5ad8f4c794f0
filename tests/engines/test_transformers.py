"""transformers: the suite of all adapters, and the real host with small networks of random weights."""

import inspect
import threading
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from dyntemp import Policy, PolicyError, sample, temperatures
from dyntemp.engines import EngineError
from dyntemp.testing import EngineSuite

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers")

from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature, neutral  # noqa: E402
from dyntemp.testing.hosts.transformers import WithHook, WithProcessor, WithSampler  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

ROW = "0.1 + 0.8*normalized_entropy"
MEMORY = "0.2 + ema(entropy, 0.5)/5 + 0.1*prev(max_prob)"
SURPRISE = "0.4 + surprisal/20"
PLACE = "0.3 + 0.1*position + 0.5*max_prob"
POLICIES = [ROW, MEMORY, SURPRISE, PLACE]
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
        assert [divided_by(output, step, row) for step in range(live)] == pytest.approx(expected[:live], rel=1e-4)
        assert len(set(expected[:live])) > 1 or live == 1


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
        """With more, LogitsProcessorList asks for arguments that nobody passes."""
        assert len(inspect.signature(DynamicTemperature(ROW).__call__).parameters) == 2

    def test_a_list_of_the_hosts_own_type_will_do(self, model):
        processor = DynamicTemperature(ROW)
        listed = transformers.LogitsProcessorList([processor])
        model.generate(**ONE, **neutral(model), logits_processor=listed, max_new_tokens=2)

        assert processor.counts.calls == 2

    def test_penalties_come_before_it_and_masked_tokens_are_not_counted(self, model):
        """`output_logits` are raw, so what it saw is told by a processor before it."""
        steps, before = [], []
        processor = DynamicTemperature("0.1 + 0.8*normalized_entropy + support*0", record=steps.append)
        model.generate(**ONE, **neutral(model), max_new_tokens=3, repetition_penalty=1.3, suppress_tokens=[*range(100)],
                       logits_processor=[lambda input_ids, scores: before.append(scores) or scores, processor])  # fmt: skip
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
        """Nothing in a step tells them apart."""
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
    @pytest.mark.parametrize("assistant", ["another model", "the prompt"])
    @pytest.mark.parametrize("policy", POLICIES)
    def test_the_target_has_its_own_temperatures(self, model, policy, assistant, sampled):
        """Called for drafts and target in turn, positions going back: as if the target had run alone."""
        lengths, processor = [], DynamicTemperature(policy)
        prompt = ids([3, 4, 5, 6, 3, 4, 5, 6, 3, 4])

        def seen(input_ids, scores):
            lengths.append(input_ids.shape[1])
            return scores

        output = model.generate(**prompt, **(neutral(model) | {"do_sample": sampled}), **DETAILS, **assisted(assistant),
                                logits_processor=[seen, processor], max_new_tokens=16, min_new_tokens=16)  # fmt: skip

        check_temperatures(output, policy, 10)
        assert any(after <= before for before, after in zip(lengths, lengths[1:], strict=False))
        assert processor.counts.calls > 16
        if policy is not SURPRISE:
            assert processor.counts.as_dict()["restarts"] == 0

    @pytest.mark.parametrize("assistant", ["another model", "the prompt"])
    @pytest.mark.parametrize("policy", [ROW, MEMORY, SURPRISE])
    def test_behind_the_warpers_too(self, model, policy, assistant):
        prompt = ids([3, 4, 5, 6, 3, 4, 5, 6, 3, 4])
        with AfterWarpers(model, policy):
            output = model.generate(**prompt, **DETAILS, **assisted(assistant), do_sample=True, temperature=0.7,
                                    top_k=40, max_new_tokens=12, min_new_tokens=12)  # fmt: skip
        check_temperatures(output, policy, 10, truncated=True)

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
        """Else a cold row would lose against a hot one."""
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


class TestNeutral:
    SETTINGS = {"temperature": 0.6, "top_k": 20, "top_p": 0.9, "min_p": 0.05, "typical_p": 0.9, "epsilon_cutoff": 0.001,
                "eta_cutoff": 0.001}  # fmt: skip

    def test_what_the_models_own_config_sets_does_nothing(self):
        model = llama()
        for name, value in self.SETTINGS.items():
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
        for name, value in self.SETTINGS.items():
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

    @pytest.mark.parametrize("policy", [*POLICIES, "where(max_prob < 2, 0, 1)", "1/(0*entropy)"])
    def test_self_tests_pass_with_any_policy(self, model, policy):
        DynamicTemperature(policy).self_test(model)
        DynamicSampler(policy).self_test(model, min_p=0.02, temperature=0.5)
        with AfterWarpers(model, policy) as hook:
            hook.self_test(temperature=0.5, top_p=0.9)
            assert hook.counts.calls == 4
