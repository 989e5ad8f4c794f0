"""Runners: texts to items, by a model of our own loop, by vLLM, or by a server. All of them meet one protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from dyntemp.errors import EngineError
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.sample import Sample
from dyntemp.evaluation.task import Item, Task


class Job(NamedTuple):
    """One text to write.

    Attributes:
        task: The task that scores it.
        item: The prompt.
        arm: The policy and its filters.
        number: The number of the sample among those of the item and the arm, from 0.
        seed: The 64-bit key of its noise.
        request: 32 bits of its noise; jobs of one seed have different ones. Jobs of two arms with equal seed and
            request draw with common random numbers.
        curves: Whether the sample is to hold the curve of each draw, and the signals that the policy read.
    """

    task: Task
    item: Item
    arm: Arm
    number: int
    seed: int
    request: int
    curves: bool = False


class Runner(Protocol):
    """Writes texts.

    Attributes:
        name: The model's name, for the report.
    """

    name: str

    def check(self, arm: Arm) -> None:
        """Refuse an arm that cannot be run.

        Raises:
            ValueError: For a policy or filters that this runner cannot apply; the message says what to do.
        """

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Sample]]:
        """Write a text for each job, and yield it as soon as it ends, in any order.

        `jobs` is read as places become free, so that the batch stays full. Closing the iterator ends all that runs.

        Raises:
            ValueError: For a job that this runner cannot do; an `EngineError` where it can tell no curves.
        """


def without_curves(jobs: Iterable[Job], host: str) -> Iterator[Job]:
    """The same jobs, for a host that tells no curves.

    Raises:
        EngineError: For a job that asks for curves.
    """
    for job in jobs:
        if job.curves:
            raise EngineError(
                f"curves of draws were asked for, and {host} tells none: write these texts with a model of our own "
                "loop, by LoopRunner"
            )
        yield job
