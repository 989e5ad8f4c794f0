"""SGLang: a custom logit processor, which a client names in its request, and which the server runs.

    body = extra_body("0.3 + 0.7*normalized_entropy**0.5")
    client.chat.completions.create(model=..., messages=..., extra_body=body)

The server needs dyntemp installed, and `--enable-custom-logit-processor`, which lets clients send code: what we send is
the name of a class and the policy's text. `extra_body` refuses what the server could not carry out; what reaches the
server otherwise aborts its request with our message, and no other.

The host calls us after penalties, grammar and bias, and divides by the request's temperature afterwards, which is made
up for; a request with temperature 0 stays greedy. Counts are those of the process, and logged.

Refused, since the host does not say which token a row decides: its overlapped scheduler runs a step ahead of what is
known of a request, and rows of the middle of a prompt are handed over like others and thrown away. So policies that
read `position` or earlier tokens could be wrong without a sign.

Not visible from inside: with speculative decoding by EAGLE, MTP or NGRAM the host verifies drafts without calling
processors, and all tokens but the first have the request's own temperature. `self_test` asks a server, and tells.

Run so far: this class through the host's own batch and sampler functions, on a CPU. Not run: a server. There is no hook
for servers that take no code from clients: the place for one is around `Sampler._preprocess_logits`, by an entry point
of the group `sglang.srt.plugins`, which sees no request's `custom_params` there.
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
"""Where `custom_params` has the policy's text."""

MOST_KINDS = 1024
"""How many pairs of policy and requested temperature are kept from call to call; beyond, all are read anew."""

HOT = 1000.0
"""The temperature of `self_test`, at which all tokens are alike."""

ALIKE = 0.5
"""How far apart, in nats, log-probabilities are that are alike: logits 500 apart at `HOT`."""


def extra_body(policy: PolicyLike, **params: Any) -> dict[str, Any]:
    """What a request has beside its usual fields: `extra_body=` of the OpenAI client, or more fields of `/generate`.

    Args:
        policy: The policy, or its text.
        params: More of `custom_params`, for processors of your own.

    Raises:
        PolicyError, EngineError: For what is no policy, or one that this host cannot carry out.
    """
    return {
        "custom_logit_processor": DynamicTemperature.to_str(),
        "custom_params": {KEY: str(accepted(policy)), **params},
    }


def accepted(policy: PolicyLike) -> Policy:
    """The policy that `policy` is or spells, if SGLang can carry it out.

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
    """The processor, of the form of SGLang's `CustomLogitProcessor`; the host makes one for each batch it prefills.

    Attributes:
        counts: What all calls in this process came to.
    """

    _requests: ClassVar[Requests] = Requests(CAPABILITIES["sglang"], divided="after")
    _kinds: ClassVar[dict[tuple[str, float], int]] = {}
    counts: ClassVar[Counts] = _requests.counts

    @classmethod
    def to_str(cls) -> str:
        """What a request names the class by; the server has to have dyntemp installed."""
        return json.dumps({"callable": pickle.dumps(cls).hex()})

    def __call__(self, logits: Any, custom_param_list: Sequence[Mapping[str, Any] | None] | None = None) -> Any:
        """The rows, [rows, n], over their temperatures, times the requests' own; written in place."""
        if len(self._kinds) > MOST_KINDS:  # not within a call, whose rows would change their policies
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
            return -1  # the request is over, and its row will be thrown away
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
    """End a request with a message, as SGLang itself does, and touch no other."""
    if host is None:  # nothing tells whose row it is, and an error would end the server
        _warn(f"a request is sampled without a policy: {message}")
        return
    logging.getLogger("dyntemp").error("dyntemp: a request is aborted: %s", message)
    host.to_finish = import_module("sglang.srt.managers.schedule_batch").FINISH_ABORT(f"dyntemp: {message}")


@lru_cache(maxsize=64)
def _warn(message: str) -> None:
    """Once for each message."""
    logging.getLogger("dyntemp").warning("dyntemp: %s", message)


def self_test(url: str, model: str = "default", tokens: int = 8) -> list[float]:
    """Ask a server whether it calls us for every token: at a temperature of 1000, all tokens are alike.

    Args:
        url: Where it listens: `http://127.0.0.1:30000`.
        model: The name that it serves.
        tokens: How many tokens to look at; some, since drafts follow the first.

    Returns:
        How far apart the five highest log-probabilities of each token were, in nats.

    Raises:
        EngineError: If they are not alike for every token, or are alike without us.
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
