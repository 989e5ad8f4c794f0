"""Times dyntemp's GPU backends against the peers and the memory's bandwidth; see README.md beside this file.

python benchmarks/gpu.py            everything; a clean run writes results/gpu.md
python benchmarks/gpu.py --quick    a few cases; prints only
"""

import inspect
import itertools
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from time import perf_counter
from typing import Any

from command import command
from peers import (
    DYNAMIC,
    STATIC,
    Call,
    Peer,
    contestants,
    torch_compiled,
    torch_dynamic,
    torch_inverse_cdf,
    torch_static,
    torch_temperature,
)
from pool import synthetic
from report import Target
from runner import Case, Record
from timing import Contestant, admitted, interleave

OURS, OURS_STATIC, OURS_TORCH, LIMIT = "dyntemp triton", "dyntemp triton static", "dyntemp torch", "bandwidth limit"
COLD, CALLS = "GPU time, L2 flushed", "wall time, back to back"

TARGETS = (
    Target(LIMIT, OURS, True, None, 0.8, mode=COLD, vocabulary=(128_000, 2**20), batch=(32, 512)),
    Target(OURS, OURS_STATIC, False, None, 1.05, mode=COLD, batch=(1, 512)),
)
FULL = tuple(
    Case("draw", dtype, vocabulary, batch)
    for dtype, vocabulary, batch in itertools.product(
        ("float32", "bfloat16"), (32_000, 128_256, 151_936, 262_144), (1, 8, 32, 128, 512)
    )
)
QUICK = tuple(case for case in FULL if case.vocabulary == 151_936 and case.batch in (1, 32, 512))

FLUSH_BYTES = 2**30
"""Written before each call that is timed cold: far more than any L2, and long enough to hide a call's launches."""

COPY_BYTES = 2**30


def as_is(logits):
    return logits


def flashinfer_static(_: int) -> Call:
    from flashinfer import sampling

    return lambda x: sampling.sampling_from_probs(sampling.softmax(x.float(), temperature=STATIC))


def flashinfer_dynamic(vocabulary: int) -> Call:
    import torch
    from flashinfer import sampling

    temperature = torch.compile(torch_temperature(vocabulary), dynamic=False)

    def call(x):
        z = x.float()
        return sampling.sampling_from_probs(sampling.softmax(z, temperature=temperature(z).flatten()))

    return call


def vllm_gumbel(vocabulary: int, *, dynamic: bool) -> Call:
    import torch
    from vllm.v1.worker.gpu.sample.gumbel import gumbel_sample

    known = inspect.signature(gumbel_sample).parameters  # they changed from release to release
    temperature = torch.compile(torch_temperature(vocabulary), dynamic=False)

    def call(prepared):
        x, arguments = prepared
        if dynamic:
            arguments = arguments | {"temperature": temperature(x.float()).flatten()}
        return gumbel_sample(x, **{name: value for name, value in arguments.items() if name in known})

    return call


def vllm_arguments(x):
    """The state of requests that vLLM keeps on the device between steps."""
    import torch

    rows = len(x)
    return x, {
        "expanded_idx_mapping": torch.arange(rows, dtype=torch.int32, device=x.device),
        "temperature": torch.full((rows,), STATIC, device=x.device),
        "seed": torch.arange(rows, dtype=torch.int64, device=x.device),
        "pos": torch.zeros(rows, dtype=torch.int64, device=x.device),
        "apply_temperature": True,
        "is_drafting": False,
    }


PEERS = (
    Peer("torch static", torch_static, ("torch",), "softmax(z/0.8), multinomial; eager", False, as_is),
    Peer("torch inverse CDF", torch_inverse_cdf, ("torch",), "softmax(z/0.8), cumsum, searchsorted", False, as_is),
    Peer("torch dynamic", torch_dynamic, ("torch",), "log_softmax, entropy, softmax(z/T), multinomial", True, as_is),
    Peer("torch.compile", torch_compiled, ("torch",), "entropy, softmax(z/T), cumsum, searchsorted", True, as_is),
    Peer("FlashInfer static", flashinfer_static, ("flashinfer",), "softmax(0.8), sampling_from_probs", False, as_is),
    Peer("FlashInfer, T by torch.compile", flashinfer_dynamic, ("torch", "flashinfer"),
         "entropy compiled, softmax(T), sampling_from_probs", True, as_is),
    Peer("vLLM static", partial(vllm_gumbel, dynamic=False), ("torch", "vllm"),
         "gumbel_sample at 0.8; its tensors of requests are made before", False, vllm_arguments),
    Peer("vLLM, T by torch.compile", partial(vllm_gumbel, dynamic=True), ("torch", "vllm"),
         "entropy compiled, gumbel_sample", True, vllm_arguments),
)  # fmt: skip


