"""The proof that vLLM calls us, on servers that do and on servers that fail to in each way that is known."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import numpy as np
import pytest

from dyntemp import Policy, PolicyError
from dyntemp.engines import EngineError
from dyntemp.engines.vllm import check as vllm_check
from dyntemp.engines.vllm.check import self_test


class RefusedError(ValueError):
    """Stands for the errors of the package openai."""

    status_code = 400


class Toy:
    """Draws from rows of its own by Gumbel's trick; `temperature` turns a policy's value into the one it uses."""

    def __init__(self, temperature=lambda value, requested: value, checks=True, spread=2.0, refuses=None):
        self.temperature, self.checks, self.spread, self.refuses = temperature, checks, spread, refuses
        self.asked = []

    def text(self, policy, requested, seed, tokens):
        self.asked.append((policy, requested, seed))
        if self.refuses:
            raise RefusedError(self.refuses)
        try:
            rule = None if policy == "off" else Policy(policy)
        except PolicyError as error:
            if self.checks:
                raise RefusedError(str(error)) from None
            return ""
        t = requested if rule is None else self.temperature(rule.bounds().low, requested)
        rows = np.random.default_rng(0).normal(0, self.spread, (tokens, 26))
        noise = np.random.default_rng(seed).gumbel(size=rows.shape)
        return "".join(chr(97 + token) for token in np.argmax(rows + t * noise, -1))


BROKEN = {
    "nothing is loaded": (Toy(checks=False), "it does not know dyntemp: start it with --logits-processors"),
    "the plugin was dropped": (Toy(lambda _, requested: requested), r"we are not called: .* \(speculative decoding\)"),
    "rows are divided twice": (Toy(lambda value, requested: value * requested), "divided by something else"),
    "only 0 is right": (Toy(lambda value, _: value and 0.9), "the policy `0.6` gave .* divided by something else"),
    "0 is not greedy": (Toy(lambda value, _: value or 0.5), "the policy `0.0` gave .* divided by something else"),
    "every request is wrong": (Toy(refuses="no such model"), "refuses every request, ours too: no such model"),
    "the model is certain": (Toy(spread=1e6), "give another prompt="),
}


def client(toy):
    def create(*, model, prompt, max_tokens, temperature, seed, extra_body, **neutral):
        assert (model, prompt) == ("toy", "Once upon a time")
        assert neutral == {"top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
        assert (extra_body["top_k"], extra_body["min_p"]) == (0, 0.0)
        text = toy.text(extra_body["vllm_xargs"]["dyntemp"], temperature, seed, max_tokens)
        return SimpleNamespace(choices=[SimpleNamespace(text=text)])

    models = SimpleNamespace(list=lambda: SimpleNamespace(data=[SimpleNamespace(id="toy")]))
    return SimpleNamespace(completions=SimpleNamespace(create=create), models=models)


@pytest.fixture
def url(request):
    """A server of a toy, on this machine."""
    toy = Toy()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status, body):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def do_GET(self):
            self.answer(200, {"data": [{"id": "toy"}]})

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("Authorization") != "Bearer secret":
                self.answer(401, {"error": "no key"})
                return
            try:
                text = toy.text(
                    asked["vllm_xargs"]["dyntemp"], asked["temperature"], asked["seed"], asked["max_tokens"]
                )
            except RefusedError as error:
                self.answer(400, {"error": {"message": str(error)}})
            else:
                self.answer(200, {"choices": [{"text": text}]})

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_draws_as_it_should_passes():
    toy = Toy()
    self_test(client(toy))

    assert {requested for policy, requested, _ in toy.asked if policy in {"0.0", "0.6", "1.4"}} == {2.0}
    assert len(toy.asked) < 30


@pytest.mark.parametrize("case", BROKEN)
def test_one_that_does_not_is_found_out(case):
    toy, message = BROKEN[case]
    with pytest.raises(EngineError, match=message):
        self_test(client(toy))


def test_a_url_will_do(url):
    self_test(url, key="secret")
    self_test(f"{url}/v1/", key="secret", model="toy", tokens=5)
    with pytest.raises(EngineError, match="answered 401"):
        self_test(url)


def test_an_engine_in_this_process_will_do(monkeypatch):
    toy = Toy()

    class Llm:
        def generate(self, prompts, params, *, use_tqdm):
            text = toy.text(params.extra_args["dyntemp"], params.temperature, params.seed, params.max_tokens)
            return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=list(text.encode()))])]

    fake = SimpleNamespace(SamplingParams=SimpleNamespace)
    monkeypatch.setattr(vllm_check, "import_module", lambda name: fake)
    self_test(Llm())


@pytest.mark.parametrize(("host", "message"), [
    (3, "int was given; an LLM, a client of openai, or a server's URL"),
    ("localhost:8000", "begins with http://"),
    ("http://127.0.0.1:9", "does not answer"),
])  # fmt: skip
def test_what_is_no_server_is_refused(host, message):
    with pytest.raises(EngineError, match=message):
        self_test(host)


def test_other_errors_come_through():
    broken = client(Toy())
    broken.completions.create = lambda **fields: 1 / 0
    with pytest.raises(ZeroDivisionError):
        self_test(broken)
