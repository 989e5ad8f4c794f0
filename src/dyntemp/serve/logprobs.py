"""What is told of each token beside its text.

`logprob` is the model's: at temperature 1, before any filter. `logprob_after` is that of the draw: filtered, at the
token's temperature; null where the filters dropped the token.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import isfinite, log
from typing import Any

from dyntemp.models import Model
from dyntemp.serve.request_group import TokenOutput
from dyntemp.traces.token import Alternative, Token, plain

LEAST = -9999.0
"""What the OpenAI API says for a probability of 0."""

TOLD = ("temperature", "entropy", "entropy_after", "candidates", "origin")
"""What is told of each token that the OpenAI API does not know."""


def entry(model: Model, token: Token) -> dict[str, Any]:
    """One item of a chat's `logprobs.content`. Asks the model, so that it is called in the model's thread."""
    return {
        "token": token.bytes.decode(errors="backslashreplace") or model.token_name(token.token),
        "bytes": list(token.bytes),
        "logprob": -token.surprisal,
        "logprob_after": _of_draw(-token.surprisal_after),
        **{name: _told(name, token) for name in TOLD},
        "top_logprobs": [_alternative(model, one) for one in token.alternatives],
    }


def columns(outputs: Sequence[TokenOutput], offset: int) -> dict[str, list[Any] | None]:
    """A completion's `logprobs`: a list of each thing told, an item per token.

    Args:
        outputs: The tokens, told of by `entry`.
        offset: Characters of the text before them.
    """
    told = [output.told for output in outputs]
    lengths = [len(output.token.text) for output in outputs]
    named = [{one["token"]: one["logprob"] for one in item["top_logprobs"]} for item in told]
    return {
        "tokens": [item["token"] for item in told],
        "token_logprobs": [item["logprob"] for item in told],
        "token_logprobs_after": [item["logprob_after"] for item in told],
        "top_logprobs": [
            likeliest | {item["token"]: item["logprob"]} for likeliest, item in zip(named, told, strict=True)
        ] if any(named) else None,
        "text_offset": [offset + before for before in accumulate(lengths[:-1], initial=0)],
        **{name: [item[name] for item in told] for name in TOLD},
    }  # fmt: skip


def _told(name: str, token: Token) -> Any:
    return plain(token.signals["entropy"] if name == "entropy" else getattr(token, name))


def _alternative(model: Model, one: Alternative) -> dict[str, Any]:
    after = one.probability_after
    return {
        "token": one.text,
        "bytes": list(model.token_bytes(one.token)),
        "logprob": _log(one.probability),
        "logprob_after": log(after) if after > 0 else None,
    }


def _of_draw(value: float) -> float | None:
    return value if isfinite(value) else None


def _log(probability: float) -> float:
    return log(probability) if probability > 0 else LEAST
