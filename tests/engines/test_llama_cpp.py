"""The llama.cpp adapters by the suite, and against llama.cpp's own samplers, which need no model."""

import ctypes
import gc
import subprocess
import sys
import weakref
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tests.engines.traced import check_trace

from dyntemp import Policy, Trace, temperatures
from dyntemp.engines import CAPABILITIES, EngineError, Requests
from dyntemp.engines.host_trace import HostTrace
from dyntemp.engines.llama_cpp import DynamicTemperature, native
from dyntemp.engines.llama_cpp.chain import RECORD, Generation, candidates_of, filters_behind, insert, links
from dyntemp.engines.llama_cpp.processor import Processors, callables
from dyntemp.engines.vocabulary import Vocabulary
from dyntemp.testing import EngineSuite
from dyntemp.testing.checks import some_rows
from dyntemp.testing.hosts.llama_cpp import Candidates, ChainHost, ProcessorHost, TokenDataArray
from dyntemp.testing.spelling import spelled


class TestChain(EngineSuite):
    def make_host(self):
        return ChainHost()


class TestSortedCandidates(EngineSuite):
    def make_host(self):
        return ChainHost("sorted")


class TestShuffledCandidates(EngineSuite):
    def make_host(self):
        return ChainHost("shuffled")

    def test_temperature_zero_leaves_the_likeliest(self):
        """The first of equal ones, as llama.cpp's own temperature 0 does."""
        generation = a_generation("0")
        row = np.zeros(1000, np.float32)
        row[[40, 7]] = 3
        candidates = Candidates(row, "shuffled")
        first = candidates.records["id"][candidates.records["logit"].argmax()]
        generation.apply(candidates.pointer)
        assert np.flatnonzero(candidates.row > -np.inf).tolist() == [first]


class TestProcessor(EngineSuite):
    def make_host(self):
        return ProcessorHost()


class TestLlamaCppItself(EngineSuite):
    """The link in a chain of llama.cpp's, which calls it."""

    def make_host(self):
        pytest.importorskip("llama_cpp")

        def apply(generation, candidates):
            chain = a_chain()
            chain.add_custom(generation.apply)
            run(chain, candidates)

        return ChainHost("ids", apply)


def a_generation(policy, requested=1.0, **options):
    requests = Requests(CAPABILITIES["llama_cpp/chain"], **options)
    return Generation(requests, requests.accept(policy), requested)


def a_chain():
    return pytest.importorskip("llama_cpp")._internals.LlamaSampler()


def run(chain, candidates):
    """The token that the chain selects, or -1; the candidates are left as it makes them."""
    import llama_cpp

    pointer = ctypes.cast(candidates.pointer, ctypes.POINTER(llama_cpp.llama_token_data_array))
    llama_cpp.llama_sampler_apply(chain.sampler, pointer)
    selected = candidates.array.selected
    return int(left(candidates)["id"][selected]) if selected >= 0 else -1


def left(candidates):
    return candidates.records[: candidates.array.size]


def a_link(chain, policy, form="ours", **options):
    """Our sampler at the end of a chain, or llama.cpp's with our numbers."""
    if form == "native":
        return chain.add_temp_ext(*native(policy).values())
    return chain.add_custom(a_generation(policy, **options).apply)


def test_the_layout_is_that_of_llama_h():
    llama_cpp = pytest.importorskip("llama_cpp")
    theirs = llama_cpp.llama_token_data_array
    names = [name for name, *_ in TokenDataArray._fields_]

    assert names == [name for name, *_ in theirs._fields_]
    assert [getattr(TokenDataArray, name).offset for name in names] == [getattr(theirs, name).offset for name in names]
    assert ctypes.sizeof(TokenDataArray) == ctypes.sizeof(theirs)
    assert RECORD.itemsize == ctypes.sizeof(llama_cpp.llama_token_data)
    for name, (_, at) in RECORD.fields.items():
        assert at == getattr(llama_cpp.llama_token_data, name).offset


def test_candidates_are_llama_cpps_own_memory():
    candidates = Candidates(some_rows(1, 100)[0], "shuffled")
    records = candidates_of(candidates.pointer)
    records["logit"][3] = 5

    assert candidates.records["logit"][3] == 5
    assert_array_equal(records["id"], candidates.records["id"])


def test_nothing_but_the_logits_is_written():
    candidates = Candidates(some_rows(1, 500)[0], "sorted")
    before = candidates.records.copy()
    a_generation("0.1 + entropy").apply(candidates.pointer)

    assert_array_equal(candidates.records[["id", "p"]], before[["id", "p"]])
    assert candidates.array.sorted
    assert np.all(np.diff(candidates.records["logit"]) <= 0)


