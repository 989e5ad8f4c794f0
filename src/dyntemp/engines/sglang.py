"""SGLang: a custom logit processor. A client names it in its request, and the server runs it.

    body = extra_body("0.3 + 0.7*normalized_entropy**0.5")
    client.chat.completions.create(model=..., messages=..., extra_body=body)

The server needs dyntemp installed, and `--enable-custom-logit-processor`, which lets clients send code. dyntemp sends
the name of a class and the policy's text. `extra_body` refuses a policy that the server cannot carry out. If a wrong
policy reaches the server all the same, its own request is aborted with our message, and no other.

The host calls the processor after penalties, grammar and bias. It divides by the request's temperature afterwards; that
division is undone. A request with temperature 0 stays greedy. Counts are those of the process, and are logged.

Policies that read `position` or earlier tokens are refused. The host does not say which token a row decides: its
overlapped scheduler runs a step ahead of the known tokens, and rows from the middle of a prompt are handed over like
others and then dropped. Such policies could be wrong unnoticed.

With speculative decoding by EAGLE, MTP or NGRAM the host verifies drafts without calling processors. All tokens but the
first then have the request's own temperature. The processor cannot see that; `self_test` finds it out from a server.

Run so far: this class in the host's own batch and sampler functions, on a CPU. Not run: a server. There is no hook for
servers that take no code from clients. A hook would go around `Sampler._preprocess_logits`, by an entry point of the
group `sglang.srt.plugins`, where a request's `custom_params` are not visible.
"""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar
from urllib.request import Request, urlopen

from dyntemp.engines.batch import Batch, Counts
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError, PolicyError
from dyntemp.language.policy import Policy
from dyntemp.sampling import PolicyLike, as_policy

KEY = "dyntemp"
"""The key of the policy's text in `custom_params`."""

MOST_KINDS = 1024
"""Most pairs of policy and requested temperature that are kept between calls. Beyond that, all are read again."""

HOT = 1000.0
"""The temperature of `self_test`, at which all tokens are nearly equally likely."""

ALIKE = 0.5
"""Largest distance of log-probabilities that count as equal, in nats: logits 500 apart at `HOT`."""


def extra_body(policy: PolicyLike, **params: Any) -> dict[str, Any]:
    """Further fields of a request: `extra_body=` of the OpenAI client, or fields of `/generate`.

    Args:
        policy: The policy, or its text.
        params: Further `custom_params`, for processors of your own.

    Raises:
        PolicyError, EngineError: If `policy` is no policy, or this host cannot carry it out.
    """
    return {
        "custom_logit_processor": DynamicTemperature.to_str(),
        "custom_params": {KEY: str(accepted(policy)), **params},
    }


def accepted(policy: PolicyLike) -> Policy:
    """Read a policy, and check that SGLang can carry it out.

    Raises:
        PolicyError, EngineError: As `extra_body`.
    """
    found = CAPABILITIES["sglang"].check(as_policy(policy))
    if any(signal.name == "position" for signal in found.signals):
        raise EngineError(
            f"`{found}` reads `position`, but SGLang does not tell which token a row decides: use a policy of the row"
        )
    return found


