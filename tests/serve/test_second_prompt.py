"""The field `contrast`: a second prompt over HTTP, in both endpoints."""

import asyncio

import numpy as np
import pytest
from scipy.special import rel_entr, softmax
from tests.serve.models import wandering, wandering_model

from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
PAGE = "<!doctype html>"
POLICY = "0.2 + divergence/25"


def expected(prompt, contrast):
    """The temperature of the first token after these prompts, by SciPy."""
    model = wandering_model()
    p, q = (softmax(np.asarray(wandering(model.encode(text)), np.float32).astype(float)) for text in (prompt, contrast))
    return 0.2 + rel_entr(p, q).sum() / 25


def temperatures(answer):
    return [choice["logprobs"]["temperature"][0] for choice in answer.json()["choices"]]


def send(asked, path, *bodies, model=None, settings=None):
    """The answers to requests that are sent together."""

    async def run():
        async with asked(
            make_app(model or wandering_model(), settings=settings or ServerSettings(), page=PAGE)
        ) as client:
            return await asyncio.gather(*(client.post(path, json=body) for body in bodies))

    return asyncio.run(run())


def test_each_prompt_has_its_second_prompt(asked):
    body = {"prompt": ["ab", "c"], "contrast": ["b", "dd"], "n": 2, "max_tokens": 3, "policy": POLICY, "logprobs": 0}
    (answer,) = send(asked, TEXT, body)
    one, other = expected("ab", "b"), expected("c", "dd")

    assert temperatures(answer) == pytest.approx([one, one, other, other], rel=1e-9)


def test_a_chat_has_second_messages(asked):
    messages, second = ([{"role": "user", "content": text}] for text in ("ab", "xyz"))
    (answer,) = send(asked, CHAT, {"messages": messages, "contrast": second, "policy": POLICY, "logprobs": True,
                                   "max_tokens": 2})  # fmt: skip
    found = answer.json()["choices"][0]["logprobs"]["content"][0]["temperature"]

    assert found == pytest.approx(expected("ab", "xyz"), rel=1e-9)


def test_requests_with_and_without_one_run_together(asked):
    body = {"prompt": "ab", "max_tokens": 12, "logprobs": 0}
    model = wandering_model()
    guided, plain = send(asked, TEXT, {**body, "contrast": "b", "policy": POLICY}, {**body, "policy": "0.5"},
                         model=model)  # fmt: skip

    assert temperatures(guided) == pytest.approx([expected("ab", "b")], rel=1e-9)
    assert temperatures(plain) == [0.5]
    assert model.open_sessions == 0


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        (TEXT, {"prompt": "x", "policy": POLICY}, "missing_contrast", 'send "contrast"'),
        (TEXT, {"prompt": "x", "contrast": "y", "policy": "1"}, "contrast_without_effect", "`1` does not read"),
        (TEXT, {"prompt": ["x", "y"], "contrast": "y", "policy": POLICY}, "invalid_value", "1 prompts for 2"),
        (TEXT, {"prompt": "x", "contrast": 7, "policy": POLICY}, "invalid_value", "`contrast` = 7 was given"),
        (CHAT, {"messages": [{"role": "user", "content": "x"}], "contrast": "y", "policy": POLICY}, "invalid_value",
         "a list of 1 to"),
    ],
)  # fmt: skip
def test_one_that_does_not_fit_is_refused(asked, path, body, code, words):
    (answer,) = send(asked, path, body)
    error = answer.json()["error"]

    assert (answer.status_code, error["param"], error["code"]) == (400, "contrast", code)
    assert words in error["message"]


def test_a_lenient_server_ignores_one_without_effect(asked):
    body = {"prompt": "x", "contrast": "y", "policy": "1", "max_tokens": 1}
    (answer,) = send(asked, TEXT, body, settings=ServerSettings(lenient=True))

    assert (answer.status_code, answer.headers["X-Dyntemp-Ignored"]) == (200, "contrast")


def test_the_page_has_no_place_for_one(asked):
    (answer,) = send(asked, "/play/generate", {"prompt": "x", "policies": ["1", POLICY]})
    error = answer.json()["error"]

    assert error["param"] == "policies[1]"
    assert "no place for a second prompt" in error["message"]
