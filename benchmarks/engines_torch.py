"""PyTorch: a loop of one's own over a network of next to nothing, with a vocabulary of 128,256."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from hosts import POLICY, Case

from dyntemp.engines.torch import DynamicTemperature

TOKENS = 48
VOCABULARY = 128_256
HOST = f"PyTorch {torch.__version__}"


def cases() -> Iterator[Case]:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Embedding(VOCABULARY, 32), torch.nn.Linear(32, VOCABULARY)).eval()
    for rows in (1, 8):
        static = partial(loop, network, rows, lambda logits, _: multinomial(logits / 0.65))
        name = f"one layer, {VOCABULARY:,} tokens, {rows} at a time"
        for what, take in (("scaled, and drawn by PyTorch", scaled()), ("drawn", drawn())):
            yield Case(f"{HOST}, {what}", name, TOKENS * rows, static, partial(loop, network, rows, take))


def scaled() -> Callable:
    module = DynamicTemperature(POLICY)
    return lambda logits, _: multinomial(module(logits))


def drawn() -> Callable:
    module = DynamicTemperature(POLICY)
    return lambda logits, position: module.draw(logits, seed=7, position=position).token


def multinomial(logits: torch.Tensor) -> torch.Tensor:
    return torch.multinomial(logits.softmax(-1), 1)[:, 0]


@torch.no_grad()
def loop(network: torch.nn.Module, rows: int, take: Callable) -> None:
    tokens = torch.arange(rows)
    for position in range(TOKENS):
        tokens = take(network(tokens), position)
