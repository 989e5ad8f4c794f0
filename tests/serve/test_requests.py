"""The fields of a request: any other is refused by name, in the shape of the OpenAI API."""

import asyncio
import json

import numpy as np
import pytest
from tests.learned import NETWORK
from tests.serve.models import PIECES, wandering_model

from dyntemp import Policy
from dyntemp.methods import METHODS, default
from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HELLO = [{"role": "user", "content": "hi"}]


def send(asked, path, body, *, settings=None, model=None, headers=None, **options):
    async def run():
        app = make_app(model or wandering_model(), settings=settings or ServerSettings())
        async with asked(app) as client:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers_ = {"Content-Type": "application/json"} | (headers or {})
            return await client.post(path, content=content, headers=headers_, **options)

    return asyncio.run(run())


def refused(asked, path, body, status=400, **settings):
    response = send(asked, path, body, **settings)
    assert status == response.status_code, response.text
    error = response.json()["error"]
    assert {"message", "type", "param", "code"} == set(error)
    return error


def used(asked, body, **settings):
    """The policy that a request was answered under."""
    response = send(asked, TEXT, {"prompt": "x", "max_tokens": 1, **body}, **settings)
    assert 200 == response.status_code, response.text
    return response.json()["policy"]


@pytest.mark.parametrize(
    ("body", "param", "code", "words"),
    [
        ({"promp": "x"}, "promp", "unknown_field", "unknown field `promp`; did you mean `prompt`?"),
        ({"prompt": "x", "polcy": "1"}, "polcy", "unknown_field", "did you mean `policy`?"),
        ({"prompt": "x", "max_tokns": 1}, "max_tokns", "unknown_field", "did you mean `max_tokens`?"),
        ({}, "prompt", "invalid_value", "`prompt` = None was given; text, tokens, or a list of these is expected"),
        ({"prompt": ""}, "prompt", "invalid_value", "holds no token"),
        ({"prompt": []}, "prompt", "invalid_value", "is expected"),
        ({"prompt": [[]]}, "prompt", "invalid_value", "is expected"),
        ({"prompt": [1, "x"]}, "prompt", "invalid_value", "is expected"),
        ({"prompt": [1, True]}, "prompt", "invalid_value", "is expected"),
        ({"prompt": [10**9]}, "prompt", "invalid_value", "holds 1000000000; tokens are 0 to 97"),
        ({"prompt": [-1]}, "prompt", "invalid_value", "holds -1"),
        ({"prompt": "\ud800"}, "prompt", "invalid_value", "lone surrogate"),
        ({"prompt": "☃"}, "prompt", "invalid_value", "no token for"),
        ({"prompt": ["x"] * 17}, "prompt", "invalid_value", "17 prompts were given; at most 16"),
        ({"prompt": ["x"] * 9, "n": 2}, "n", "invalid_value", "at most 16 texts are written"),
        ({"prompt": "x" * 501}, "prompt", "context_length_exceeded", "has 501 tokens, and the model's context"),
        ({"prompt": "x", "n": 17}, "n", "invalid_value", "whole numbers from 1 to 16"),
        ({"prompt": "x", "n": 0}, "n", "invalid_value", "whole numbers from 1 to 16"),
        ({"prompt": "x", "n": True}, "n", "invalid_value", "whole numbers"),
        ({"prompt": "x", "n": 1.5}, "n", "invalid_value", "whole numbers"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens", "invalid_value", "from 1 to 4096"),
        ({"prompt": "x", "max_tokens": 4097}, "max_tokens", "invalid_value", "from 1 to 4096"),
        ({"prompt": "x", "temperature": -1}, "temperature", "invalid_value", "numbers from 0"),
        ({"prompt": "x", "temperature": "hot"}, "temperature", "invalid_value", "numbers from 0"),
        ({"prompt": "x", "temperature": 10**400}, "temperature", "invalid_value", "numbers from 0"),
        ({"prompt": "x", "top_p": 0}, "top_p", "invalid_value", "numbers above 0 to 1"),
        ({"prompt": "x", "top_p": 1.01}, "top_p", "invalid_value", "numbers above 0 to 1"),
        ({"prompt": "x", "min_p": -0.1}, "min_p", "invalid_value", "numbers from 0 to 1"),
        ({"prompt": "x", "top_k": -2}, "top_k", "invalid_value", "whole numbers from -1"),
        ({"prompt": "x", "filter_at": "end"}, "filter_at", "invalid_value", '"model" and "temperature" are allowed'),
        ({"prompt": "x", "filters": "top_q(1)"}, "filters", "invalid_value", "the filter 'top_q' was given; there are"),
        ({"prompt": "x", "filters": "eta(2)"}, "filters", "invalid_value", "eta = 2 was given; it lies from 0"),
        ({"prompt": "x", "filters": "p_less, " * 40}, "filters", "invalid_value", "at most 200 are allowed"),
        ({"prompt": "x", "filters": 3}, "filters", "invalid_value", "text is allowed"),
        ({"prompt": "x", "filters": "p_less", "top_k": 3}, "filters", "invalid_value", "was given beside top_k"),
        ({"prompt": "x", "seed": -2}, "seed", "invalid_value", "whole numbers from -1"),
        ({"prompt": "x", "seed": 2**64}, "seed", "invalid_value", "whole numbers from -1"),
        ({"prompt": "x", "stop": ""}, "stop", "invalid_value", "would stop everything"),
        ({"prompt": "x", "stop": ["a"] * 17}, "stop", "invalid_value", "at most 16 texts"),
        ({"prompt": "x", "stop": "a" * 201}, "stop", "invalid_value", "at most 200 are allowed"),
        ({"prompt": "x", "stop": [1]}, "stop", "invalid_value", "text is allowed"),
        ({"prompt": "x", "logprobs": 21}, "logprobs", "invalid_value", "from 0 to 20"),
        ({"prompt": "x", "logprobs": True}, "logprobs", "invalid_value", "from 0 to 20"),
        ({"prompt": "x", "logprobs": 1, "echo": True}, "echo", "unsupported_value", "leave one out"),
        ({"prompt": "x", "stream": "yes"}, "stream", "invalid_value", "true and false are allowed"),
        ({"prompt": "x", "stream_options": {"usage": True}}, "stream_options", "invalid_value", "include_usage"),
        ({"prompt": "x", "best_of": 3}, "best_of", "unsupported_value", "not supported"),
        ({"prompt": "x", "suffix": "."}, "suffix", "unsupported_value", "text is only ever continued"),
        ({"prompt": "x", "frequency_penalty": 0.5}, "frequency_penalty", "unsupported_value", "no penalties"),
        ({"prompt": "x", "logit_bias": {"1": 2}}, "logit_bias", "unsupported_value", "leave it out"),
        ({"prompt": "x", "policy": 3}, "policy", "invalid_value", "a policy is text"),
        ({"prompt": "x", "policy": {"a": 1}}, "policy", "invalid_value", "a policy is text"),
        ({"prompt": "x", "policy": {"policy": "1"}}, "policy", "invalid_policy", "not the JSON of a policy"),
        ({"prompt": "x", "policy": "0.1 + entropi"}, "policy", "invalid_policy", "did you mean `entropy`?\n    0.1 + "),
        ({"prompt": "x", "policy": "0.3 - 0.4*max_prob"}, "policy", "invalid_policy", "(at max_prob = 1)"),
        ({"prompt": "x", "policy": "run.json"}, "policy", "invalid_policy", "run"),
        ({"prompt": "x", "policy": "\ud800"}, "policy", "invalid_value", "lone surrogate"),
        ({"prompt": "x", "policy": "a + b*entropy"}, "parameters", "invalid_policy", "a"),
        ({"prompt": "x", "policy": "1", "parameters": {"a": 1}}, "parameters", "invalid_policy", "it has none"),
        ({"prompt": "x", "policy": "a", "parameters": {"a": "x"}}, "parameters", "invalid_value", "numbers"),
        ({"prompt": "x", "policy": "a", "parameters": {"a": -1}}, "parameters", "invalid_policy", "reach"),
        ({"prompt": "x", "policy": '1 + given("u", 0, 1)'}, "given", "missing_given", '"given": {"u": ...}'),
        ({"prompt": "x", "policy": '1 + given("u", 0, 1)', "given": {"u": 2}}, "given", "invalid_policy", "range"),
        ({"prompt": "x", "policy": "1", "given": {"u": 2}}, "given", "invalid_value", "reads no given(`u`)"),
        ({"prompt": "x", "policy": '1 + given("u", 0, 1)', "given": {"u": [1, 2]}}, "given", "invalid_policy", "2.0"),
        ({"prompt": "x", "policy": '1 + given("u", 0, 1)', "given": {"u": []}}, "given", "invalid_value", "numbers"),
        ({"prompt": "x", "vllm_xargs": {"dyntmp": "1"}}, "vllm_xargs", "invalid_value", "`dyntemp`"),
        ({"prompt": "x", "vllm_xargs": {"dyntemp": "1"}, "policy": "1"}, "vllm_xargs", "invalid_value", "one of them"),
        ({"prompt": "x", "vllm_xargs": {"dyntemp": "entropi"}}, "vllm_xargs", "invalid_policy", "did you mean"),
    ],
)  # fmt: skip
def test_a_completion_is_refused(asked, body, param, code, words):
    error = refused(asked, TEXT, body)

    assert (param, code, "invalid_request_error") == (error["param"], error["code"], error["type"])
    assert words in error["message"]


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({}, "messages", "a list of 1 to 2000 messages"),
        ({"messages": []}, "messages", "a list of 1 to 2000 messages"),
        ({"messages": ["hi"]}, "messages[0]", "an object with `role` and `content`"),
        ({"messages": [*HELLO, {"role": "tool", "content": "x"}]}, "messages[1].role", "are supported"),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "are supported"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role", "are supported"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "holds None; text"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", "holds 3; text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content", "pictures"),
        ({"messages": [{"role": "user", "contents": "x"}]}, "messages[0].contents", "did you mean `content`?"),
        ({"messages": [{"role": "user", "content": "x", "name": "Ann"}]}, "messages[0].name", "not supported"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content", "lone surrogate"),
        ({"messages": HELLO, "top_logprobs": 2}, "top_logprobs", "without `logprobs`"),
        ({"messages": HELLO, "logprobs": 2}, "logprobs", "true and false"),
        ({"messages": HELLO, "max_tokens": 2, "max_completion_tokens": 3}, "max_tokens", "give one of them"),
        ({"messages": HELLO, "tools": [{"type": "function"}]}, "tools", "calls no tools"),
        ({"messages": HELLO, "response_format": {"type": "json_object"}}, "response_format", "plain text"),
        ({"messages": HELLO, "store": True}, "store", "nothing is stored"),
        ({"messages": HELLO, "prompt": "x"}, "prompt", "unknown field"),
    ],
)
def test_a_chat_is_refused(asked, body, param, words):
    error = refused(asked, CHAT, body)

    assert param == error["param"]
    assert words in error["message"]


