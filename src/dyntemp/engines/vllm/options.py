"""What users of vLLM ask for: each request in its `extra_args`, and the one who starts the engine in its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

from dyntemp.errors import EngineError

KEY = "dyntemp"
"""The name of a request's policy in `extra_args` and `vllm_xargs`, and of our part of `additional_config`."""

ID = "dyntemp_id"
"""What a request may be called in the trace."""

OFF = "off"
"""The policy of a request that wants the server's default for others, and none for itself."""

HERE = "dyntemp.engines.vllm"

GROUP = "vllm.logits_processors"
"""The entry point whose classes vLLM loads into every engine."""

MOST_CHARACTERS = 2000
"""How long the text of a policy, which anyone who reaches the server may send, can be."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the engine was started with: `--additional-config '{"dyntemp": {"policy": "0.1 + 0.8*entropy"}}'`.

    Attributes:
        policy: The policy of requests that bring none; None leaves them alone.
        counts: A directory where each worker keeps a file of how often it was called.
        trace: A directory where each worker writes a line of JSON per row that it changed. On a GPU that waits for
            every step.
        backend: A name of `dyntemp.kernels.BACKENDS`; by default it follows from where the rows live.
    """

    policy: str | None = None
    counts: str | None = None
    trace: str | None = None
    backend: str | None = None

    @classmethod
    def of(cls, vllm_config: Any) -> Options:
        """The options in a `VllmConfig`.

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
    """Raise for an engine in which a class that lets policies remember, or not, cannot do what it says.

    Raises:
        EngineError: Where it drafts tokens, or loads us twice.
    """
    if getattr(vllm_config, "speculative_config", None) is not None:
        if remembers:
            raise EngineError(
                "this server drafts tokens, and policies that remember cannot be carried out then: load "
                f"{HERE}:StatelessDynamicTemperature, which refuses them in each request, instead of "
                f"{HERE}:DynamicTemperature (which the package dyntemp-vllm loads: uninstall that)"
            )
        if options.trace is not None:
            raise EngineError('"trace" was given, and this server drafts tokens, which are not traced: leave it out')
    named = getattr(vllm_config.model_config, "logits_processors", None) or ()
    loaded = [one if isinstance(one, str) else f"{one.__module__}:{one.__name__}" for one in named]
    loaded += [point.value for point in entry_points(group=GROUP)]
    if sum(one.startswith(f"{HERE}:") for one in loaded) > 1:
        raise EngineError(
            f"rows would be scaled twice, by {' and '.join(loaded)}: leave --logits-processors out, or uninstall the "
            "package dyntemp-vllm"
        )


def asked(extra_args: Mapping[str, Any] | None) -> str | None:
    """The text of a request's policy, `OFF`, or None where it brings none.

    Raises:
        EngineError: For what is no text, too long, or under a name that is not ours.
    """
    if not extra_args:
        return None
    for other in extra_args:
        if other not in {KEY, ID} and (KEY in other.lower() or get_close_matches(other.lower(), (KEY, ID), cutoff=0.8)):
            raise EngineError(f"`{other}` was given in vllm_xargs; dyntemp reads `{KEY}`, a policy, and `{ID}`, a name")
    name = extra_args.get(ID)
    if name is not None and (not isinstance(name, str) or len(name) > 200):
        raise EngineError(f"`{ID}` = {_shown(name)} was given; text of at most 200 characters is allowed")
    policy = extra_args.get(KEY)
    return None if policy is None else checked(policy)


def checked(policy: Any) -> str:
    """A policy's text, before anyone reads it.

    Raises:
        EngineError: For what is no text, or too long.
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
