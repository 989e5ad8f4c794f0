"""A runner that writes texts through a server of the OpenAI API: `dyntemp serve`, vLLM with dyntemp, or any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from importlib import import_module
from itertools import islice
from json import dumps
from math import exp
from typing import Any, Literal

from dyntemp.convert import to_settings
from dyntemp.engines.request_fields import GIVEN
from dyntemp.errors import EngineError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.host_fields import check_vllm, given_of, seed_of, vllm_args, vllm_filters
from dyntemp.evaluation.loop_runner import check_arm
from dyntemp.evaluation.runner import Job, without_curves
from dyntemp.evaluation.sample import Sample

Kind = Literal["dyntemp", "vllm"]

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)
"""Seconds between the tries of a request that found no connection, or a server without a free place."""

BUSY = (429, 503)
"""Statuses after which a request is tried again."""

TIMEOUT = 3600.0
"""Most seconds of one request, waiting in the server's queue included."""


class ServerRunner:
    """Writes texts through a server of the OpenAI API; see `Runner`.

    Plain prompts go to `/v1/completions`, conversations to `/v1/chat/completions`. `dyntemp serve` tells the numbers of
    each token. Other servers do not, and their samples have none. `finish` is `stop` where the server tells a stop text
    apart from the model's own end (`dyntemp serve` and vLLM do), or where the item has stop texts.

    Args:
        url: The server's address, such as `http://127.0.0.1:8000`, with or without `/v1`.
        model: The model's name; by default the server's first.
        concurrency: How many requests are in flight.
        key: The API key, where the server asks for one.
        kind: `dyntemp` for `dyntemp serve`, `vllm` for vLLM with our processor. None for a server that knows no
            policies: constant temperatures alone are allowed there, and top_p after them.

    Raises:
        EngineError: If the `openai` package is missing, or `kind` or `concurrency` is wrong, or the server does not
            tell its models.
    """

    def __init__(
        self, url: str, model: str | None = None, *, concurrency: int = 16, key: str | None = None,
        kind: Kind | None = None,
    ) -> None:  # fmt: skip
        if kind not in ("dyntemp", "vllm", None):
            raise EngineError(f'kind = {kind!r} was given; "dyntemp", "vllm" and None are allowed')
        if concurrency < 1:
            raise EngineError(f"concurrency = {concurrency} was given; whole numbers from 1 are allowed")
        self._openai = _openai()
        base = url.rstrip("/").removesuffix("/v1") + "/v1"
        self._client = {"base_url": base, "api_key": key or "-", "max_retries": 0, "timeout": TIMEOUT}
        self._url, self._kind, self._concurrency = base, kind, concurrency
        self.name = model or self._first_model()

    def _first_model(self) -> str:
        try:
            with self._openai.OpenAI(**self._client | {"timeout": 30.0}) as client:
                return str(client.models.list().data[0].id)
        except (self._openai.OpenAIError, IndexError) as error:
            raise EngineError(f"{self._url} tells no model: {error}; does a server run at this address?") from None

    def check(self, arm: Arm) -> None:
        """Refuse an arm that this kind of server cannot run.

        Raises:
            PolicyError, EngineError, ConversionError: The message says why, and what to do.
        """
        match self._kind:
            case "dyntemp":
                check_arm(arm)
            case "vllm":
                check_vllm(arm)
            case None:
                self._static(arm)

    def _static(self, arm: Arm) -> dict[str, Any]:
        """The temperature and the top_p of an arm, for a server that knows no policies."""
        try:
            return dict(to_settings("openai", arm.policy, filters=arm.filters).fields)
        except ValueError as error:
            raise EngineError(
                f"the arm {arm.name!r} was given for {self._url}, which knows no policies: {error}. For `dyntemp "
                'serve`, or vLLM with our processor, pass kind="dyntemp" or kind="vllm"'
            ) from None

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Sample]]:
        """Write a text for each job; see `Runner.run`.

        Raises:
            EngineError: For a job that the server refuses, or that found no place after all pauses, or that asks for
                curves.
        """
        waiting = without_curves(jobs, "a server")
        running: dict[Future[Any], Job] = {}
        with _loop() as loop:
            client = self._openai.AsyncOpenAI(**self._client)
            try:
                while True:
                    for job in islice(waiting, self._concurrency - len(running)):
                        running[asyncio.run_coroutine_threadsafe(self._answer(client, job), loop)] = job
                    if not running:
                        return
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    answer = done.pop()
                    yield (job := running.pop(answer)), self._sample(job, answer.result())
            finally:
                asyncio.run_coroutine_threadsafe(_end(client), loop).result()

    async def _answer(self, client: Any, job: Job) -> Any:
        """The server's answer to a job, after as many tries as it takes.

        Raises:
            EngineError: If the server refuses it, or there were too many tries.
        """
        fields = self._fields(job)
        prompt = job.item.prompt
        chat = not isinstance(prompt, str) and not isinstance(prompt[0], int)
        endpoint = client.chat.completions if chat else client.completions
        what = {"messages" if chat else "prompt": prompt}
        for pause in (*PAUSES, None):
            try:
                return await endpoint.create(model=self.name, **what, extra_body=fields | self._told(chat))
            except self._openai.APIError as error:
                status = getattr(error, "status_code", None)
                if status not in BUSY and not isinstance(error, self._openai.APIConnectionError):
                    raise EngineError(f"{_named(job)} was refused by {self._url}: {error}") from error
                if pause is None:
                    raise EngineError(
                        f"{_named(job)} was given up after {len(PAUSES) + 1} tries at {self._url}: {error}; start the "
                        "server again, or lower concurrency"
                    ) from error
                await asyncio.sleep(pause)

    def _fields(self, job: Job) -> dict[str, Any]:
        """The fields of a request beside its prompt and its model."""
        arm, item = job.arm, job.item
        fields: dict[str, Any] = {"max_tokens": item.max_tokens, "seed": seed_of(job)}
        if item.stop:
            fields["stop"] = list(item.stop)
        given = given_of(arm, item.id)
        match self._kind:
            case "dyntemp":
                chain = {"filters": str(arm.filters)} if arm.filters.active else {}
                return fields | {"policy": str(arm.policy), "given": given, **chain}
            case "vllm":
                args = vllm_args(arm, given)
                if given:
                    args[GIVEN] = dumps(given)  # the server takes no objects there
                return fields | {"vllm_xargs": args, "temperature": 1.0, **vllm_filters(arm.filters)}
            case None:
                return fields | self._static(arm)

    def _told(self, chat: bool) -> dict[str, Any]:
        """The fields that make the server tell of each token, with its likeliest alternative."""
        if self._kind != "dyntemp":
            return {}
        return {"logprobs": True, "top_logprobs": 1} if chat else {"logprobs": 1}

    def _sample(self, job: Job, answer: Any) -> Sample:
        choice = answer.choices[0]
        text = choice.message.content if hasattr(choice, "message") else choice.text
        tokens = _tokens(choice) if self._kind == "dyntemp" else []
        _, temperature, entropy, max_prob, surprisal, log_prob = zip(*tokens, strict=True) if tokens else ((),) * 6
        return Sample(
            item=job.item.id,
            number=job.number,
            text=text or "",
            finish="length" if choice.finish_reason == "length" else self._end(job, choice, tokens),
            tokens=len(tokens) or answer.usage.completion_tokens,
            temperature=temperature,
            entropy=entropy,
            max_prob=max_prob,
            surprisal=surprisal,
            log_prob=log_prob,
            score=job.task.score(job.item, text or ""),
        )

    def _end(self, job: Job, choice: Any, tokens: list[tuple[Any, ...]]) -> str:
        """`stop` where a stop text ended the text, and `end` where the model did."""
        match self._kind:
            case "dyntemp":
                drawn = "".join(name for name, *_ in tokens)
                stopped = any(stop in drawn for stop in job.item.stop)
            case "vllm":
                stopped = isinstance(choice.stop_reason, str)
            case None:
                stopped = bool(job.item.stop)
        return "stop" if stopped else "end"


