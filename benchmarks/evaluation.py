"""What the runner of evaluations costs beside the model's forward pass, on the bundled model:

    python benchmarks/evaluation.py transformers    # and llama_cpp

A round writes `--texts` texts of 8 to 24 tokens under four arms, of which `--batch` run at a time and others join as
they end. The clock runs in the model's computation, prompts included; the rest of the round is the runner's. Shown are
medians of the rounds, with quartiles. The model takes as many threads as PyTorch and llama.cpp take by themselves, or
as OMP_NUM_THREADS says.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import provenance
from report import spread, table

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.loop_runner import LoopRunner
from dyntemp.evaluation.runner import Job
from dyntemp.evaluation.task import Item, listed_score
from dyntemp.language.policy import Policy
from dyntemp.models import load_model

PROMPTS = ("Once upon a time there was a fox who", "The recipe for a good soup begins with", "Dear friend, today I")
ARMS = (("0.8", ""), ("1", "min_p(0.05)"), ("0.3 + 0.7*normalized_entropy**0.5", ""), ("1.2 - max_prob/2", "top_k(40)"))


class Stories:
    """A task that finds no text correct."""

    name, group, metric, about = "stories", "text", None, "A story goes on."
    score = staticmethod(listed_score)


class Clock:
    """Seconds and calls of functions that are wrapped."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time counts."""

        def timed(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - began

        return timed


def timed_model(kind: str, clock: Clock) -> Any:
    """The bundled model, whose computation the clock measures."""
    threads = int(os.environ.get("OMP_NUM_THREADS", "0")) or None
    if kind == "transformers":
        model: Any = load_model("transformers:smollm2")
        model.compute = clock.around(model.compute)
        return model
    from dyntemp.models.llama.handles import Context

    Context.decode = clock.around(Context.decode)  # type: ignore[method-assign]
    return load_model("llama_cpp:smollm2", threads=threads)


def jobs(texts: int, seed: int) -> Iterator[Job]:
    """Texts of several lengths; those of one prompt come one after the other."""
    arms = [
        Arm(name=f"{policy} {filters}", family="any", policy=Policy(policy), filters=Filters.read(filters))
        for policy, filters in ARMS
    ]
    for number in range(texts):
        at = number * len(PROMPTS) // texts
        item = Item(id=str(number), cluster="any", prompt=PROMPTS[at], max_tokens=8 + 5 * number % 17)
        yield Job(Stories(), item, arms[number % len(arms)], number, seed, number)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=("transformers", "llama_cpp"))
    parser.add_argument("--batch", type=int, default=64, help="texts at a time (64)")
    parser.add_argument("--texts", type=int, default=192, help="texts of a round (192)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds (9)")
    options = parser.parse_args()
    revision = provenance.revision()
    clock = Clock()
    runner = LoopRunner(timed_model(options.model, clock), batch=options.batch)
    for _ in runner.run(jobs(options.batch, 0)):
        pass  # what is compiled or loaded on first use
    rounds = []
    for seed in range(1, options.rounds + 1):
        clock.seconds, began = 0.0, time.perf_counter()
        tokens = sum(sample.tokens for _, sample in runner.run(jobs(options.texts, seed)))
        whole = time.perf_counter() - began
        rounds.append((clock.seconds / tokens * 1e3, (whole - clock.seconds) / tokens * 1e3, 1 - clock.seconds / whole))
        print(f"round {seed}: {tokens} tokens, {rounds[-1][2]:.1%} beside the model", file=sys.stderr)
    head = ["model", "batch", "model, ms/token", "runner, ms/token", "share of the runner"]
    shown = [str(spread(column)) for column in zip(*rounds, strict=True)]
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": revision,
        **provenance.machine(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "versions": provenance.installed(),
    }  # fmt: skip
    lines = [f"# {options.model}: what the runner of evaluations costs", "", *table(["", ""], facts.items()), ""]
    text = "\n".join([*lines, *table(head, [[options.model, str(options.batch), *shown]])]) + "\n"
    print(text)
    provenance.keep(text, f"evaluation-{options.model}.md", revision)


if __name__ == "__main__":
    main()
