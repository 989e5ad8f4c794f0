"""A policy as the parameters of llama.cpp's own dynamic temperature."""

from __future__ import annotations

from dyntemp.convert import ConversionError, to_settings
from dyntemp.errors import EngineError
from dyntemp.sampling import PolicyLike, as_policy

NATIVE = ("temperature", "dynatemp_range", "dynatemp_exponent")


def native(policy: PolicyLike) -> dict[str, float]:
    """The parameters with which llama.cpp computes a policy by itself.

    For a request to llama-server or xllamacpp, send `to_settings("llama.cpp", policy).fields`. These hold the order of
    the samplers too: the place of `temperature` in it decides which candidates are measured. llama.cpp counts
    candidates at -inf, and a policy does not. So the parameters are exact for rows in which a grammar masks nothing.

    Raises:
        EngineError: If llama.cpp cannot compute it, with the reason.
        PolicyError: If `policy` is no policy.

    >>> native("0.3 + 0.6*normalized_entropy**2")
    {'temperature': 0.6, 'dynatemp_range': 0.3, 'dynatemp_exponent': 2.0}
    """
    found = as_policy(policy)
    try:
        settings = to_settings("llama.cpp", found)
    except ConversionError as error:
        raise EngineError(f"llama.cpp has no parameters of its own for this: {error}") from None
    return {name: settings.fields[name] for name in NATIVE}
