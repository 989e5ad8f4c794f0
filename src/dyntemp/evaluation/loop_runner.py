"""A runner that writes texts with a model of our own loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from dyntemp.distribution.draw_curve import DrawCurves
from dyntemp.errors import PolicyError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.runner import Job
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Item
from dyntemp.generation.dry_run import dry_run
from dyntemp.generation.loop import Loop
from dyntemp.generation.prompts import encode
from dyntemp.generation.request import Request
from dyntemp.models import Model
from dyntemp.signals import divergence
from dyntemp.traces.settings import Settings
from dyntemp.traces.token import Token

KEPT = 32
"""How many prompts a session keeps, for jobs of the same item that join later, in this run or in the next ones."""

FREE = 4
"""Texts join once one place of so many is free. Where texts join, transformers copies the state of all that run."""

PART = 512
"""Tokens of a prompt that are read at a time. Nobody waits for the other texts meanwhile."""


class LoopRunner:
    """Writes texts with our own loop; see `Runner`.

    Jobs join the batch as others end, some at a time. Jobs that join together read equal prompts once, so the jobs of
    an item should come one after the other.

    Args:
        model: A model from `load_model`, or any object that meets `dyntemp.models.Model`.
        batch: How many texts are written at a time.
        backend: `cpu` or `reference`.
    """

    def __init__(self, model: Model, *, batch: int = 64, backend: str = "cpu") -> None:
        if batch < 1:
            raise ValueError(f"batch = {batch} was given; whole numbers from 1 are allowed")
        self.name = model.name
        self._model, self._batch, self._backend = model, batch, backend
        self._idle: Loop | None = None  # the loop of the last run, whose session keeps the prompts

    def check(self, arm: Arm) -> None:
        """Refuse an arm that cannot be run.

        Raises:
            PolicyError: As `check_arm`.
        """
        check_arm(arm, self._backend)

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Sample]]:
        """Write a text for each job; see `Runner.run`.

        Raises:
            ModelError: For a prompt that does not fit into the context, or if the model fails.
            PolicyError: For an arm that `check` refuses.
            InvalidLogitsError: For a broken row of logits.
            ValueError: For curves under filters that leave other entries at another temperature or in another draw.
        """
        waiting = iter(jobs)
        prompts = _Prompts(self._model)
        loop = self._idle or Loop(self._model, self._backend, places=self._batch, part=PART, kept=KEPT)
        self._idle = None
        running: dict[int, _Text] = {}
        try:
            while True:
                free = self._batch - len(running)
                joining = list(islice(waiting, free)) if FREE * free >= self._batch else []
                numbers = loop.add([self._request(job, prompts.of(job.item)) for job in joining])
                running.update(zip(numbers, map(_Text, joining), strict=True))
                if not running:
                    break
                for number, token in loop.step():
                    running[number].tokens.append(token)
                    if token.finish:
                        text = running.pop(number)
                        yield text.job, text.sample(token.finish)
        except GeneratorExit:
            for number in running:
                loop.cancel(number)
        except BaseException:
            loop.close()
            raise
        self._idle = loop

    def _request(self, job: Job, prompt: list[int]) -> Request:
        settings = Settings(
            seed=job.seed,
            max_tokens=job.item.max_tokens,
            stop=job.item.stop,
            filters=job.arm.filters,
            given=job.arm.given.get(job.item.id, {}),
            alternatives=0,
            backend=self._backend,
        )
        return Request(
            prompt=prompt, policy=job.arm.policy, settings=settings, number=job.request, signals=(), curves=job.curves,
        )  # fmt: skip


def check_arm(arm: Arm, backend: str = "cpu") -> None:
    """Refuse an arm that our own loop cannot run.

    Raises:
        PolicyError: For a policy that reads `divergence`, an unknown zone, a parameter without a value, or a `given`
            whose numbers the arm lacks or that lie outside its range.
    """
    if divergence in arm.policy.signals:
        raise PolicyError(
            f"the arm {arm.name!r} reads `divergence`, which needs a second prompt, and items have one: leave the arm "
            "out"
        )
    for series in arm.given.values() or [{}]:
        given = {name: list(numbers) for name, numbers in series.items()}
        dry_run(arm.policy, Settings(filters=arm.filters, given=given, backend=backend))


class _Prompts:
    """The tokens of items; those of the last one are kept, since its jobs come one after the other."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._item: Item | None = None
        self._tokens: list[int] = []

    def of(self, item: Item) -> list[int]:
        """The tokens of an item's prompt: plain text as it is, a conversation in its chat template."""
        if item is not self._item:
            self._tokens = encode(self._model, item.prompt, chat=None if not isinstance(item.prompt, str) else False)
            self._item = item
        return self._tokens


@dataclass(slots=True)
class _Text:
    """A text that is being written, and the records of its tokens."""

    job: Job
    tokens: list[Token] = field(default_factory=list)

    def sample(self, finish: str) -> Sample:
        """The text and its score."""
        job, tokens = self.job, self.tokens
        text = "".join(token.text for token in tokens)
        read = job.arm.policy.program.signals if job.curves else ()
        return Sample(
            item=job.item.id,
            number=job.number,
            text=text,
            finish=finish,
            tokens=len(tokens),
            temperature=tuple(token.temperature for token in tokens),
            entropy=tuple(token.signals["entropy"] for token in tokens),
            max_prob=tuple(token.signals["max_prob"] for token in tokens),
            surprisal=tuple(token.surprisal for token in tokens),
            log_prob=tuple(-token.surprisal_after for token in tokens),
            score=job.task.score(job.item, text),
            signals={str(signal): self._numbers(str(signal)) for signal in read},
            curves=DrawCurves.of([token.curve for token in tokens]) if job.curves else None,
        )

    def _numbers(self, name: str) -> tuple[float, ...]:
        """The value of a signal that the policy read, at each token."""
        if name == "position":
            return tuple(float(token.position) for token in self.tokens)
        if name == "requested":
            return (Settings().requested,) * len(self.tokens)
        return tuple(token.signals[name] for token in self.tokens)
