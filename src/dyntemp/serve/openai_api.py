"""The OpenAI API: chat completions, completions, models."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from starlette.responses import Response

from dyntemp.distribution.filters import check_fixed
from dyntemp.generation.request import Request
from dyntemp.serve import endpoint_fields
from dyntemp.serve.answers import Answer, ChatAnswer, CompletionAnswer, Metadata, as_json, counts
from dyntemp.serve.body import read_json
from dyntemp.serve.errors import ApiError, shown, wrong
from dyntemp.serve.events import Events
from dyntemp.serve.fields import RequestFields
from dyntemp.serve.logprobs import entry
from dyntemp.serve.policies import Chosen, chosen
from dyntemp.serve.prompts import encode, messages_of, prompts_of, spelled
from dyntemp.serve.reply import Streamed, Whole
from dyntemp.serve.request_group import TokenOutput
from dyntemp.serve.server import Server, run_settings, seed_of
from dyntemp.signals import divergence, entropy
from dyntemp.traces.settings import Settings
from dyntemp.traces.token import Token

STARTED = int(time.time())


def router(server: Server) -> APIRouter:
    """The endpoints under `/v1`."""
    api = APIRouter(prefix="/v1")
    chat, completions = endpoint_fields.of_chat(server.settings), endpoint_fields.of_completions(server.settings)

    @api.post("/chat/completions", openapi_extra=_documented(chat))
    async def chat_completions(request: HttpRequest) -> Response:
        """Answer a conversation, under a policy."""
        return await _chat(server, chat, request)

    @api.post("/completions", openapi_extra=_documented(completions))
    async def continue_text(request: HttpRequest) -> Response:
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


async def _chat(server: Server, fields: RequestFields, request: HttpRequest) -> Response:
    values, ignored = await _values(server, fields, request)
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
    pairs = await _pairs(server, values, policy, prompts, ignored, chat=True)
    told = _told(server, values, policy, "chatcmpl")
    answer = ChatAnswer(told, values["n"], alternatives is not None)
    return _reply(server, values, [*ignored, *policy.ignored], pairs, policy, alternatives, answer, told)


async def _completions(server: Server, fields: RequestFields, request: HttpRequest) -> Response:
    values, ignored = await _values(server, fields, request)
    given = prompts_of(values["prompt"], server.settings.max_choices)
    if len(given) * values["n"] > server.settings.max_choices:
        text = f"{len(given)} prompts with `n` = {values['n']} were given; at most {server.settings.max_choices} texts"
        raise wrong("n", f"{text} are written for a request")
    if values["echo"] and values["logprobs"] is not None:
        raise wrong(
            "echo", "`echo` and `logprobs` were given: the prompt's own probabilities are not known; leave one out",
            "unsupported_value",
        )  # fmt: skip
    worker = server.running()
    prompts = await worker.call(partial(encode, chat=False), worker.model, "prompt", given)
    echo = [""] * len(given)
    if values["echo"]:
        echo = [one if isinstance(one, str) else await worker.call(spelled, worker.model, one) for one in given]
    policy = _policy(server, values)
    pairs = await _pairs(server, values, policy, prompts, ignored, chat=False)
    told = _told(server, values, policy, "cmpl")
    answer = CompletionAnswer(told, [text for text in echo for _ in range(values["n"])], values["logprobs"] is not None)
    return _reply(server, values, [*ignored, *policy.ignored], pairs, policy, values["logprobs"], answer, told)


async def _values(server: Server, fields: RequestFields, request: HttpRequest) -> tuple[dict[str, Any], list[str]]:
    """The values of a request's fields, and the names of the ignored ones."""
    server.running()
    values, ignored = fields.read(await read_json(request, server.settings), lenient=server.settings.lenient)
    if values["model"] is not None:
        _known(server, values["model"])
    return values, ignored


