"""The server's answers: texts, log-probabilities, counts, the policy that was used."""

import asyncio
import json

import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import entropy as scipy_entropy
from tests.serve.models import END, HALF, LETTERS, OTHER_HALF, PIECES, repeated, repeating_model, wandering_model

import dyntemp
from dyntemp import generate
from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"


def post(asked, app, path, **body):
    """The answer to one request."""

    async def run():
        async with asked(app) as client:
            return await client.post(path, json=body)

    return asyncio.run(run())


def answered(asked, app, path, **body):
    response = post(asked, app, path, **body)
    assert 200 == response.status_code, response.text
    return response.json()


def chunks(response):
    """The events of a stream, without the last, which says that it is done."""
    assert 200 == response.status_code, response.text
    events = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert "[DONE]" == events[-1]
    return [json.loads(event) for event in events[:-1]]


def hello(content="hi"):
    return [{"role": "user", "content": content}]


def spelling(text, **settings):
    """A model that is certain of these tokens."""

    def logits(tokens):
        row = np.full(len(PIECES), -40.0)
        row[text[len(tokens) - 1]] = 40.0
        return row

    return wandering_model(logits=logits, **settings)


def spelled(text):
    return [LETTERS.index(letter.encode()) for letter in text]


def test_a_completion_is_what_generate_writes(asked):
    settings = {"max_tokens": 12, "seed": 7, "top_k": 9, "min_p": 0.01, "filter_at": "temperature"}
    wanted = generate(wandering_model(), "abc", "0.2 + 0.4*entropy", chat=False, **settings)

    data = answered(asked, make_app(wandering_model()), TEXT, prompt="abc", policy="0.2 + 0.4*entropy", **settings)

    assert "".join(token.text for token in wanted) == data["choices"][0]["text"]
    assert "length" == data["choices"][0]["finish_reason"]
    assert ("0.2 + 0.4*entropy", 7, dyntemp.__version__) == (data["policy"], data["seed"], data["dyntemp"])
    assert {"prompt_tokens": 3, "completion_tokens": 12, "total_tokens": 15} == data["usage"]


def test_a_chat_is_what_generate_writes(asked):
    conversation = [{"role": "system", "content": "be"}, {"role": "user", "content": "brief"}]
    wanted = generate(wandering_model(), conversation, "0.7", max_tokens=9, seed=2)
    parts = [{"type": "text", "text": "br"}, {"type": "text", "text": "ief"}]
    sent = [{"role": "developer", "content": "be"}, {"role": "user", "content": parts}]

    data = answered(asked, make_app(wandering_model()), CHAT, messages=sent, policy="0.7", max_tokens=9, seed=2)

    assert "".join(token.text for token in wanted) == data["choices"][0]["message"]["content"]
    assert "assistant" == data["choices"][0]["message"]["role"]


def test_a_seed_that_nobody_chose_writes_the_text_again_and_fits_into_a_double(asked):
    app = make_app(wandering_model())
    first = answered(asked, app, TEXT, prompt="x", max_tokens=20)
    app = make_app(wandering_model())
    second = answered(asked, app, TEXT, prompt="x", max_tokens=20, seed=first["seed"])

    assert 0 <= first["seed"] < 2**53
    assert first["choices"] == second["choices"]


@pytest.mark.parametrize("seed", [2**64 - 1, str(2**64 - 1)])
def test_long_seeds_go_as_numbers_and_as_text(asked, seed):
    assert 2**64 - 1 == answered(asked, make_app(wandering_model()), TEXT, prompt="x", max_tokens=1, seed=seed)["seed"]


def test_texts_of_one_request_have_noise_of_their_own_and_come_in_order(asked):
    prompts = ["ab", "ab", "cd"]
    data = answered(asked, make_app(wandering_model()), TEXT, prompt=prompts, n=2, max_tokens=8, seed=5, policy="1")
    texts = [choice["text"] for choice in data["choices"]]
    wanted = [""] * 6
    for token in generate(wandering_model(), ["ab"] * 4 + ["cd"] * 2, "1", chat=False, max_tokens=8, seed=5):
        wanted[token.request] += token.text

    assert wanted == texts
    assert list(range(6)) == [choice["index"] for choice in data["choices"]]
    assert len(set(texts)) == 6
    assert (6, 48) == (data["usage"]["prompt_tokens"], data["usage"]["completion_tokens"])