def _tokens(choice: Any) -> list[tuple[Any, ...]]:
    """Each token of an answer of `dyntemp serve`: its name, and its numbers in the order of `Sample`."""
    told = choice.logprobs
    if hasattr(choice, "message"):
        return [
            (
                one.token,
                float(one.temperature),
                one.entropy,
                exp(one.top_logprobs[0].logprob),
                -one.logprob,
                one.logprob_after,
            )
            for one in told.content
        ]
    likeliest = [exp(max(named.values())) for named in told.top_logprobs]
    temperatures = map(float, told.temperature)  # an even draw is "inf"
    surprisal = [-value for value in told.token_logprobs]
    columns = told.tokens, temperatures, told.entropy, likeliest, surprisal, told.token_logprobs_after
    return list(zip(*columns, strict=True))


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own, which ends with the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(client: Any) -> None:
    """Cancel all requests in flight, and close the client."""
    requests = asyncio.all_tasks() - {asyncio.current_task()}
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    await client.close()


def _openai() -> Any:
    """The `openai` package.

    Raises:
        EngineError: If it is not installed.
    """
    try:
        return import_module("openai")
    except ModuleNotFoundError:
        raise EngineError("the openai package is not installed: pip install 'dyntemp[serve]'") from None


def _named(job: Job) -> str:
    return f"sample {job.number} of the item {job.item.id!r} of {job.task.name} under the arm {job.arm.name!r}"