def test_who_says_what_reaches_the_template(asked, monkeypatch):
    model, seen = wandering_model(), []
    monkeypatch.setattr(model, "encode_chat", lambda messages: seen.extend(messages) or [1])
    said = [{"role": role, "content": role} for role in ("developer", "system", "user", "assistant")]

    assert 200 == send(asked, CHAT, {"messages": said, "max_tokens": 1}, model=model).status_code
    assert ["system", "system", "user", "assistant"] == [message["role"] for message in seen]
    assert ["developer", "system", "user", "assistant"] == [message["content"] for message in seen]


def test_a_model_without_a_chat_template_has_no_chat(asked):
    error = refused(asked, CHAT, {"messages": HELLO}, model=wandering_model(chat=False))

    assert "has no chat template" in error["message"]


@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_fields_that_change_nothing_are_accepted(asked, path):
    """Fields that clients and user interfaces send unasked."""
    neutral = {
        "model": "fake", "n": 1, "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "tools": [],
        "tool_choice": "auto", "parallel_tool_calls": True, "response_format": {"type": "text"}, "user": "me",
        "metadata": {"a": "b"}, "store": False, "stream": False, "stream_options": None, "top_p": 1, "stop": None,
        "seed": None, "service_tier": "auto", "modalities": ["text"], "best_of": 1, "suffix": None, "temperature": 1,
        "repetition_penalty": 1.0, "top_k": -1, "min_p": 0, "functions": None, "safety_identifier": "x",
        "policy": "0.3 + entropy/9", "max_tokens": 2.0,
    }  # fmt: skip
    body = {"messages": [*HELLO, {"role": "assistant", "content": "a", "refusal": None, "tool_calls": []}]}
    response = send(asked, path, neutral | (body if path == CHAT else {"prompt": "x"}))

    assert 200 == response.status_code, response.text
    assert 2 == response.json()["usage"]["completion_tokens"]


