"""Settings of learning: what changes their digest, and what is refused."""

import json

import pytest
from tests.learn.made_results import results
from tests.learn.toy import Contexts

from dyntemp.errors import PolicyError, StudyError
from dyntemp.learn.results import LearnResults
from dyntemp.learn.settings import LearnSettings

CHANGES = {
    "task": "letters", "shape": "curve", "filters": "", "model": "mine", "card": {"temperature": 0.6},
    "metric": "pass@4", "bounds": (0.2, 2.0), "rounds": 23, "texts": 17, "epochs": 3, "radius": 0.02, "clip": 0.3,
    "pull": 0.0, "entropy": 0.01, "runs": 2, "parts": 2, "items": {"tune": 3}, "samples": {"val": 9}, "seed": 1,
}  # fmt: skip


def test_each_setting_changes_the_digest():
    plain = LearnSettings(task="fluency")
    digests = {LearnSettings(**{"task": "fluency", name: value}).digest for name, value in CHANGES.items()}

    assert set(CHANGES) == set(plain.to_json())
    assert len(CHANGES) + 1 == len({*digests, plain.digest})
    assert plain.digest == LearnSettings(task="fluency", seed=0).digest


def test_settings_are_json_that_makes_them_again():
    made = LearnSettings(**{"task": "fluency", **CHANGES})
    read = json.loads(json.dumps(made.to_json()))

    assert LearnSettings(**{**read, "bounds": tuple(read["bounds"])}) == made


@pytest.mark.parametrize(("changed", "words"), [
    ({"shape": "curve(entropy; margin)"}, "a curve reads one signal: take `network`"),
    ({"shape": "network(entropy, 33)"}, "whole numbers from 1 to 32 are allowed"),
    ({"bounds": (0.05, 3)}, "from 0.0625 to 4 are allowed"), ({"bounds": (3, 0.1)}, "the smaller one first"),
    ({"filters": "temperature, min_p(0.1)"}, "temperature"),
    ({"metric": "truncated"}, "more is better"), ({"metric": "distnct@8"}, "distinct@8|distinct"),
    ({"rounds": 0}, "rounds"), ({"texts": 1.5}, "texts"), ({"runs": True}, "runs"), ({"seed": -1}, "seed"),
    ({"radius": 0.0}, "a number above 0, at most 1, is allowed"), ({"clip": 1.5}, "clip = 1.5"),
    ({"pull": -0.1}, "at least 0"), ({"entropy": float("nan")}, "entropy = nan"),
    ({"items": {"tuen": 3}}, "tuen"), ({"samples": {"val": 0}}, "val"),
])  # fmt: skip
def test_mistakes_are_refused(changed, words):
    with pytest.raises(ValueError, match=words):
        LearnSettings(**{"task": "fluency", **changed})


def test_a_shape_that_is_no_policy_is_refused():
    with pytest.raises(PolicyError):
        LearnSettings(task="fluency", shape="curvy(entropy)")
    with pytest.raises(ValueError, match="nothing to tune"):
        LearnSettings(task="fluency", shape="0.9")


def test_a_round_needs_a_text_more_than_its_metric():
    task = Contexts()

    assert "distinct@8" == LearnSettings(task=task.name, texts=9).metric_for(task)
    assert "pass@2" == LearnSettings(task=task.name, texts=3, metric="pass@2").metric_for(task)
    with pytest.raises(StudyError, match="texts = 8 was given; distinct@8 needs 9 or more texts"):
        LearnSettings(task=task.name, texts=8).metric_for(task)
    with pytest.raises(StudyError, match="has no metric of its own: name one"):
        LearnSettings(task=task.name).metric_for(Contexts(metric=None))


@pytest.mark.parametrize(("rounds", "texts", "tune"), [(24, 16, 8), (24, 16, None), (3, 9, 9), (5, 7, 4), (1, 2, 64)])
def test_static_temperature_is_tuned_with_as_many_texts(rounds, texts, tune):
    samples = {} if tune is None else {"tune": tune}
    made = LearnSettings(task="fluency", rounds=rounds, texts=texts, samples=samples, metric="pass@1", seed=7).tuning
    each = made.samples.get("tune", 8)

    assert abs(made.trials * each - rounds * texts) <= max(each / 2, each - rounds * texts)
    assert (("fluency",), ("pass@1",), 7) == (made.tasks, made.objectives, made.seed)


@pytest.mark.parametrize("ceiling", [True, False])
def test_results_are_json_that_makes_them_again(ceiling):
    made = results(ceiling)

    assert made == LearnResults.from_json(json.loads(json.dumps(made.to_json())))
    with pytest.raises(ValueError, match="format 0; this version reads 1"):
        LearnResults.from_json({**made.to_json(), "format": 0})
