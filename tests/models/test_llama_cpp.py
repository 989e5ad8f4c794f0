"""llama.cpp as a model, against llama-cpp-python's own `Llama` and against itself one sequence at a time."""

import ctypes
import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tests.requested import make_request

from dyntemp import ModelError
from dyntemp.generation.loop import Loop
from dyntemp.language.policy import Policy
from dyntemp.models import bundled_path, load_model
from dyntemp.models.llama import handles as llama_handles
from dyntemp.models.llama.library import open_library
from dyntemp.models.llama.reading import LEAST, part_ends
from dyntemp.models.llama_cpp import MOST_CONTEXT, load
from dyntemp.testing.models import has_bundled

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not has_bundled(), reason="the bundled model is not installed"),
]

TEXTS = [
    "The capital of France is",
    "Grüße aus Köln, 東京の夜, Привет, שלום, नमस्ते",
    "👩🏽‍🚀🇫🇷 and a family 👨‍👩‍👧‍👦\n\n\ttabs  and   spaces\r\n",
    "\x00\x01 ends \U0010ffff",
]

QUESTION = [{"role": "user", "content": "Which colours?"}]

NOISE = 2.0
"""How far logits of this model may lie apart when only the order of sums differs: it rounds activations to 8 bits, so
an error in the last place can become one in the first; 1.1 was seen. Unrelated rows differ by more than 10."""


@pytest.fixture(scope="module")
def path():
    return Path(bundled_path())


@pytest.fixture(scope="module")
def model(path):
    return load_model("smollm2", threads=1)


@pytest.fixture
def reference(path, monkeypatch):
    """`Llama` with our settings: no repacked weights, and flash attention as llama.cpp itself chooses."""
    llama_cpp = pytest.importorskip("llama_cpp")
    make = llama_cpp.llama_cpp.llama_model_default_params

    def without_repacking():
        parameters = make()
        parameters.use_extra_bufts = False
        return parameters

    monkeypatch.setattr(llama_cpp.llama_cpp, "llama_model_default_params", without_repacking)
    llama = llama_cpp.Llama(
        str(path), n_ctx=1024, n_threads=1, n_threads_batch=1, logits_all=True, flash_attn=True, verbose=False
    )
    yield llama
    llama.close()


def run(model, prompt, tokens):
    """The logits behind a prompt and behind each of these tokens."""
    session = model.start([prompt])
    rows = [session.logits()[0].copy()]
    for token in tokens:
        session.advance({0: token})
        rows.append(session.logits()[0].copy())
    session.close()
    return np.stack(rows)


def assert_same(logits, reference):
    """Equal to the bit where one library computed both; else within what another build of it rounds."""
    atol = 0 if open_library().name.startswith("llama-cpp-python") else NOISE
    assert_allclose(logits, reference, rtol=0, atol=atol)


def test_logits_are_those_of_llama_cpp_python(model, reference):
    prompt, tokens = model.encode(TEXTS[0]), model.encode(" Paris, and its river")
    reference.eval(prompt)
    for token in tokens:
        reference.eval([token])
    expected = reference.scores[len(prompt) - 1 : len(prompt) + len(tokens)]
    assert_same(run(model, prompt, tokens), expected)


def test_prompts_longer_than_a_batch_are_read_in_parts(model, reference, monkeypatch):
    monkeypatch.setattr("dyntemp.models.llama_cpp.BATCH", 8)
    prompt = model.encode(TEXTS[1])
    assert len(prompt) > 16
    for begin in range(0, len(prompt), 8):
        reference.eval(prompt[begin : begin + 8])
    assert_same(run(model, prompt, [])[0], reference.scores[len(prompt) - 1])


