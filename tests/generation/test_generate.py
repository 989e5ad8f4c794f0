"""The loop: its records are true, its text is whole, and however it ends it leaves everything in order."""

import asyncio

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import entropy as scipy_entropy

import dyntemp
from dyntemp import InvalidLogitsError, ModelError, PolicyError, Trace, agenerate, generate
from dyntemp.distribution.draw_distribution import top
from dyntemp.generation.prompts import encode
from dyntemp.testing import FakeModel
from dyntemp.traces.replay_trace import replays
from dyntemp.traces.token import Token

LETTERS = [bytes([code]) for code in range(97, 123)] + [b" ", b""]
END = len(LETTERS) - 1


def wandering(tokens):
    """Logits that depend on the whole sequence, and never end the text."""
    rng = np.random.default_rng(hash(tuple(tokens)) % 2**32)
    row = rng.normal(0, 2, len(LETTERS))
    row[END] = -np.inf
    return row


def letters(**settings):
    return FakeModel(LETTERS, settings.pop("logits", wandering), **settings)


def spelling(text, pieces):
    """A model that writes `text`, piece by piece, then ends."""
    model = FakeModel([*pieces, b""], lambda tokens: row(tokens), end=[len(pieces)])
    wanted = [*(pieces.index(piece) for piece in text), len(pieces)]

    def row(tokens):
        logits = np.full(len(pieces) + 1, -30.0)
        logits[wanted[len(tokens) - 1]] = 30.0
        return logits

    return model


def written(tokens):
    return "".join(token.text for token in tokens)


def test_records_agree_with_scipy():
    model = letters()
    tokens = list(generate(model, "a", "0.4 + 0.3*entropy", max_tokens=30, seed=3, alternatives=4))
    sequence = model.encode("a")
    for position, token in enumerate(tokens):
        z = np.asarray(model.next_logits(sequence), np.float32).astype(np.float64)
        p = softmax(z)
        temperature = 0.4 + 0.3 * scipy_entropy(p)
        after = softmax(z / temperature)

        assert (0, position) == (token.request, token.position)
        assert temperature == pytest.approx(token.temperature, rel=1e-5)
        assert p[token.token] == pytest.approx(token.probability, rel=1e-5)
        assert -np.log(p[token.token]) == pytest.approx(token.surprisal, rel=1e-5, abs=1e-6)
        assert after[token.token] == pytest.approx(token.probability_after, rel=1e-4)
        assert -np.log(after[token.token]) == pytest.approx(token.surprisal_after, rel=1e-4, abs=1e-6)
        assert scipy_entropy(after) == pytest.approx(token.entropy_after, rel=1e-4, abs=1e-6)
        assert scipy_entropy(p) == pytest.approx(token.signals["entropy"], rel=1e-5)
        assert len(LETTERS) - 1 == token.candidates
        assert list(np.argsort(-z)[:4]) == [other.token for other in token.alternatives]
        for other in token.alternatives:
            assert p[other.token] == pytest.approx(other.probability, rel=1e-5)
            assert after[other.token] == pytest.approx(other.probability_after, rel=1e-4, abs=1e-12)
        sequence.append(token.token)


def test_surprisal_minus_entropy_is_the_gradient_of_the_log_likelihood_in_log_temperature():
    model = letters()
    (token,) = generate(model, "a", 0.8, max_tokens=1, seed=1)
    z = np.asarray(model.next_logits([0]), np.float64)
    step = 1e-6
    low, high = (log_softmax(z / (0.8 * np.exp(side * step)))[token.token] for side in (-1, 1))

    assert (high - low) / (2 * step) == pytest.approx(token.surprisal_after - token.entropy_after, abs=1e-5)


@pytest.mark.parametrize(
    ("temperature", "entropy", "surprisal"),
    [("0", 0.0, 0.0), ("1/0", np.log(len(LETTERS) - 1), np.log(len(LETTERS) - 1))],
)
def test_greedy_and_uniform_draws_have_their_own_figures(temperature, entropy, surprisal):
    (token,) = generate(letters(), "a", temperature, max_tokens=1, seed=1)

    assert entropy == pytest.approx(token.entropy_after)
    assert surprisal == pytest.approx(token.surprisal_after)


def test_a_seed_writes_the_same_text_again_and_another_seed_another_text():
    first, again, other = (written(generate(letters(), "a", 1.0, max_tokens=40, seed=s)) for s in (7, 7, 8))

    assert first == again
    assert first != other