def test_log_probabilities_of_a_chat_agree_with_scipy(asked):
    model = wandering_model()
    data = answered(
        asked, make_app(model), CHAT, messages=hello(), policy="0.3 + 0.3*entropy", max_tokens=15, seed=1, top_k=20,
        logprobs=True, top_logprobs=4,
    )  # fmt: skip
    sequence = model.encode("hi")
    content = data["choices"][0]["logprobs"]["content"]
    assert 15 == len(content)
    for item in content:
        z = np.asarray(model.next_logits(sequence), np.float32).astype(np.float64)
        before = log_softmax(z)
        temperature = 0.3 + 0.3 * scipy_entropy(np.exp(before))
        kept = np.where(z >= np.sort(z)[-20], z, -np.inf)
        after = log_softmax(kept / temperature)
        token = spelled(item["token"])[0]
        likeliest = np.argsort(-z)[:4]

        assert temperature == pytest.approx(item["temperature"], rel=1e-5)
        assert scipy_entropy(np.exp(before)) == pytest.approx(item["entropy"], rel=1e-5)
        assert scipy_entropy(np.exp(after)) == pytest.approx(item["entropy_after"], rel=1e-4)
        assert before[token] == pytest.approx(item["logprob"], rel=1e-5)
        assert after[token] == pytest.approx(item["logprob_after"], rel=1e-4)
        assert (20, "drawn", list(LETTERS[token])) == (item["candidates"], item["origin"], item["bytes"])
        assert [LETTERS[other].decode() for other in likeliest] == [one["token"] for one in item["top_logprobs"]]
        assert before[likeliest] == pytest.approx([one["logprob"] for one in item["top_logprobs"]], rel=1e-5)
        assert after[likeliest] == pytest.approx([one["logprob_after"] for one in item["top_logprobs"]], rel=1e-4)
        sequence.append(token)


def test_log_probabilities_of_a_completion_are_columns_of_the_same(asked):
    body = {"policy": "0.3 + 0.3*entropy", "max_tokens": 6, "seed": 1}
    told = answered(asked, make_app(wandering_model()), CHAT, messages=hello(), logprobs=True, top_logprobs=2, **body)
    data = answered(asked, make_app(wandering_model()), TEXT, prompt="hi", logprobs=2, **body)
    wanted = told["choices"][0]["logprobs"]["content"]
    found = data["choices"][0]["logprobs"]

    columns = {"token": "tokens", "logprob": "token_logprobs", "logprob_after": "token_logprobs_after"}
    columns |= {name: name for name in ("temperature", "entropy", "entropy_after", "candidates", "origin")}
    for name, column in columns.items():
        assert [item[name] for item in wanted] == found[column], name
    assert list(range(6)) == found["text_offset"]
    for item, likeliest in zip(wanted, found["top_logprobs"], strict=True):
        named = {one["token"]: one["logprob"] for one in item["top_logprobs"]} | {item["token"]: item["logprob"]}
        assert named == likeliest


def test_a_token_that_the_filters_dropped_has_no_log_probability_after(asked):
    data = answered(
        asked, make_app(wandering_model()), CHAT, messages=hello(), top_k=1, max_tokens=3, logprobs=True,
        top_logprobs=2,
    )  # fmt: skip
    for item in data["choices"][0]["logprobs"]["content"]:
        assert [0.0, None] == [one["logprob_after"] for one in item["top_logprobs"]]
        assert (0.0, 1) == (item["logprob_after"], item["candidates"])


def test_an_infinite_temperature_is_told_as_text(asked):
    data = answered(
        asked, make_app(wandering_model()), TEXT, prompt="x", policy="temperature_for_entropy(99)", max_tokens=1,
        logprobs=0,
    )  # fmt: skip
    assert ["inf"] == data["choices"][0]["logprobs"]["temperature"]
    assert data["choices"][0]["logprobs"]["top_logprobs"] is None


def test_halves_of_a_character_become_one(asked):
    text = [*spelled("caf"), HALF, OTHER_HALF, END]
    app = make_app(spelling(text))
    body = {"prompt": "x", "max_tokens": 20, "logprobs": 1}
    data = answered(asked, app, TEXT, **body)
    logprobs = data["choices"][0]["logprobs"]

    assert ("café", "stop") == (data["choices"][0]["text"], data["choices"][0]["finish_reason"])
    assert ["c", "a", "f", "\\xc3", "\\xa9", f"<{END}>"] == logprobs["tokens"]
    assert [0, 1, 2, 3, 3, 4] == logprobs["text_offset"]

    events = chunks(post(asked, make_app(spelling(text)), TEXT, stream=True, prompt="x", max_tokens=20))
    pieces = [choice["text"] for event in events for choice in event["choices"]]
    assert ["c", "a", "f", "é", ""] == pieces, "a chunk without text is sent at the end alone"


def test_a_stop_text_is_left_out_and_none_of_it_is_sent_before(asked):
    text = spelled("one STOP two")
    whole = answered(asked, make_app(spelling(text)), TEXT, prompt="x", stop="STOP", max_tokens=12)
    assert ("one ", "stop") == (whole["choices"][0]["text"], whole["choices"][0]["finish_reason"])

    events = chunks(post(asked, make_app(spelling(text)), TEXT, stream=True, prompt="x", stop=["?", "STOP"]))
    assert "one " == "".join(choice["text"] for event in events for choice in event["choices"])
    assert "stop" == events[-1]["choices"][0]["finish_reason"]


