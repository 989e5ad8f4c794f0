"""The self-tests on a loaded model: llama.cpp calls us, and its rows get the policy's temperatures."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines.batch import Batch
from dyntemp.engines.llama_cpp.chain import RECORD
from dyntemp.engines.llama_cpp.vocabulary import token_bytes
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy

PLAIN = {"temp": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
"""Arguments of `generate` for a chain in which only the policy changes a row."""

TOKENS = 4
TOLERANCE = 1e-4
NATIVE_TOLERANCE = 1e-3  # llama.cpp adds up an entropy in float32, in the order of the candidates


def check_chain(llama: Any, policy: Policy) -> None:
    """Check a `DynamicLlama`; see its `self_test`."""
    before = llama.counts.as_dict()["changed"]
    prompt = _prompt(llama)
    with _without_drafts(llama):
        rows, tokens = _generated(llama, llama.generate(prompt, policy=0.0, **PLAIN))
        _check_called(llama.counts.as_dict()["changed"] - before, rows, tokens)
        sampler = llama._init_sampler(**llama._with(policy, PLAIN))  # noqa: SLF001  # ours
        found = []
        for step, row in enumerate(rows):
            sampler.generation.position = len(prompt) + step
            sampler.generation.tokens = np.array(prompt + tokens[:step], np.int32)
            found.append(_temperature_of(row, _applied(sampler, row)))
            sampler.generation.check()
    twin = Requests(
        llama.requests.capabilities, given=llama.requests.given, tokenizer=partial(token_bytes, llama),
        zones=llama.zones,
    )  # fmt: skip
    expected = _expected(twin, policy, prompt, rows, tokens)
    _compare(found, expected, NATIVE_TOLERANCE if llama.native else TOLERANCE)


def check_processor(processor: Any, llama: Any) -> None:
    """Check a `DynamicTemperature` with a `Llama`; see its `self_test`."""
    prompt = _prompt(llama)
    steps: list[float] = []
    with _without_drafts(llama):
        greedy = type(processor)(0.0)
        rows, tokens = _generated(llama, llama.generate(prompt, **_processors(greedy)))
        _check_called(greedy.counts.as_dict()["changed"], rows, tokens)
        given = {"given": processor.requests.given, "tokenizer": processor.tokenizer, "zones": processor.zones}
        other = type(processor)(processor.policy, **given, record=lambda step: steps.append(*step.temperature))
        rows, tokens = _generated(llama, llama.generate(prompt, **_processors(other)))
    twin = Requests(processor.requests.capabilities, **given)
    expected = _expected(twin, processor.policy, prompt, rows, tokens)
    _compare(steps, expected, TOLERANCE)


def _processors(processor: Any) -> dict[str, Any]:
    kept = {name: processor.arguments[name] for name in ("logits_processor", "stopping_criteria")}
    return {**kept, **PLAIN}


def _prompt(llama: Any) -> list[int]:
    tokens: list[int] = llama.tokenize(b"Once upon a time")
    return tokens


@contextmanager
def _without_drafts(llama: Any) -> Iterator[None]:
    """Have llama-cpp-python compute one row at a time, so that each token is drawn from the last row."""
    drafts, llama.draft_model = llama.draft_model, None
    try:
        yield
    finally:
        llama.draft_model = drafts


def _generated(llama: Any, generation: Iterable[int]) -> tuple[list[NDArray[np.float32]], list[int]]:
    """The model's rows of the first tokens, and the tokens drawn."""
    import llama_cpp

    rows, tokens = [], []
    for token in islice(generation, TOKENS):
        memory = llama_cpp.llama_get_logits_ith(llama.ctx, -1)
        rows.append(np.ctypeslib.as_array(memory, (llama.n_vocab(),)).copy())
        tokens.append(token)
    return rows, tokens


def _check_called(changed: int, rows: list[NDArray[np.float32]], tokens: list[int]) -> None:
    if changed != TOKENS:
        raise EngineError(
            f"self-test: llama.cpp drew {TOKENS} tokens, and {changed} rows were changed: is this a Llama whose "
            "`_init_sampler` somebody replaced, or does a sampler on the device draw (llama_set_sampler)?"
        )
    likeliest = [int(row.argmax()) for row in rows]
    if tokens != likeliest:
        raise EngineError(
            f"self-test: at temperature 0 llama.cpp drew {tokens}, and the likeliest were {likeliest}: something else "
            "decides the tokens, or changes the rows first"
        )


def _applied(sampler: Any, row: NDArray[np.float32]) -> NDArray[np.float32]:
    """A row after llama.cpp's chain of samplers; -inf where a candidate was removed."""
    import llama_cpp

    records = np.zeros(len(row), RECORD)
    records["id"], records["logit"] = np.arange(len(row)), row
    data = records.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
    array = llama_cpp.llama_token_data_array(data=data, size=len(row), selected=-1, sorted=False)
    llama_cpp.llama_sampler_apply(sampler.sampler, ctypes.byref(array))
    found = np.full(len(row), -np.inf, np.float32)
    left = records[: array.size]
    found[left["id"]] = left["logit"]
    return found


def _temperature_of(row: NDArray[np.float32], scaled: NDArray[np.float32]) -> float:
    """The divisor of a row, from its largest and smallest logit; 0 where only the likeliest is left."""
    high, low = int(row.argmax()), int(row.argmin())
    with np.errstate(divide="ignore"):
        return float(np.float64(row[high] - row[low]) / np.float64(scaled[high] - scaled[low]))


def _expected(
    requests: Requests, policy: Policy, prompt: list[int], rows: list[NDArray[np.float32]], tokens: list[int]
) -> list[float]:
    """The policy's temperatures of the model's own rows."""
    requests.begin(0, policy, prompt=len(prompt))
    found = []
    for step, row in enumerate(rows):
        text = prompt + tokens[:step]
        batch = Batch(row[None], [0], len(text), drawn=[text[-1]], text=[text].__getitem__)
        found.append(float(requests.temperatures(batch)[0]))
    return found


def _compare(found: list[float], expected: list[float], tolerance: float) -> None:
    if len(found) != len(expected) or not np.allclose(found, expected, rtol=tolerance, atol=0):
        raise EngineError(f"self-test: the rows' temperatures were {found}, and the policy's are {expected}")
