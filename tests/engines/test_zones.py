"""Zones in hosts: the text of a request, whatever the host does to it, and the bytes of a host's tokens."""

from functools import cache

import numpy as np
import pytest
from tests.engines.test_requests import ALL

from dyntemp.engines import Batch, EngineError, Requests
from dyntemp.engines.zones import inside_at, token_bytes
from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.testing.checks import some_rows
from dyntemp.testing.spelling import OWN_ZONE, spelled, token_of

POLICY = 'where(inside("think") > 0.5, 1.5, 0.25) + where(inside("note") > 0.5, 0.5, 0)'


def requests_of(window=64, tokenizer=spelled, policy=POLICY, slot=0):
    made = Requests(ALL, window=window, tokenizer=tokenizer, zones=OWN_ZONE)
    made.begin(slot, policy)
    return made


def temperature(requests, tokens, position=1, slot=0):
    batch = Batch(some_rows(1, 9), [slot], position, text=lambda _: tokens)
    return float(requests.temperatures(batch)[0])


def expected(tokens):
    found = inside_at(Policy(POLICY), tokens, spelled, OWN_ZONE)
    return (1.5 if found['inside("think")'] else 0.25) + 0.5 * found['inside("note")']


@pytest.mark.parametrize("kind", [list, np.array])
@pytest.mark.parametrize("window", [2, 5, 64])
@pytest.mark.parametrize("seed", range(3))
def test_a_text_that_grows_shrinks_and_changes_is_the_same_as_one_read_at_once(seed, window, kind):
    """Within the window and beyond it, by one token and by many."""
    rng, requests, tokens = np.random.default_rng(seed), requests_of(window), []
    pieces = [token_of(piece) for piece in ("<think>", "</think>", "<th", "ink>", "<note>e", "</no", "te>", "a", "b<")]
    seen = set()
    for _ in range(150):
        if rng.random() < 0.3:
            tokens = tokens[: max(0, len(tokens) - int(rng.integers(1, window + 4)))]
        else:
            tokens = tokens + rng.choice(pieces, int(rng.integers(0, 6))).tolist()
        for _ in range(2):
            found = temperature(requests, kind(tokens))
        assert found == pytest.approx(expected(tokens))
        seen.add(found)

    assert len(seen) > 2


def test_another_text_in_a_slot_is_read_from_its_beginning():
    """Its latest tokens may be those of the text before."""
    requests = requests_of(window=2)
    alike = [token_of("a")] * 5
    assert temperature(requests, [token_of("<think>"), *alike], position=0) == 1.75 - 0.25
    assert temperature(requests, [token_of("b"), *alike], position=0) == 0.25
    requests.begin(0, POLICY)
    assert temperature(requests, [token_of("<think>"), *alike]) == 1.5


def test_zones_of_one_name_are_each_requests_own():
    requests = Requests(ALL, tokenizer=spelled)
    requests.begin(3, 'inside("mine") + 0.5', zones="mine=<think>...</think>")
    requests.begin(5, 'inside("mine") + 0.5', zones=["mine=<note>...</note>"])
    requests.begin(7, "0.7")
    texts = [[token_of("<think>")], [token_of("<think>")], []]

    found = requests.temperatures(Batch(some_rows(3, 9), [3, 5, 7], 1, text=texts.__getitem__))

    assert found.tolist() == pytest.approx([1.5, 0.5, 0.7])


def test_broken_rows_and_rows_that_are_not_live_shift_no_zone():
    requests, told = requests_of(), []
    requests.record = told.append
    requests.begin(1, POLICY)
    requests.begin(2, POLICY)
    rows = some_rows(3, 9)
    rows[0] = np.nan
    texts = [[token_of("a")], [token_of("<think>")], [token_of("a")]]
    found = requests.temperatures(Batch(rows, [0, 1, 2], 1, live=[True, True, False], text=texts.__getitem__))

    assert found[1] == 1.5
    assert np.isnan(found[[0, 2]]).all()
    assert told[0].signals['inside("think")'][1] == 1


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: requests_of(tokenizer=None), EngineError, "needs the text of the tokens: pass tokenizer="),
    (lambda: requests_of(tokenizer=7), EngineError, "tokenizer=int was given; a tokenizer of transformers"),
    (lambda: requests_of(policy='inside("nowhere")'), PolicyError, "nobody defined; there are think, "),
    (lambda: requests_of().begin(0, 'inside("a")', zones="a=<"), PolicyError, "zone 'a=<' was given"),
    (lambda: requests_of().temperatures(Batch(some_rows(1, 9), [0], 1)), EngineError, "without the tokens before them"),
])  # fmt: skip
def test_what_is_missing_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_tokens_of_a_policy_without_zones_are_not_asked_for():
    requests = Requests(ALL, tokenizer=spelled)
    requests.begin(0, "0.5")

    assert requests.temperatures(Batch(some_rows(1, 9), [0], 1, text=None)).tolist() == [0.5]