def ours(name: str, policy: str, shape: tuple[int, int], backend: str) -> Contestant:
    from dyntemp import sample

    seeds = itertools.count()
    return Contestant(name, lambda logits: sample(logits, policy, seed=next(seeds), backend=backend), shape)


def bandwidth_limit(itemsize: int, device: str) -> Contestant:
    """A large copy, which moves each byte twice: what reading a logit costs when nothing else does."""
    import torch

    here, there = (torch.empty(COPY_BYTES, dtype=torch.uint8, device=device) for _ in range(2))
    return Contestant(LIMIT, lambda _: there.copy_(here), (1, 2 * COPY_BYTES // itemsize))


def draw(case: Case, device: str) -> tuple[list[Contestant], dict[str, str]]:
    """Everybody who draws tokens on `device`."""
    shape = (case.batch, case.vocabulary)
    theirs, missing = contestants(PEERS, *shape)
    mine = [
        ours(OURS, DYNAMIC, shape, "triton"),
        ours(OURS_STATIC, str(STATIC), shape, "triton"),
        ours(OURS_TORCH, DYNAMIC, shape, "torch"),
        bandwidth_limit(2 if case.dtype == "bfloat16" else 4, device),
    ]
    return [*mine, *theirs], missing


def gpu_time(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Seconds between the events around each call; the L2 cache is overwritten before it."""
    import torch

    flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")
    pairs = []
    for argument in arguments:
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        flush.zero_()
        begin.record()
        call(argument)
        end.record()
        pairs.append((begin, end))
    torch.cuda.synchronize()
    return sum(begin.elapsed_time(end) for begin, end in pairs) / 1e3


def wall_time(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Seconds until the GPU has done all the calls, made one right after the other: Python and launches included."""
    import torch

    torch.cuda.synchronize()
    began = perf_counter()
    for argument in arguments:
        call(argument)
    torch.cuda.synchronize()
    return perf_counter() - began


def measure(case: Case, settings: dict[str, Any]) -> Record:
    """Everything about one case, in this process."""
    import torch

    logits = torch.from_numpy(synthetic(case.batch * case.vocabulary, case.vocabulary))
    logits = logits.view(case.batch, case.vocabulary).to("cuda", getattr(torch, case.dtype))
    found, missing = draw(case, "cuda")
    able, unable = admitted(found, lambda _: logits)
    torch.cuda.synchronize()
    return {
        "samples": {
            mode: interleave(able, lambda _: logits, settings["rounds"], warm=warm, elapsed=elapsed, sample=0.002)
            for mode, elapsed, warm in ((COLD, gpu_time, False), (CALLS, wall_time, True))
        },
        "missing": missing | unable,
        "facts": {"columns": {c.name: c.shape[1] for c in able}, "device": describe_device()},
    }


def describe_device() -> dict[str, str]:
    import torch

    found = torch.cuda.get_device_properties(0)
    return {
        "GPU": f"{found.name}, compute capability {found.major}.{found.minor}",
        "GPU memory": f"{found.total_memory / 2**30:.0f} GiB",
        "GPU L2": f"{found.L2_cache_size / 2**20:.0f} MiB",
        "CUDA": str(torch.version.cuda),
    }


def notes() -> list[str]:
    """What each contestant does."""
    return [
        f'- {OURS}: `dyntemp.sample(logits, {DYNAMIC!r}, seed=..., backend="triton")`',
        f"- {OURS_STATIC}: the same with the policy `{STATIC}`; {OURS_TORCH}: the same with the backend `torch`",
        *(f"- {peer.name}: {peer.what}" for peer in PEERS),
        f"- {LIMIT}: the bytes of the logits over the bandwidth of a copy of {COPY_BYTES / 2**30:g} GiB",
    ]


def why_not() -> str:
    """What this machine lacks, or nothing."""
    if find_spec("torch") is None:
        return "PyTorch is not installed"
    import torch

    if not torch.cuda.is_available():
        return f"PyTorch {torch.__version__} sees no CUDA device"
    return ""


if __name__ == "__main__":
    if lack := why_not():
        sys.exit(f"benchmarks/gpu.py needs an NVIDIA GPU: {lack}; benchmarks/kernels.py measures the CPU")
    sys.exit(command(__file__, "GPU kernels", {"full": FULL, "quick": QUICK}, TARGETS, measure, notes, (OURS, LIMIT)))
