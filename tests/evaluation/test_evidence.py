"""The pages on the study of all methods are those of the committed data, and leave no method out."""

import json
from pathlib import Path

import pytest
from tests.loading import script

from dyntemp.evaluation.configuration import StudySettings, read_study
from dyntemp.evaluation.report import document
from dyntemp.methods import METHODS, evidence

FOLDER = Path(__file__).parents[2] / "evidence" / "evaluation"


@pytest.fixture(scope="module")
def tables():
    return script(FOLDER / "tables.py")


@pytest.fixture(scope="module")
def results(tables):
    return tables.kept()


def test_the_pages_have_the_figures_of_the_data(tables, results):
    for path, text in tables.written(results).items():
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: run python evidence/evaluation/tables.py"


def test_the_report_is_that_of_the_data(results):
    assert document(results) == (FOLDER / "report.html").read_text(encoding="utf-8")


def test_the_results_are_those_of_the_study_file(results):
    settings = StudySettings.read(read_study(FOLDER / "study.toml"), "short")

    assert settings.digest == results.digest


def test_every_method_has_a_finding_on_every_task_or_a_reason(results):
    found = evidence.read()
    tasks = [task.name for task in results.tasks if task.metric]

    assert set(METHODS) == set(found.findings) | set(found.without)
    assert not set(found.findings) & set(found.without)
    for name, of_method in found.findings.items():
        assert tasks == [one.task for one in of_method], name


def test_findings_are_those_of_the_arms(results):
    """The differences again, from the values by item."""
    values = {(one.task, one.split, one.policy, one.filters, one.family): one.values for one in results.arms}
    for name, of_method in evidence.read().findings.items():
        for one in of_method:
            own = [found for (task, split, policy, filters, family), found in values.items()
                   if (task, split, policy, filters) == (one.task, one.split, one.policy, one.filters)
                   and family.removesuffix(" + min_p") == name]  # fmt: skip
            assert any(sum(found[one.metric]) / len(found[one.metric]) == pytest.approx(one.mean, rel=1e-3, abs=1e-4)
                       for found in own), (name, one.task)  # fmt: skip


def test_the_negative_control_came_out():
    """Greedy decoding is ahead where one text is written and one answer is right, and behind where eight are."""
    found = json.loads((FOLDER / "known.json").read_text(encoding="utf-8"))["single"]
    behind = {}
    for name, task in found.items():
        accuracy, of_eight = ({t: values[metric] for t, values in task["values"].items()}
                              for metric in ("accuracy", "pass@8"))  # fmt: skip
        behind[name] = max(accuracy.values()) - accuracy["0"]
        assert of_eight["0"] + 0.1 < max(of_eight.values()), name
    assert {"lcm": pytest.approx(0.0177, abs=1e-3)} == {name: less for name, less in behind.items() if less > 0}
