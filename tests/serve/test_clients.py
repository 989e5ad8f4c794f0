"""The official client and curl against a server behind a socket."""

import asyncio
import json
import subprocess
from shutil import which

import openai
import pytest
from tests.serve.models import repeated, repeating_model, serving, settled, wandering_model

from dyntemp import generate, load_model
from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app
from dyntemp.testing.models import has_bundled

POLICY = "0.3 + 0.3*entropy"
HELLO = [{"role": "user", "content": "hi"}]


@pytest.fixture
def address():
    with serving(make_app(wandering_model())) as found:
        yield found


@pytest.fixture
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as found:
        yield found


def test_a_chat_with_the_official_client(client):
    answer = client.chat.completions.create(
        model="fake", messages=HELLO, max_tokens=6, seed=3, logprobs=True, top_logprobs=2, extra_body={"policy": POLICY}
    )
    wanted = list(generate(wandering_model(), HELLO, POLICY, max_tokens=6, seed=3))

    assert "".join(token.text for token in wanted) == answer.choices[0].message.content
    assert (POLICY, 3) == (answer.policy, answer.seed)
    told = answer.choices[0].logprobs.content
    assert [token.temperature for token in wanted] == [item.temperature for item in told]
    assert [token.signals["entropy"] for token in wanted] == [item.entropy for item in told]
    assert ["drawn"] * 6 == [item.origin for item in told]
    assert all(len(item.top_logprobs) == 2 for item in told)


def test_a_streamed_chat_with_the_official_client(client):
    whole = client.chat.completions.create(model="fake", messages=HELLO, max_tokens=6, seed=3, temperature=0.7)
    with client.chat.completions.create(
        model="fake", messages=HELLO, max_tokens=6, seed=3, temperature=0.7, stream=True, logprobs=True,
        stream_options={"include_usage": True},
    ) as stream:  # fmt: skip
        chunks = list(stream)

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert whole.choices[0].message.content == text
    assert whole.usage == chunks[-1].usage
    assert "0.7" == chunks[0].policy
    temperatures = [item.temperature for chunk in chunks if chunk.choices and chunk.choices[0].logprobs
                    for item in chunk.choices[0].logprobs.content]  # fmt: skip
    assert [0.7] * 6 == temperatures


def test_completions_with_the_official_client_and_the_field_of_vllm(client):
    asked = {"vllm_xargs": {"dyntemp": POLICY}}
    answer = client.completions.create(
        model="fake", prompt=["ab", "cd"], max_tokens=5, seed=1, logprobs=1, extra_body=asked
    )
    wanted = [""] * 2
    for token in generate(wandering_model(), ["ab", "cd"], POLICY, chat=False, max_tokens=5, seed=1):
        wanted[token.request] += token.text

    assert wanted == [choice.text for choice in answer.choices]
    assert 5 == len(answer.choices[1].logprobs.temperature)


def test_the_asynchronous_client(address):
    async def run():
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
            whole = await client.completions.create(model="fake", prompt="ab", max_tokens=9, seed=4)
            stream = await client.completions.create(model="fake", prompt="ab", max_tokens=9, seed=4, stream=True)
            return whole.choices[0].text, "".join([chunk.choices[0].text async for chunk in stream])

    whole, streamed = asyncio.run(run())
    assert whole == streamed


def test_errors_as_the_official_client_raises_them(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="fake", prompt="x", extra_body={"policy": "0.1 + entropi"})
    assert ("policy", "invalid_policy", "invalid_request_error") == (
        caught.value.param, caught.value.code, caught.value.type,
    )  # fmt: skip
    assert "did you mean `entropy`?" in caught.value.message
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="fake", prompt="x", extra_body={"polcy": "1"})
    assert ("polcy", "unknown_field") == (caught.value.param, caught.value.code)
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="other", prompt="x")
    assert ["fake"] == [model.id for model in client.models.list()]
    assert "fake" == client.models.retrieve("fake").id


def test_the_key_is_asked_for():
    settings = ServerSettings(api_key="secret")
    with serving(make_app(wandering_model(), settings=settings)) as address:
        with openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                client.models.list()
            assert "invalid_api_key" == caught.value.code
        with openai.OpenAI(base_url=f"{address}/v1", api_key="secret", max_retries=0) as client:
            assert ["fake"] == [model.id for model in client.models.list()]