def test_another_model_is_not_found(asked):
    error = refused(asked, TEXT, {"model": "gpt-9", "prompt": "x"}, 404)

    assert ("model", "model_not_found") == (error["param"], error["code"])
    assert "this server has 'fake'" in error["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"), (b"{", "not JSON"), (b"\xff\xfe", "not JSON"), (b"[1]", "a JSON object is expected"),
        (b"null", "a JSON object is expected"), (b'{"prompt": NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "not JSON"), (b'{"seed": ' + b"1" * 5000 + b"}", "not JSON"),
        (b'{"prompt": "a", "prompt": "b"}', "a field stands in it twice"),
    ],
)  # fmt: skip
def test_bodies_that_are_no_object_are_refused(asked, body, words):
    error = refused(asked, TEXT, body)

    assert "invalid_json" == error["code"]
    assert words in error["message"]
    assert len(error["message"]) < 300


def test_a_message_shows_little_of_a_long_value(asked):
    error = refused(asked, TEXT, {"prompt": "x", "temperature": "h" * 100_000, "n": 1})

    assert len(error["message"]) < 300


def test_long_names_are_shown_in_part(asked):
    error = refused(asked, TEXT, {"x" * 100_000: 1})

    assert len(error["message"]) < 300
    assert len(error["param"]) < 100