def test_a_drawn_seed_is_named_and_draws_the_text_again():
    run = generate(letters(), "a", 1.0, max_tokens=40)
    text = written(run)

    assert text == written(generate(letters(), "a", 1.0, max_tokens=40, seed=run.seed))
    assert run.seed == run.header.seed


@pytest.mark.parametrize(
    "policy", ["0.7", "0.3 + 0.5*ema(entropy, 0.8)", "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)"]
)
def test_a_batch_comes_position_by_position_and_its_first_request_reads_as_if_alone(policy):
    alone = written(generate(letters(), "abc", policy, max_tokens=25, seed=5))
    batch = list(generate(letters(), ["abc", "xyz", "b"], policy, max_tokens=25, seed=5))

    assert alone == written(token for token in batch if token.request == 0)
    assert [(p, r) for p in range(25) for r in range(3)] == [(token.position, token.request) for token in batch]


def test_requests_of_a_batch_end_one_by_one():
    def logits(tokens):
        row = np.full(len(LETTERS), -np.inf)
        row[END if len(tokens) >= 4 else 0] = 0.0
        return row

    tokens = list(generate(letters(logits=logits, end=[END]), ["a", "abc"], 1.0, seed=0))

    assert {0: "aaa", 1: "a"} == {r: written(t for t in tokens if t.request == r) for r in (0, 1)}
    assert ["end", "end"] == [token.finish for token in tokens if token.finish]


def test_a_policy_reads_the_surprise_of_the_token_before():
    tokens = list(generate(letters(), "a", "0.2 + 0.1*surprisal", max_tokens=20, seed=2))
    expected = [tokens[0].signals["entropy"], *(token.surprisal for token in tokens[:-1])]

    assert [0.2 + 0.1 * value for value in expected] == pytest.approx([token.temperature for token in tokens], rel=1e-5)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_record_names_the_likely_tokens_that_filters_dropped(backend):
    """Exclude top choices drops the two likeliest here, and keeps the third and what is less likely."""
    model = FakeModel([b"a", b"b", b"c", b"d"], lambda _: np.log([0.4, 0.3, 0.2, 0.1]))
    run = generate(model, "a", 1.0, max_tokens=8, filters="xtc(0.15, 1)", seed=0, backend=backend)
    tokens = list(run)

    assert "xtc(0.15, 1)" == run.header.settings["filters"]
    for token in tokens:
        assert token.token in (2, 3)
        assert (2, (0, 1), (False, False, True, True)) == (token.candidates, token.dropped, token.left)
        assert [0, 0, 2 / 3, 1 / 3] == pytest.approx([one.probability_after for one in token.alternatives])
        assert token == Token.from_json(token.to_json())
        assert "dropped" in token.to_json()


def test_a_record_under_cuts_has_no_list_of_what_was_dropped():
    model = FakeModel([b"a", b"b", b"c"], lambda _: np.log([0.5, 0.3, 0.2]))
    (token,) = generate(model, "a", 1.0, max_tokens=1, filters="epsilon(0.4)", seed=0)

    assert (1, (), (True, False, False)) == (token.candidates, token.dropped, token.left)
    assert "dropped" not in token.to_json()


def test_filters_read_the_model_first_or_the_temperature_first():
    def logits(_):
        return np.log([0.6, 0.25, 0.1, 0.05])

    model = FakeModel([b"a", b"b", b"c", b"d"], logits)
    (before,) = generate(model, "a", 3.0, max_tokens=1, min_p=0.3, seed=0)
    (after,) = generate(model, "a", 3.0, max_tokens=1, min_p=0.3, filter_at="temperature", seed=0)

    assert (2, 4) == (before.candidates, after.candidates)
    assert 0.0 == before.alternatives[2].probability_after
    assert pytest.approx(1.0) == sum(other.probability_after for other in before.alternatives)


@pytest.mark.parametrize(
    ("stop", "text", "finish"),
    [
        ("dog", "the ", "stop"),
        (["cat", "og"], "the d", "stop"),
        ("xyz", "the dog sat", "end"),
        ("satx", "the dog sat", "end"),
    ],
)
def test_stop_texts_end_the_text_even_across_tokens(stop, text, finish):
    model = spelling([b"the", b" do", b"g", b" sat"], [b"the", b" do", b"g", b" sat"])
    tokens = list(generate(model, "the", 1.0, stop=stop, seed=0))

    assert text == written(tokens)
    assert finish == tokens[-1].finish
    assert all(token.finish is None for token in tokens[:-1])