@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_a_stream_says_what_the_whole_says(asked, path):
    body = {"n": 3, "max_tokens": 7, "seed": 3, "policy": "0.2 + 0.3*entropy"}
    body |= (
        {"messages": hello(), "logprobs": True, "top_logprobs": 2} if path == CHAT else {"prompt": "hi", "logprobs": 2}
    )
    whole = answered(asked, make_app(wandering_model()), path, **body)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    events = chunks(post(asked, make_app(wandering_model()), path, **body, **options))

    first, last = events[0], events[-1]
    assert {event["id"] for event in events} == {first["id"]}
    assert ("0.2 + 0.3*entropy", 3) == (first["policy"], first["seed"])
    assert not any("policy" in event for event in events[1:]), "once is enough"
    assert ([], whole["usage"]) == (last["choices"], last["usage"])
    assert all(event["usage"] is None for event in events[:-1])
    for choice in whole["choices"]:
        own = [part for event in events for part in event["choices"] if part["index"] == choice["index"]]
        assert [None] * (len(own) - 1) + ["length"] == [part["finish_reason"] for part in own]
        told = [part["logprobs"] for part in own if part["logprobs"]]
        if path == CHAT:
            assert {"role": "assistant", "content": ""} == own[0]["delta"]
            assert choice["message"]["content"] == "".join(part["delta"].get("content", "") for part in own)
            assert choice["logprobs"]["content"] == [item for part in told for item in part["content"]]
        else:
            assert choice["text"] == "".join(part["text"] for part in own)
            for name, column in choice["logprobs"].items():
                assert column == [item for part in told for item in part[name]], name


def test_without_being_asked_no_counts_are_sent(asked):
    events = chunks(post(asked, make_app(wandering_model()), TEXT, prompt="x", max_tokens=2, stream=True))

    assert not any("usage" in event for event in events)


@pytest.mark.parametrize("prompt", ["abc", spelled("abc")])
@pytest.mark.parametrize("stream", [False, True])
def test_echo_puts_the_prompt_first(asked, prompt, stream):
    body = {"prompt": [prompt], "echo": True, "max_tokens": 4, "seed": 1, "n": 2}
    if stream:
        events = chunks(post(asked, make_app(wandering_model()), TEXT, stream=True, **body))
        texts = ["".join(part["text"] for event in events for part in event["choices"] if part["index"] == index)
                 for index in range(2)]  # fmt: skip
    else:
        texts = [choice["text"] for choice in answered(asked, make_app(wandering_model()), TEXT, **body)["choices"]]

    assert [7, 7] == [len(text) for text in texts]
    assert all(text.startswith("abc") for text in texts)
    assert texts[0] != texts[1]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_seed_writes_the_same_text_alone_and_beside_others(asked, size):
    letters = list(enumerate("abcdefghij"))
    alone = [generate(wandering_model(), one, "0.9", chat=False, max_tokens=25, seed=seed) for seed, one in letters]
    wanted = ["".join(token.text for token in tokens) for tokens in alone]

    async def run():
        async with asked(make_app(wandering_model(), settings=ServerSettings(batch=size))) as client:
            bodies = [{"prompt": one, "policy": "0.9", "max_tokens": 25, "seed": seed} for seed, one in letters]
            return await asyncio.gather(*(client.post(TEXT, json=body) for body in bodies))

    assert wanted == [response.json()["choices"][0]["text"] for response in asyncio.run(run())]


def test_more_texts_than_fit_into_the_batch_are_written_all_the_same(asked):
    data = answered(
        asked, make_app(repeating_model(), settings=ServerSettings(batch=2)), TEXT, prompt="abc|", n=7, max_tokens=10
    )
    assert [repeated("abc|", 10)] * 7 == [choice["text"] for choice in data["choices"]]


def test_a_text_ends_where_the_context_does(asked):
    data = answered(asked, make_app(wandering_model(context=10)), TEXT, prompt="abcdef", max_tokens=100)

    assert (5, "length") == (data["usage"]["completion_tokens"], data["choices"][0]["finish_reason"])


def test_a_policy_that_remembers_does_so_per_text(asked):
    body = {"prompt": ["ab", "cd"], "policy": "0.2 + ema(entropy, 0.5)/5", "max_tokens": 10, "seed": 4, "logprobs": 0}
    data = answered(asked, make_app(wandering_model()), TEXT, **body)
    wanted = [[], []]
    for token in generate(wandering_model(), ["ab", "cd"], body["policy"], chat=False, max_tokens=10, seed=4):
        wanted[token.request].append(token.temperature)

    assert wanted == [choice["logprobs"]["temperature"] for choice in data["choices"]]


def test_the_model_is_listed_and_found_by_its_name(asked):
    async def run():
        async with asked(make_app(wandering_model(name="org/some model"))) as client:
            listed = (await client.get("/v1/models")).json()
            found = (await client.get("/v1/models/org/some%20model")).json()
            return listed, found, (await client.get("/v1/models/other")).json()

    listed, found, missing = asyncio.run(run())
    assert [found] == listed["data"]
    assert ("org/some model", "model") == (found["id"], found["object"])
    assert "model_not_found" == missing["error"]["code"]