def _policy(server: Server, values: Mapping[str, Any]) -> Chosen:
    settings = server.settings
    return chosen(values, fallback=server.fallback, most=settings.max_policy, lenient=settings.lenient)


async def _pairs(
    server: Server,
    values: Mapping[str, Any],
    policy: Chosen,
    prompts: list[list[int]],
    ignored: list[str],
    *,
    chat: bool,
) -> list[tuple[list[int], list[int] | None]]:  # fmt: skip
    """Each prompt with its second prompt, where the policy reads `divergence`.

    Raises:
        ApiError: 400 for a `contrast` that is missing, has no effect, or does not fit the prompts.
    """
    value, reads = values["contrast"], divergence in policy.policy.signals
    if reads and value is None:
        text = f'the policy `{policy.policy}` reads `divergence`: send "contrast", the prompt without its context'
        raise wrong("contrast", text, "missing_contrast")
    if value is not None and not reads:
        if not server.settings.lenient:
            text = f"`contrast` has no effect: the policy `{policy.policy}` does not read `divergence`"
            raise wrong("contrast", text, "contrast_without_effect")
        ignored.append("contrast")
    if not reads:
        return [(prompt, None) for prompt in prompts]
    if chat:
        given: list[Any] = [messages_of(value, ignored if server.settings.lenient else None, "contrast")]
    else:
        given = prompts_of(value, server.settings.max_choices, "contrast")
    if len(given) != len(prompts):
        text = f"`contrast` has {len(given)} prompts for {len(prompts)} in `prompt`: send one for each"
        raise wrong("contrast", text)
    worker = server.running()
    seconds = await worker.call(partial(encode, chat=chat), worker.model, "contrast", given)
    return list(zip(prompts, seconds, strict=True))


def _told(server: Server, values: dict[str, Any], policy: Chosen, prefix: str) -> Metadata:
    values["seed"] = seed_of(values)
    counted = values["stream"] and bool(values["stream_options"].get("include_usage"))
    return Metadata(server.running().model.name, str(policy.policy), values["seed"], prefix, counted)


def _reply(
    server: Server,
    values: Mapping[str, Any],
    ignored: Sequence[str],
    prompts: Sequence[tuple[list[int], list[int] | None]],
    policy: Chosen,
    alternatives: int | None,
    answer: Answer,
    told: Metadata,
) -> Response:
    """The response, whole or streamed, to a request whose fields are checked."""
    settings = replace(run_settings(server, values, policy), seed=told.seed, alternatives=alternatives or 0)
    if values["curves"]:
        _check_curves(settings, alternatives)
    requests = [
        Request(
            prompt=prompt, policy=policy.policy, settings=settings, number=number, signals=(entropy,), contrast=second,
            curves=values["curves"],
        )
        for number, (prompt, second) in enumerate(pair for pair in prompts for _ in range(values["n"]))
    ]  # fmt: skip
    model = server.running().model

    def tell(token: Token) -> Any:
        return None if alternatives is None else entry(model, token)

    read = sum(len(prompt) for prompt, _ in prompts)
    run = server.run(requests, tell, read, ignored)
    if values["stream"]:
        return Streamed(run, Events(answer, read, counted=told.counted))

    def write(texts: list[list[TokenOutput]]) -> bytes:
        return as_json(answer.whole(texts, counts(read, sum(map(len, texts)))))

    return Whole(run, write)


def _check_curves(settings: Settings, alternatives: int | None) -> None:
    """Refuse curves that have no place in the answer, or filters whose curves do not exist.

    Raises:
        ApiError: 400.
    """
    if alternatives is None:
        raise wrong("curves", "`curves` was given without `logprobs`, which hold them: add `logprobs`")
    try:
        check_fixed(settings.filters, "the curve of a draw")
    except ValueError as error:
        raise wrong("filters", str(error), "filters_without_curve") from None


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


def _documented(fields: RequestFields) -> dict[str, Any]:
    """The fields of an endpoint, for `/openapi.json`."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": fields.schema()}}}}
