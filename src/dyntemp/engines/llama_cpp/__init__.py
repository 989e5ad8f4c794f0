"""llama.cpp through llama-cpp-python: in the chain of samplers, natively where that is exact, or as a logits processor.

`DynamicLlama` is a `llama_cpp.Llama` that takes a policy with each call. The policy takes the place of the temperature:

    llama = DynamicLlama("model.gguf", "0.3 + 0.7*normalized_entropy")
    llama("Once upon a time", policy="0.5 - 0.4*max_prob")

`native` writes a policy as the parameters of llama.cpp's own dynamic temperature. llama-server and xllamacpp take these
too, and have no other way in. `llama_cpp.server` takes neither: its requests have no such fields.
"""

from dyntemp.engines.llama_cpp.llama import DynamicLlama
from dyntemp.engines.llama_cpp.native import native
from dyntemp.engines.llama_cpp.processor import NEUTRAL, DynamicTemperature

__all__ = ["NEUTRAL", "DynamicLlama", "DynamicTemperature", "native"]
