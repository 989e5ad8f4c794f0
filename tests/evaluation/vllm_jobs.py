"""Jobs of a runner of vLLM, in a process of its own: vLLM's workers import the main module anew."""

import json
import sys
from itertools import chain
from pathlib import Path

from tests.evaluation.test_loop_runner import arm, item, jobs_of

CHAT = item(name="chat", prompt=[{"role": "user", "content": "hello"}], max_tokens=6)
ITEMS = [
    item(name="one", prompt="hello", max_tokens=6), CHAT, item(name="tokens", prompt=[104, 105], max_tokens=6),
    item(name="stopped", prompt="hello", max_tokens=100, stop=("e", "<2")),
]  # fmt: skip
ARMS = [
    arm("0.1 + 0.4*entropy + 0.05*max_prob"), arm("0.3 + ema(entropy, 0.5)/3", "min_p(0.05), temperature, top_p(0.9)"),
    arm('given("t", 0, 1e6)', given={one.id: {"t": [0.5, 0.0, 2.0]} for one in ITEMS}), arm("0"),
]  # fmt: skip


def all_jobs():
    return jobs_of(ITEMS, ARMS, 3)


def main(folder, out):
    from dyntemp.evaluation.vllm_runner import VllmRunner

    runner = VllmRunner(folder, batch=40, enforce_eager=True, max_model_len=128, max_num_seqs=16, block_size=32)
    for one in ARMS:
        runner.check(one)
    jobs = all_jobs()
    samples = [(jobs.index(job), sample.to_json()) for job, sample in chain(runner.run(jobs), runner.run(jobs[:1]))]
    Path(out).write_text(json.dumps(samples), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