def test_a_broken_row_is_an_error_of_the_server_and_the_next_request_is_answered():
    def logits(tokens):
        return [float("nan")] * 98 if len(tokens) > 4 else [0.0] * 98

    model = wandering_model(logits=logits, end=[])  # no text ends by chance before it breaks
    app = make_app(model)
    with serving(app) as address, openai.OpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            client.completions.create(model="fake", prompt="xx", max_tokens=9)
        assert "invalid_logits" == caught.value.code
        stream = client.completions.create(model="fake", prompt="xx", max_tokens=9, stream=True)
        with stream, pytest.raises(openai.APIError) as streamed:
            list(stream)
        assert "invalid_logits" == streamed.value.code
        assert client.completions.create(model="fake", prompt="xx", max_tokens=3).choices[0].text
        assert settled(app.state.server)


@pytest.mark.skipif(which("curl") is None, reason="needs curl")
def test_curl_streams_line_by_line(address):
    body = {"prompt": "ab", "max_tokens": 4, "stream": True, "policy": POLICY, "seed": 1}
    command = [
        "curl",
        "-sN",
        f"{address}/v1/completions",
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps(body),
    ]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    events = [line.removeprefix("data: ") for line in out.splitlines() if line]
    wanted = generate(wandering_model(), "ab", POLICY, chat=False, max_tokens=4, seed=1)

    assert "[DONE]" == events[-1]
    text = "".join(json.loads(event)["choices"][0]["text"] for event in events[:-1])
    assert "".join(token.text for token in wanted) == text


@pytest.mark.skipif(which("curl") is None, reason="needs curl")
def test_curl_without_a_content_type_is_told_what_to_do(address):
    command = ["curl", "-s", f"{address}/v1/completions", "-d", '{"prompt": "x"}']
    out = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)

    assert "send JSON, with the header `Content-Type: application/json`" in out["error"]["message"]


def test_many_streams_at_once_are_not_mixed_up():
    app = make_app(repeating_model(), settings=ServerSettings(batch=4, queue=100))
    prompts = [f"text {number}: {'abcdefgh'[number % 8] * (number % 5)}|" for number in range(40)]

    async def one(client, prompt):
        stream = await client.completions.create(model="fake", prompt=prompt, max_tokens=60, stream=True)
        return "".join([chunk.choices[0].text async for chunk in stream])

    async def run(address):
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
            return await asyncio.gather(*(one(client, prompt) for prompt in prompts))

    with serving(app) as address:
        assert [repeated(prompt, 60) for prompt in prompts] == asyncio.run(run(address))
        assert settled(app.state.server)


@pytest.mark.model
@pytest.mark.skipif(not has_bundled(), reason="the bundled model is not installed")
def test_the_bundled_model_answers_as_generate_does_alone_and_beside_others():
    model = load_model("smollm2", context=512, threads=1)
    asked = {"max_tokens": 10, "seed": 7, "logprobs": True, "top_logprobs": 3, "extra_body": {"policy": POLICY}}
    questions = [[{"role": "user", "content": f"Name {number} rivers."}] for number in (1, 2, 3)]
    wanted = ["".join(token.text for token in generate(model, one, POLICY, max_tokens=10, seed=7)) for one in questions]

    async def run(address):
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="-", max_retries=0) as client:
            alone = await client.chat.completions.create(model=model.name, messages=questions[0], **asked)
            calls = (client.chat.completions.create(model=model.name, messages=one, **asked) for one in questions)
            return alone, await asyncio.gather(*calls)

    app = make_app(model)
    with serving(app) as address:
        alone, answers = asyncio.run(run(address))
    assert wanted[0] == alone.choices[0].message.content
    assert wanted == [answer.choices[0].message.content for answer in answers]
    for answer in (alone, *answers):
        told = answer.choices[0].logprobs.content
        assert answer.choices[0].message.content.encode() == b"".join(bytes(item.bytes) for item in told)
        assert all(item.temperature == pytest.approx(0.3 + 0.3 * item.entropy, rel=1e-6) for item in told)
