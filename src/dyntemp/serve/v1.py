"""The OpenAI API: chat completions, completions, models."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from dyntemp.distribution.filters import Filters
from dyntemp.generation.request import Ask
from dyntemp.serve import forms
from dyntemp.serve.answers import Answer, ChatAnswer, CompletionAnswer, Told, as_json, counts
from dyntemp.serve.asked import Part
from dyntemp.serve.body import read_json
from dyntemp.serve.errors import ApiError, shown, wrong
from dyntemp.serve.events import Events
from dyntemp.serve.fields import Form
from dyntemp.serve.logprobs import entry
from dyntemp.serve.policies import Chosen, chosen
from dyntemp.serve.prompts import encode, messages_of, prompts_of, spelled
from dyntemp.serve.reply import Streamed, Whole
from dyntemp.serve.server import Server, seed_of
from dyntemp.signals import entropy
from dyntemp.traces.token import Token

STARTED = int(time.time())


def router(server: Server) -> APIRouter:
    """The endpoints under `/v1`."""
    api = APIRouter(prefix="/v1")
    chat, completions = forms.of_chat(server.settings), forms.of_completions(server.settings)

    @api.post("/chat/completions", openapi_extra=_documented(chat))
    async def chat_completions(request: Request) -> Response:
        """Answer a conversation, under a policy."""
        return await _chat(server, chat, request)

    @api.post("/completions", openapi_extra=_documented(completions))
    async def continue_text(request: Request) -> Response:
        """Continue a text, or several, under a policy."""
        return await _completions(server, completions, request)

    @api.get("/models")
    async def models() -> dict[str, Any]:
        """The model that is served."""
        return {"object": "list", "data": [_model(server)] if server.worker else []}

    @api.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """The model of this name."""
        _known(server, name)
        return _model(server)

    return api


async def _chat(server: Server, form: Form, request: Request) -> Response:
    values, ignored = await _values(server, form, request)
    messages = messages_of(values["messages"], ignored if server.settings.lenient else None)
    if values["max_completion_tokens"] is not None:
        if values["max_tokens"] not in (None, values["max_completion_tokens"]):
            raise wrong("max_tokens", "`max_tokens` and `max_completion_tokens` were given; give one of them")
        values["max_tokens"] = values["max_completion_tokens"]
    if values["top_logprobs"] is not None and not values["logprobs"]:
        raise wrong("top_logprobs", "`top_logprobs` was given without `logprobs`: add `logprobs`: true")
    worker = server.running()
    prompts = await worker.call(partial(encode, chat=True), worker.model, "messages", [messages])
    alternatives = (values["top_logprobs"] or 0) if values["logprobs"] else None
    policy = _policy(server, values)
    told = _told(server, values, policy, "chatcmpl")
    answer = ChatAnswer(told, values["n"], alternatives is not None)
    return _reply(server, values, [*ignored, *policy.ignored], prompts, policy, alternatives, answer, told)


async def _completions(server: Server, form: Form, request: Request) -> Response:
    values, ignored = await _values(server, form, request)
    asked = prompts_of(values["prompt"], server.settings.max_choices)
    if len(asked) * values["n"] > server.settings.max_choices:
        text = f"{len(asked)} prompts with `n` = {values['n']} were given; at most {server.settings.max_choices} texts"
        raise wrong("n", f"{text} are written for a request")
    if values["echo"] and values["logprobs"] is not None:
        raise wrong(
            "echo", "`echo` and `logprobs` were given: the prompt's own probabilities are not known; leave one out",
            "unsupported_value",
        )  # fmt: skip
    worker = server.running()
    prompts = await worker.call(partial(encode, chat=False), worker.model, "prompt", asked)
    echo = [""] * len(asked)
    if values["echo"]:
        echo = [one if isinstance(one, str) else await worker.call(spelled, worker.model, one) for one in asked]
    policy = _policy(server, values)
    told = _told(server, values, policy, "cmpl")
    answer = CompletionAnswer(told, [text for text in echo for _ in range(values["n"])], values["logprobs"] is not None)
    return _reply(server, values, [*ignored, *policy.ignored], prompts, policy, values["logprobs"], answer, told)


async def _values(server: Server, form: Form, request: Request) -> tuple[dict[str, Any], list[str]]:
    """What a request's fields hold, and what was ignored."""
    server.running()
    values, ignored = form.read(await read_json(request, server.settings), lenient=server.settings.lenient)
    if values["model"] is not None:
        _known(server, values["model"])
    return values, ignored


def _policy(server: Server, values: Mapping[str, Any]) -> Chosen:
    settings = server.settings
    return chosen(values, fallback=server.fallback, most=settings.max_policy, lenient=settings.lenient)


def _told(server: Server, values: dict[str, Any], policy: Chosen, prefix: str) -> Told:
    values["seed"] = seed_of(values)
    counted = values["stream"] and bool(values["stream_options"].get("include_usage"))
    return Told(server.running().model.name, str(policy.policy), values["seed"], prefix, counted)


def _reply(
    server: Server,
    values: Mapping[str, Any],
    ignored: Sequence[str],
    prompts: list[list[int]],
    policy: Chosen,
    alternatives: int | None,
    answer: Answer,
    told: Told,
) -> Response:
    """The response, whole or streamed, to what has been checked."""
    filters = Filters(max(values["top_k"], 0), values["top_p"], values["min_p"], values["filter_at"])
    asks = [
        Ask(
            prompt=prompt, policy=policy.policy, seed=told.seed, request=number, stop=values["stop"], filters=filters,
            max_tokens=values["max_tokens"] or server.settings.default_tokens, alternatives=alternatives or 0,
            signals=(entropy,), requested=policy.requested, given=policy.given,
        )
        for number, prompt in enumerate(prompt for prompt in prompts for _ in range(values["n"]))
    ]  # fmt: skip
    model = server.running().model

    def tell(token: Token) -> Any:
        return None if alternatives is None else entry(model, token)

    read = sum(map(len, prompts))
    run = server.run(asks, tell, read, ignored)
    if values["stream"]:
        return Streamed(run, Events(answer, read, counted=told.counted))

    def write(texts: list[list[Part]]) -> bytes:
        return as_json(answer.whole(texts, counts(read, sum(map(len, texts)))))

    return Whole(run, write)


def _model(server: Server) -> dict[str, Any]:
    model = server.running().model
    return {
        "id": model.name, "object": "model", "created": STARTED, "owned_by": "dyntemp",
        "vocabulary": model.vocabulary, "context": model.context,
    }  # fmt: skip


def _known(server: Server, name: str) -> None:
    """Refuse the name of another model.

    Raises:
        ApiError: 404 for it.
    """
    served = server.running().model.name
    if name != served:
        text = f"the model {shown(name)} was asked for; this server has {served!r}"
        raise ApiError(404, text, param="model", code="model_not_found")


def _documented(form: Form) -> dict[str, Any]:
    """A form's fields, for `/openapi.json`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": form.schema()}}}}
