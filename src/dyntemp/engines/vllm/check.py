"""The self-test of a running vLLM: it draws at the policies' temperatures."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from dyntemp.engines.request_fields import KEY, NEUTRAL, OFF, PLAIN
from dyntemp.errors import EngineError

SEEDS = (1, 2, 3, 4)

NOT_CALLED = (
    "start it with --logits-processors dyntemp.engines.vllm:DynamicTemperature; vLLM's first runner drops the plugin "
    "dyntemp-vllm without a word where the server drafts tokens (speculative decoding)"
)


class Ask(NamedTuple):
    """A request for a short text.

    Attributes:
        policy: The text of its policy.
        temperature: The temperature that it asks for.
        seed: vLLM's seed.
    """

    policy: str
    temperature: float
    seed: int = 1


class RefusedError(Exception):
    """The host refused a request as wrong."""


Answer = Callable[[Ask], Any]


def self_test(
    host: Any, *, model: str | None = None, key: str = "", prompt: str = "Once upon a time", tokens: int = 8
) -> None:
    """Prove that a running vLLM calls us, and draws at the policies' temperatures.

    A wrong policy has to be refused. A constant policy has to give the same texts as vLLM's own temperature of that
    value with the same seeds, at any requested temperature. The policy 0 has to give the greedy text for every seed.

    Args:
        host: An `LLM`, the URL of a server, or a client of the package `openai`.
        model: The model's name, where a server has several.
        key: The server's API key, where a URL is given.
        prompt: The prompt; the model must be uncertain how to continue it.
        tokens: Number of tokens in each of some twenty texts.

    Raises:
        EngineError: If it does not; the message says what to check.
    """
    answer = _answering(host, model, key, prompt, tokens)
    try:
        answer(Ask("0.1 + entropi", 1.0))
    except RefusedError as error:
        if "did you mean `entropy`" not in str(error):
            raise EngineError(f"the server refuses every request, ours too: {error}") from None
    else:
        raise EngineError(f"vLLM took a wrong policy, so it does not know dyntemp: {NOT_CALLED}")
    greedy, hot = answer(Ask(OFF, 0.0)), [answer(Ask(OFF, 2.0, seed)) for seed in SEEDS]
    if len({str(text) for text in hot}) == 1:
        raise EngineError(f"the model continues {prompt!r} alike for every seed at temperature 2: give another prompt=")
    for value in (0.0, 0.6, 1.4):
        for seed in SEEDS:
            expected = answer(Ask(OFF, value, seed)) if value else greedy
            found = answer(Ask(str(value), 2.0, seed))
            if found != expected:
                raise EngineError(
                    f"the policy `{value}` gave {found!r}, where vLLM's own temperature of {value} gave {expected!r}: "
                    + (
                        f"we are not called: {NOT_CALLED}"
                        if found in hot
                        else "the rows came divided by something else"
                    )
                )


def _answering(host: Any, model: str | None, key: str, prompt: str, tokens: int) -> Answer:
    """A function that returns the host's text for an `Ask`."""
    if hasattr(host, "generate"):
        return _offline(host, prompt, tokens)
    if hasattr(host, "completions"):
        name = model or host.models.list().data[0].id
        return _client(host, {"model": name, "prompt": prompt, "max_tokens": tokens, **PLAIN})
    if not isinstance(host, str):
        raise EngineError(f"{type(host).__name__} was given; an LLM, a client of openai, or a server's URL is allowed")
    base = host.rstrip("/").removesuffix("/v1") + "/v1"
    name = model or _http(f"{base}/models", key)["data"][0]["id"]
    return _server(f"{base}/completions", key, {"model": name, "prompt": prompt, "max_tokens": tokens, **PLAIN})


def _offline(llm: Any, prompt: str, tokens: int) -> Answer:
    make = import_module("vllm").SamplingParams
    refused = getattr(import_module("vllm.exceptions"), "VLLMValidationError", ValueError)  # ValueError: older ones

    def answer(ask: Ask) -> list[int]:
        params = make(
            temperature=ask.temperature, seed=ask.seed, max_tokens=tokens, extra_args={KEY: ask.policy}, **PLAIN,
            **NEUTRAL,
        )  # fmt: skip
        try:
            (found,) = llm.generate([prompt], params, use_tqdm=False)
        except (refused, ValueError) as error:
            raise RefusedError(str(error)) from None
        return list(found.outputs[0].token_ids)

    return answer


def _client(client: Any, fields: dict[str, Any]) -> Answer:
    def answer(ask: Ask) -> str:
        extra = {"vllm_xargs": {KEY: ask.policy}, **NEUTRAL}
        try:
            found = client.completions.create(temperature=ask.temperature, seed=ask.seed, extra_body=extra, **fields)
        except Exception as error:
            if getattr(error, "status_code", None) != 400:
                raise
            raise RefusedError(str(error)) from None
        return str(found.choices[0].text)

    return answer


def _server(url: str, key: str, fields: dict[str, Any]) -> Answer:
    def answer(ask: Ask) -> str:
        own = {"temperature": ask.temperature, "seed": ask.seed, "vllm_xargs": {KEY: ask.policy}}
        return str(_http(url, key, {**fields, **NEUTRAL, **own})["choices"][0]["text"])

    return answer


def _http(url: str, key: str, body: dict[str, Any] | None = None) -> Any:
    """The JSON of a server's answer."""
    if not url.startswith(("http://", "https://")):
        raise EngineError(f"{url!r} was given; a server's URL begins with http:// or https://")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urlopen(Request(url, data, headers), timeout=300) as response:  # noqa: S310  # checked above
            return json.load(response)
    except HTTPError as error:
        if error.code == 400:
            raise RefusedError(error.read().decode()) from None
        raise EngineError(f"{url} answered {error.code}: {error.read().decode()[:500]}") from None
    except OSError as error:
        raise EngineError(f"{url} does not answer: {error}") from None