def test_nothing_that_may_become_a_stop_text_is_shown_before_it_is_clear():
    model = spelling([b"ab", b"c", b"x"], [b"ab", b"c", b"x"])
    steps = []
    model.next_logits = lambda tokens, inner=model.next_logits: steps.append(len(tokens)) or inner(tokens)
    run = generate(model, "ab", 1.0, stop="bcd", seed=0)

    assert "ab" == next(run).text
    assert [1, 2, 3] == steps, "`ab` and `c` may begin `bcd`; `x` tells that they do not"
    assert ["c", "x", ""] == [token.text for token in run]


def test_a_character_may_span_tokens_and_half_of_one_is_held_back():
    pieces = [bytes([byte]) for byte in "é🙂".encode()]
    whole = list(generate(spelling(pieces, list(dict.fromkeys(pieces))), [0], 1.0, seed=0))
    half = list(generate(spelling(pieces[:4], list(dict.fromkeys(pieces))), [0], 1.0, max_tokens=4, seed=0))

    assert ["", "é", "", "", "", "🙂", ""] == [token.text for token in whole]
    assert "é🙂".encode() == b"".join(token.bytes for token in whole)
    assert ["", "é", "", ""] == [token.text for token in half]
    assert "é🙂".encode()[:4] == b"".join(token.bytes for token in half)


@pytest.mark.parametrize(
    ("context", "max_tokens", "finish"), [(None, 1, "length"), (1, 9, "length"), (None, 9, "end")],
)  # fmt: skip
def test_half_a_character_is_held_back_whatever_ends_the_text(context, max_tokens, finish):
    model = FakeModel(
        [b"x", "é".encode()[:1], b""], lambda tokens: 50.0 * np.eye(3)[len(tokens)], end=[2], context=context
    )
    tokens = list(generate(model, [0], 1.0, max_tokens=max_tokens, seed=0))

    assert ("", finish) == (written(tokens), tokens[-1].finish)
    assert "é".encode()[:1] == b"".join(token.bytes for token in tokens)


def test_max_tokens_and_the_context_limit_the_length():
    assert [None, None, "length"] == [t.finish for t in generate(letters(), "a", 1.0, max_tokens=3, seed=0)]
    assert 6 == len(list(generate(letters(context=8), "abc", 1.0, seed=0))), "the last one is not fed"
    assert ["length"] == [t.finish for t in generate(letters(context=3), "abc", 1.0, seed=0)]


def test_closing_ends_the_run_and_frees_the_session(tmp_path):
    model = letters()
    run = generate(model, "a", 1.0, seed=0, trace=tmp_path / "run.jsonl")
    seen = [next(run), next(run)]
    run.close()

    assert 0 == model.open_sessions
    assert [] == list(run)
    assert seen == list(Trace.open(tmp_path / "run.jsonl"))


def test_leaving_the_block_or_losing_the_run_frees_the_session():
    model = letters()
    with generate(model, "a", 1.0, seed=0) as run:
        next(run)
    assert 0 == model.open_sessions

    lost = generate(model, "a", 1.0, seed=0)
    next(lost)
    del lost
    assert 0 == model.open_sessions


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_its_trace_up_to_the_last_token(tmp_path, error):
    def logits(tokens):
        if len(tokens) == 4:
            raise error
        return wandering(tokens)

    model = letters(logits=logits)
    seen = []
    with pytest.raises(error):
        for token in generate(model, "a", 1.0, seed=0, trace=tmp_path / "t"):
            seen.append(token)

    assert 3 == len(seen)
    assert seen == list(Trace.open(tmp_path / "t"))
    assert 0 == model.open_sessions


def test_broken_logits_name_row_and_position():
    def logits(tokens):
        return np.full(len(LETTERS), np.nan) if len(tokens) == 3 else wandering(tokens)

    with pytest.raises(InvalidLogitsError, match="row 0, position 2 hold NaN"):
        list(generate(letters(logits=logits), "a", 1.0, seed=0))


