"""Runs on contexts whose best temperatures are known: they find them, and stay static where static is best."""

import numpy as np
import pytest
from tests.learn.toy import Contexts, best, reached, runner

from dyntemp import measure, temperatures
from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.evaluation.folder import Folder
from dyntemp.learn.learnable import inside
from dyntemp.learn.run import LAST, Learner
from dyntemp.learn.settings import LearnSettings

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

SHAPES = {
    "template": 'clip(param("a", 0.1, 5) + param("b", -2, 2)*entropy, 0.1, 3)',
    "curve": "curve(entropy, 3)",
    "network": "network(entropy; max_prob, 6)",
}
STATIC, STATIC_VALUE, MOST = best("hc")
ROUNDS = 8


def course(folder, kinds, shape, anchor=1.0, seed=0, tell=lambda *_: None, **changed):
    task = Contexts(kinds)
    settings = LearnSettings(**{"task": task.name, "shape": shape, "filters": "", "rounds": ROUNDS} | changed)
    with Folder(folder, settings) as place:
        learner = Learner(settings=settings, task=task, items=task.items("tune", 8), runner=runner(), folder=place,
                          anchor=anchor, filters=Filters(), metric=task.metric, tell=tell)  # fmt: skip
        return learner.run(seed)


@pytest.mark.parametrize("anchor", [1.0, float(f"{STATIC:.4g}")], ids=["from one", "from the best static"])
@pytest.mark.parametrize("shape", SHAPES)
def test_half_of_what_there_is_to_win_is_won(tmp_path, shape, anchor):
    found = course(tmp_path, "hc", SHAPES[shape], anchor)
    won = (reached(found.policy, "hc") - STATIC_VALUE) / (MOST - STATIC_VALUE)

    assert STATIC_VALUE + 0.25 < MOST
    assert found.static
    assert 1024 == found.rounds[-1].texts
    assert won > 0.5


@pytest.mark.parametrize("shape", ["curve", "network"])
@pytest.mark.parametrize("anchor", [0.06, 3.0, 5.0])
def test_a_static_temperature_outside_the_bounds_is_begun_from_inside_of_them(tmp_path, shape, anchor):
    found = course(tmp_path, "hc", SHAPES[shape], anchor, rounds=2, texts=9)
    nearest = inside(anchor, (0.1, 3.0))

    assert not found.static
    assert 0.1 < nearest < 3
    assert found.rounds[0].temperature == pytest.approx(nearest, rel=1e-3)
    assert found.rounds[1].policy != found.rounds[0].policy


@pytest.mark.parametrize("shape", SHAPES)
def test_where_static_is_best_it_stays_static(tmp_path, shape):
    static, value, most = best("wn")
    assert most == pytest.approx(value, rel=1e-3), "nothing is to be won"
    assert 0.5 < static < 2
    found = course(tmp_path, "wn", SHAPES[shape], float(f"{static:.4g}"))

    assert reached(found.policy, "wn") > 0.99 * value


def test_rounds_tell_what_was_written_and_what_it_scored(tmp_path):
    told = []
    found = course(tmp_path, "hc", SHAPES["curve"], rounds=3, texts=9, tell=lambda *one: told.append(one))
    first, last = found.rounds[0], found.rounds[-1]

    assert [0, 1, 2] == [one.round for one in found.rounds]
    assert [72, 144, 216] == [one.texts for one in found.rounds]
    assert (1.0, 0.0, 0.0, 72) == (first.temperature, first.spread, first.at_bound, first.tokens)
    assert abs(first.divergence) < 1e-12 < last.divergence
    assert last.spread > 0
    assert (0.1, 3.0) == pytest.approx(found.bounds, rel=1e-12)
    assert 9 == len(found.signals["entropy"])
    scores = [score for *_, score in told if score is not None]
    assert [one.score for one in found.rounds] == scores
    assert [72, 72, 72] == [max(done for _, number, done, score in told if score is None and number == at)
                            for at in range(3)]  # fmt: skip


def test_the_policy_has_the_mean_parameters_of_the_last_third(tmp_path):
    found = course(tmp_path, "hc", SHAPES["template"], rounds=6, texts=9)
    with Folder(tmp_path, LearnSettings(task="contexts-hc", shape=SHAPES["template"], filters="", rounds=6,
                                        texts=9)) as place:  # fmt: skip
        values = [place.read(f"rounds/0-{at:03}.json")["values"] for at in range(6)]
    last = values[-round(6 * LAST) :]

    assert 2 == len(last)
    mean = [np.mean([one[name] for one in last]) for name in ("a", "b")]
    rows = np.array([[0.0, -3.0], [0.0, -0.2]])
    entropy = measure(rows, "entropy")["entropy"]
    np.testing.assert_allclose(temperatures(rows, found.policy), mean[0] + mean[1] * entropy, rtol=1e-3)


def test_what_was_learned_has_noise_of_its_own_in_each_run(tmp_path):
    one = course(tmp_path / "a", "hc", SHAPES["curve"], rounds=2, texts=9, seed=0)
    again = course(tmp_path / "b", "hc", SHAPES["curve"], rounds=2, texts=9, seed=0)
    other = course(tmp_path / "c", "hc", SHAPES["curve"], rounds=2, texts=9, seed=1)

    assert one == again
    assert one.policy != other.policy
    assert one.rounds[0].policy == other.rounds[0].policy


@pytest.mark.parametrize("shape", [SHAPES["template"], SHAPES["curve"]])
def test_a_price_of_leaving_holds_the_policy_at_the_static_temperature(tmp_path, shape):
    free = course(tmp_path / "a", "hc", shape, rounds=8, pull=0.0)
    held = course(tmp_path / "b", "hc", shape, rounds=8, pull=20.0)

    assert held.rounds[-1].divergence < 0.2 * free.rounds[-1].divergence


def test_a_reward_of_entropy_heats(tmp_path):
    plain = course(tmp_path / "a", "c", SHAPES["template"], rounds=8)
    heated = course(tmp_path / "b", "c", SHAPES["template"], rounds=8, entropy=20.0, pull=0.0)

    assert heated.rounds[-1].temperature > plain.rounds[-1].temperature + 0.1


def test_a_parameter_inside_a_signal_is_refused_before_a_text_is_written(tmp_path):
    with pytest.raises(PolicyError, match="inside"):
        course(tmp_path, "hc", 'clip(temperature_for_entropy(param("h", 1, 2)), 0.1, 3)')

    assert not (tmp_path / "cells").exists()
