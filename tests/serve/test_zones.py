"""Zones over HTTP: requests of one batch with zones of their own, the prompt, the page, and what is refused."""

import asyncio
import json

import pytest
from tests.serve.models import repeating_model, wandering_model

from dyntemp import Policy, Token
from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app
from dyntemp.serve.endpoint_fields import MOST_ZONES
from dyntemp.traces.header import Header
from dyntemp.traces.replay_trace import replays

TEXT, CHAT = "/v1/completions", "/v1/chat/completions"
WORDS = "a<b>c</b>d(e)f|"
POLICY = 'where(inside("z") > 0.5, 1, 0.25)'


def posted(asked, *requests, model=None, **settings):
    """The answers to requests, (path, body) each, that are sent at the same time."""

    async def run():
        app = make_app(model or repeating_model(), settings=ServerSettings(**settings), page="<!doctype html>")
        async with asked(app) as client:
            return await asyncio.gather(*(client.post(path, json=body) for path, body in requests))

    return asyncio.run(run())


def spelled(text, opening, closing, length):
    """The temperatures under `POLICY` of the letters of `text`, written again and again after it."""
    prompt, inside = text, None
    found = []
    for _ in range(length):
        inside = prompt.rfind(opening) > prompt.rfind(closing)
        found.append(1.0 if inside else 0.25)
        prompt += text[(len(prompt) - len(text)) % (len(text) - 1)]
    return found


def test_requests_of_one_batch_have_zones_of_their_own(asked):
    zones = [("<b>", "</b>"), ("(", ")"), ("<b>c", "(e")]
    body = {"prompt": WORDS, "policy": POLICY, "max_tokens": 30, "logprobs": 0}
    answers = posted(
        asked, *((TEXT, {**body, "zones": [f"z={opening}...{closing}"]}) for opening, closing in zones), batch=3
    )

    temperatures = [answer.json()["choices"][0]["logprobs"]["temperature"] for answer in answers]
    assert temperatures == [spelled(WORDS, *zone, 30) for zone in zones]
    assert len({tuple(one) for one in temperatures}) == 3


def test_known_zones_need_no_field_and_the_conversation_counts(asked):
    messages = [{"role": "user", "content": "a<think>b|"}]
    body = {"messages": messages, "policy": 'inside("think")', "max_tokens": 2, "logprobs": True}
    [answer] = posted(asked, (CHAT, body))

    assert [one["temperature"] for one in answer.json()["choices"][0]["logprobs"]["content"]] == [1.0, 1.0]


@pytest.mark.parametrize(("fields", "param", "words"), [
    ({}, "zones", '`inside("z")` names a zone that nobody defined; there are think, answer'),
    ({"zones": "z=("}, "zones", "a zone is written as its name"),
    ({"zones": ["z=(...)", 5]}, "zones", "text is allowed"),
    ({"zones": {"z": "(...)"}}, "zones", "a list of at most 16 zones is allowed"),
    ({"zones": ["z=(...)"] * (MOST_ZONES + 1)}, "zones", "a list of at most 16 zones is allowed"),
    ({"zones": ["z=(...)", "z=[...]"]}, "zones", "two zones were given with the name 'z'"),
    ({"zones": ["z=" + "(" * 101 + "...)"]}, "zones", "at most 100 bytes"),
    ({"zones": ["z=\ud800...)"]}, "zones", "lone surrogate"),
])  # fmt: skip
def test_what_is_no_zone_is_refused(asked, fields, param, words):
    async def run():
        async with asked(make_app(wandering_model())) as client:
            body = json.dumps({"prompt": "x", "policy": POLICY, **fields}).encode()
            return await client.post(TEXT, content=body, headers={"Content-Type": "application/json"})

    answer = asyncio.run(run())
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert words in answer.json()["error"]["message"]


def test_a_default_policy_with_an_unknown_zone_starts_no_server():
    with pytest.raises(ValueError, match="names a zone that nobody defined"):
        make_app(wandering_model(), settings=ServerSettings(policy=POLICY))


def test_the_page_writes_and_replays_with_zones(asked):
    body = {"prompt": WORDS, "policies": [POLICY], "zones": ["z=(...)"], "max_tokens": 20}
    [answer] = posted(asked, ("/play/generate", body))
    lines = [json.loads(line) for line in answer.text.splitlines()]
    header = {name: value for name, value in lines[0]["header"].items() if name not in ("format", "version")}
    tokens = [Token.from_json(line["token"]) for line in lines if "token" in line]

    assert (header["rendered"], header["settings"]["zones"]) == ([WORDS], ["z=(...)"])
    assert [token.temperature for token in tokens] == spelled(WORDS, "(", ")", 20)
    other = Policy('1.25 - where(inside("z") > 0.5, 1, 0.25) + 0*inside("json")')
    replayed = replays(Header(**header), tokens, other)
    assert [1.25 - token.temperature for token in tokens] == [one.temperature for one in replayed]
