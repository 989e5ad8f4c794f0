"""An engine of two tensor-parallel ranks that does the jobs of a file; vLLM's workers import the main module anew."""

import json
import sys
from pathlib import Path


def shown(request):
    output, *_ = request.outputs
    logprobs = [{token: value.logprob for token, value in at.items()} for at in output.logprobs or ()]
    texts = [list(one.token_ids) for one in request.outputs]
    return {"tokens": texts[0], "logprobs": logprobs, "texts": texts}


def main(folder, out):
    from vllm import LLM, SamplingParams

    from dyntemp.engines.vllm import self_test

    llm = LLM(
        folder, logits_processors=["dyntemp.engines.vllm:DynamicTemperature"], tensor_parallel_size=2,
        enforce_eager=True, max_model_len=128, max_num_batched_tokens=32, max_num_seqs=8, block_size=32,
        num_gpu_blocks_override=8, enable_prefix_caching=False, logprobs_mode="processed_logprobs", max_logprobs=512,
        additional_config={"dyntemp": {"counts": out, "trace": out, "records": f"{out}/records"}},
    )  # fmt: skip
    told = {}
    for name, jobs in json.loads(Path(out, "jobs.json").read_text(encoding="utf-8")).items():
        params = [SamplingParams(ignore_eos=True, **one["params"]) for one in jobs]
        found = llm.generate([one["prompt"] for one in jobs], params, use_tqdm=False)
        told[name] = [shown(one) for one in found]
    self_test(llm)
    Path(out, "told.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
