"""The self-tests: the host called an adapter, and drew from the rows that it returned."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.distribution.filters import Filters
from dyntemp.engines.arrays import on_host
from dyntemp.errors import EngineError
from dyntemp.kernels import backend_of
from dyntemp.language.policy import Policy
from dyntemp.language.signals import MAX_REQUESTED
from dyntemp.sampling import sample, temperatures

OF_SELF_TEST = "0.1 + 0.8*normalized_entropy"
"""The policy of a self-test where the user has none."""

TOKENS = 4

TOLERANCE = 1e-4
"""Largest error of a probability that passes, for float32 rows."""


def four_tokens(model: Any, settings: Mapping[str, Any], **ours: Any) -> Any:
    """Generate four tokens after a meaningless prompt, and return the output. The random state is kept."""
    torch: Any = import_module("torch")
    ids = torch.arange(1, 5, device=model.device)[None] % model.config.get_text_config().vocab_size
    wanted = {
        "return_dict_in_generate": True,
        "output_scores": True,
        "max_new_tokens": TOKENS,
        "min_new_tokens": TOKENS,
    }
    arguments = {**settings, **wanted}
    if "generation_config" in settings:
        config = copy.deepcopy(arguments.pop("generation_config"))
        arguments = {**config.update(**arguments), "generation_config": config}
    with torch.random.fork_rng(devices=[] if ids.device.type == "cpu" else [ids.device]):
        return model.generate(ids, attention_mask=torch.ones_like(ids), **arguments, **ours)


def check_scores(
    policy: Policy,
    rows: Sequence[Any],
    output: Any,
    *,
    instead: str,
    requested: float = 1.0,
) -> None:
    """Check that the host drew from each row divided by the policy's temperature.

    Args:
        policy: The policy.
        rows: The adapter's input at each step, at temperature 1, [1, vocabulary], and the numbers of `given`.
        output: The output of `generate()`, with its scores.
        instead: The advice at the end of an error's message.
        requested: The value of `requested`.

    Raises:
        EngineError: If it did not; the message says why.
    """
    if not rows or len(rows) < len(output.scores):
        raise EngineError(f"the host called {len(rows)} times for {len(output.scores)} tokens: {instead}")
    for step, (row, t) in enumerate(expected(policy, rows, output.sequences, requested)):
        drawn_from = on_host(output.scores[step][0])
        wanted = backend_of(row, "reference").scale(row[None], np.array([t]))[0]
        left, kept = np.isfinite(drawn_from).sum(), np.isfinite(wanted).sum()
        if left != kept:
            raise EngineError(f"the host left {left} of {kept} candidates after us (top_k, top_p, min_p?): {instead}")
        if np.abs(probabilities(drawn_from) - probabilities(wanted)).max() > TOLERANCE:
            raise EngineError(
                f"the host drew token {step} at temperature {implied(row, drawn_from):.4g}, and `{policy}` says "
                f"{t:.4g}: {instead}"
            )


def check_draws(
    policy: Policy, rows: Sequence[Any], output: Any, seed: int, filters: Filters, requested: float
) -> None:
    """Check that the tokens are those that the reference draws from the rows with this seed.

    Args:
        policy: The policy.
        rows: The adapter's input at each step, [1, vocabulary], and the numbers of `given`.
        output: The output of `generate()`.
        seed: The seed of the row.
        filters: The truncation.
        requested: The value of `requested`.

    Raises:
        EngineError: If it did not; the message says why.
    """
    if len(rows) < TOKENS:
        raise EngineError(f"the host called {len(rows)} times for {TOKENS} tokens: set do_sample=True")
    tokens = output.sequences[0, -len(rows) :].tolist()
    for step, (row, t) in enumerate(expected(policy, rows, output.sequences, requested)):
        draw = sample(
            row, "requested", requested=min(t, MAX_REQUESTED), seed=seed, request=0, position=step,
            filters=filters, backend="reference",
        )  # fmt: skip
        if draw.token != tokens[step]:
            raise EngineError(
                f"token {step} is {tokens[step]}, and {draw.token} was drawn at temperature {t:.4g}: does another "
                "processor come after ours?"
            )


def expected(
    policy: Policy, rows: Sequence[Any], sequences: Any, requested: float
) -> Iterator[tuple[NDArray[np.float64], float]]:
    """Each step's row, and its temperature from the reference."""
    state = policy.state() if policy.remembers else None
    tokens = sequences[0, -len(rows) :].tolist()
    for step, (found, given) in enumerate(rows):
        row = on_host(found[0]).astype(np.float64)
        yield row, float(temperatures(row, policy, backend="reference", state=state, position=step, given=given,
                                      requested=requested))  # fmt: skip
        if state is not None:
            with np.errstate(divide="ignore"):
                state.observe(0, step, -np.log(probabilities(row)[tokens[step]]))


def probabilities(row: NDArray[Any]) -> NDArray[np.float64]:
    """The softmax of a row."""
    weights = np.exp(row.astype(np.float64) - row.max())
    return weights / weights.sum()


def implied(row: NDArray[Any], drawn_from: NDArray[Any]) -> float:
    """The temperature that lies between two rows, from the two likeliest tokens."""
    first, second = np.argsort(row)[[-1, -2]]
    with np.errstate(divide="ignore", invalid="ignore"):
        return float((row[first] - row[second]) / np.float64(drawn_from[first] - drawn_from[second]))
