"""The page's requests: the document itself, facts about the model, and texts with the record of every token."""

import asyncio
import base64
import hashlib
import json

import pytest
from tests.serve.models import MARK, repeated, repeating_model, serving, settled, wandering_model

import dyntemp
from dyntemp import Token, Trace, generate
from dyntemp.methods import below_one
from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

PAGE = (
    '<!doctype html><script type="application/json" id="data">{"a": 1}</script>'
    '<script type="module">let a = 1;\nlet b = "é";</script>'
)


def played(asked, body, *, model=None, settings=None):
    async def run():
        async with asked(make_app(model or wandering_model(), settings=settings, page=PAGE)) as client:
            return await client.post("/play/generate", json=body)

    return asyncio.run(run())


def lines(response):
    assert 200 == response.status_code, response.text
    assert "application/x-ndjson" == response.headers["Content-Type"]
    return [json.loads(line) for line in response.text.splitlines()]


def runs(response, count):
    """(header, tokens, end) of each text."""
    found = lines(response)
    parts = []
    for run in range(count):
        own = [line for line in found if line["run"] == run]
        [header], [end] = ([line[name] for line in own if name in line] for name in ("header", "end"))
        parts.append((header, [Token.from_json(line["token"]) for line in own if "token" in line], end))
    return parts


def test_the_page_runs_its_own_scripts_and_nothing_else(asked):
    async def run():
        async with asked(make_app(None, page=PAGE)) as client:
            return await client.get("/")

    response = asyncio.run(run())
    assert (200, PAGE) == (response.status_code, response.text)
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    digest = hashlib.sha256('let a = 1;\nlet b = "é";'.encode()).digest()
    assert f"'sha256-{base64.b64encode(digest).decode()}'" == policy["script-src"]
    assert ("'none'", "'self'", "'none'") == (
        policy["default-src"], policy["connect-src"], policy["frame-ancestors"],
    )  # fmt: skip
    assert ("nosniff", "no-store", "no-referrer") == tuple(
        response.headers[name] for name in ("X-Content-Type-Options", "Cache-Control", "Referrer-Policy")
    )


def test_the_page_knows_what_it_stands_before(asked):
    async def info(model, settings):
        async with asked(make_app(model, settings=settings, page=PAGE)) as client:
            return (await client.get("/play/info")).json()

    data = asyncio.run(info(wandering_model(), ServerSettings(policy="0.7", max_tokens=99)))
    assert ("fake", 98, 500, dyntemp.__version__) == tuple(
        data[name] for name in ("model", "vocabulary", "context", "version")
    )
    assert (99, 6000) == (data["limits"]["max_tokens"], data["limits"]["policy"])
    assert ("0.7", 99) == (data["defaults"]["policy"], data["defaults"]["max_tokens"])
    data = asyncio.run(info(None, ServerSettings()))
    assert (None, str(below_one())) == (data["model"], data["defaults"]["policy"])


def test_one_text_is_what_generate_records(asked, tmp_path):
    settings = {"max_tokens": 9, "seed": 5, "top_k": 30, "stop": ["zz"]}
    generation = generate(wandering_model(), "abc", "0.3 + 0.3*entropy", trace=tmp_path / "a.jsonl", **settings)
    wanted = list(generation)
    [(header, tokens, end)] = runs(played(asked, {"prompt": "abc", "policies": ["0.3+0.3*entropy"], **settings}), 1)

    assert wanted == tokens
    assert "length" == end
    for name, value in json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()[0]).items():
        if name not in ("settings", "started"):
            assert value == header[name], name


def test_what_is_sent_is_a_trace(asked, tmp_path):
    found = lines(played(asked, {"prompt": "abc", "max_tokens": 3}))
    path = tmp_path / "run.jsonl"
    path.write_text(
        "".join(json.dumps(line.get("header") or line["token"]) + "\n" for line in found if "end" not in line),
        encoding="utf-8",
    )

    assert 3 == len(list(Trace.open(path)))