@pytest.mark.parametrize("truncate", [("add_top_k", 40), ("add_top_p", 0.9), ("add_min_p", 0.02), ("add_typical", 0.8)])
def test_after_truncation_the_candidates_left_are_what_is_measured(truncate):
    policy = "0.3 + 0.7*normalized_entropy + support/1e4"
    sizes = []
    for row in some_rows(60, 1000, seed=3):
        chain, alone = a_chain(), a_chain()
        for one in (chain, alone):
            getattr(one, truncate[0])(truncate[1])
        kept = Candidates(row, "ids")
        run(alone, kept)
        a_link(chain, policy)
        found = Candidates(row, "ids")
        run(chain, found)

        sizes.append(found.array.size)
        assert found.array.size == kept.array.size
        assert_array_equal(left(found)["id"], left(kept)["id"])
        t = temperatures(left(kept)["logit"].copy(), policy, backend="reference")
        assert_allclose(left(found)["logit"], left(kept)["logit"] / t, rtol=1e-5)
    assert np.median(sizes) < 1000


CURVES = [
    "0.3 + 0.7*normalized_entropy**0.5",
    "1.8*normalized_entropy",
    "lerp(0.05, 3, normalized_entropy**2)",
    "0.2 + 0.4*normalized_entropy**0.25",
    "0.7",
    "0",
]


@pytest.mark.parametrize("policy", CURVES)
@pytest.mark.parametrize("truncate", [(40, 0.95, 0.05), (1000, 1.0, 0.0), (8, 0.6, 0.3)])
def test_llama_cpps_own_sampler_draws_the_same_tokens(policy, truncate):
    """The draw goes through the candidates in their order; they are sorted, as by llama.cpp's own sampler."""
    top_k, top_p, min_p = truncate
    rows = some_rows(64, 1000, seed=5)
    for seed in range(4):
        tokens = []
        for form in ("ours", "native"):
            chain = a_chain()
            chain.add_top_k(top_k)
            chain.add_top_p(top_p)
            chain.add_min_p(min_p)
            a_link(chain, policy, form)
            chain.add_dist(seed)
            tokens.append([run(chain, Candidates(row, "ids")) for row in rows])
        assert tokens[0] == tokens[1]


def test_without_a_sort_the_draw_has_the_same_distribution_and_another_order():
    row = some_rows(1, 50, seed=2)[0]
    shares = {}
    for form in ("ours", "native"):
        chain = a_chain()
        a_link(chain, CURVES[0], form)
        candidates = Candidates(row, "ids")
        run(chain, candidates)
        shares[form] = candidates.row
        assert candidates.array.sorted == (form == "native")
    assert_allclose(shares["ours"], shares["native"], rtol=2e-6)


def test_masked_candidates_count_in_llama_cpp_and_not_in_a_policy():
    row = np.array([1.0, 0.5, 0.0, -np.inf], np.float32)
    policy = "1.5*normalized_entropy"
    p = np.exp(row[:3] - np.logaddexp.reduce(row[:3].astype(float)))
    entropy = -(p * np.log(p)).sum()
    for form, n in (("ours", 3), ("native", 4)):
        chain = a_chain()
        a_link(chain, policy, form)
        candidates = Candidates(row, "ids")
        run(chain, candidates)
        t = (row[0] - row[2]) / (candidates.row[0] - candidates.row[2])
        assert_allclose(t, 1.5 * entropy / np.log(n), rtol=1e-5)


@pytest.mark.parametrize("row", [[2.0], [2.0, -np.inf], [900.0, -900.0, -900.0]], ids=["one", "masked", "certain"])
def test_certain_rows_stay_certain(row):
    """This holds at temperature 0 too, where llama.cpp's own sampler leaves a single candidate as it was."""
    for form in ("ours", "native"):
        chain = a_chain()
        a_link(chain, "2*normalized_entropy", form)
        chain.add_dist(1)
        candidates = Candidates(np.array(row, np.float32), "ids")
        assert run(chain, candidates) == 0
        assert not np.isnan(candidates.row).any()


def test_an_infinite_temperature_draws_among_all_that_are_left():
    chain = a_chain()
    chain.add_top_k(5)
    a_link(chain, "where(max_prob > 0, 1/(0*entropy), 1)")
    chain.add_dist(4)
    row = some_rows(1, 200)[0]
    tokens = [run(chain, Candidates(row, "ids")) for _ in range(500)]
    shares = np.bincount(tokens, minlength=200)[np.argsort(-row)[:5]] / 500
    assert_allclose(shares, 0.2, atol=0.08)  # 4.5 standard deviations


