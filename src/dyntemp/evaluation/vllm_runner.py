"""A runner that writes texts with vLLM in this process, with our processor in its sampler."""

from __future__ import annotations

import json
import weakref
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import count, islice
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

from dyntemp.engines.request_fields import ID, KEY
from dyntemp.errors import EngineError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.host_fields import check_vllm, given_of, seed_of, vllm_args, vllm_filters
from dyntemp.evaluation.runner import Job, without_curves
from dyntemp.evaluation.sample import Sample

PROCESSOR = "dyntemp.engines.vllm:DynamicTemperature"

Traced = Mapping[int, Mapping[str, Any]]
"""The lines of a trace for one text, by position."""


class VllmRunner:
    """Writes texts with vLLM in this process; see `Runner`.

    Jobs run in batches: vLLM fills its own places from a batch, and reads equal beginnings of prompts once. Each batch
    ends before the next one begins.

    vLLM draws. Equal seeds give equal texts only where its rows are equal to the bit, which depends on what else runs,
    so common random numbers between arms are not to be relied on.

    Temperatures come from the processor's trace, and so do entropies and largest probabilities under policies that read
    them. ln of the probability in the draw is not known.

    Args:
        model: The model's name or folder, as vLLM takes it.
        batch: How many jobs are handed to vLLM at a time.
        options: Further arguments of `vllm.LLM`.

    Raises:
        EngineError: If vLLM is not installed, or `batch` is below 1.
    """

    def __init__(self, model: str, *, batch: int = 2048, **options: Any) -> None:
        if batch < 1:
            raise EngineError(f"batch = {batch} was given; whole numbers from 1 are allowed")
        try:
            self._vllm = import_module("vllm")
        except ModuleNotFoundError:
            raise EngineError(
                "vLLM is not installed: install it as its own documentation says, or give the address of a server to "
                "ServerRunner"
            ) from None
        self.name = model
        self._batch = batch
        self._folder = Path(mkdtemp(prefix="dyntemp-vllm-"))
        weakref.finalize(self, rmtree, self._folder, ignore_errors=True)
        config = {KEY: {"trace": str(self._folder)}}
        self._llm = self._vllm.LLM(model=model, logits_processors=[PROCESSOR], additional_config=config, **options)
        self._ids = map(str, count())

    def check(self, arm: Arm) -> None:
        """Refuse an arm that vLLM cannot run.

        Raises:
            PolicyError, EngineError: The message says why, and what to do.
        """
        check_vllm(arm)

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Sample]]:
        """Write a text for each job; see `Runner.run`.

        Raises:
            PolicyError, EngineError: For an arm that `check` refuses, and for a job that asks for curves.
        """
        waiting = without_curves(jobs, "vLLM")
        while batch := list(islice(waiting, self._batch)):
            names = list(islice(self._ids, len(batch)))
            prompts = [self._prompt(job) for job in batch]
            params = [self._params(job, name) for job, name in zip(batch, names, strict=True)]
            outputs = self._llm.generate(prompts, params, use_tqdm=False)
            traced = _taken(self._folder)
            for job, name, output in zip(batch, names, outputs, strict=True):
                yield job, _sample(job, output.outputs[0], traced.get(name, {}))

    def _prompt(self, job: Job) -> Any:
        """A prompt as vLLM takes it: text as it is, or tokens."""
        prompt = job.item.prompt
        if isinstance(prompt, str):
            return prompt
        if isinstance(prompt[0], int):
            return {"prompt_token_ids": list(prompt)}
        template = self._llm.get_tokenizer().apply_chat_template
        return {"prompt_token_ids": template(list(prompt), add_generation_prompt=True, return_dict=False)}

    def _params(self, job: Job, name: str) -> Any:
        arm, item = job.arm, job.item
        extra = vllm_args(arm, given_of(arm, item.id)) | {ID: name}
        return self._vllm.SamplingParams(
            temperature=1.0, max_tokens=item.max_tokens, stop=list(item.stop), seed=seed_of(job), extra_args=extra,
            **vllm_filters(arm.filters),
        )  # fmt: skip


def _taken(folder: Path) -> dict[str, dict[int, dict[str, Any]]]:
    """The lines of all traces in a folder, by request and position; the files are removed.

    A position that ran again, as after a preemption, has its last line. Workers of one group write equal lines.
    """
    found: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for path in folder.glob("*.jsonl"):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            found[line["id"]][line["position"]] = line
        path.unlink()
    return found


def _sample(job: Job, output: Any, traced: Traced) -> Sample:
    tokens = len(output.token_ids)
    finish = "stop" if isinstance(output.stop_reason, str) else "end" if output.finish_reason == "stop" else "length"
    return Sample(
        item=job.item.id,
        number=job.number,
        text=output.text,
        finish=finish,
        tokens=tokens,
        temperature=_column(traced, "temperature", tokens),
        entropy=_column(traced, "entropy", tokens),
        max_prob=_column(traced, "max_prob", tokens),
        surprisal=(),
        log_prob=(),
        score=job.task.score(job.item, output.text),
    )


def _column(traced: Traced, name: str, tokens: int) -> tuple[float, ...]:
    """A number of each token; empty where one is not in the trace."""
    known = all(name in traced.get(position, ()) for position in range(tokens))
    return tuple(traced[position][name] for position in range(tokens)) if known else ()