def test_a_policy_has_a_greatest_length(asked):
    error = refused(asked, TEXT, {"prompt": "x", "policy": "1" + " " * 6000})

    assert "policy_too_long" == error["code"]
    assert "6001 characters; at most 6000" in error["message"]
    assert used(asked, {"policy": "1" + " " * 5999}) == "1"


@pytest.mark.parametrize("fields", [{"policy": NETWORK}, {"vllm_xargs": {"dyntemp": NETWORK}}], ids=["policy", "vllm"])
def test_a_learned_network_is_a_policy(asked, fields):
    assert used(asked, fields) == NETWORK
    assert used(asked, {}, settings=ServerSettings(policy=NETWORK)) == NETWORK


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_web_page_can_send_without_asking_is_refused(asked, kind):
    error = refused(asked, TEXT, {"prompt": "x"}, 415, headers={"Content-Type": kind})

    assert "Content-Type: application/json" in error["message"]


@pytest.mark.parametrize(
    ("body", "policy"),
    [
        ({}, str(default())),
        ({"temperature": 0.4}, "0.4"),
        ({"temperature": 0}, "0"),
        ({"temperature": None}, str(default())),
        ({"policy": "edt"}, str(METHODS["edt"].make())),
        ({"policy": "0.1+0.8*entropy"}, "0.1 + 0.8*entropy"),
        ({"policy": json.loads(Policy("0.1 + entropy", name="mine").to_json())}, "0.1 + entropy"),
        ({"vllm_xargs": {"dyntemp": "0.1+entropy", "dyntemp_id": "me"}}, "0.1 + entropy"),
        ({"vllm_xargs": {"dyntemp": "off"}, "temperature": 0.4}, "0.4"),
        ({"policy": "off"}, "1"),
        ({"policy": "0.1+entropy", "temperature": 0}, "0"),
        ({"policy": "0.1+entropy", "temperature": 1}, "0.1 + entropy"),
        ({"policy": "requested*0.5", "temperature": 0.4}, "requested*0.5"),
        ({"policy": "requested*0.5", "temperature": 0}, "0"),
        ({"policy": "a + b*entropy", "parameters": {"a": 0.5, "b": 2}}, "0.5 + 2*entropy"),
        ({"policy": '1 + given("u", 0, 1)', "given": {"u": 0.5}}, '1 + given("u", 0, 1)'),
    ],
)
def test_the_policy_that_is_used_is_told(asked, body, policy):
    assert policy == used(asked, body)


