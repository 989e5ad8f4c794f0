"""The hidden states of a model of transformers, for functions whose numbers a policy reads.

    head = torch.nn.Sequential(torch.nn.Linear(576, 1), torch.nn.Sigmoid(), torch.nn.Flatten(0))
    generate(model, "Once", '2*given("head", 0, 1)', given={"head": head})

At every step the function is called with the states that enter the model's output head, [rows, width], and returns a
number for each row. A function with an attribute `reads_layers` is called with the states that enter these layers too.
Hooks read the states in the forward pass that is made anyway.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import log
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import ModelError

HiddenFunction = Callable[..., Any]
"""A function of the hidden states of some rows, tensors [rows, width], that returns [rows] numbers."""


class Given(NamedTuple):
    """The values of `given(...)`, by name: numbers, and functions of the hidden state."""

    numbers: dict[str, Any]
    functions: dict[str, HiddenFunction]

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Given:
        """The numbers and the functions of a user's `given`."""
        functions = {name: value for name, value in (given or {}).items() if callable(value)}
        return cls({name: value for name, value in (given or {}).items() if name not in functions}, functions)


@runtime_checkable
class HiddenModel(Protocol):
    """A model whose hidden states can be read."""

    def hidden_states(self, functions: Sequence[HiddenFunction]) -> HiddenStates:
        """The hidden states that these functions need, from now on."""


class HiddenStates:
    """Hooks in a model of transformers that keep the hidden states of the last position of one forward pass.

    Each thread has states of its own. `close` removes the hooks.

    Args:
        module: The model, with `get_output_embeddings`.
        functions: The functions that will be called; their `reads_layers` names the layers that they need.

    Raises:
        ModelError: If the model has no output head, or no layers of these numbers.
    """

    def __init__(self, module: Any, functions: Sequence[HiddenFunction]) -> None:
        self._thread = threading.local()
        head = module.get_output_embeddings()
        if head is None:
            raise ModelError(
                f"{type(module).__name__} has no output head, whose input functions in `given` receive: give numbers"
            )
        read: dict[int | None, Any] = {None: head}
        if wanted := {layer for function in functions for layer in layers_of(function)}:
            layers = _layers(module)
            if not all(0 <= layer < len(layers) for layer in wanted):
                raise ModelError(f"layers {sorted(wanted)} were asked for; {type(module).__name__} has 0 to "
                                 f"{len(layers) - 1}")  # fmt: skip
            read |= {layer: layers[layer] for layer in wanted}
        self._hooks = [
            part.register_forward_pre_hook(partial(self._keep, key), with_kwargs=True) for key, part in read.items()
        ]

    def _keep(self, key: int | None, _: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
        state = (arguments[0] if arguments else next(iter(keywords.values()))).detach()
        states = vars(self._thread).setdefault("states", {})
        states[key] = state[:, -1].clone()  # a view would keep the states of all positions

    def take(self) -> dict[int | None, Any]:
        """The states of the last forward pass, [rows, width], by layer; None stands for the output head.

        They are kept no longer.

        Raises:
            ModelError: If no pass of the model came since the last call.
        """
        states: dict[int | None, Any] = vars(self._thread).pop("states", {})
        if not states:
            raise ModelError(
                "a row came without a forward pass of the model, so that its hidden state is not known: functions in "
                "`given` work without an assistant model and without prompt lookup"
            )
        return states

    def close(self) -> None:
        """Remove the hooks, and free the states. Calling it again does nothing."""
        for hook in self._hooks:
            hook.remove()
        self._thread = threading.local()


def numbers(
    functions: Mapping[str, HiddenFunction], states: Mapping[int | None, Any], rows: Sequence[int] | None = None
) -> dict[str, NDArray[np.float64]]:
    """The number that each function returns for each row, [rows], by the function's name.

    Args:
        functions: The functions, by name.
        states: The states of a forward pass; see `HiddenStates.take`.
        rows: The rows to compute; all by default.

    Raises:
        ValueError: If a function does not return one number for each row.
    """
    torch = importlib.import_module("torch")
    found = {}
    for name, function in functions.items():
        with torch.inference_mode():
            wanted = [states[layer] for layer in (None, *layers_of(function))]
            value = function(*(wanted if rows is None else [state[[*rows]] for state in wanted]))
        count = len(wanted[0]) if rows is None else len(rows)
        values = np.asarray(value.double().cpu() if isinstance(value, torch.Tensor) else value, np.float64)
        if values.shape != (count,):
            raise ValueError(
                f"the function {name!r} in `given` returned an array of shape {values.shape} for {count} rows; one "
                f"number for each row, of shape ({count},), is needed"
            )
        found[name] = values
    return found


def layers_of(function: HiddenFunction) -> tuple[int, ...]:
    """The layers whose input a function needs, beside the input of the output head."""
    return tuple(getattr(function, "reads_layers", ()))


def _layers(module: Any) -> Any:
    """The list of a model's layers.

    Raises:
        ModelError: If the model has none of the expected length.
    """
    torch = importlib.import_module("torch")
    count = module.config.get_text_config().num_hidden_layers
    for part in module.modules():
        if isinstance(part, torch.nn.ModuleList) and len(part) == count:
            return part
    raise ModelError(f"{type(module).__name__} has no list of {count} layers, whose states a function asks for")


class KnowledgeAwareness:
    """How much a model's last layers add to what its earlier layers say: a function for `given`.

    KA is the mean, over the layers, of KL(p || q): p is the model's distribution, q that of the output head on the
    states that enter the layer, both over the tokens with p > 0.1 max p. In nats, clamped to [0, 50]. After dynamic
    focus decoding, arXiv:2503.08057, whose temperature is `T0 * 0.5**(given("knowledge", 0, 50)/sigma)`.

    Args:
        module: The model of transformers.
        layers: Numbers of the layers: k stands for the states after k layers. By default all, from 0, or from 1 where
            the output head is tied to the embeddings.

    Attributes:
        reads_layers: The layers.
    """

    def __init__(self, module: Any, layers: Sequence[int] | None = None) -> None:
        config = module.config.get_text_config()
        first = 1 if config.tie_word_embeddings and config.num_hidden_layers > 1 else 0
        self.reads_layers = tuple(range(first, config.num_hidden_layers) if layers is None else layers)
        if not self.reads_layers:
            raise ModelError("no layer was given; a comparison of layers needs one at least")
        self._head = module.get_output_embeddings().forward  # a call of the module itself would run its hooks

    def __call__(self, last: Any, *early: Any) -> Any:
        """The knowledge awareness of each row, [rows].

        Args:
            last: The states that enter the output head, [rows, width].
            early: Those that enter each layer of `reads_layers`.
        """
        final = self._head(last).float()
        kept = final > final.amax(-1, keepdim=True) + log(0.1)
        p = final.masked_fill(~kept, -float("inf")).log_softmax(-1)
        found = []
        for states in early:
            q = self._head(states).float().masked_fill(~kept, -float("inf")).log_softmax(-1)
            found.append((p.exp() * (p - q).masked_fill(~kept, 0.0)).sum(-1))
        return (sum(found) / len(found)).clamp(0.0, 50.0)