def test_the_second_policy_follows_the_first(asked, tmp_path):
    first = tmp_path / "first.jsonl"
    settings = {"max_tokens": 25, "seed": 5}
    list(generate(wandering_model(), "abc", "0.8", trace=first, **settings))
    wanted = list(generate(wandering_model(), "abc", "0.82", follow=Trace.open(first), **settings))
    body = {"prompt": "abc", "policies": ["0.8", "0.82"], **settings}
    response = played(asked, body, settings=ServerSettings(batch=1))
    (_, other, _), (header, tokens, _) = runs(response, 2)
    order = [line["run"] for line in lines(response) if "token" in line]

    assert list(Trace.open(first)) == other
    assert wanted == tokens
    assert {"policy": "0.8", "seed": 5} == header["settings"]["follow"]
    assert "kept" == tokens[0].origin
    assert [0, 1] * 25 == order, "side by side, although the batch has room for one"


def test_a_text_goes_on_from_what_was_written_and_takes_what_it_must(asked):
    whole = list(generate(wandering_model(), "abc", "0.9", max_tokens=10, seed=1))
    begin, forced = [token.token for token in whole[:4]], [MARK, MARK]
    body = {"prompt": "abc", "policies": ["0.9"], "begin": begin, "force": forced, "max_tokens": 6, "seed": 1}
    [(header, tokens, _)] = runs(played(asked, body), 1)

    assert [4, 5, 6, 7, 8, 9] == [token.position for token in tokens]
    assert [*forced] == [token.token for token in tokens[:2]]
    assert ["forced"] * 2 + ["drawn"] * 4 == [token.origin for token in tokens]
    assert (begin, forced) == (header["settings"]["begin"], header["settings"]["force"])
    again = runs(played(asked, {**body, "force": []}), 1)[0][1]
    assert [token.token for token in whole[4:]] == [token.token for token in again]


def test_a_conversation_and_a_raw_prompt(asked):
    messages = [{"role": "system", "content": "a"}, {"role": "user", "content": "bc"}]
    bodies = ({"messages": messages}, {"prompt": "bc", "system": "a"}, {"prompt": "abc", "raw": True})
    texts = [runs(played(asked, {**body, "max_tokens": 5, "seed": 1}), 1)[0][1] for body in bodies]

    assert texts[0] == texts[1] == texts[2], "the template of this model joins what is said"


@pytest.mark.parametrize(("raw", "chat"), [(True, False), (False, None)])
def test_the_header_tells_of_the_chat_template_as_that_of_generate_does(asked, tmp_path, raw, chat):
    path = tmp_path / "run.jsonl"
    list(generate(wandering_model(), "abc", "0.7", max_tokens=2, seed=1, chat=chat, trace=path))
    [(header, _, _)] = runs(played(asked, {"prompt": "abc", "raw": raw, "max_tokens": 2, "seed": 1}), 1)

    assert chat == header["settings"]["chat"] == Trace.open(path).header.settings["chat"]


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({}, "prompt", "give `prompt` or `messages`"),
        ({"prompt": "x", "messages": [{"role": "user", "content": "x"}]}, "prompt", "and not both"),
        ({"prompt": "x", "raw": True, "system": "s"}, "raw", "chat template"),
        ({"prompt": "x", "policies": []}, "policies", "1 to 2"),
        ({"prompt": "x", "policies": "0.7"}, "policies", "1 to 2"),
        ({"prompt": "x", "policies": ["1", "1", "1"]}, "policies", "1 to 2"),
        ({"prompt": "x", "policies": ["1", "entropi"]}, "policies[1]", "did you mean `entropy`?"),
        ({"prompt": "x", "begin": [98]}, "begin", "tokens are 0 to 97"),
        ({"prompt": "x", "begin": "abc"}, "begin", "a list of tokens"),
        ({"prompt": "x", "begin": [1] * 500}, "begin", "at most 499"),
        ({"prompt": "x", "force": [1] * 3, "max_tokens": 2}, "force", "at most 2"),
        ({"prompt": "x", "force": [-1]}, "force", "holds -1"),
        ({"prompt": "x", "polices": ["1"]}, "polices", "did you mean `policies`?"),
    ],
)
def test_what_makes_no_sense_is_refused(asked, body, param, words):
    response = played(asked, body)
    assert 400 == response.status_code, response.text
    error = response.json()["error"]
    assert param == error["param"]
    assert words in error["message"]


