"""lm-evaluation-harness: its tasks under a policy, with transformers (`dyntemp`) or vLLM (`dyntemp-vllm`).

    python -m dyntemp.evaluation.lm_eval --model dyntemp --model_args \
        '{"pretrained": "HuggingFaceTB/SmolLM2-135M-Instruct", "policy": "0.1 + 0.8*normalized_entropy"}' --tasks gsm8k

This command is `lm_eval` with two more models. `register()` adds them in Python. Importing this package does not import
the harness.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from dyntemp.errors import EngineError

MODELS = {
    "dyntemp": "dyntemp.evaluation.lm_eval.on_transformers:PolicyHFLM",
    "dyntemp-vllm": "dyntemp.evaluation.lm_eval.on_vllm:PolicyVLLM",
}
"""Names of the models in the harness, and the classes behind them, which are imported on use."""


def register() -> None:
    """Add the models to the harness. Calling it again does nothing.

    Raises:
        EngineError: If the harness is not installed, or is older than its register of models.
    """
    if find_spec("lm_eval") is None:
        raise EngineError("lm-evaluation-harness is not installed: pip install 'dyntemp[lm-eval]'")
    models: Any = getattr(import_module("lm_eval.api.registry"), "model_registry", None)
    if models is None:
        raise EngineError("this lm-evaluation-harness has no `model_registry`: pip install 'lm-eval>=0.4.13'")
    import_module("lm_eval.models")  # its own models come first
    for name, place in MODELS.items():
        if name not in models:
            models.register(name, target=place)
