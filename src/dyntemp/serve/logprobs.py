"""The log probabilities of tokens in an answer.

`logprob` is the model's, at temperature 1 and before any filter. `logprob_after` is the draw's, after the filters and
at the token's temperature; it is null where the filters dropped the token.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import isfinite, log
from typing import Any

from dyntemp.distribution.packed import packed
from dyntemp.models import Model
from dyntemp.serve.request_group import TokenOutput
from dyntemp.traces.token import Alternative, Token, plain

LEAST = -9999.0
"""The log probability of an impossible token in the OpenAI API."""

TOLD = ("temperature", "entropy", "entropy_after", "candidates", "origin")
"""Fields of each token that the OpenAI API does not have."""


CURVE = ("curve", "signals")
"""Further fields of each token, where the request asks for `curves`."""


def entry(model: Model, token: Token) -> dict[str, Any]:
    """One item of a chat's `logprobs.content`. It uses the model, and so runs in the model's thread."""
    return {
        "token": token.bytes.decode(errors="backslashreplace") or model.token_name(token.token),
        "bytes": list(token.bytes),
        "logprob": -token.surprisal,
        "logprob_after": _of_draw(-token.surprisal_after),
        **{name: _told(name, token) for name in TOLD},
        "top_logprobs": [_alternative(model, one) for one in token.alternatives],
        **_curve(token),
    }


def columns(outputs: Sequence[TokenOutput], offset: int) -> dict[str, list[Any] | None]:
    """A completion's `logprobs`: a list for each field, with an item for each token.

    Args:
        outputs: The tokens, whose `told` is an `entry`.
        offset: Characters of the text before them.
    """
    told = [output.told for output in outputs]
    lengths = [len(output.token.text) for output in outputs]
    named = [{one["token"]: one["logprob"] for one in item["top_logprobs"]} for item in told]
    curved = any(CURVE[0] in item for item in told)  # a chunk may have no token
    return {
        "tokens": [item["token"] for item in told],
        "token_logprobs": [item["logprob"] for item in told],
        "token_logprobs_after": [item["logprob_after"] for item in told],
        "top_logprobs": [
            likeliest | {item["token"]: item["logprob"]} for likeliest, item in zip(named, told, strict=True)
        ] if any(named) else None,
        "text_offset": [offset + before for before in accumulate(lengths[:-1], initial=0)],
        **{name: [item[name] for item in told] for name in (*TOLD, *(CURVE if curved else ()))},
    }  # fmt: skip


def _curve(token: Token) -> dict[str, Any]:
    """The curve of a draw and the signals of its row, for requests that ask for them."""
    if not token.curve:
        return {}
    return {"curve": packed(token.curve), "signals": {name: plain(value) for name, value in token.signals.items()}}


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
