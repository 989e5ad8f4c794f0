"""Jobs of a runner of vLLM, in a process of its own: vLLM's workers import the main module anew."""

import json
import sys
from itertools import chain
from pathlib import Path

from tests.evaluation.test_loop_runner import arm, item, jobs_of

from dyntemp.evaluation.sample import NUMBERS

CHAT = item(name="chat", prompt=[{"role": "user", "content": "hello"}], max_tokens=6)
ITEMS = [
    item(name="one", prompt="hello", max_tokens=6), CHAT, item(name="tokens", prompt=[104, 105], max_tokens=6),
    item(name="stopped", prompt="hello", max_tokens=100, stop=("e", "<2")),
]  # fmt: skip
ARMS = [
    arm("0.1 + 0.4*entropy + 0.05*max_prob"), arm("0.3 + ema(entropy, 0.5)/3", "min_p(0.05), temperature, top_p(0.9)"),
    arm('given("t", 0, 1e6)', given={one.id: {"t": [0.5, 0.0, 2.0]} for one in ITEMS}), arm("0"),
]  # fmt: skip


CURVED = [arm("0.1 + 0.4*entropy + 0.05*max_prob"), arm("0.4 + where(position < 2, 1, 0)", "min_p(0.02)")]


def all_jobs():
    return jobs_of(ITEMS, ARMS, 3)


def curved_jobs():
    return [job._replace(curves=True) for job in jobs_of(ITEMS, CURVED, 3)]


def tell_processed(worker):
    """Have vLLM return the log probabilities of its draws in place of the model's."""
    sampler = worker.model_runner.sampler
    sampler.logprobs_mode = sampler.topk_topp_sampler.logprobs_mode = "processed_logprobs"


def curved(runner):
    """Samples with curves, and ln of each token's probability as vLLM says it, from the same draws."""
    jobs, outputs = curved_jobs(), []
    generate = runner._llm.generate

    def kept(*arguments, **options):
        outputs.extend(generate(*arguments, **options))
        return outputs[-len(jobs) :]

    runner._llm.generate = kept
    samples = [sample for _, sample in runner.run(jobs)]
    runner._llm.collective_rpc(tell_processed)
    names = map(str, range(10_000, 10_000 + len(jobs)))
    again = generate(
        [runner._prompt(job) for job in jobs],
        [runner._params(job, name) for job, name in zip(jobs, names, strict=True)],
        use_tqdm=False,
    )
    told = []
    for first, second in zip(outputs, again, strict=True):
        one, other = first.outputs[0], second.outputs[0]
        assert list(one.token_ids) == list(other.token_ids)
        told.append([of[token].logprob for of, token in zip(other.logprobs, other.token_ids, strict=True)])
    exact = [sample.to_json() | {name: getattr(sample, name) for name in NUMBERS} for sample in samples]
    return list(zip(exact, told, strict=True))


def main(folder, out):
    from dyntemp.evaluation.vllm_runner import VllmRunner

    runner = VllmRunner(folder, batch=40, enforce_eager=True, max_model_len=128, max_num_seqs=16, block_size=32)
    for one in ARMS:
        runner.check(one)
    jobs = all_jobs()
    samples = [(jobs.index(job), sample.to_json()) for job, sample in chain(runner.run(jobs), runner.run(jobs[:1]))]
    Path(out).write_text(json.dumps([samples, curved(runner)]), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
