r"""The tasks by name, and how to write one of your own.

Write a class with the attributes and the two methods of `Task`. Split by content, so that no question is in two splits:

>>> from dyntemp.evaluation.task import WRONG, Item, Score
>>> from dyntemp.evaluation.tasks.splits import first_items, split_of
>>> class Divisors:
...     name, group, metric = "divisors", "reasoning", "distinct@8"
...     about = "Name a divisor of a number."
...
...     def items(self, split, count, seed=0):
...         numbers = [number for number in range(12, 200) if split_of(str(number)) == split]
...         return first_items(self.name, split, [self._item(number) for number in numbers], count, seed)
...
...     def score(self, item, text):
...         if not text.strip().isdecimal():
...             return WRONG
...         divisor = int(text)
...         correct = divisor > 0 and item.data["number"] % divisor == 0
...         return Score(valid=True, correct=correct, key=str(divisor) if correct else "")
...
...     def _item(self, number):
...         shot = "Question: Name a divisor of 10.\nAnswer: 5\n\n"
...         return Item(
...             id=str(number),
...             cluster=str(number),
...             prompt=f"{shot}Question: Name a divisor of {number}.\nAnswer:",
...             max_tokens=6,
...             stop=("\n",),
...             data={"number": number},
...         )
>>> task = Divisors()
>>> item = task.items("test", count=3, seed=1)[0]
>>> [task.score(item, text).correct for text in (" 1", f" {item.id}", " 0", " one")]
[True, True, False, False]

Prompts with a list of right answers need no class: `from_file` reads them from JSON lines.
"""

from __future__ import annotations

from collections.abc import Mapping

from dyntemp.evaluation.task import Task
from dyntemp.evaluation.tasks.code import CODE
from dyntemp.evaluation.tasks.fluency import FLUENCY, FLUENCY_OTHER, FLUENCY_PILOT
from dyntemp.evaluation.tasks.from_file import FromFile
from dyntemp.evaluation.tasks.human_eval import HUMAN_EVAL
from dyntemp.evaluation.tasks.instructions import INSTRUCTIONS
from dyntemp.evaluation.tasks.procedural import PROCEDURAL
from dyntemp.evaluation.tasks.reasoning_gym import PREFIX, ReasoningGym
from dyntemp.evaluation.tasks.stories import STORIES
from dyntemp.language.signals import suggestion

OWN: tuple[Task, ...] = (FLUENCY, FLUENCY_OTHER, FLUENCY_PILOT, *PROCEDURAL, CODE, HUMAN_EVAL, INSTRUCTIONS, STORIES)
TASKS: Mapping[str, Task] = {task.name: task for task in OWN}
"""The tasks by name."""


def task_of(name: str) -> Task:
    """A task by its name in `TASKS`, by `reasoning_gym:` and the name of a data set, or by the path of a `.jsonl` file.

    Raises:
        ValueError: If there is no such task, data set or file, or if the file has a line that is no item.

    >>> task_of("mul").about
    'The product of two digits.'
    >>> task_of("fluencey")
    Traceback (most recent call last):
    ...
    ValueError: there is no task 'fluencey'; did you mean `fluency`? ...
    """
    if name in TASKS:
        return TASKS[name]
    if name.startswith(PREFIX):
        return ReasoningGym(name)
    if name.endswith(".jsonl"):
        return FromFile(name)
    raise ValueError(
        f"there is no task {name!r}{suggestion(name, TASKS)}\nName one of {', '.join(TASKS)}, a data set of "
        f"reasoning-gym as {PREFIX}letter_counting, or a file that ends in .jsonl"
    )
