"""Learning from texts finds the temperatures they were drawn at, wins nothing where there is nothing, and resumes."""

import json

import numpy as np
import pytest
from tests.learn.passages.made import drawn, entropy, model, written

from dyntemp.errors import StudyError
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.learn.passages.answer import MATTERS, verdict_of
from dyntemp.learn.passages.learning import learn_passages
from dyntemp.learn.passages.reading import Passage, halves, read_passages
from dyntemp.learn.passages.results import Gain, PassageResults
from dyntemp.learn.passages.settings import PassageSettings, digest_of


def learn(folder, passages, **given):
    """Learn from passages in a folder."""
    pytest.importorskip("torch")
    settings = PassageSettings(texts=digest_of(passages), each=10_000, most=10_000, shape="curve(entropy, 5)", **given)
    return learn_passages(settings, "texts", passages, model(), folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("learned")


@pytest.fixture(scope="module")
def two_heats(folder):
    """What is learned from texts at T = 0.5 where the model is sure, and at 1.5 elsewhere."""
    path = written(folder / "texts.jsonl", drawn(lambda z: 0.5 if entropy(z) < 1 else 1.5, 48, 81))
    return learn(folder / "out", read_passages(path))


def test_a_policy_helps_where_temperatures_differed(two_heats):
    _, static, learned = two_heats.held_out

    assert two_heats.verdict == "helps"
    assert two_heats.gains[-1].low > MATTERS
    assert two_heats.gains[-1].difference == pytest.approx(static.loss - learned.loss)
    assert two_heats.oracle < learned.loss < static.loss
    assert learned.calibration.error < static.calibration.error
    assert "is less surprised by texts than the best static one" in two_heats.sentence


def test_the_truth_is_hardly_better_on_the_same_texts(two_heats, folder):
    """The true temperatures are scored by the formulas; a curve of five points cannot step as they do."""
    total = count = 0
    for one in halves(read_passages(folder / "texts.jsonl")).held_out:
        letters = model().encode(one.text)
        for at in range(1, len(letters)):
            z = np.asarray(model().next_logits(letters[:at]))
            z = z / (0.5 if entropy(z) < 1 else 1.5)
            total += np.log(np.exp(z - z.max()).sum()) + z.max() - z[letters[at]]
            count += 1

    assert count == two_heats.tokens[1]
    assert two_heats.learned.loss == pytest.approx(total / count, abs=0.03)


def test_texts_drawn_at_one_temperature_give_no_gain(tmp_path):
    found = learn(tmp_path / "out", drawn(lambda _: 1, 40, 81, seed=3))

    assert float(found.anchor) == pytest.approx(1.0, abs=0.07)
    assert found.verdict != "helps"
    assert found.gains[-1].difference == pytest.approx(0, abs=MATTERS)
    assert found.learned.temperature == pytest.approx(1.0, abs=0.1)


def test_the_files_hold_the_results_the_policy_and_the_trace(two_heats, folder):
    read = PassageResults.from_json(json.loads((folder / "out" / "results.json").read_text(encoding="utf-8")))
    policy = PolicyFile.load(folder / "out" / "policy.json")
    trace = json.loads((folder / "out" / "learning.json").read_text(encoding="utf-8"))

    assert read == two_heats
    assert str(policy.policy) == two_heats.policy
    assert policy.provenance.scores[0].mean == two_heats.gains[-1].difference
    (run,) = trace["runs"]
    assert (trace["format"], trace["version"]) == ("dyntemp.learning", 1)
    assert run["chosen"] == len(run["rounds"]) - 1
    assert run["rounds"][-1]["policy"] == two_heats.policy
    assert run["rounds"][-1]["score"] < run["rounds"][0]["score"]
    assert run["rounds"][0]["spread"] == pytest.approx(0, abs=1e-6)


def test_another_study_in_the_folder_is_refused_and_the_same_one_resumes(two_heats, folder):
    passages = read_passages(folder / "texts.jsonl")

    assert learn(folder / "out", passages[::-1]) == two_heats
    with pytest.raises(StudyError, match="holds another study"):
        learn(folder / "out", passages, seed=1)


def test_passages_that_are_too_short_are_refused(tmp_path):
    with pytest.raises(StudyError, match=r"2 of 6 passages are left.*raise `most`"):
        learn(tmp_path / "out", [Passage(text) for text in ("a", "b", "c", "d", "abc", "bcd")])


@pytest.mark.parametrize(
    ("low", "high", "static", "verdict"),
    [
        (0.001, 0.1, False, "helps"), (-0.1, 0.1, False, "open"), (-0.1, 0.005, False, "not better"),
        (0.001, 0.1, True, "not better"), (None, None, False, "open"),
    ],
)  # fmt: skip
def test_the_verdict_follows_the_interval(low, high, static, verdict):
    gain = Gain(other="best static", difference=0.0, low=low, high=high, p=0.01)

    assert verdict_of(gain, static=static) == verdict