def test_an_error_while_it_writes_is_a_line(asked):
    def logits(tokens):
        return [float("nan")] * 98 if len(tokens) > 3 else [0.0] * 98

    found = lines(played(asked, {"prompt": "xx", "max_tokens": 9, "seed": 1}, model=wandering_model(logits=logits)))
    assert ["header", "token", "token", "error"] == [next(name for name in line if name != "run") for line in found]
    assert "invalid_logits" == found[-1]["error"]["code"]


def test_leaving_ends_both_texts():
    from tests.serve.test_limits import dial, request

    app = make_app(repeating_model(seconds=0.002), page=PAGE)
    with serving(app) as address:
        with dial(address) as connection:
            body = {"prompt": "ab|", "raw": True, "policies": ["0.5", "0.6"], "max_tokens": 4000}
            connection.sendall(request("/play/generate", body))
            assert connection.recv(1000)
        assert settled(app.state.server)


def test_without_a_page_there_is_nothing_to_play_with(asked):
    async def run():
        async with asked(make_app(wandering_model())) as client:
            return [(await client.get("/")).status_code, (await client.get("/play/info")).status_code]

    assert [404, 404] == asyncio.run(run())


def test_the_page_lets_in_who_brings_the_key_once(asked):
    async def run():
        async with asked(make_app(repeating_model(), settings=ServerSettings(api_key="k,1"), page=PAGE)) as client:
            stages = [await client.get("/"), await client.get("/?key=no"), await client.get("/play/info")]
            stages.append(await client.get("/?key=k%2C1"))
            stages += [await client.get("/"), await client.get("/play/info"), await client.get("/v1/models")]
            body = {"prompt": "ab|", "raw": True, "max_tokens": 4}
            return stages, await client.post("/play/generate", json=body)

    stages, written = asyncio.run(run())
    assert [401, 401, 401, 303, 200, 200, 401] == [response.status_code for response in stages]
    cookie = stages[3].headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "/" == stages[3].headers["Location"]
    assert repeated("ab|", 4) == "".join(token.text for token in runs(written, 1)[0][1])


def judged(asked, body, model=None):
    async def run():
        async with asked(make_app(model, page=PAGE)) as client:
            return await client.post("/play/verdicts", json=body)

    return asyncio.run(run())


def test_verdicts_on_a_policy(asked):
    found = judged(asked, {"policy": "0.1 + 0.8*entropy", "vocabulary": 100}).json()["verdicts"]

    assert [(one["claim"], one["holds"]) for one in found[:1]] == [("T rises as entropy rises", True)]
    assert {one["link"].split("#")[0] for one in found} == {"docs/theory/rows.md"}
    of_model = judged(asked, {"policy": "0.1 + 0.8*entropy"}, wandering_model()).json()["verdicts"]
    assert f"on a vocabulary of {wandering_model().vocabulary}" in of_model[1]["claim"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "a policy is text"),
        ({"policy": "a + entropy"}, "is a template"),
        ({"policy": "1 - entropy"}, "can reach a temperature"),
        ({"policy": "1", "vocabulary": 1}, "vocabulary"),
        ({"policy": "1", "size": 5}, "size"),
        ({"policy": "1" * 100_000}, "characters"),
    ],
)
def test_verdicts_on_what_is_no_policy_are_refused(asked, body, message):
    answer = judged(asked, body)

    assert 400 == answer.status_code
    assert message in answer.json()["error"]["message"]