@pytest.mark.parametrize(
    ("body", "policy"),
    [
        ({}, "0.2 + requested*entropy/9"), ({"temperature": 0.4}, "0.2 + requested*entropy/9"),
        ({"policy": "1"}, "1"), ({"policy": "off", "temperature": 0.3}, "0.3"), ({"temperature": 0}, "0"),
    ],
)  # fmt: skip
def test_the_server_may_have_a_policy_of_its_own(asked, body, policy):
    assert policy == used(asked, body, settings=ServerSettings(policy="0.2 + requested*entropy/9"))


@pytest.mark.parametrize(
    ("body", "settings", "filtered"),
    [
        ({}, {}, True), ({"min_p": 0}, {}, False), ({"temperature": 1}, {}, False), ({"policy": "1"}, {}, False),
        ({"policy": "off"}, {}, False), ({"top_p": 0.999}, {}, False), ({}, {"policy": "1"}, False),
    ],
)  # fmt: skip
def test_min_p_stands_before_the_default_temperature_alone(asked, body, settings, filtered):
    row = np.full(len(PIECES), -4.0)  # the others have 2 % of the share of the first
    row[0] = 0
    model = wandering_model(logits=lambda _: row)
    asks = {"prompt": "x", "max_tokens": 1, "logprobs": 0, "seed": 1, **body}
    found = send(asked, TEXT, asks, settings=ServerSettings(**settings), model=model).json()["choices"][0]["logprobs"]

    assert filtered == (found["token_logprobs_after"] == [0.0])


@pytest.mark.parametrize(("given", "temperature"), [({"policy": "requested*0.5"}, 0.2), ({}, 0.4)])
def test_requested_reads_the_temperature(asked, given, temperature):
    body = {"prompt": "x", "max_tokens": 2, "temperature": 0.4, "logprobs": 0, **given}
    data = send(asked, TEXT, body).json()

    assert [temperature] * 2 == pytest.approx(data["choices"][0]["logprobs"]["temperature"])


def test_given_numbers_are_read(asked):
    body = {"prompt": "x", "max_tokens": 2, "policy": '1 + given("u", 0, 1)', "given": {"u": 0.25}, "logprobs": 0}

    assert [1.25, 1.25] == send(asked, TEXT, body).json()["choices"][0]["logprobs"]["temperature"]
    listed = body | {"given": {"u": [0.5, 1, 0]}, "max_tokens": 5}
    assert [1.5, 2, 1, 1.5, 2] == send(asked, TEXT, listed).json()["choices"][0]["logprobs"]["temperature"]


@pytest.mark.parametrize("settings", [{}, {"policy": "0.1 + entropy"}])
def test_a_temperature_that_nothing_reads_is_refused(asked, settings):
    body = {"prompt": "x", "temperature": 0.4} | ({} if settings else {"policy": "0.1 + entropy"})
    error = refused(asked, TEXT, body, settings=ServerSettings(**settings))

    assert ("temperature", "temperature_without_effect") == (error["param"], error["code"])
    assert "requested*(" in error["message"]


TUNED = {"format": "dyntemp.policy", "version": 1, "policy": "5", "filters": "top_k(1)"}