@pytest.mark.torch
def test_bytes_of_the_tokenizers_of_transformers():
    """Pieces of bytes, of sentencepiece, whole words; special tokens by their names."""
    pytest.importorskip("transformers")
    from tests.models.test_transformers import byte_level, sentencepiece, words

    for tokenizer, text in ((byte_level(), "<s>Grüße, 東京 <tool é>👩🏽</s>"), (sentencepiece(), "<s>two two東京</s>")):
        tokens = tokenizer.encode(text, add_special_tokens=False)
        assert b"".join(map(token_bytes(tokenizer), tokens)).decode() == text
        assert len(tokens) > 5
    assert b"".join(map(token_bytes(words()), [1, 3])).decode() == "onezwölf"


@cache
def network():
    """A network without much to say, and a small byte-level tokenizer for it."""
    from tests.engines.test_transformers import llama
    from tests.models.test_transformers import byte_level

    return llama(), byte_level()


@pytest.mark.torch
class TestTransformers:
    POLICY = 'where(inside("think") > 0.5, 1.25, 0.5)'

    @pytest.fixture(autouse=True)
    def needed(self):
        pytest.importorskip("torch")
        pytest.importorskip("transformers")

    @pytest.mark.parametrize("drafts", [{}, {"prompt_lookup_num_tokens": 3}])
    def test_each_row_is_in_the_zones_of_its_own_text(self, drafts):
        """Padded on the left, with delimiters forced in the middle; drafted too, where a batch has one row."""
        from tests.engines.test_transformers import ids
        from transformers import LogitsProcessor

        from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature, neutral

        model, tokenizer = network()
        told = []
        texts = ["ab<think>ab", "ab"] if not drafts else ["ab<think>ab<think>ab<think>"]
        prompts = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
        forced = tokenizer.encode("</think>", add_special_tokens=False)
        length = max(map(len, prompts))

        class Forced(LogitsProcessor):
            def __call__(self, input_ids, scores):
                at = input_ids.shape[1] - length - 2
                if 0 <= at < len(forced):
                    scores = scores.clone()
                    scores[:, forced[at]] += 1000
                return scores

        asked = {"max_new_tokens": 2 + len(forced) + 2, "suppress_tokens": [1, 2], **ids(*prompts), **drafts}
        given = {"tokenizer": tokenizer, "record": told.append}
        inputs = {"logits_processor": [Forced(), DynamicTemperature(self.POLICY, **given)], **neutral(model)}
        runs = [lambda: model.generate(**asked, **inputs)]
        if not drafts:
            runs.append(lambda: model.generate(
                **asked, custom_generate=DynamicSampler(self.POLICY, seed=1, **given), do_sample=True,
                logits_processor=[Forced()],
            ))  # fmt: skip
        for run in runs:
            told.clear()
            output = run()
            for step in told:
                for row, (prompt, t) in enumerate(zip(prompts, step.temperature, strict=True)):
                    before = output[row, length - len(prompt) : length + step.position[row]].tolist()
                    if step.position[row] <= 2 + len(forced):  # drafts that were taken back stand behind
                        inside = inside_at(Policy(self.POLICY), before, tokenizer, ())['inside("think")']
                        assert t == (1.25 if inside else 0.5)
            assert {float(t) for step in told for t in step.temperature} == {1.25, 0.5}
        with AfterWarpers(model, self.POLICY, **given):
            told.clear()
            model.generate(**asked, do_sample=True, temperature=0.7, logits_processor=[Forced()])
            assert {float(t) for step in told for t in step.temperature} == {1.25, 0.5}

    def test_self_tests(self):
        from dyntemp.engines.transformers import AfterWarpers, DynamicSampler, DynamicTemperature

        model, tokenizer = network()
        policy = '0.5 + 0.5*normalized_entropy*(1 - inside("mine"))'
        options = {"tokenizer": tokenizer, "zones": "mine=<s>...</s>"}
        DynamicTemperature(policy, **options).self_test(model)
        DynamicSampler(policy, **options).self_test(model)
        with AfterWarpers(model, policy, **options) as hook:
            hook.self_test()

    def test_beams_are_refused(self):
        from tests.engines.test_transformers import ONE

        from dyntemp.engines.transformers import AfterWarpers

        model, tokenizer = network()
        refused = pytest.raises(EngineError, match=r"reads earlier tokens of a row, .* but beam search")
        with AfterWarpers(model, self.POLICY, tokenizer=tokenizer), refused:
            model.generate(**ONE, do_sample=True, num_beams=2, max_new_tokens=2)
