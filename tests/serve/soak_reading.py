"""Clients with prompts of 5 to 6,000 tokens at once, a third of whom hang up while their prompt is read.

A stream runs beside them, and short questions are asked one after the other. Told are the stream's longest pause, how
long the questions took, memory, and whether anything is open at the end. See `tests/serve/soak.py`.
"""

# ruff: noqa: T201
from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from itertools import pairwise
from statistics import median

from tests.serve.models import serving, settled
from tests.serve.soak import post, status_of

from dyntemp.models import Model
from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

LONGEST_PAUSE = 20.0
"""Seconds that a stream may stand still: loose, for machines that others use too. docs/serve.md has measured ones."""

TOKENS = 8
"""Tokens of an answer."""


async def ask(address: str, prompt: list[int], tokens: int, came: list[float]) -> str:
    """One streaming client: what became of it in a word; `came` gets the time of each token."""
    body = {"prompt": prompt, "max_tokens": tokens, "stream": True, "logprobs": 0}
    reader, writer = await post(address, json.dumps(body).encode())
    try:
        status = (await reader.readline()).split()[1].decode()
        if status != "200":
            return f"status {status}"
        while line := await reader.readline():
            if line.startswith(b'data: {"error"'):
                return "error"
            if line.startswith(b"data: {"):
                came.append(time.perf_counter())
            if line.startswith(b"data: [DONE]"):
                return "whole"
    finally:
        writer.close()
    return "cut off"


async def leave(address: str, prompt: list[int], seconds: float) -> str:
    """A client that hangs up after a while, unless it has its answer."""
    try:
        return await asyncio.wait_for(ask(address, prompt, TOKENS, []), seconds)
    except TimeoutError:
        return "left"


async def watch(address: str, prompt: list[int], pauses: list[float]) -> None:
    """Streams, one after the other, until it is cancelled; `pauses` gets the seconds between their tokens."""
    while True:
        came: list[float] = []
        try:
            await ask(address, prompt, 8000, came)
        except asyncio.CancelledError:
            came.append(time.perf_counter())
            raise
        finally:
            pauses += (later - earlier for earlier, later in pairwise(came))


async def play(
    address: str, prompts: list[list[int]], patience: float, chance: random.Random
) -> tuple[Counter[str], list[float], list[float]]:
    """All clients at once: what became of them, the pauses of the stream, and the seconds of each short question."""
    pauses: list[float] = []
    questions: list[float] = []
    stream = asyncio.create_task(watch(address, prompts[0][:5], pauses))
    await asyncio.sleep(1.0)
    leaving, staying = prompts[1::3], [prompt for at, prompt in enumerate(prompts) if at % 3 != 1]
    impatient = [asyncio.create_task(leave(address, one, chance.uniform(0.2, patience))) for one in leaving]
    await asyncio.sleep(1.0)  # so that they are the first to be read
    clients = asyncio.gather(*impatient, *(ask(address, one, TOKENS, []) for one in staying))
    while not clients.done():
        began = time.perf_counter()
        if await ask(address, prompts[0][:5] + prompts[1][:15], TOKENS, []) == "whole":
            questions.append(time.perf_counter() - began)
        await asyncio.sleep(1.0)
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    return Counter(await clients), pauses, questions


def soak_reading(model: Model, clients: int, longest: int = 6000, patience: float = 120.0) -> list[str]:
    """The faults that were found; the last of those who do not wait hangs up after `patience` seconds."""
    chance, faults = random.Random(1), []
    lengths = [5, longest, longest, *(int(5 * (longest / 5) ** chance.random()) for _ in range(clients - 3))]
    prompts = [
        [chance.randrange(model.vocabulary // 4, model.vocabulary // 2) for _ in range(length)] for length in lengths
    ]
    settings = ServerSettings(queue=2 * clients, max_tokens=8000, timeout=36_000)
    app = make_app(model, settings=settings)
    before, began = status_of("VmRSS"), time.perf_counter()
    with serving(app) as address:
        fates, pauses, questions = asyncio.run(play(address, prompts, patience, chance))
        worker = app.state.server.worker
        if not settled(app.state.server):
            faults.append("something still runs, waits or is open")
    if set(fates) - {"whole", "left"}:
        faults.append(f"clients ended otherwise than whole or left: {dict(fates)}")
    if max(pauses) > LONGEST_PAUSE:
        faults.append(f"the stream stood still for {max(pauses):.1f} s; {LONGEST_PAUSE:g} s are allowed")
    print(f"{clients} clients, {sum(lengths):,} tokens: {time.perf_counter() - began:.0f} s, {dict(fates)}")
    print(f"{worker.read:,} tokens read, {worker.abandoned:,} of them abandoned")
    print(f"the stream: {len(pauses)} tokens, longest pause {max(pauses):.2f} s, median {median(pauses):.2f} s")
    if questions:
        print(f"{len(questions)} short questions: median {median(questions):.1f} s, longest {max(questions):.1f} s")
    print(f"memory: {before:.0f} MiB before, {status_of('VmHWM'):.0f} at most, {status_of('VmRSS'):.0f} at the end")
    return faults
