"""The peers: what people use today for the same job, and parts of it.

The job is a token of each row. Where a peer can decide a temperature per row, it is 0.2 + 1.6*H/ln(n), which dyntemp
is given as the text `DYNAMIC`; where it cannot, it is 0.8 for every row. bfloat16 rows are widened to float32 by the
peer, as transformers and vLLM do: probabilities in bfloat16 are too coarse to draw from.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from timing import Contestant, unable

DYNAMIC = "lerp(0.2, 1.8, normalized_entropy)"
STATIC = 0.8
LOWEST, RANGE = 0.2, 1.6

Call = Callable[[Any], Any]


def as_array(buffer):
    """A buffer as a NumPy array, bfloat16 in the type of ml_dtypes."""
    if buffer.dtype != np.uint16:
        return buffer
    import ml_dtypes

    return buffer.view(ml_dtypes.bfloat16)


def as_tensor(buffer):
    """A buffer as a tensor, in place."""
    import torch

    if buffer.dtype != np.uint16:
        return torch.from_numpy(buffer)
    return torch.from_numpy(buffer.view(np.int16)).view(torch.bfloat16)


def as_candidates(buffer):
    """One row as llama.cpp's array of candidates, new at each call since the sampler sorts it in place."""
    import ctypes

    import llama_cpp

    row = as_array(buffer)[0]
    candidates = np.zeros(len(row), np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)]))
    candidates["id"], candidates["logit"] = np.arange(len(row)), row
    data = candidates.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data))
    return candidates, llama_cpp.llama_token_data_array(data=data, size=len(row), selected=-1, sorted=False)


def torch_temperature(vocabulary: int) -> Call:
    import torch

    def temperature(z):
        log_p = torch.log_softmax(z, -1)
        entropy = -(log_p.exp() * log_p).sum(-1, keepdim=True)
        return LOWEST + RANGE * entropy / math.log(vocabulary)

    return temperature


def multinomial(z):
    import torch

    return torch.multinomial(torch.softmax(z, -1), 1)


def inverse_cdf(z):
    import torch

    cumulated = torch.softmax(z, -1).cumsum(-1)
    return torch.searchsorted(cumulated, torch.rand(len(z), 1, device=z.device) * cumulated[:, -1:])


def torch_static(_: int) -> Call:
    return lambda x: multinomial(x.float() / STATIC)


def torch_inverse_cdf(_: int) -> Call:
    return lambda x: inverse_cdf(x.float() / STATIC)


def torch_dynamic(vocabulary: int, draw: Call = multinomial) -> Call:
    temperature = torch_temperature(vocabulary)

    def call(x):
        z = x.float()
        return draw(z / temperature(z))

    return call


def torch_compiled(vocabulary: int) -> Call:
    import torch

    return torch.compile(torch_dynamic(vocabulary, inverse_cdf), dynamic=False)


def transformers_warper(_: int) -> Call:
    from transformers import TemperatureLogitsWarper

    warper = TemperatureLogitsWarper(STATIC)
    return lambda x: multinomial(warper(None, x.float()))


def numpy_dynamic(vocabulary: int) -> Call:
    rng = np.random.default_rng(0)

    def call(x):
        z = x.astype(np.float32, copy=False)
        z = z - z.max(-1, keepdims=True)
        e = np.exp(z)
        total = e.sum(-1, keepdims=True)
        entropy = np.log(total) - (e * z).sum(-1, keepdims=True) / total
        cumulated = np.exp(z / (LOWEST + RANGE * entropy / np.float32(math.log(vocabulary)))).cumsum(-1)
        drawn = rng.random(len(z), np.float32) * cumulated[:, -1]
        return [np.searchsorted(row, u) for row, u in zip(cumulated, drawn, strict=True)]

    return call


def article_loop(vocabulary: int) -> Call:
    import torch

    def entropy(probabilities):
        value = 0
        for p in probabilities:
            if p > 0:
                value -= p * math.log(p)
        return value

    def call(x):
        z = x.float()
        h = entropy(torch.softmax(z, -1).numpy()[0])
        return multinomial(z / (LOWEST + RANGE * h / math.log(vocabulary)))

    return call


def llama_chain(*stages: tuple[Any, ...]) -> Call:
    """llama.cpp's own samplers, one after the other, through the library that llama-cpp-python loads; no model."""
    import ctypes

    import llama_cpp

    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    for name, *arguments in stages:
        llama_cpp.llama_sampler_chain_add(chain, getattr(llama_cpp, f"llama_sampler_init_{name}")(*arguments))

    def call(prepared):
        candidates, array = prepared
        llama_cpp.llama_sampler_apply(chain, ctypes.byref(array))
        return candidates["id"][array.selected]

    return call


def llama_dynamic(_: int) -> Call:
    return llama_chain(("temp_ext", LOWEST + RANGE / 2, RANGE / 2, 1.0), ("dist", 1))


def llama_static(_: int) -> Call:
    return llama_chain(("temp", STATIC), ("dist", 1))


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer.

    Attributes:
        name: What tables call it.
        make: From the vocabulary to what is timed.
        needs: The packages it needs, by the names they are imported by.
        what: What is timed, in words.
        dynamic: Whether it decides a temperature per row.
        view: From a buffer to what it takes; not timed.
        one_row: Whether it takes one row only; its time per logit then stands for any batch.
    """

    name: str
    make: Callable[[int], Call]
    needs: tuple[str, ...]
    what: str
    dynamic: bool
    view: Call = as_tensor
    one_row: bool = False


PEERS = (
    Peer("torch static", torch_static, ("torch",), "softmax(z/0.8), multinomial", False),
    Peer("torch inverse CDF", torch_inverse_cdf, ("torch",), "softmax(z/0.8), cumsum, searchsorted", False),
    Peer("torch dynamic", torch_dynamic, ("torch",), "log_softmax, entropy, softmax(z/T), multinomial; eager", True),
    Peer("torch.compile", torch_compiled, ("torch",), "entropy, softmax(z/T), cumsum, searchsorted; compiled", True),
    Peer("transformers", transformers_warper, ("torch", "transformers"),
         "TemperatureLogitsWarper(0.8), softmax, multinomial", False),
    Peer("NumPy", numpy_dynamic, ("numpy",), "entropy, exp((z - max)/T), cumsum, searchsorted", True, as_array),
    Peer("the article's loop", article_loop, ("torch",),
         "the article's entropy, a Python loop over the vocabulary; softmax(z/T), multinomial", True, as_tensor, True),
    Peer("llama.cpp temp_ext", llama_dynamic, ("llama_cpp",),
         "temp_ext(1.0, 0.8, 1.0), dist; native, its array of candidates is filled before", True, as_candidates, True),
    Peer("llama.cpp temp", llama_static, ("llama_cpp",),
         "temp(0.8), dist; native, its array of candidates is filled before", False, as_candidates, True),
)  # fmt: skip


def contestants(peers: tuple[Peer, ...], rows: int, vocabulary: int) -> tuple[list[Contestant], dict[str, str]]:
    """The peers that are installed, ready to be timed, and what the others lack."""
    found, missing = [], {}
    for peer in peers:
        lacking = [package for package in peer.needs if find_spec(package) is None]
        if lacking:
            missing[peer.name] = f"{' and '.join(lacking)} not installed"
            continue
        shape = (1 if peer.one_row else rows, vocabulary)
        try:
            found.append(Contestant(peer.name, peer.make(vocabulary), shape, peer.view))
        except Exception as error:  # noqa: BLE001  # as in `admitted`
            missing[peer.name] = unable(error)
    return found, missing
