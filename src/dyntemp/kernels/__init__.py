"""One door to the backends that read rows of logits: the caller names one, or it follows from where the rows live."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

import numpy as np

from dyntemp.kernels.job import Job, Outcome


class Needs(NamedTuple):
    """The packages that a backend needs beside NumPy and Numba, and the extra that installs them."""

    packages: tuple[str, ...] = ()
    extra: str = ""


BACKENDS = {
    "reference": Needs(),
    "cpu": Needs(),
    "torch": Needs(("torch",), "torch"),
    "triton": Needs(("torch", "triton"), "triton"),
    "array_api": Needs(("array_api_compat",), "array-api"),
}
"""Every backend by name: `reference` is a module here, each other one is the module `backend` of its package."""


class Backend(Protocol):
    """The functions of every backend."""

    NAME: str

    def run(self, logits: Any, job: Job) -> Outcome:
        """Do `job` for every row of logits, [rows, n] or [n]."""

    def scale(self, logits: Any, temperature: Any, out: Any = None, threads: int | None = None) -> Any:
        """`logits` divided by a temperature of each row, [rows], as `run` returned them; NaN leaves a row as it is.

        The result is written to `out`, like the logits and perhaps the logits themselves, where that is given.
        `threads` is that of `Job`.
        """


def backend_of(logits: Any, name: str | None = None, parameters: Mapping[str, Any] | None = None) -> Backend:
    """The backend called `name`, or the one for rows that live where `logits` do.

    NumPy arrays and tensors on the CPU go to `cpu`; tensors on a CUDA device to `triton` where it is installed, else
    `torch`; tensors elsewhere, tensors with a gradient, parameters that are tensors, and whatever `torch.compile`
    traces to `torch`; arrays of MLX, JAX, CuPy and others that follow the array API standard to `array_api`.

    Raises:
        ValueError: For a backend that does not exist.
        ImportError: For one whose packages are not installed.
    """
    if name is None:
        if type(logits) is np.ndarray and not parameters:
            return _module("cpu")  # the usual case, without a look around
        name = _home(logits, parameters)
    if name not in BACKENDS:
        raise ValueError(f"backend {name!r} was given; there are {', '.join(BACKENDS)}")
    if missing := [package for package in BACKENDS[name].packages if not _installed(package)]:
        raise ImportError(
            f"backend {name!r} needs {' and '.join(missing)}: pip install 'dyntemp[{BACKENDS[name].extra}]'"
        )
    return _module(name)


def _home(logits: Any, parameters: Mapping[str, Any] | None) -> str:
    torch = sys.modules.get("torch")  # a tensor can only come from a process that has imported it
    if torch is not None:
        if any(isinstance(value, torch.Tensor) for value in (parameters or {}).values()):
            return "torch"
        if isinstance(logits, torch.Tensor):
            if (logits.requires_grad and torch.is_grad_enabled()) or torch.compiler.is_compiling():
                return "torch"
            kind = logits.device.type
            return "cpu" if kind == "cpu" else "triton" if kind == "cuda" and _installed("triton") else "torch"
    if not isinstance(logits, np.ndarray | np.generic) and (
        hasattr(logits, "__array_namespace__") or type(logits).__module__.split(".")[0] == "mlx"
    ):
        return "array_api"
    return "cpu"


def untraced(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have `torch.compile` call `function` once while it traces and keep the result, as `assume_constant_result` does.

    For what depends on its arguments alone and has no tensors in it, such as reading a policy's text. PyTorch's own
    decorator sets this same attribute; it is written here so that nothing has to import PyTorch.
    """

    def call(*arguments: Any) -> Any:
        return function(*arguments)  # itself it may be cached, which PyTorch would look through

    call._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001
    return call


@untraced
@cache
def _installed(package: str) -> bool:
    return find_spec(package) is not None


def _module(name: str) -> Any:
    if name == "torch":
        from dyntemp.kernels.torch import backend

        return backend
    return _imported(name)


@cache
def _imported(name: str) -> Any:
    return import_module(f"dyntemp.kernels.{name}" if name == "reference" else f"dyntemp.kernels.{name}.backend")
