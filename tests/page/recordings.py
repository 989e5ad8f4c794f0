"""Recorded runs of a model without weights, and tokens made up to meet every branch of what is said of a token."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from dyntemp import generate
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.token import Alternative, Token

N = 300
PIECES = [*(f"{number:03} ".encode() for number in range(N - 8)), b"\n", b"\t\t", " é".encode(), b"\xe2\x82", b"\xac",
          b"\x1b[0m", "\u200b\xa0\u3000".encode(), b""]  # fmt: skip
RECORDED = ["max_prob", "entropy", "normalized_entropy", "perplexity", "median_prob", "margin", "collision",
            "varentropy", "support", "quantile(0.9)", "top_mass(5)",
            "temperature_for_entropy(0.85*entropy)"]  # fmt: skip
SETTINGS: list[dict[str, Any]] = [
    {}, {"top_k": 40}, {"min_p": 0.05, "alternatives": 3}, {"top_p": 0.7}, {"top_k": 1},
    {"top_k": 3, "alternatives": 6}, {"alternatives": 1, "filter_at": "temperature", "top_p": 0.9},
    {"filters": "typical(0.4)", "alternatives": 12}, {"filters": "xtc(0.01, 0.9)"},
    {"filters": "xtc(0.001, 1)", "alternatives": 2}, {"filters": "top_h(0.6), temperature, epsilon(0.02)"},
]  # fmt: skip
UNDER = [
    "0.3 + 0.7*normalized_entropy**0.5", "1", "0.4", "2.5", "0", "1e-7", "0.1 + 0.8*entropy", "0.999",
    "0.7 + 0.001*position", "0.5 + 1/max(0, margin - 2)", "max(0.5 + 1/max(0, margin - 2), 0.1)",
    "clip(0.1 + temperature_for_entropy(0.85*entropy), 0.05, 2)",
    "quantile(0.9)*requested + top_mass(5)", '0.2 + given("kl", 0, 20)', "1/max_prob - 0.5",
    "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8) + ema(0.1*entropy, 0.8) + 0.1*prev(max_prob)",
]  # fmt: skip


def logits(tokens: Any) -> np.ndarray:
    """A row that depends on the whole text before it, flat here and peaked there."""
    rng = np.random.default_rng(list(tokens))
    return (rng.normal(0, 1, N) * rng.choice([0.02, 1.0, 2.5, 2.5, 6.0, 40.0])).astype(np.float32)


def recorded(folder: Path) -> Iterator[tuple[int, list[Token]]]:
    """Seeds and tokens of runs, each with filters and a policy of its own; one is forced in part, one follows."""
    model = FakeModel(PIECES, logits, end=[N - 1])
    for seed, settings in enumerate(SETTINGS):
        policy = UNDER[seed % 6]
        path = folder / f"{seed}.jsonl"
        signals = [*RECORDED] if "alternatives" not in settings else ["entropy"]
        list(generate(model, [0], policy, max_tokens=25, seed=2**63 + seed, trace=path, signals=signals, **settings))
        yield 2**63 + seed, list(Trace.open(path))
    plain = list(Trace.open(folder / "0.jsonl"))
    yield 2**63, [replace(token, origin="forced") if token.position % 2 else token for token in plain]
    yield 2**63, [_overstated(token) for token in plain]
    yield 2**63, [_dropped(token) for token in plain]
    path = folder / "follows.jsonl"
    leader = Trace.open(folder / "0.jsonl")
    list(generate(model, [0], "1.3", max_tokens=25, seed=2**63, trace=path, signals=RECORDED, follow=leader))
    yield 2**63, list(Trace.open(path))


def _overstated(token: Token) -> Token:
    """A record with probabilities in the draw that are too large, so that no other policy parts from it."""
    sure = tuple(replace(one, probability_after=1.0) for one in token.alternatives)
    return replace(
        token, probability_after=1.0, alternatives=sure, rest=(), candidates=min(len(sure), token.candidates)
    )


def _dropped(token: Token) -> Token:
    """A token that was put there although the filters had dropped it."""
    named = {one.token for one in token.alternatives}
    number = next(number for number in range(N) if number not in named)
    return replace(token, token=number, probability=1e-4, probability_after=0.0, origin="forced")


TEXTS = ["cat", " dog", "\n", "\t ", "", "é", "\u200b", "`", "%", "\x00\x7f", "\u2028", "日本", "👍🏽", "\xad",
         "\ue000", "a  b"]  # fmt: skip
RAW = [b"cat", b" dog\n", b"", b"\xff\xfe", "é".encode()[:1], "👍".encode()[:3], "日本".encode(), b"\xed\xa0\x80",
       b"\xef\xbb\xbfa", b"\xc0\x80", b"a\xe2\x82b"]  # fmt: skip
SHARES = [0.0, 1e-9, 5e-5, 1e-4, 0.00095, 0.0099, 0.0949, 0.095, 0.0995, 0.1, 0.125, 0.2, 0.25, 0.335, 0.4, 0.41, 0.45,
          0.5, 0.95, 0.9949, 0.995, 0.9985, 0.9995, 0.99999, 1.0]  # fmt: skip
TEMPERATURES = [0.0, 1e-7, 1e-6, 2e-6, 0.0005, 0.001, 0.0125, 0.3, 0.9996, 0.99951, 1.0, 1.0004, 1.005, 1.32, 9.995,
                35.0, 999.9, 12345.0, 1e6, 2e6, inf]  # fmt: skip


def sentences(count: int) -> list[Token]:
    """Tokens made up to meet every branch of what is said of a token."""
    rng = random.Random(1)
    found = []
    for _ in range(count):
        size = rng.choice([0, 1, 2, 3, 4, 10])
        some = sorted((rng.choice([*SHARES, rng.random(), rng.random() / 10]) for _ in range(size)), reverse=True)
        alternatives = tuple(
            Alternative(at, rng.choice(TEXTS), p, rng.choice([p, p, rng.choice(SHARES), rng.random()]))
            for at, p in enumerate(some)
        )
        found.append(Token(
            request=0, position=0, token=rng.randrange(5), text=rng.choice(TEXTS), bytes=rng.choice(RAW),
            temperature=rng.choice([*TEMPERATURES, rng.expovariate(1)]),
            signals={"entropy": 1.0} | rng.choice([{}, {"support": 1.0}, {"support": 49152.0}, {"support": 3.0}]),
            probability=rng.choice(SHARES), probability_after=rng.choice(SHARES), surprisal=1.0,
            entropy_after=rng.choice([0.0, rng.random()]), surprisal_after=rng.choice([0.1, 2.0, 5.0, inf]),
            candidates=rng.choice([1, 2, 3, 1200, 49152]), alternatives=alternatives,
            origin=rng.choice(["drawn", "drawn", "forced", "kept", "parted"]), rest=(),
        ))  # fmt: skip
    return found