def test_an_error_in_the_callback_waits_for_check_and_nothing_is_printed(capfd):
    def fail(step):
        raise KeyboardInterrupt("stop")

    chain, generation = a_chain(), a_generation("0.1 + entropy", record=fail)
    chain.add_custom(generation.apply)
    run(chain, Candidates(some_rows(1, 50)[0], "ids"))
    assert capfd.readouterr() == ("", "")
    with pytest.raises(KeyboardInterrupt, match="stop"):
        generation.check()
    generation.check()


def test_chains_come_and_go_without_a_crash_or_a_leak():
    rows = some_rows(1, 300)
    alive = []
    for number in range(200):
        chain, generation = a_chain(), a_generation("0.1 + entropy")
        chain.add_top_k(40)
        chain.add_temp(0.8)
        chain.add_dist(number)
        insert(chain, "temp", partial(chain.add_custom, generation.apply), short=False)
        if number % 2:
            run(chain, Candidates(rows[0], "ids"))
        alive += [weakref.ref(chain), weakref.ref(generation)]
        if number % 3 == 0:
            chain.close()
    del chain, generation
    gc.collect()
    assert not any(one() for one in alive)


@pytest.mark.parametrize(("before", "at"), [("top-k", 0), ("min-p", 1), ("temp", 2)])
def test_a_link_takes_its_place_and_that_of_the_temperature(before, at):
    chain = a_chain()
    chain.add_top_k(0)
    chain.add_min_p(0.1)
    chain.add_temp(1.0)
    chain.add_dist(0)
    insert(chain, before, lambda: chain.add_custom(print), short=False)
    expected = ["top-k", "min-p", "dist"]
    expected.insert(at, "custom")
    assert links(chain) == expected


def test_a_chain_without_a_temperature_is_not_taken_for_another():
    chain = a_chain()
    chain.add_min_p(0.1)
    chain.add_dist(0)
    with pytest.raises(EngineError, match="makes the chain min-p, dist, in which there is no `temp`"):
        insert(chain, "temp", lambda: None, short=False)
    assert links(chain) == ["min-p", "dist"]


def test_a_chain_with_python_in_it_cannot_be_copied():
    chain = a_chain()
    a_link(chain, "1")
    with pytest.raises(NotImplementedError):
        chain.clone()


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ("0.3 + 0.6*normalized_entropy**2", (0.6, 0.3, 2.0)),
        ("lerp(0, 1.8, sqrt(normalized_entropy))", (0.9, 0.9, 0.5)),
        ("clip(0.2 + normalized_entropy/2, 0.05, 2)", (0.45, 0.25, 1.0)),
        ("0.7", (0.7, 0.0, 1.0)),
    ],
)
def test_native_parameters(policy, numbers):
    assert native(policy) == dict(zip(("temperature", "dynatemp_range", "dynatemp_exponent"), numbers, strict=True))
    assert native(Policy(policy)) == native(policy)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("0.1 + 0.8*entropy", "reads `entropy`"),
        ("1.3 - normalized_entropy", "only rise"),
        ("0.5 + ema(normalized_entropy, 0.5)", "remembers"),
        ("a + normalized_entropy", "free parameter `a`"),
        ("min(0.3 + normalized_entropy, 0.8)", "cut off above"),
    ],
)
def test_what_llama_cpp_cannot_compute_has_a_reason(policy, reason):
    with pytest.raises(EngineError, match=reason):
        native(policy)


def test_processors_extend_to_themselves():
    """llama-cpp-python uses what `extend` returns where there is a logit_bias, and a list returns None."""
    processor = DynamicTemperature("0.5")
    assert processor.extend([print]) == [processor, print]
    theirs = [abs]
    carried = Processors(theirs)
    assert carried.extend([print]) is carried
    assert theirs == [abs]
    assert processor.arguments["logits_processor"].extend([print]) == [processor, print]


def test_processors_are_callables():
    processor = DynamicTemperature("0.5")
    assert callables(None) == []
    assert callables(processor) == callables([processor]) == list(processor) == [processor]
    with pytest.raises(EngineError, match="logits_processor has a str"):
        callables(["0.1 + entropy"])


def test_a_processor_knows_a_text_from_its_tokens():
    """A rerun, a text that begins like the one before, a shorter one, and another."""
    positions = []
    processor = DynamicTemperature("0.3 + prev(entropy)/9", record=lambda step: positions.append(*step.position))
    rows = iter(some_rows(20, 60))

    def call(*tokens):
        processor(np.array(tokens, np.intc), next(rows))
        processor.check()

    for tokens in [(1, 2), (1, 2, 3), (1, 2, 3), (1, 2, 3, 4), (1, 2), (1,), (1, 2), (9, 9, 9), (9, 9, 9, 1)]:
        call(*tokens)
    assert positions == [0, 1, 1, 2, 0, 0, 1, 0, 1]
    with pytest.raises(EngineError, match="2 have come at once"):
        call(9, 9, 9, 1, 5, 6)
    with processor:
        call(9, 9, 9, 1, 5, 6)
    assert positions[-1] == 0


