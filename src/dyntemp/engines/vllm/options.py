"""Options of the engine, from vLLM's configuration, and the policy of a request, from its `extra_args`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.request_fields import CURVES, GIVEN, ID, KEY, MOST_CHARACTERS, MOST_ZONES, OFF, RECORD, ZONES
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy
from dyntemp.zones.zone import EXAMPLE

HERE = "dyntemp.engines.vllm"
"""The module under which vLLM and its users name our classes."""

FIELDS = (KEY, ID, RECORD, CURVES, ZONES, GIVEN)

GROUP = "vllm.logits_processors"
"""The group of entry points whose classes vLLM loads into every engine."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options that the engine was started with: `--additional-config '{"dyntemp": {"policy": "0.1 + 0.8*entropy"}}'`.

    Attributes:
        policy: The policy of requests without one; None leaves their rows as they are.
        counts: A directory where each worker keeps a file with its counts.
        trace: A directory where each worker writes a line of JSON for each row that it changed, with the totals of its
            curve if the request asks for them, by `"dyntemp_curves"`. On a GPU, every step is then waited for.
        records: A directory for the traces of requests that send a label, `"dyntemp_record"`, which `dyntemp explain`,
            `play` and `plot` read.
        backend: A name of `dyntemp.kernels.BACKENDS`; by default it follows from the device of the rows.
    """

    policy: str | None = None
    counts: str | None = None
    trace: str | None = None
    records: str | None = None
    backend: str | None = None

    @classmethod
    def of(cls, vllm_config: Any) -> Options:
        """Read the options of a `VllmConfig`.

        Raises:
            EngineError: For options that do not exist, or are not text.
        """
        config = getattr(vllm_config, "additional_config", None)
        given = config.get(KEY, {}) if isinstance(config, Mapping) else {}
        known = [field.name for field in fields(cls)]
        if not isinstance(given, Mapping) or not given.keys() <= set(known):
            raise EngineError(
                f"additional_config[{KEY!r}] = {given!r} was given; an object with some of {', '.join(known)} is "
                f'allowed: --additional-config \'{{"{KEY}": {{"policy": "0.1 + 0.8*entropy"}}}}\''
            )
        for name, value in given.items():
            if value is not None and not isinstance(value, str):
                raise EngineError(f"additional_config[{KEY!r}][{name!r}] = {value!r} was given; text is allowed")
        options = cls(**given)
        if options.policy is not None:
            checked(options.policy)
        return options


def refuse(vllm_config: Any, options: Options, remembers: bool) -> None:
    """Refuse an engine whose settings a class of ours cannot serve.

    Args:
        vllm_config: vLLM's configuration.
        options: Our part of it.
        remembers: True for a class whose policies may remember.

    Raises:
        EngineError: If the engine drafts tokens and `remembers`, or drafts and traces, or loads two of our classes.
    """
    if getattr(vllm_config, "speculative_config", None) is not None:
        if remembers:
            raise EngineError(
                "this server drafts tokens, and policies that remember cannot be carried out then: load "
                f"{HERE}:StatelessDynamicTemperature, which refuses them in each request, instead of "
                f"{HERE}:DynamicTemperature (which the package dyntemp-vllm loads: uninstall that)"
            )
        for name in ("trace", "records"):
            if getattr(options, name) is not None:
                raise EngineError(
                    f'"{name}" was given, and this server drafts tokens, which are not traced: leave it out'
                )
    named = getattr(vllm_config.model_config, "logits_processors", None) or ()
    loaded = [one if isinstance(one, str) else f"{one.__module__}:{one.__name__}" for one in named]
    loaded += plugins()
    if sum(one.startswith(f"{HERE}:") for one in loaded) > 1:
        raise EngineError(
            f"rows would be scaled twice, by {' and '.join(loaded)}: leave --logits-processors out, or uninstall the "
            "package dyntemp-vllm"
        )


def plugins() -> list[str]:
    """The classes that installed packages let vLLM load."""
    return [point.value for point in entry_points(group=GROUP)]


def accepted(
    requests: Requests, policy: str, zones: Sequence[str] = (), given: Mapping[str, Sequence[float]] | None = None
) -> Policy:
    """Read a policy, and check that this engine can carry it out.

    Raises:
        PolicyError, EngineError: As `Requests.accept`; also if a number is missing that it reads by `given(...)`; or if
            it reads a zone and a plugin has loaded us, for which the first runner may leave placeholders in the place
            of tokens.
    """
    found = requests.accept(policy, zones, given)
    for signal in found.signals:
        if signal.name == "given" and signal.arguments[0] not in (given or {}):
            raise EngineError(
                f'`{found}` reads `{signal}`: send it in the request, "{GIVEN}": '
                f"'{{\"{signal.arguments[0]}\": ...}}', a number or a list with one for each position"
            )
    if found.zones and any(one.startswith(f"{HERE}:") for one in plugins()):
        raise EngineError(
            f"`{found}` reads `inside(...)`, but vLLM does not tell a plugin the tokens of the text in time: uninstall "
            f"the package dyntemp-vllm, and start the server with --logits-processors {HERE}:DynamicTemperature"
        )
    return found


def own_zones(extra_args: Mapping[str, Any] | None) -> list[str]:
    """The zones of its own that a request brings; they are not read.

    Raises:
        EngineError: If they are no text and no list of texts, or too many.
    """
    given = (extra_args or {}).get(ZONES) or []
    zones = [given] if isinstance(given, str) else given
    if not isinstance(zones, list) or len(zones) > MOST_ZONES or not all(isinstance(zone, str) for zone in zones):
        raise EngineError(
            f"`{ZONES}` = {_shown(given)} was given; a text is allowed, or a list of at most {MOST_ZONES}, such as "
            f'["{EXAMPLE}"]'
        )
    return zones


def own_given(extra_args: Mapping[str, Any] | None) -> dict[str, list[float]]:
    """The values of `given("name", low, high)` that a request brings: lists of numbers by position, by name.

    Raises:
        EngineError: If the field is not an object of numbers and lists of numbers, nor the JSON of one.
    """
    sent = (extra_args or {}).get(GIVEN) or {}
    try:
        read = json.loads(sent) if isinstance(sent, str) else sent
        lists = {name: [*map(float, value if isinstance(value, list) else [value])] for name, value in read.items()}
    except (AttributeError, TypeError, ValueError):
        lists = {"": []}
    if not all(lists.values()):
        raise EngineError(
            f"`{GIVEN}` = {_shown(sent)} was given; an object is allowed, of a number or a list of numbers for each "
            f"name, or its JSON as text: '{{\"name\": [0.5, 0.7]}}'"
        )
    return lists


def own_curves(sampling_params: Any, *, second: bool) -> bool:
    """True if a request asks for the curves of its draws.

    Args:
        sampling_params: The request's settings.
        second: True for the second runner, whose min-p stands after the temperature too.

    Raises:
        EngineError: If the field is neither true nor false, no policy decides, or filters stand after the temperature,
            which leave other entries at another one.
    """
    extra = sampling_params.extra_args or {}
    wanted = extra.get(CURVES, False)
    if not isinstance(wanted, bool):
        raise EngineError(f"`{CURVES}` = {_shown(wanted)} was given; true and false are allowed")
    if wanted and (extra.get(KEY) == OFF or sampling_params.temperature <= GREEDY_AT):
        raise EngineError(
            f"`{CURVES}` was given with `{KEY}` = {OFF!r} or temperature 0, so that no policy decides: leave it out"
        )
    after = {"top_k": 0, "top_p": 1.0} | ({"min_p": 0.0} if second else {})
    found = {name: getattr(sampling_params, name, None) for name in after}
    active = [f"{name} = {found[name]}" for name, all_ in after.items() if found[name] not in (None, all_, -1)]
    if wanted and active:
        raise EngineError(
            f"`{CURVES}` was given with {' and '.join(active)}, which vLLM applies after the temperature: the curve of "
            "a draw needs filters before it" + ("" if second else ", such as min_p")
        )
    return wanted


def asked(extra_args: Mapping[str, Any] | None) -> str | None:
    """The text of a request's policy, `OFF`, or None where it brings none.

    Raises:
        EngineError: If the policy is no text or too long, or stands under a misspelt name.
    """
    if not extra_args:
        return None
    for other in extra_args:
        if other not in FIELDS and (KEY in other.lower() or get_close_matches(other.lower(), FIELDS, cutoff=0.8)):
            raise EngineError(
                f"`{other}` was given in vllm_xargs; dyntemp reads `{KEY}`, a policy, `{ID}`, a name, `{RECORD}`, a "
                f"label, `{CURVES}`, `{ZONES}` and `{GIVEN}`"
            )
    name = extra_args.get(ID)
    if name is not None and (not isinstance(name, str) or len(name) > 200):
        raise EngineError(f"`{ID}` = {_shown(name)} was given; text of at most 200 characters is allowed")
    policy = extra_args.get(KEY)
    return None if policy is None else checked(policy)


def checked(policy: Any) -> str:
    """Check that a policy is text of an allowed length; it is not parsed.

    Raises:
        EngineError: If it is no text, or too long.
    """
    if not isinstance(policy, str):
        raise EngineError(
            f"`{KEY}` = {_shown(policy)} was given; a policy is one line of text, such as "
            f'"0.1 + 0.8*entropy", and "{OFF}" is none'
        )
    if len(policy) > MOST_CHARACTERS:
        raise EngineError(
            f"`{KEY}` has {len(policy)} characters; at most {MOST_CHARACTERS} are allowed: write it shorter"
        )
    return policy


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