class DynamicTemperature:
    """The processor, with the interface of SGLang's `CustomLogitProcessor`; the host makes one per prefilled batch.

    Attributes:
        counts: The counts of all calls in this process.
    """

    _requests: ClassVar[Requests] = Requests(CAPABILITIES["sglang"], divided="after")
    _kinds: ClassVar[dict[tuple[str, float], int]] = {}
    counts: ClassVar[Counts] = _requests.counts

    @classmethod
    def to_str(cls) -> str:
        """The name of the class as a request sends it; the server needs dyntemp installed."""
        return json.dumps({"callable": pickle.dumps(cls).hex()})

    def __call__(self, logits: Any, custom_param_list: Sequence[Mapping[str, Any] | None] | None = None) -> Any:
        """Multiply the rows, [rows, n], by the requested temperatures and divide them by the policies', in place."""
        if len(self._kinds) > MOST_KINDS:  # never within a call: its rows would change their policies
            for slot in self._kinds.values():
                self._requests.end(slot)
            self._kinds.clear()
        slots = [self._kind(params) for params in custom_param_list or [None] * len(logits)]
        calls = self.counts.calls
        if calls & (calls - 1) == 0:  # 0, 1, 2, 4, 8, ...
            logging.getLogger("dyntemp").info("dyntemp: SGLang called %d times before this one", calls)
        return self._requests.scale(Batch(logits, slots), out=logits)

    @classmethod
    def _kind(cls, params: Mapping[str, Any] | None) -> int:
        """The slot of all requests with this policy and temperature; -1 for a request without."""
        host = (params or {}).get("__req__")
        try:
            if params is None or KEY not in params:
                raise EngineError(f"no policy was given: send custom_params={{{KEY!r}: 'a policy'}}")
            asked = host.sampling_params if host is not None else None
            requested = 1.0 if asked is None else 0.0 if asked.top_k <= 1 else float(asked.temperature)
            return cls._slot(params[KEY], requested)
        except ReferenceError:
            return -1  # the request is over, and its row is dropped later
        except (EngineError, PolicyError) as error:
            _abort(host, str(error))
            return -1

    @classmethod
    def _slot(cls, text: Any, requested: float) -> int:
        if not isinstance(text, str):
            raise EngineError(f"custom_params[{KEY!r}] = {text!r} was given; the text of a policy is allowed")
        slot = cls._kinds.get((text, requested))
        if slot is None:
            policy = accepted(text)
            slot = len(cls._kinds)
            cls._requests.begin(slot, policy, requested=requested)
            cls._kinds[text, requested] = slot
        return slot


def _abort(host: Any, message: str) -> None:
    """Abort one request with a message, as SGLang itself does."""
    if host is None:  # the row's request is unknown, and an error would end the server
        _warn(f"a request is sampled without a policy: {message}")
        return
    logging.getLogger("dyntemp").error("dyntemp: a request is aborted: %s", message)
    host.to_finish = import_module("sglang.srt.managers.schedule_batch").FINISH_ABORT(f"dyntemp: {message}")


@lru_cache(maxsize=64)
def _warn(message: str) -> None:
    """Log a warning, once for each message."""
    logging.getLogger("dyntemp").warning("dyntemp: %s", message)


def self_test(url: str, model: str = "default", tokens: int = 8) -> list[float]:
    """Check that a server calls the processor for every token: at T = 1000 all tokens are nearly equally likely.

    Args:
        url: Its address: `http://127.0.0.1:30000`.
        model: The name of its model.
        tokens: Number of tokens to check; more than one, since drafts follow the first.

    Returns:
        The distance between the highest and the fifth-highest log-probability of each token, in nats.

    Raises:
        EngineError: If a token shows another temperature, or the server's answers without a policy tell nothing.
    """
    found = _spreads(url, model, tokens, extra_body(HOT))
    ordinary = _spreads(url, model, tokens, {})
    if not found or max(ordinary, default=0.0) <= ALIKE:
        raise EngineError(f"{url} shows {ordinary} without a policy, so that nothing can be told: ask another model")
    for number, apart in enumerate(found):
        if apart > ALIKE:
            why = (
                "drafts are verified without processors: start the server without speculative decoding"
                if number
                else "is it an SGLang server with --enable-custom-logit-processor?"
            )
            raise EngineError(f"token {number} of {url} has not the temperature of its policy; {why}")
    return found


def _spreads(url: str, model: str, tokens: int, more: dict[str, Any]) -> list[float]:
    body = {
        "model": model, "messages": [{"role": "user", "content": "Name a river."}], "max_tokens": tokens,
        "temperature": 1.0, "logprobs": True, "top_logprobs": 5, "ignore_eos": True, **more,
    }  # fmt: skip
    ask = Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(ask, timeout=60) as answer:  # noqa: S310  # the user's own server
        content = json.load(answer)["choices"][0]["logprobs"]["content"]
    shown = [[one["logprob"] for one in token["top_logprobs"]] for token in content]
    return [max(values) - min(values) for values in shown]
