"""The model of a long command, and where it runs: in our own loop, in vLLM, or at a server."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import NamedTuple

from dyntemp.cli.common import MODEL_VARIABLE, waiting
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.runner import Runner
from dyntemp.models import BUNDLED, Model, load_model
from dyntemp.models.recommended import recommended


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """The options that name a model and where it runs; `opened` reads them."""
    where = parser.add_argument_group("model")
    where.add_argument("-m", "--model", metavar="MODEL", help="a model as in `dyntemp generate`, or the server's name")
    host = where.add_mutually_exclusive_group()
    host.add_argument("--server", metavar="URL", help="a server with the OpenAI API, such as http://localhost:8000/v1")
    host.add_argument("--vllm", metavar="MODEL", help="run this model in vLLM, in this process")
    where.add_argument("--server-kind", choices=("dyntemp", "vllm", "other"), default="dyntemp",
                       help="where the server's policies come from: `dyntemp serve` (dyntemp), vLLM with our processor "
                       "(vllm), or none (other)")  # fmt: skip
    where.add_argument("--batch", type=int, default=64, metavar="N", help="texts that are written at a time (64)")
    where.add_argument("--threads", type=int, metavar="N", help="processor threads of llama.cpp")


def default_model(options: argparse.Namespace) -> str:
    """The model where --model names none."""
    return options.vllm or os.environ.get(MODEL_VARIABLE, BUNDLED)


class Opened(NamedTuple):
    """A model that is ready.

    Attributes:
        runner: It writes the texts.
        exact: The exact tier, where the model's logits are at hand.
        card: The sampling that its makers recommend, where the model is at hand.
    """

    runner: Runner
    exact: ExactTier | None = None
    card: Mapping[str, float] = {}


def opened(options: argparse.Namespace, name: str) -> Opened:
    """The model that the options name, in our own loop, in vLLM or at a server."""
    if options.server:
        from dyntemp.evaluation.server_runner import ServerRunner

        kind = None if options.server_kind == "other" else options.server_kind
        return Opened(ServerRunner(options.server, name, concurrency=options.batch, kind=kind))
    if options.vllm:
        from dyntemp.evaluation.vllm_runner import VllmRunner

        return Opened(VllmRunner(name))
    model = loaded(options, name)
    return Opened(LoopRunner(model, batch=options.batch), ExactTier(model), recommended(model))


def loaded(options: argparse.Namespace, name: str) -> Model:
    """A model in our own loop; a message appears if loading takes long."""
    threads = {} if options.threads is None else {"threads": options.threads}
    with waiting(f"loading {name} ..."):
        return load_model(name, **threads)
