"""The endpoints of the page: the page itself, the model behind it, and texts with the records of their tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dyntemp._version import __version__
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.generation.request import Request, coupled
from dyntemp.generation.trace_header import header_of
from dyntemp.methods import below_one
from dyntemp.page.security import content_security_policy
from dyntemp.serve import endpoint_fields
from dyntemp.serve.body import read_json
from dyntemp.serve.errors import ApiError, wrong
from dyntemp.serve.fields import RequestFields
from dyntemp.serve.guard import COOKIE, has_key, same
from dyntemp.serve.policies import Chosen, chosen, read_policy
from dyntemp.serve.prompts import encode, messages_of, tokens_of
from dyntemp.serve.reply import Streamed
from dyntemp.serve.request_group import TokenOutput
from dyntemp.serve.server import Server, run_settings, seed_of
from dyntemp.signals import divergence
from dyntemp.theory.verdicts import verdicts
from dyntemp.traces.file import FORMAT, VERSION
from dyntemp.traces.token import Token

MOST_POLICIES = 2
VOCABULARY = 49_152
"""Entries of a row where neither the request nor a model says how many."""

TRACED = (
    "max_tokens", "stop", "top_k", "top_p", "min_p", "filter_at", "system", "raw", "chat", "begin", "force",
    "alternatives", "backend", "requested", "given", "parameters", "zones", "follow",
)  # fmt: skip
"""Settings that the header of each text holds, in their order."""

SCRIPT = re.compile(r"<script(?![^>]*application/json)[^>]*>(.*?)</script>", re.DOTALL)


def router(server: Server, page: str) -> APIRouter:
    """The page at `/`, and its endpoints under `/play`."""
    api = APIRouter(include_in_schema=False)
    fields = endpoint_fields.of_play(server.settings)
    headers = {"Content-Security-Policy": security(page), "Referrer-Policy": "no-referrer"}

    @api.get("/")
    async def show(request: HttpRequest, key: str | None = None) -> Response:
        """The page. A server with a key shows it to clients with the key in the address or in the cookie."""
        wanted = server.settings.api_key
        if wanted is not None and not has_key(Headers(scope=request.scope), wanted, cookie=True):
            return _let_in(key, wanted)
        return HTMLResponse(page, headers=headers)

    @api.get("/play/info")
    async def info() -> dict[str, Any]:
        """The model, the limits and the defaults that the page shows."""
        return _info(server)

    @api.post("/play/generate")
    async def generate(request: HttpRequest) -> Response:
        """One text, or two of which the second follows the first."""
        return await _generate(server, fields, request)

    of_verdicts = endpoint_fields.of_verdicts(server.settings)

    @api.post("/play/verdicts")
    async def judge(request: HttpRequest) -> dict[str, Any]:
        """The verdicts that fit a policy."""
        values, _ = of_verdicts.read(await read_json(request, server.settings), lenient=False)
        return {"verdicts": await run_in_threadpool(_verdicts, server, **values)}

    return api


def security(page: str) -> str:
    """The content security policy of the page: its own scripts run, and it sends requests to this server alone."""
    return content_security_policy(
        SCRIPT.findall(page), img_src="data: blob:", connect_src="'self'", base_uri="'none'", form_action="'none'",
        frame_ancestors="'none'",
    )  # fmt: skip


def _let_in(key: str | None, wanted: str) -> Response:
    """Put the key from the address into a cookie, and redirect to the address without it."""
    if key is None or not same(key, wanted):
        raise ApiError(401, "this page wants the server's API key: open it as /?key=KEY", code="invalid_api_key")
    response = RedirectResponse("/", 303)
    response.set_cookie(COOKIE, wanted, httponly=True, samesite="strict", path="/")
    return response


def _info(server: Server) -> dict[str, Any]:
    settings, worker = server.settings, server.worker
    fallback = server.fallback or PolicyFile(policy=below_one())
    model = worker.model if worker else None
    return {
        "version": __version__,
        "model": model and model.name,
        "vocabulary": model and model.vocabulary,
        "context": model and model.context,
        "limits": {
            "max_tokens": settings.max_tokens, "policy": settings.max_policy, "policies": MOST_POLICIES,
            "stops": settings.max_stops, "stop": settings.max_stop, "body": settings.max_body,
        },
        "defaults": {
            "policy": str(fallback.policy), "max_tokens": settings.default_tokens, "top_k": 0,
            "top_p": 1.0, "min_p": 0.0, "filter_at": "model", "filters": str(fallback.filters),
        },
    }  # fmt: skip


def _verdicts(server: Server, policy: str | None, vocabulary: int | None) -> list[dict[str, Any]]:
    model = server.worker.model if server.worker else None
    size = vocabulary or (model.vocabulary if model else VOCABULARY)
    found = read_policy(policy, server.settings.max_policy).policy
    if found.is_template:
        raise wrong("policy", f"`{found}` is a template: give its parameters numbers")
    return [{**verdict.to_json(), "link": verdict.link} for verdict in verdicts(found, size)]


async def _generate(server: Server, fields: RequestFields, request: HttpRequest) -> Response:
    worker = server.running()
    values, _ = fields.read(await read_json(request, server.settings), lenient=False)
    seed, prompt, chat = seed_of(values), *_prompt(values)
    policies = _policies(server, values)
    [tokens] = await worker.call(partial(encode, chat=chat, system=values["system"]), worker.model, "prompt", [prompt])
    room = server.settings.max_tokens if worker.model.context is None else worker.model.context - len(tokens)
    begin = tokens_of("begin", values["begin"], worker.model.vocabulary, room)
    most = values["max_tokens"] or server.settings.default_tokens
    force = tokens_of("force", values["force"], worker.model.vocabulary, most)
    common = {
        "seed": seed, "system": values["system"], "raw": values["raw"], "chat": False if values["raw"] else None,
        "begin": begin, "force": force,
    }  # fmt: skip
    requests = [
        Request(
            prompt=tokens, policy=one.policy, settings=replace(run_settings(server, values, one), **common)
        )
        for one in policies
    ]  # fmt: skip
    if len(requests) > 1:
        requests = coupled(requests)
    headers = [
        await worker.call(header_of, worker.model, one.policy, [prompt], [tokens], one.settings, TRACED)
        for one in requests
    ]
    first = [{"format": FORMAT, "version": VERSION, **asdict(header)} for header in headers]
    return Streamed(server.run(requests, Token.to_json, len(tokens), (), together=True), Lines(first))


def _prompt(values: dict[str, Any]) -> tuple[Any, bool | None]:
    """The prompt or the messages, and the `chat` that `encode` takes."""
    if (values["prompt"] is None) == (values["messages"] is None):
        raise wrong("prompt", "give `prompt` or `messages`, and not both")
    if values["raw"] and (values["messages"] is not None or values["system"] is not None):
        raise wrong("raw", "`raw` was given beside `messages` or `system`, which need the chat template")
    if values["messages"] is not None:
        return messages_of(values["messages"]), True
    return values["prompt"], False if values["raw"] else None


def _policies(server: Server, values: dict[str, Any]) -> list[Chosen]:
    """The one or two policies of the request."""
    given = values["policies"]
    texts = [None] if given is None else given
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_POLICIES:
        raise wrong("policies", f"`policies` is a list of 1 to {MOST_POLICIES} policies")
    found = []
    for number, text in enumerate(texts):
        try:
            found.append(
                chosen(
                    {**values, "policy": text}, fallback=server.fallback, most=server.settings.max_policy, lenient=False
                )
            )
        except ApiError as error:
            if error.param == "policy":
                error.param = f"policies[{number}]"
            raise
        if divergence in found[-1].policy.signals:
            message = f"`{found[-1].policy}` reads `divergence`, and this page has no place for a second prompt: use "
            raise wrong(f"policies[{number}]", message + "`contrast` of /v1/chat/completions, or dyntemp generate")
    return found


class Lines:
    """The records of texts as lines of JSON: a header for each, then its tokens as they come, and its end."""

    media_type = "application/x-ndjson"

    def __init__(self, headers: Sequence[dict[str, Any]]) -> None:
        self._headers = headers

    def opening(self) -> bytes:
        """The headers, as the first lines of trace files."""
        return b"".join(_line({"run": run, "header": header}) for run, header in enumerate(self._headers))

    def step(self, outputs: Sequence[TokenOutput]) -> bytes:
        """The tokens, as the lines of trace files, and the end of texts that have ended."""
        return b"".join(
            _line({"run": output.text, "token": output.told})
            + (_line({"run": output.text, "end": output.token.finish}) if output.token.finish else b"")
            for output in outputs
        )

    def closing(self) -> bytes:
        """Nothing: every text has told its end."""
        return b""

    def failure(self, error: ApiError) -> bytes:
        """The error."""
        return _line(error.body())


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