def test_a_processor_that_nobody_called_says_so():
    with pytest.raises(EngineError, match="never called this processor"), DynamicTemperature("0.5"):
        pass
    with pytest.raises(ZeroDivisionError), DynamicTemperature("0.5"):
        raise ZeroDivisionError


def test_a_processor_that_fails_leaves_rows_alone_until_it_is_heard(caplog):
    numbers = {"kl": 0.5}
    processor = DynamicTemperature("0.2 + given('kl', 0, 1)", given=numbers)
    row = some_rows(1, 60)[0]
    before = row.copy()
    first = processor([1], row)
    assert_array_equal(row, before)
    numbers["kl"] = 7
    assert processor([1, 2], row) is row
    numbers["kl"] = 0.5
    assert processor([1, 2, 3], row) is row
    assert "goes on without it" in caplog.text
    with pytest.raises(ValueError, match="kl"):
        processor.stop()
    assert processor.stop() is False
    assert_array_equal(processor([1, 2, 3], row), first)


def test_without_llama_cpp_python_the_message_says_what_to_install():
    code = """
import sys
sys.modules["llama_cpp"] = None
from dyntemp.engines.llama_cpp import DynamicLlama, DynamicTemperature, native
assert native("0.7")["temperature"] == 0.7
assert DynamicTemperature("0.7").arguments["top_k"] == 0
try:
    DynamicLlama("model.gguf")
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "llama-cpp-python is not installed: run `pip install 'dyntemp[llama-cpp]'`\n"
    assert done.stderr == ""


def test_lists_of_given_are_read_by_position():
    steps = []
    processor = DynamicTemperature("given('kl', 0, 1)", given={"kl": [0.25, 0.5]}, record=steps.append)
    for length in range(3, 6):
        processor(list(range(length)), some_rows(1, 60)[0])
    processor.check()

    assert [float(step.temperature[0]) for step in steps] == [0.25, 0.5, 0.25]


@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_a_trace_has_tokens_by_their_numbers_whatever_their_order(tmp_path, order):
    """A chain hands over candidates in the order of its samplers, and truncates behind the policy."""
    path, requests = tmp_path / "run.jsonl", Requests(CAPABILITIES["llama_cpp/chain"])
    policy = requests.accept("0.3 + 0.5*normalized_entropy + surprisal/50")
    trace = HostTrace(path, requests.capabilities, Vocabulary.of(spelled, ends={7}))
    asked = {"temp": 0.9, "top_k": 40, "typical_p": 1.0, "top_p": 0.9, "min_p": 0.0}
    generation = Generation(requests, policy, 0.9, trace, filters_behind("top-k", asked))
    text = [3, 4]
    for row, token in zip(some_rows(3, 1000), (500, 12, 7), strict=True):
        generation.tokens, generation.position = np.array(text, np.int32), len(text)
        candidates = Candidates(row, order)
        generation.apply(candidates.pointer)
        generation.check()
        generation.know(token)
        text.append(token)
    generation.close()
    tokens = check_trace(path)

    assert [(token.token, token.finish) for token in tokens] == [(500, None), (12, None), (7, "end")]
    for token, row in zip(tokens, some_rows(3, 1000), strict=True):
        assert [one.token for one in token.alternatives] == np.argsort(-row, kind="stable")[:10].tolist()
        assert token.probability == pytest.approx(float(np.exp(row[token.token] - np.logaddexp.reduce(row))), rel=1e-4)
        assert token.candidates <= 40
    assert str(Trace.open(path).header.run().filters) == "temperature, top_k(40), top_p(0.9)"


def test_a_processors_trace_ends_before_the_token_that_it_is_not_told(tmp_path):
    path = tmp_path / "run.jsonl"
    with DynamicTemperature("0.5 + entropy/9", tokenizer=spelled, record=path) as processor:
        text = [3, 4]
        for row, token in zip(some_rows(4, 1000), (500, 12, 13, 14), strict=True):
            processor(np.array(text, np.int32), row)
            text.append(token)
    assert [token.token for token in check_trace(path)] == [500, 12, 13]
    processor(np.array([3, 4], np.int32), row)  # the same prompt again
    with pytest.raises(EngineError, match="holds one run already"):
        processor.check()
    with pytest.raises(EngineError, match="pass tokenizer="):
        DynamicTemperature("0.5", record=tmp_path / "other.jsonl")
