"""Data sets of reasoning-gym, against their own scorers."""

import re

import pytest

from dyntemp.evaluation.task import SPLITS, WRONG, Score
from dyntemp.evaluation.tasks.gym_worker import GymWorker, make_data_set
from dyntemp.evaluation.tasks.table import task_of

pytest.importorskip("reasoning_gym")


@pytest.fixture(scope="module")
def letters():
    return task_of("reasoning_gym:letter_counting?min_words=1&max_words=2")


def asked(item):
    return re.split("Question: ", item.prompt)[-1].removesuffix("\nAnswer:")


def test_no_question_is_in_two_splits_for_any_seeds_nor_in_the_shots(letters):
    questions = {
        split: {asked(item) for seed in range(6) for item in letters.items(split, 30, seed)} for split in SPLITS
    }
    shots = re.findall("Question: (.*)\nAnswer: ", letters.items("test", 1)[0].prompt)

    assert sum(map(len, questions.values())) == len(set.union(*questions.values()))
    assert len(shots) == 6
    assert not set(shots) & set.union(*questions.values())


def test_splits_draw_with_seeds_of_their_own(letters):
    assert len({letters.items(split, 1, seed)[0].data["seed"] for split in SPLITS for seed in range(4)}) == 12


def test_items_are_the_same_for_equal_arguments_and_differ_by_the_seed(letters):
    items = letters.items("val", 6, seed=1)

    assert letters.items("val", 6, seed=1) == items
    assert letters.items("val", 6, seed=2) != items
    assert len({item.id for item in letters.items("val", 50)}) == 50


def test_an_answer_is_scored_by_the_data_set(letters):
    for item in letters.items("test", 20):
        letter, text = re.findall('"(.*?)"', asked(item))
        answer = str(text.lower().count(letter))

        assert letters.score(item, f" {answer}") == Score(valid=True, correct=True, key=answer)
        assert letters.score(item, f" {answer}{answer}") == Score(valid=True, correct=False, key="")
        assert letters.score(item, " \n") == WRONG


def test_answers_of_one_line_stop_at_its_end(letters):
    assert letters.items("test", 1)[0].stop == ("\n",)


def test_answers_of_several_lines_stop_at_the_next_question():
    assert task_of("reasoning_gym:rotate_matrix?max_n=3").items("test", 1)[0].stop == ("\n\nQuestion:",)


def test_questions_that_hashes_of_text_decide_are_the_same_in_a_new_process_after_one_took_too_long():
    """The variables of this data set come from sets of text, and its scorer evaluates formulas."""
    worker = GymWorker("polynomial_multiplication", seconds=0.5)
    question, answer = worker.entry(1, 1, 0)

    assert worker.score(1, 1, 0, "9**9**9**9") == 0
    worker._seconds = 600
    assert worker.entry(1, 1, 0) == (question, answer)
    assert worker.score(1, 1, 0, answer) == worker.score(1, 1, 0, f"0 + {answer}") == 1
    assert worker.score(1, 1, 0, f"1 + {answer}") < 0.99
    assert worker.score(1, 1, 0, "no (") < 0.99


def test_a_member_of_an_enumeration_is_named_by_its_value():
    assert make_data_set("word_sorting?transformation=uppercase", 1, 1)[0]["answer"].isupper()


@pytest.mark.parametrize(("spec", "message"), [
    ("letter_countin", "no data set 'letter_countin'; did you mean `letter_counting`"),
    ("", "no data set ''"),
    ("chain_sum?min_term=2", "no setting 'min_term'; did you mean `min_terms`"),
    ("chain_sum?seed=2", "no setting 'seed'"),
    ("chain_sum?min_terms=9", "refuses its settings 'min_terms=9': max_terms must be >= min_terms"),
    ("chain_sum?min_terms=two", "refuses its settings"),
    ("word_sorting?transformation=loud", "refuses its settings"),
])  # fmt: skip
def test_unknown_names_and_settings_are_refused(spec, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_data_set(spec, 1, 1)


def test_a_task_is_refused_with_the_same_message():
    with pytest.raises(ValueError, match="no setting 'min_word'; did you mean `min_words`"):
        task_of("reasoning_gym:letter_counting?min_word=2")


def test_too_few_questions_are_refused(letters, monkeypatch):
    monkeypatch.setattr("dyntemp.evaluation.tasks.reasoning_gym.DRAWS", 1)

    with pytest.raises(ValueError, match=r"9 items .* 9 draws gave \d different ones .* ask for fewer"):
        letters.items("tune", 9)
