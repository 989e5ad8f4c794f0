"""A study file becomes one record; what does not fit is refused with what would."""

import pytest

from dyntemp.evaluation.configuration import TIERS, StudySettings, read_study
from dyntemp.evaluation.tasks.table import task_of


def read(text, tmp_path, tier="smoke"):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return StudySettings.read(read_study(path), tier)


def test_a_file_goes_before_its_tier(tmp_path):
    study = read('tasks = ["fluency"]\nmethods = ["edt"]\nbudget = 3\n[items]\ntest = 5\n'
                 "[task.fluency]\nbudget = 2\n[task.fluency.samples]\nval = 9\n", tmp_path)  # fmt: skip

    assert (("fluency",), ("edt",), 3) == (study.tasks, study.methods, study.budget)
    design = study.of("fluency")
    assert 2 == design.budget
    assert {"tune": 4, "val": 8, "test": 5} == design.items
    assert {"tune": 8, "val": 9, "test": 8} == design.samples


def test_whoever_names_policies_compares_these_alone(tmp_path):
    study = read('policies = ["0.1 + 0.8*entropy"]', tmp_path, "short")

    assert ((), (), ("0.1 + 0.8*entropy",)) == (study.methods, study.filters, study.policies)
    assert ("all",) == StudySettings.read({}, "short").methods


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("budgt = 3", "has no setting 'budgt'.*did you mean `budget`"),
        ("budget = 0", "budget = 0 was given; a whole number of at least 1"),
        ("budget = 1.5", "budget = 1.5 was given"),
        ("tasks = [1]", "a list of texts is expected"),
        ("tasks = []", "no task was given"),
        ("[items]\ntrain = 3", "items has no setting 'train'; there are tune, val, test"),
        ("[samples]\ntest = 0", "samples.test = 0 was given"),
        ("items = 3", "items: 3 was given; a table"),
        ("[task.other.items]\ntest = 1", "the tasks are fluency"),
        ("task = 'fluency'", "write a table"),
        ("[task.fluency]\nitem = {}", "did you mean `items`"),
        ("budget = ", "study.toml: "),
    ],
)
def test_mistakes_are_refused_with_what_is_allowed(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(text, tmp_path)


def test_a_family_is_named_once():
    with pytest.raises(ValueError, match="'edt' was given twice"):
        StudySettings.read({"methods": ["edt"], "policies": ["edt"]}, "smoke").families()


def test_an_unknown_tier_is_refused():
    with pytest.raises(ValueError, match="did you mean `smoke`"):
        StudySettings.read({}, "smok")


def test_the_digest_changes_with_each_setting_and_with_nothing_else():
    study = StudySettings.read({}, "smoke")
    others = [StudySettings.read({name: value}, "smoke") for name, value in
              (("budget", 9), ("seed", 1), ("items", {"test": 3}), ("methods", ["edt"]))]  # fmt: skip

    assert 5 == len({one.digest for one in (study, *others)})
    assert study.digest == StudySettings.read({"tasks": list(TIERS["smoke"]["tasks"])}, "smoke").digest


@pytest.mark.parametrize("tier", TIERS)
def test_the_tasks_of_a_tier_have_its_items(tier):
    settings = StudySettings.read({}, tier)

    for name in settings.tasks:
        for split, count in settings.of(name).items.items():
            assert count == len(task_of(name).items(split, count))
    assert {} == StudySettings.read({"tasks": ["fluency"]}, tier).task
