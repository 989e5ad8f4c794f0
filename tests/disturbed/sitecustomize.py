"""Adds noise to the logits of the bundled model, as another processor or another build would.

    PYTHONPATH=tests/disturbed python -m pytest

Python imports `sitecustomize` when it starts, so the processes that tests start are disturbed too. The noise of a row
depends on the row alone: equal rows stay equal, rows that differ in their last bit part by about `AMOUNT`. No test
may change its verdict under this noise, except those that are marked `bits`.
"""

import ctypes
import sys
import zlib
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

AMOUNT = 1e-3
"""Standard deviation of the noise, in logits."""

LENGTH = 2**18
"""Entries of the table of noise; a row begins at an entry that its bytes choose."""

VOCABULARY = 49_152
"""Entries of a row of the bundled model; rows of other models stay as they are."""


def noise(bits: bytes, entries: int):
    """Float32 noise for the row with these bytes, [entries]."""
    import numpy as np

    if not hasattr(noise, "table"):
        noise.table = AMOUNT * np.random.default_rng(1).standard_normal(2 * LENGTH, np.float32)
    begin = zlib.crc32(bits) % LENGTH
    return noise.table[begin : begin + entries]


def disturb_llama_cpp(module: ModuleType) -> None:
    """Wrap `llama_decode` of llama-cpp-python: the rows of logits which it leaves in memory are disturbed there."""
    import numpy as np

    decode = module.llama_decode

    @wraps(decode)
    def disturbed(context, batch):
        code = decode(context, batch)
        width = module.llama_vocab_n_tokens(module.llama_model_get_vocab(module.llama_get_model(context)))
        for at in range(batch.n_tokens) if code == 0 else ():
            if batch.logits[at] and width == VOCABULARY:
                row = module.llama_get_logits_ith(context, at)
                row = np.frombuffer((ctypes.c_float * width).from_address(ctypes.addressof(row.contents)), np.float32)
                row += noise(row.tobytes(), width)
        return code

    module.llama_decode = disturbed


def disturb_binding(module: ModuleType) -> None:
    """Wrap `llama_decode` of each library that our own binding opens."""
    import numpy as np

    bind = module.bind

    @wraps(bind)
    def disturbed_bind(library, name, layout):
        api = bind(library, name, layout)
        decode, batch_of, model_of = api.llama_decode, layout.structs["llama_batch"], library.llama_get_model
        model_of.restype, model_of.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

        def disturbed(context, batch):
            code = decode(context, batch)
            width = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model_of(context)))
            if code == 0 and width == VOCABULARY:
                wanted = ctypes.string_at(batch_of.read(batch, "logits"), batch_of.read(batch, "n_tokens"))
                count = len(wanted) - wanted.count(0)
                rows = np.ctypeslib.as_array(api.llama_get_logits(context), (count, width)) if count else ()
                for row in rows:
                    np.add(row, noise(row.tobytes(), width), out=row)
            return code

        api.llama_decode = disturbed
        return api

    module.bind = disturbed_bind


def disturb_transformers(module: ModuleType) -> None:
    """Wrap the forward pass of `LlamaForCausalLM`, the bundled model's class."""
    forward = module.LlamaForCausalLM.forward

    @wraps(forward)
    def disturbed(*args, **kwargs):
        import torch

        out = forward(*args, **kwargs)
        if out.logits.shape[-1] == VOCABULARY:
            rows = out.logits.detach().float().reshape(-1, out.logits.shape[-1])
            added = [torch.from_numpy(noise(row.numpy().tobytes(), len(row)).copy()) for row in rows]
            out.logits = out.logits + torch.stack(added).reshape(out.logits.shape).to(out.logits.dtype)
        return out

    module.LlamaForCausalLM.forward = disturbed


DISTURBED = {
    "llama_cpp.llama_cpp": disturb_llama_cpp,
    "dyntemp.models.llama.binding": disturb_binding,
    "transformers.models.llama.modeling_llama": disturb_transformers,
}


class Wrapped(Loader):
    """Loads a module as `loader` does, then changes it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        DISTURBED[module.__name__](module)


class Finder(MetaPathFinder):
    """Finds the modules to change with all other finders, and wraps their loaders."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in DISTURBED:
            return None
        sys.meta_path.remove(self)
        try:
            spec = find_spec(fullname)
        finally:
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = Wrapped(spec.loader)
        return spec


sys.meta_path.insert(0, Finder())