@pytest.mark.parametrize("settings", [{}, {"policy": TUNED}])
def test_a_policy_brings_its_filters(asked, settings):
    body = {"prompt": "x", "max_tokens": 20, "seed": 1} | ({} if settings else {"policy": TUNED})
    likeliest = send(asked, TEXT, body | {"policy": "0"}).json()["choices"][0]["text"]

    assert likeliest == send(asked, TEXT, body, settings=ServerSettings(**settings)).json()["choices"][0]["text"]
    assert likeliest != send(asked, TEXT, body | {"policy": "5"}).json()["choices"][0]["text"]


@pytest.mark.parametrize("settings", [{}, {"policy": TUNED}])
def test_other_filters_beside_those_of_the_policy_are_refused(asked, settings):
    body = {"prompt": "x", "max_tokens": 2, "top_p": 0.9, "top_k": -1} | ({} if settings else {"policy": TUNED})
    error = refused(asked, TEXT, body, settings=ServerSettings(**settings))

    assert ("top_p", "filters_twice") == (error["param"], error["code"])
    assert "`top_k(1)`, and `top_p(0.9)` was asked for: leave top_p out" in error["message"]
    lenient = send(asked, TEXT, body, settings=ServerSettings(**settings, lenient=True))
    assert (200, "top_p") == (lenient.status_code, lenient.headers["X-Dyntemp-Ignored"])
    assert 200 == send(asked, TEXT, body | {"temperature": 0}, settings=ServerSettings(**settings)).status_code


@pytest.mark.parametrize("chain", [3, "top_q(1)", "top_k(1), " * 100])
def test_filters_of_a_policy_are_checked(asked, chain):
    assert "policy" == refused(asked, TEXT, {"prompt": "x", "policy": TUNED | {"filters": chain}})["param"]


def test_a_lenient_server_ignores_what_it_cannot_do_and_says_so(asked):
    body = {
        "prompt": "x", "max_tokens": 1, "mirostat": 2, "frequency_penalty": 0.5, "wéird\r\nX: y": 1,
        "policy": "0.1 + entropy", "temperature": 0.4,
    }  # fmt: skip
    response = send(asked, TEXT, body, settings=ServerSettings(lenient=True))

    assert 200 == response.status_code, response.text
    assert "mirostat, frequency_penalty, w?ird??X??y, temperature" == response.headers["X-Dyntemp-Ignored"]
    assert "x" not in response.headers
    assert 400 == send(asked, TEXT, {"prompt": "x", "n": "two"}, settings=ServerSettings(lenient=True)).status_code


LENIENT = ServerSettings(lenient=True, max_tokens=30)


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"messages": [{"role": "user", "content": "hi", "name": "Ann", "id": "m1"},
                       {"role": "assistant", "content": "ho", "reasoning_content": "hm", "id": "m2"},
                       {"role": "user", "content": "x"}]},
         "messages.name, messages.id, messages.reasoning_content"),
        ({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None, "tool_calls": [{}]},
                       {"role": "assistant"}, {"role": "user", "content": "x"}]},
         "messages.tool_calls, messages.content"),
        ({"messages": [{"role": "user", "content": "x", "name": "", "refusal": None}]}, None),
        ({"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True, "x": 1}},
         "stream_options.continuous_usage_stats, stream_options.x"),
        ({"vllm_xargs": {"dyntemp": "0.5", "other": [1]}}, "vllm_xargs.other"),
        ({"max_tokens": -1}, "max_tokens"), ({"max_tokens": 10**9}, "max_tokens"), ({"max_tokens": 31.0}, "max_tokens"),
        ({"max_completion_tokens": -2}, "max_completion_tokens"), ({"max_tokens": 30}, None),
        ({"top_secret": 1, "max_tokens": 1e300}, "top_secret, max_tokens"),
    ],
)  # fmt: skip
def test_a_lenient_server_answers_what_it_can_and_names_the_rest(asked, fields, ignored):
    body = {"messages": [{"role": "user", "content": "x"}], **fields}
    response = send(asked, CHAT, body, settings=LENIENT)
    assert 200 == response.status_code, response.text
    assert ignored == response.headers.get("X-Dyntemp-Ignored")
    if "max_tokens" in fields or "max_completion_tokens" in fields:
        assert 30 == response.json()["usage"]["completion_tokens"]

    strict = send(asked, CHAT, body, settings=ServerSettings(max_tokens=30))
    assert (200 if ignored is None else 400) == strict.status_code


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": None}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        {"max_tokens": 0}, {"max_tokens": "many"}, {"max_tokens": True}, {"max_tokens": 1.5},
        {"stream_options": {"include_usage": 1}}, {"stream_options": [1]},
    ],
)  # fmt: skip
def test_a_lenient_server_refuses_what_it_would_have_to_guess(asked, fields):
    response = send(asked, CHAT, {"messages": [{"role": "user", "content": "x"}], **fields}, settings=LENIENT)
    assert 400 == response.status_code