def test_sequences_together_have_the_logits_of_each_alone(model):
    prompts = [model.encode(text) for text in (TEXTS[0], TEXTS[1], TEXTS[0], "1 2 3")]
    tokens = [model.encode(" and so on and on")[:4], model.encode(" is a list of")[:4]]
    together = model.start(prompts)
    rows = [together.logits().copy()]
    for first, second in zip(*tokens, strict=True):
        together.advance({0: first, 1: first, 2: second, 3: second})
        rows.append(together.logits().copy())
    for place, prompt in enumerate(prompts):
        alone = run(model, prompt, tokens[place // 2])
        assert_array_equal([row[place] for row in rows], alone)


def test_sequences_that_are_not_named_end(model):
    prompts = [model.encode(text) for text in ("One", "Two of them", "Three of us here")]
    session = model.start(prompts)
    session.advance({2: 300, 0: 500})
    assert session.logits().shape == (2, model.vocabulary)
    session.advance({2: 301})
    assert_array_equal(session.logits()[0], run(model, prompts[2], [300, 301])[-1])
    with pytest.raises(ModelError, match=r"sequence 0 was given a token; live are \[2\]"):
        session.advance({0: 1})
    session.advance({})
    assert session.logits().shape == (0, model.vocabulary)


def test_memory_grows_without_changing_the_logits(model, monkeypatch):
    prompt, tokens = model.encode("One two three four five. " * 42)[:252], [100, 200, 300, 400, 500, 600]
    at_once = run(model, prompt, tokens)
    monkeypatch.setattr("dyntemp.models.llama_cpp.ROOM", 1)
    session = model.start([prompt])
    cells = [session._context.cells]
    for token, expected in zip([*tokens, 0], at_once, strict=True):
        assert_array_equal(session.logits()[0], expected)
        session.advance({0: token})
        cells.append(session._context.cells)
    assert cells[0] == 256 < cells[-1]


def test_memory_of_what_has_ended_is_used_again(model, monkeypatch):
    monkeypatch.setattr("dyntemp.models.llama_cpp.ROOM", 1)
    long, short = model.encode("One two three four five. " * 42)[:250], model.encode("One two three")
    session = model.start([long, short])
    for _ in range(8):
        session.advance({1: 300})
    assert_allclose(session.logits()[0], run(model, short, [300] * 8)[-1], atol=NOISE)
    assert session._context.cells == 256


def test_one_sequence_is_not_copied(model):
    session = model.start([model.encode("Hello")])
    for _ in range(2):
        pointer = open_library().api.llama_get_logits(session._context._pointer)
        assert session.logits().ctypes.data == ctypes.addressof(pointer.contents)
        session.advance({0: 28})


def test_rows_outlive_their_session_and_model(path):
    model = load(path, threads=1)
    session = model.start([model.encode("Hello")])
    rows, kept = session.logits(), session.logits().copy()
    session.close()
    session.close()
    del session, model
    gc.collect()
    assert_array_equal(rows, kept)


def test_a_closed_session_says_so(model):
    session = model.start([[1]])
    session.close()
    for ask in (session.logits, lambda: session.advance({0: 1})):
        with pytest.raises(ModelError, match="closed"):
            ask()


@pytest.mark.parametrize("last", ["model", "session"])
def test_the_interpreter_ends_cleanly_and_nothing_is_logged(path, last):
    code = f"""
import sys
from dyntemp.models.llama_cpp import load
model = load(sys.argv[1], threads=1)
sessions = [model.start([[1], [2]]), model.start([[3]])]
rows = sessions[1].logits()
sessions[0].advance({{1: 4}})
{"del sessions, rows" if last == "model" else "del model"}
print("end")
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_of_tokens_make_up_the_text(model, text):
    assert b"".join(map(model.token_bytes, model.encode(text))) == text.encode()


def test_tokens_are_those_of_llama_cpp_python(model, reference):
    for text in [*TEXTS, "<|im_start|>user\nHello <|im_end|>"]:
        assert model.encode(text) == reference.tokenize(text.encode(), add_bos=False, special=True)


def test_every_token_has_its_bytes_or_is_a_control_token(model):
    empty = [token for token in range(model.vocabulary) if not model.token_bytes(token)]
    assert empty == list(range(17))  # the special tokens of SmolLM2's card
    assert model.token_name(2) == "<|im_end|>"


def test_ends_are_the_tokens_that_end_a_turn_or_a_text(model):
    names = {model.token_name(token) for token in model.end_tokens}
    assert {"<|im_end|>", "<|endoftext|>"} <= names
    assert all(name.startswith("<") for name in names)


def test_a_conversation_is_written_in_the_files_template(model):
    text = (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhich colours?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert model.encode_chat(QUESTION) == model.encode(text)
    with pytest.raises(ModelError, match="template"):
        model.encode_chat([{"content": "whose turn?"}])


@pytest.mark.parametrize("written", ["", "<|im_start|>"])
def test_a_text_begins_once(path, monkeypatch, written):
    monkeypatch.setattr(open_library().api, "llama_vocab_get_add_bos", lambda vocab: True)
    assert load(path).encode(written + "Hello") == [1, 19556]


def test_a_model_without_a_template_has_no_conversations(path, monkeypatch):
    monkeypatch.setattr(llama_handles.Weights, "metadata", lambda weights, key: None)
    assert load(path).encode_chat(QUESTION) is None


def test_defaults_and_names(model, path):
    assert (model.name, model.context, model.vocabulary) == ("smollm2", MOST_CONTEXT, 49152)
    plain = load(path, context=100)
    assert (plain.name, plain.context) == ("SmolLM2-135M-Instruct.Q4_1", 100)
    assert 1 <= plain.threads <= 8


def test_a_full_context_says_so(path):
    small = load(path, threads=1, context=4)
    with pytest.raises(ModelError, match="prompt 1 has 5 tokens and the context holds 4"):
        small.start([[5] * 4, [5] * 5])
    session = small.start([[5] * 3, [5] * 2])
    session.advance({0: 5, 1: 5})
    before = session.logits().copy()
    with pytest.raises(ModelError, match="sequence 0 has filled the context of 4 tokens"):
        session.advance({0: 5, 1: 5})
    assert_array_equal(session.logits(), before)
    session.advance({1: 5})
    assert_allclose(session.logits()[0], before[0], atol=NOISE)


@pytest.mark.parametrize("prompts", [[[]], [[1], []]])
def test_an_empty_prompt_is_refused(model, prompts):
    with pytest.raises(ModelError, match="is empty"):
        model.start(prompts)


@pytest.mark.parametrize("token", [-1, 49152])
def test_a_number_that_is_no_token_is_refused(model, token):
    with pytest.raises(ModelError, match=rf"token {token} was given; smollm2 has 0 to 49151"):
        model.start([[token]])
    with pytest.raises(ModelError, match=f"token {token}"):
        model.start([[1]]).advance({0: token})


def test_too_many_prompts_are_refused(model):
    with pytest.raises(ModelError, match=r"257 prompts were given; llama\.cpp takes at most 256"):
        model.start([[1]] * 257)


def test_no_prompts_make_no_rows(model):
    assert model.start([]).logits().shape == (0, model.vocabulary)


def test_files_that_are_no_models_say_so(tmp_path):
    with pytest.raises(ModelError, match=r"there is no file .*absent\.gguf"):
        load(tmp_path / "absent.gguf")
    other = tmp_path / "page.gguf"
    other.write_text("<html>not found</html>", encoding="utf-8")
    with pytest.raises(ModelError, match="is not a GGUF file"):
        load(other)
    other.write_bytes(b"GGUF" + b"\x03" + bytes(40))
    with pytest.raises(ModelError, match=r"cannot be loaded: (?!llama\.cpp does not say)"):
        load(other)


@pytest.mark.parametrize("option", [{"threads": 0}, {"context": 0}])
def test_options_out_of_range_are_refused(path, option):
    with pytest.raises(ModelError, match="= 0 was given"):
        load(path, **option)


def test_texts_that_join_and_leave_are_to_the_bit_what_each_is_alone(model):
    """More than the spare numbers of sequences and the first cells hold, so that the session moves in between."""
    generator = np.random.default_rng(3)
    requests = [
        make_request(model.encode(f"{word} and"), Policy("0.4 + 0.5*normalized_entropy"), seed=seed,
                max_tokens=int(generator.integers(3, 60)))
        for seed, word in enumerate(["Sun", "The sea", "A king", "Two birds", "Bread"] * 4)
    ]  # fmt: skip

    def shown(tokens):
        return [(token.token, token.signals["entropy"]) for token in tokens]

    def alone(one):
        loop = Loop(model)
        loop.add([one])
        return shown(token for _ in range(one.settings.max_tokens) if loop.live for _, token in loop.step())

    loop, found, waiting = Loop(model, places=3), {}, list(range(len(requests)))
    numbers = {}
    while waiting or loop.live:
        while waiting and loop.live < 3 and (not loop.live or generator.random() < 0.3):
            (number,) = loop.add([requests[waiting[0]]])
            numbers[number] = waiting.pop(0)
        for number, token in loop.step():
            found.setdefault(numbers[number], []).append(token)

    assert [alone(one) for one in requests] == [shown(found[at]) for at in range(len(requests))]


@pytest.mark.parametrize("part", [1, 64, 100, 512, 5000])
@pytest.mark.parametrize("length", [1, 63, 64, 127, 128, 500, 512, 513, 560, 1100])
def test_parts_keep_to_the_blocks_of_a_whole_reading_and_none_is_too_small(length, part):
    ends = part_ends(length, part)
    sizes = np.diff([0, *ends])

    assert ends[-1] == length
    assert set(range(512, length, 512)) <= set(ends)
    for end, size in zip(ends, sizes, strict=True):
        block = min(512, length - (end - 1) // 512 * 512)
        assert min(LEAST, block) <= size < 2 * max(part, LEAST)


def joined(session, prompts, part=64, between=lambda: None):
    """The numbers of sequences that join, and the logits behind their prompts."""
    reading = session.join(prompts, part)
    while reading.left:
        reading.read()
        between()
    return reading.finish()


def test_a_prompt_read_in_parts_beside_others_has_the_logits_of_one_read_alone(model):
    prompt, tokens = model.encode("One two three four five. " * 42)[:200], [300, 301, 302]

    def rows_of(session, others):
        (row, same), logits = joined(session, [prompt, prompt], between=lambda: session.advance(others))
        assert_array_equal(logits[0], logits[1])
        rows = [logits[0]]
        for token in tokens:
            session.advance({**others, row: token, same: token})
            rows.append(session.logits()[-1].copy())
        return np.stack(rows)

    alone = rows_of(model.start_open(3), {})
    session = model.start_open(3)
    (other,), _ = joined(session, [model.encode(TEXTS[1])])
    assert_array_equal(rows_of(session, {other: 300}), alone)
    assert_allclose(run(model, prompt, tokens), alone, atol=NOISE)


def test_of_a_prompt_that_begins_with_a_kept_one_only_the_rest_is_read(model):
    prompt, rest = model.encode("Name a bird: crow. Name a fish:"), [300, 301]
    session = model.start_open(4, kept=1)
    (row,), logits = joined(session, [prompt])
    rows = [logits[0]]
    for token in rest:
        session.advance({row: token})
        rows.append(session.logits()[0].copy())

    reading = session.join([prompt, [*prompt, *rest]], 64)
    assert reading.left == len(rest)
    reading.read()
    assert_array_equal(reading.finish()[1], [rows[0], rows[-1]])


def test_a_step_of_many_sequences_has_the_logits_of_a_step_of_one(model):
    session = model.start([[300]] * LEAST + [[301]])
    alone = model.start([[301]])
    session.advance(dict.fromkeys(range(LEAST + 1), 302))
    alone.advance({0: 302})

    assert_array_equal(session.logits()[-1], alone.logits()[0])


def test_a_reading_that_is_given_up_leaves_nothing_and_its_places_are_free(model):
    session = model.start_open(2)
    (row,), _ = joined(session, [[5, 6, 7]])
    session.advance({row: 8})
    used, expected = session._used, session.logits().copy()
    reading = session.join([[9] * 200], 64)
    assert (reading.read(), reading.left, session.places) == (66, 134, 0)
    with pytest.raises(ModelError, match="1 prompts were to join, and 0 places are free"):
        session.join([[5]], 64)
    with pytest.raises(ModelError, match="134 tokens of these prompts are not read yet"):
        reading.finish()
    reading.close()
    reading.close()
    assert (session.places, session._used) == (1, used)
    assert_array_equal(session.logits(), expected)
    for ask in (reading.read, reading.finish):
        with pytest.raises(ModelError, match="ended"):
            ask()


def test_numbers_of_sequences_do_not_run_out_where_long_ones_stay(model):
    session = model.start_open(2)
    (stays,), _ = joined(session, [[5, 6]])
    for _ in range(30):
        (row,), _ = joined(session, [[7]])
        session.advance({stays: 300, row: 300})
        if row == 7:
            stays, row = row, stays  # the one with the highest number goes on
        session.advance({stays: 300})
    assert session.logits().shape == (1, model.vocabulary)


def test_a_number_is_free_only_when_no_token_of_its_sequence_is_left(model):
    """A copy adds to what its number has: sequences that outlive a move hold theirs until the next one."""
    session, alone = model.start_open(3), model.start([[7]])
    alone.advance({0: 300})
    (stays,), _ = joined(session, [[7]])
    for _ in range(30):
        rows, _ = joined(session, [[7], [7]])
        session.advance({stays: 301, **dict.fromkeys(rows, 300)})
        at = sorted([stays, *rows]).index(rows[1])
        assert_array_equal(session.logits()[at], alone.logits()[0])
        stays = rows[1]
        session.advance({stays: 300})


def test_a_closed_open_session_takes_nothing(model):
    session = model.start_open(2)
    reading = session.join([[5]], 64)
    reading.read()
    session.close()
    assert session.places == 0
    for ask in (reading.finish, lambda: session.join([[5]], 64)):
        with pytest.raises(ModelError, match="closed"):
            ask()
