"""The policy of a request, and the values of its `requested` and `given`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dyntemp.distribution.filters import GREEDY_AT, SHORT, Filters
from dyntemp.engines.request_fields import KEY, OFF
from dyntemp.errors import PolicyError
from dyntemp.generation import policies
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.given import GivenNumbers
from dyntemp.language.policy import Policy
from dyntemp.language.signals import suggestion
from dyntemp.serve.errors import of_policy, shown, wrong
from dyntemp.serve.fields import Unfit, chain, encodable
from dyntemp.zones.tracker import ZoneTracker

GREEDY = Policy(0.0, name="greedy")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The policy of a request.

    Attributes:
        policy: The policy, with its parameters bound.
        requested: The value of its `requested`.
        given: The value of each of its `given(...)`, by name: a number, or a list of numbers by position.
        filters: The truncation of the draw.
        ignored: Names of fields without an effect; only a lenient server accepts any.
    """

    policy: Policy
    requested: float
    given: Mapping[str, GivenNumbers]
    filters: Filters = Filters()
    ignored: tuple[str, ...] = ()


def read_policy(value: Any, most: int, param: str = "policy") -> PolicyFile:
    """The policy that a client means: a published one by its name, a formula, or the JSON of a policy's file.

    Raises:
        ApiError: 400 for a value that is no policy, is too long, or could give a negative or undefined temperature.
    """
    if not isinstance(value, str | Mapping) or (
        isinstance(value, Mapping) and not isinstance(value.get("policy"), str)
    ):
        raise wrong(param, f'`{param}` = {shown(value)} was given; a policy is text, such as "0.1 + 0.8*entropy"')
    text = value if isinstance(value, str) else value["policy"]
    if len(text) > most:
        message = f"the policy has {len(text)} characters; at most {most} are allowed: write it shorter"
        raise wrong(param, message, "policy_too_long")
    try:
        if isinstance(value, Mapping) and value.get("filters"):
            chain().read(value["filters"])  # a client's chain is short
        return policies.read_given(value if isinstance(value, Mapping) else encodable(value))
    except PolicyError as error:
        raise of_policy(error, param) from None
    except Unfit as error:
        raise wrong(param, f"`{param}` was given; {error}") from None


def chosen(values: Mapping[str, Any], *, fallback: PolicyFile | None, most: int, lenient: bool) -> Chosen:
    """The policy that the fields of a request ask for.

    Args:
        values: `policy`, `vllm_xargs`, `temperature`, `parameters`, `given`, `zones` and those of filters.
        fallback: The server's policy for requests that bring none.
        most: Characters that a policy may have.
        lenient: Whether a temperature without an effect, and filters beside those of the policy, are ignored.

    Raises:
        ApiError: 400 for fields that do not fit together.
    """
    text, beside = values["policy"], values.get("vllm_xargs")
    param = "policy"
    if beside is not None:
        if text is not None:
            raise wrong("vllm_xargs", f"`policy` and `vllm_xargs` with `{KEY}` were given; give one of them")
        text, param = beside, "vllm_xargs"
    policy = fallback if text is None else None if text == OFF else read_policy(text, most, param)
    found = _heated(None if policy is None else policy.policy, values, off=text == OFF, lenient=lenient)
    asked = _filters(values, default=policy is None and text != OFF and values["temperature"] is None)
    if policy is None or not policy.filters.active or found.policy == GREEDY:
        return replace(found, filters=asked)
    if asked.active and asked != policy.filters:
        names = tuple(
            name for name, inert in {"filters": None, **SHORT}.items() if values[name] not in (inert, None, -1)
        )
        if not lenient:
            advice = f"leave {' and '.join(names)} out, or send the policy as text"
            told = f"the policy has filters of its own, `{policy.filters}`, and `{asked}` was asked for: {advice}"
            raise wrong(names[0], told, "filters_twice")
        found = replace(found, ignored=(*found.ignored, *names))
    return replace(found, filters=policy.filters)


def _filters(values: Mapping[str, Any], *, default: bool) -> Filters:
    """The filters that the fields of a request ask for, or those beside the default policy.

    Raises:
        ApiError: 400 for filters in their long and in their short form.
    """
    try:
        return policies.chosen_filters(
            values["filters"], max(values["top_k"], 0), values["top_p"], values["min_p"], values["filter_at"],
            default=default,
        )  # fmt: skip
    except ValueError as error:
        raise wrong("filters", str(error)) from None


def _heated(policy: Policy | None, values: Mapping[str, Any], *, off: bool, lenient: bool) -> Chosen:
    """The policy under the temperature of a request, with its parameters bound."""
    temperature = values["temperature"]
    if policy is None:
        static = 1.0 if temperature is None and off else temperature
        return _filled(policies.policy_of_temperature(static), 1.0, values)
    filled = _filled(policy, 1.0 if temperature is None else temperature, values)
    if temperature is None or temperature == 1:
        return filled
    if temperature <= GREEDY_AT:
        return Chosen(GREEDY, 1.0, {})
    if policies.reads_temperature(filled.policy):
        return filled
    if not lenient:
        raise wrong(
            "temperature",
            f"`temperature` = {temperature:g} has no effect: the policy `{filled.policy}` does not read `requested`. "
            f"{policies.TEMPERATURE_ADVICE}",
            "temperature_without_effect",
        )
    return replace(filled, requested=1.0, ignored=("temperature",))


def _filled(policy: Policy, requested: float, values: Mapping[str, Any]) -> Chosen:
    """`policy` with the request's parameters bound, and its `given` numbers and its zones checked."""
    try:
        bound = policy.bind(**values["parameters"])
        bound.bound({})
    except PolicyError as error:
        raise of_policy(error, "parameters") from None
    try:
        ZoneTracker.of(bound.zones, values["zones"])
    except PolicyError as error:
        raise of_policy(error, "zones") from None
    wanted = {signal.arguments[0]: signal for signal in bound.signals if signal.name == "given"}
    given = values["given"]
    for name in given:
        if name not in wanted:
            raise wrong(
                "given", f"the policy `{bound}` reads no given(`{shown(name)[1:-1]}`){suggestion(name, wanted)}"
            )
    for name, signal in wanted.items():
        if name not in given:
            raise wrong("given", f'the policy reads `{signal}`: send "given": {{"{name}": ...}}', "missing_given")
        try:
            bound.within(signal, np.array(given[name]))
        except PolicyError as error:
            raise of_policy(error, "given") from None
    return Chosen(bound, requested, given)
