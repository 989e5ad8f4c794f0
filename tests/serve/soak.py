"""200 clients at once, a third of whom hang up half-way, beside bodies of noise and policies of a megabyte.

    python tests/serve/soak.py [--rounds 6] [--clients 200] [--batch 16]
    python tests/serve/soak.py --model smollm2 [--clients 50]

With `--model` there is one round of `tests/serve/soak_reading.py`: clients with prompts of 5 to 6,000 tokens, a third
of whom hang up while they are read.

Every text can be told from its prompt, so that a mixed-up stream is noticed. After each round nothing may run, wait or
be open, and memory may not grow from the second round on. Prints a line per round, and exits with 1 where it fails.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.serve.models import repeated, repeating_model, serving, settled

from dyntemp import load_model
from dyntemp.serve import ServerSettings
from dyntemp.serve.app import make_app

PATH = "/v1/completions"
GROWTH = 16.0
"""MiB that memory may grow once everything has been met, in the first two rounds."""


def resident() -> float:
    """MiB of memory that this process has."""
    return status_of("VmRSS")


def status_of(field: str) -> float:
    """MiB that `/proc/self/status` tells."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


async def post(address: str, content: bytes, kind: bytes = b"application/json"):
    """A connection on which a request has been sent."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    writer.write(head % (PATH.encode(), kind, len(content)) + content)
    return reader, writer


async def stream(address: str, prompt: str, tokens: int, leave_after: int | None) -> str:
    """One streaming client; what became of it in a word."""
    policy = "0.1 + 0.2*normalized_entropy" if len(prompt) % 2 else "0.05 + ema(entropy, 0.5)/20"
    body = {
        "prompt": prompt,
        "max_tokens": tokens,
        "stream": True,
        "policy": policy,
        "logprobs": 1 if leave_after else None,
    }
    reader, writer = await post(address, json.dumps(body).encode())
    text, done = "", False
    try:
        status = (await reader.readline()).split()[1]
        if status != b"200":
            return f"status {status.decode()}"
        while line := await reader.readline():
            if line.startswith(b"data: {"):
                data = json.loads(line[6:])
                if "error" in data:
                    return "error " + data["error"]["code"]
                text += data["choices"][0]["text"]
                if leave_after is not None and len(text) >= leave_after:
                    return "left" if repeated(prompt, tokens).startswith(text) else "mixed up"
            done = done or line.startswith(b"data: [DONE]")
    finally:
        writer.close()
    return "whole" if done and text == repeated(prompt, tokens) else "mixed up"


async def refused(address: str, content: bytes) -> str:
    """A client that sends nonsense; the status that it was answered with."""
    reader, writer = await post(address, content)
    try:
        await writer.drain()
        status = (await reader.readline()).split()
        await reader.read()
    finally:
        writer.close()
    return f"status {status[1].decode()}"


async def play_round(address: str, clients: int, chance: random.Random) -> Counter[str]:
    """All clients of one round, at once."""
    work = []
    for number in range(clients):
        prompt = f"{number:03d} {''.join(chance.choices('abcdefghij ', k=chance.randrange(20)))}|"
        tokens = chance.randrange(30, 80)
        work.append(stream(address, prompt, tokens, chance.randrange(1, tokens // 2) if number % 3 == 0 else None))
    for number in range(clients // 10):
        work.append(refused(address, chance.randbytes(chance.randrange(1, 20_000))))
        sizes = {0: 1_000_000, 1: 990_000, 2: 7000}
        work.append(
            refused(address, json.dumps({"prompt": "x", "policy": "1+" * (sizes[number % 3] // 2) + "1"}).encode())
        )
    chance.shuffle(work)
    return Counter(await asyncio.gather(*work))


def soak(rounds: int, clients: int, batch: int, *, quiet: bool = False) -> list[str]:
    """The faults that were found."""
    chance, faults, memory = random.Random(1), [], []
    app = make_app(repeating_model(), settings=ServerSettings(batch=batch, queue=clients))
    with serving(app) as address:
        for number in range(rounds):
            began = time.perf_counter()
            found = asyncio.run(play_round(address, clients, chance))
            seconds = time.perf_counter() - began
            if not settled(app.state.server):
                faults.append(f"round {number}: something still runs, waits or is open")
            gc.collect()
            memory.append(resident())
            left, whole = -(-clients // 3), clients - -(-clients // 3)
            expected = {"left": left, "whole": whole}
            if any(found[name] != count for name, count in expected.items()) or found["mixed up"]:
                faults.append(f"round {number}: {dict(found)}, where {expected} was expected")
            if odd := [name for name in found if name not in {*expected, "status 400", "status 413"}]:
                faults.append(f"round {number}: {odd}")
            if not quiet:
                print(
                    f"round {number}: {seconds:5.1f} s, {memory[-1]:6.1f} MiB, {dict(sorted(found.items()))}",
                    flush=True,
                )
        written = app.state.server.metrics.text().decode().split("\ndyntemp_generated_tokens_total ")[1].split()[0]
    if rounds > 2 and memory[-1] - memory[1] > GROWTH:
        faults.append(f"memory grew from {memory[1]:.1f} to {memory[-1]:.1f} MiB")
    if not quiet:
        print(f"{float(written):.0f} tokens written; open sessions {app.state.server.worker.model.open_sessions}")
    return faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--model", help="read long prompts with this model instead")
    asked = parser.parse_args()
    if asked.model:
        from tests.serve.soak_reading import soak_reading

        found = soak_reading(load_model(asked.model), min(asked.clients, 50))
    else:
        found = soak(asked.rounds, asked.clients, asked.batch)
    for fault in found:
        print("FAULT", fault)
    sys.exit(bool(found))
