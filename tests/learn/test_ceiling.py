"""How much temperature could do: between a static one and the best of every row."""

import numpy as np
import pytest
from tests.evaluation.toy import COUNTS, PIECES, Letters, logits, runner

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.arm import Arm
from dyntemp.evaluation.exact_tier import ExactTier
from dyntemp.evaluation.folder import Folder
from dyntemp.language.policy import Policy
from dyntemp.learn.ceiling import ceiling
from dyntemp.learn.learning import learn
from dyntemp.learn.settings import LearnSettings
from dyntemp.testing import FakeModel

pytest.importorskip("scipy")

TASK = Letters(answers=True)
MODEL = FakeModel(PIECES, logits)
SETTINGS = LearnSettings(
    task=TASK.name, shape="curve(entropy, 2)", filters="min_p(0.05)", rounds=2, texts=8, runs=1, items=COUNTS,
    samples={"tune": 4, "val": 8, "test": 8},
)  # fmt: skip
GRID = np.exp(np.linspace(np.log(0.1), np.log(3), 21))


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    with Folder(tmp_path_factory.mktemp("answers"), SETTINGS) as folder:
        return ExactTier(MODEL).answers(folder, TASK, "test", TASK.items("test", 5), lambda *_: None)


def arm(t, filters="min_p(0.05)"):
    return Arm(name="static", family="static", policy=Policy(t), filters=Filters.read(filters))


@pytest.mark.parametrize("metric", ["distinct@4", "pass@2", "accuracy"])
def test_the_best_of_every_row_is_no_worse_than_any_temperature(answers, metric):
    found = [ceiling(answers, arm(float(t)), Policy("0.2 + entropy"), metric, (0.1, 3.0)) for t in GRID[::10]]
    rows = len(answers.summaries)
    static = [answers.gradient(np.full(rows, t), metric, Filters.read("min_p(0.05)"))[0] for t in GRID]
    learned = answers.gradient(answers.summaries.temperatures(Policy("0.2 + entropy")), metric,
                               Filters.read("min_p(0.05)"))[0]  # fmt: skip

    np.testing.assert_allclose([one.static for one in found], static[::10])
    np.testing.assert_allclose([one.learned for one in found], learned)
    assert all(one.oracle >= max(one.static, one.learned) - 1e-9 for one in found)
    assert max(one.oracle for one in found) > max(static) + 1e-3


def test_learning_tells_what_there_was_to_win_where_answers_are_listed(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("optuna")
    most = learn(SETTINGS, TASK, runner(MODEL), tmp_path / "a", exact=ExactTier(MODEL)).ceiling

    assert most.oracle >= max(most.static, most.learned) > 0
    plain = learn(SETTINGS, Letters(), runner(MODEL), tmp_path / "b", exact=ExactTier(MODEL))
    assert plain.ceiling is None