def test_without_a_model_there_is_no_api_but_it_says_so(asked):
    async def run():
        async with asked(make_app(None, page="<p>page</p>")) as client:
            paths = [client.post(TEXT, json={"prompt": "x"}), client.post(CHAT, json={"messages": HELLO}),
                     client.get("/v1/models/x"), client.post("/play/generate", json={"prompt": "x"})]  # fmt: skip
            return [await one for one in paths], (await client.get("/v1/models")).json(), await client.get("/ready")

    responses, models, ready = asyncio.run(run())
    for response in responses:
        assert (503, "no_model", "server_error") == (
            response.status_code, response.json()["error"]["code"], response.json()["error"]["type"],
        )  # fmt: skip
    assert [] == models["data"]
    assert 503 == ready.status_code


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/completion", 404, "did you mean `/v1/completions`?"), ("POST", "/nowhere", 404, "POST /nowhere"),
        ("GET", "/v1/completions", 405, "try POST"), ("DELETE", "/health", 405, "try GET"),
        ("GET", "/docs", 404, "there is no GET /docs"),
        ("GET", "/", 404, "there is no GET /: this server has no page; its API begins with /v1"),
        ("GET", "/play/inf", 404, "there is no GET /play/inf"), ("GET", "/metric", 404, "did you mean `/metrics`?"),
    ],
)  # fmt: skip
def test_other_paths_answer_in_the_same_shape(asked, method, path, status, words):
    async def run():
        async with asked(make_app(wandering_model())) as client:
            return await client.request(method, path)

    response = asyncio.run(run())
    error = response.json()["error"]
    assert status == response.status_code
    assert words in error["message"]
    assert {"message", "type", "param", "code"} == set(error)
    assert "/play" not in error["message"].removeprefix("there is no GET /play/inf")


def test_what_a_server_was_started_without_is_not_offered(asked):
    async def run(path, **settings):
        async with asked(
            make_app(wandering_model(), settings=ServerSettings(**settings), page="<p>page</p>")
        ) as client:
            return (await client.get(path)).json()["error"]["message"]

    assert "did you mean `/play/info`?" in asyncio.run(run("/play/inf"))
    assert "did you mean" not in asyncio.run(run("/metric", metrics=False))


def test_the_fields_are_documented(asked):
    async def run():
        async with asked(make_app(wandering_model())) as client:
            return (await client.get("/openapi.json")).json()

    schema = asyncio.run(run())["paths"][TEXT]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert 4096 == schema["properties"]["max_tokens"]["maximum"]
    assert all(field["description"] for field in schema["properties"].values())


@pytest.mark.parametrize(
    "settings",
    [{"batch": 0}, {"queue": -1}, {"max_tokens": 0}, {"max_body": 10}, {"timeout": 0}, {"patience": float("nan")},
     {"api_key": ""}, {"api_key": "clé"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match=r"was given|API key"):
        ServerSettings(**settings)


@pytest.mark.parametrize("policy", ["entropi", "a + entropy", "0.3 - 0.4*max_prob"])
def test_a_policy_of_the_server_that_makes_no_sense_is_refused(policy):
    with pytest.raises(ValueError, match=r"did you mean|parameter|can reach"):
        make_app(None, settings=ServerSettings(policy=policy))
