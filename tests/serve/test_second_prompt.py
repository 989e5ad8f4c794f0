"""The field `contrast`: a second prompt over HTTP, in both endpoints."""

import asyncio

import numpy as np
import pytest
from scipy.special import rel_entr, softmax
from tests.serve.models import wandering, wandering_model

from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

POLICY = "0.2 + divergence/25"


def expected(prompt, contrast):
    """The temperature of the first token after these prompts, by SciPy."""
    model = wandering_model()
    p, q = (softmax(np.asarray(wandering(model.encode(text)), np.float32).astype(float)) for text in (prompt, contrast))
    return 0.2 + rel_entr(p, q).sum() / 25


def temperatures(answer):
    return [choice["logprobs"]["dyntemp"][0]["temperature"] for choice in answer.json()["choices"]]


async def test_each_prompt_has_its_second_prompt(asked):
    body = {"prompt": ["ab", "c"], "contrast": ["b", "dd"], "n": 2, "max_tokens": 3, "policy": POLICY, "logprobs": 0}
    async with asked(make_app(wandering_model())) as client:
        answer = await client.post("/v1/completions", json=body)

    one, other = expected("ab", "b"), expected("c", "dd")
    assert temperatures(answer) == pytest.approx([one, one, other, other], rel=1e-9)


async def test_a_chat_has_second_messages_and_runs_beside_requests_without_them(asked):
    chat, plain = "/v1/chat/completions", "/v1/completions"
    message, second = ({"role": "user", "content": text} for text in ("ab", "xyz"))
    body = {"messages": [message], "contrast": [second], "max_tokens": 9, "policy": POLICY, "logprobs": True}
    model = wandering_model()
    async with asked(make_app(model)) as client:
        answer, other = await asyncio.gather(
            client.post(chat, json=body), client.post(plain, json={"prompt": "ab", "max_tokens": 9, "policy": "0.5"})
        )

    (found,) = [choice["logprobs"]["content"][0]["dyntemp"]["temperature"] for choice in answer.json()["choices"]]
    assert found == pytest.approx(expected("ab", "xyz"), rel=1e-9)
    assert other.status_code == 200
    assert model.open_sessions == 0


@pytest.mark.parametrize(
    ("path", "body", "param", "code", "message"),
    [
        ("completions", {"prompt": "x", "policy": POLICY}, "contrast", "missing_contrast", 'send "contrast"'),
        ("completions", {"prompt": "x", "contrast": "y", "policy": "1"}, "contrast", "contrast_without_effect", "`1`"),
        ("completions", {"prompt": ["x", "y"], "contrast": "y", "policy": POLICY}, "contrast", "invalid_value",
         "1 prompts for 2"),
        ("completions", {"prompt": "x", "contrast": 7, "policy": POLICY}, "contrast", "invalid_value",
         "`contrast` = 7 was given"),
        ("chat/completions", {"messages": [{"role": "user", "content": "x"}], "contrast": "y", "policy": POLICY},
         "contrast", "invalid_value", "list of 1 to"),
    ],
)  # fmt: skip
async def test_a_second_prompt_that_does_not_fit_is_refused(asked, path, body, param, code, message):
    async with asked(make_app(wandering_model())) as client:
        error = (await client.post(f"/v1/{path}", json=body)).json()["error"]

    assert (error["param"], error["code"]) == (param, code)
    assert message in error["message"]


async def test_a_lenient_server_ignores_one_without_effect(asked):
    body = {"prompt": "x", "contrast": "y", "policy": "1", "max_tokens": 1}
    async with asked(make_app(wandering_model(), ServerSettings(lenient=True))) as client:
        answer = await client.post("/v1/completions", json=body)

    assert (answer.status_code, answer.headers["X-Dyntemp-Ignored"]) == (200, "contrast")


async def test_the_page_has_no_place_for_one(asked):
    async with asked(make_app(wandering_model())) as client:
        error = (await client.post("/play/generate", json={"prompt": "x", "policies": ["1", POLICY]})).json()["error"]

    assert error["param"] == "policies[1]"
    assert "no place for a second prompt" in error["message"]