def test_chat_templates_are_used_where_there_is_one():
    def last(tokens):
        row = np.full(len(LETTERS), -np.inf)
        row[tokens[-1]] = 0.0
        return row

    chatty, plain = letters(logits=last, chat=True), letters(logits=last)
    conversation = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "c"}]

    assert "c" == written(generate(chatty, conversation, 1.0, max_tokens=1, seed=0))
    assert [0, 1] == encode(chatty, "b", system="a")
    with pytest.raises(ValueError, match="no chat template"):
        generate(plain, conversation, 1.0)
    with pytest.raises(ValueError, match="no chat template"):
        generate(plain, "a", 1.0, system="b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tokens": 0}, "max_tokens = 0"),
        ({"stop": ""}, "empty stop text"),
        ({"stop": ["a", ""]}, "empty stop text"),
        ({"top_p": 0}, "top_p = 0"),
        ({"top_k": -1}, "top_k = -1"),
        ({"min_p": 1.5}, "min_p = 1.5"),
        ({"filter_at": "end"}, "filter_at = 'end'"),
        ({"max_tokens": 1.5}, "max_tokens = 1.5"),
        ({"max_tokens": True}, "max_tokens = True"),
        ({"alternatives": -1}, "alternatives = -1"),
        ({"backend": "gpu"}, "backend 'gpu' was given"),
        ({"requested": -3}, "outside its range"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**64}, "seed"),
    ],
)
def test_settings_outside_their_range_are_refused_before_the_model_runs(arguments, message):
    model = letters()
    with pytest.raises(ValueError, match=message):
        generate(model, "a", "requested", **arguments)
    assert 0 == model.open_sessions


def test_what_cannot_run_is_refused_before_the_model_runs(tmp_path):
    model = letters()
    with pytest.raises(PolicyError, match="its parameter `a` has no value"):
        generate(model, "a", "a + b*entropy")
    with pytest.raises(PolicyError, match="given"):
        generate(model, "a", 'given("kl", 0, 1)', trace=tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(ModelError, match="no token for"):
        generate(model, "Ä", 1.0)
    (tmp_path / "kept").write_text("precious", encoding="utf-8")
    with pytest.raises(dyntemp.TraceError, match="already there"):
        generate(model, "a", 1.0, trace=tmp_path / "kept")
    assert "precious" == (tmp_path / "kept").read_text(encoding="utf-8")
    assert 0 == model.open_sessions


def test_lists_of_given_are_read_by_position_alike_in_a_batch_and_in_its_trace(tmp_path):
    path = tmp_path / "run.jsonl"
    run = generate(
        letters(), ["a", "b"], 'given("t", 0, 1e6)', max_tokens=4, seed=1, given={"t": [0.5, 1e6, 2]}, trace=path
    )
    found = [[], []]
    for token in run:
        found[token.request].append(token.temperature)

    assert found == [[0.5, 1e6, 2, 0.5]] * 2
    trace = Trace.open(path)
    assert trace.header.run().given == {"t": [0.5, 1e6, 2]}
    assert [one.temperature for one in replays(trace.header, list(trace))] == [one.temperature for one in trace]


def test_parameters_given_and_requested_reach_the_policy():
    policy = 'requested*param("theta", 0, 2) + given("kl", 0, 10)'
    run = generate(letters(), "a", policy, max_tokens=1, requested=0.5, parameters={"theta": 1.5}, given={"kl": 0.25})

    assert 1.0 == next(run).temperature


@pytest.mark.parametrize("prompt", [[0, 1], np.array([0, 1]), [np.int64(0), 1], [[0, 1]], np.array([[0, 1]])])
def test_tokens_may_come_in_any_list(prompt):
    assert written(generate(letters(), "ab", 1.0, seed=1, max_tokens=9)) == written(
        generate(letters(), prompt, 1.0, seed=1, max_tokens=9)
    )


@pytest.mark.parametrize("prompt", [3, b"a", [], ["a", 3], [[]], None, [True], np.array([0.5])])
def test_what_is_no_prompt_is_told_what_one_is(prompt):
    with pytest.raises(ValueError, match=r"a prompt is text, a conversation .* or tokens"):
        generate(letters(), prompt, 1.0)


def test_a_run_that_is_awaited_writes_the_same():
    async def collect():
        return [token async for token in agenerate(letters(), "a", 1.0, max_tokens=10, seed=4)]

    assert list(generate(letters(), "a", 1.0, max_tokens=10, seed=4)) == asyncio.run(collect())


def test_leaving_an_awaited_run_frees_the_session():
    model = letters()

    async def first():
        run = agenerate(model, "a", 1.0, seed=4)
        async for _ in run:
            break
        await run.aclose()

    asyncio.run(first())
    assert 0 == model.open_sessions


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_top_is_the_largest_first_ties_by_lower_index(count):
    z = np.array([1.0, 3.0, -np.inf, 3.0, 2.0])

    assert [1, 3, 4, 0][:count] == top(z, count)
