"""Recordings give a policy's temperatures as a replay does, survive a file, and are made once."""

import numpy as np
import pytest

from dyntemp import Policy
from dyntemp.generation.request import RECORDED
from dyntemp.models import BUNDLED
from dyntemp.testing import FakeModel
from dyntemp.theory import record as recorder
from dyntemp.theory.record import SHIPPED, record, recordings_for, write_texts
from dyntemp.theory.recordings import Recordings
from dyntemp.traces.replay import replay

POLICIES = (
    "0.1 + 0.8*entropy", "1.2 - 0.9*max_prob + 0.01*perplexity", "0.2 + normalized_entropy + 0.01*position*requested",
    "0.3 + 0.2*ema(surprisal, 0.8) + 0.1*prev(entropy)", "0.7",
)  # fmt: skip


def fake(calls=None):
    def logits(tokens):
        if calls is not None:
            calls.append(len(tokens))
        return np.cos(np.arange(16) * (1 + tokens[-1])) * 2

    return FakeModel([bytes([97 + at]) for at in range(16)], logits, end=[15])


@pytest.fixture(scope="module")
def texts():
    groups = write_texts(
        fake(), [Policy(heat) for heat in (0.5, 1.0, 2.0)], ["a", "b"], tokens=12, signals=RECORDED, alternatives=16
    )
    return [text for group in groups for text in group]


@pytest.fixture
def recordings(texts):
    return Recordings.of("fake", texts, np.repeat((0.5, 1.0, 2.0), 2))


@pytest.mark.parametrize("policy", POLICIES)
def test_temperatures_are_those_of_a_replay(recordings, texts, policy):
    expected = [one.temperature for text in texts for one in replay(text, Policy(policy), seed=0)]

    assert expected == pytest.approx(recordings.temperatures(Policy(policy)), rel=0.02)


def test_texts_end_where_the_model_ends_them(recordings, texts):
    assert {len(text) for text in texts} != {12}
    assert recordings.count == len(texts) == 6
    assert recordings.static.tolist() == [0.5, 1.0, 2.0]
    assert len(recordings) == sum(map(len, texts))


def test_the_mean_surprisal_of_a_draw_is_that_of_the_row(recordings, texts):
    tokens = [token for text in texts for token in text]
    z = np.array([np.log([a.probability for a in token.alternatives]) for token in tokens])

    for temperature in (0.5, 1.0, 2.0, 0.9):
        q = np.exp(z / temperature)
        expected = -(q / q.sum(axis=1, keepdims=True) * z).sum(axis=1)
        assert expected == pytest.approx(recordings.mean_surprisal(temperature), rel=0.03, abs=0.02)
    assert recordings.mean_surprisal(1.0) == pytest.approx(recordings.signals["entropy"], rel=0.01, abs=1e-3)
    assert recordings.mean_surprisal(0.0) == pytest.approx(-np.log(recordings.signals["max_prob"]), abs=0.01)
    assert recordings.mean_surprisal(np.inf) == pytest.approx(-z.mean(axis=1), rel=0.01)


def test_a_file_holds_all_of_it(recordings, tmp_path):
    recordings.save(tmp_path / "some.npz")
    again = Recordings.load(tmp_path / "some.npz")

    assert again.model == "fake"
    assert again.static.tolist() == recordings.static.tolist()
    for policy in POLICIES:
        assert np.array_equal(recordings.temperatures(Policy(policy)), again.temperatures(Policy(policy)))
    assert np.array_equal(recordings.curves, again.curves)
    assert np.array_equal(recordings.texts, again.texts)


def test_another_file_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", numbers=np.arange(3))

    with pytest.raises(ValueError, match="record again"):
        Recordings.load(tmp_path / "other.npz")


@pytest.fixture
def brief(monkeypatch, tmp_path):
    """A cache of this test's own, and short recordings."""
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    monkeypatch.setattr(recorder, "PROMPTS", ("a", "b"))
    monkeypatch.setattr(recorder, "TEMPERATURES", (0.5, 1.0))


def test_recordings_are_made_once_for_each_model_and_for_further_signals(brief, tmp_path):
    loaded, seen = [], []

    def load():
        loaded.append(1)
        return fake()

    for name, policy, loads in (
        ("one", "entropy", 1), ("one", "max_prob", 1), ("one", "0.1 + quantile(0.9)", 2), ("two", "entropy", 3),
        ("one", "0.2 + quantile(0.9)", 3),
    ):  # fmt: skip
        found = recordings_for(name, Policy(policy), load, lambda done, most: seen.append((done, most)))
        assert loads == len(loaded)
        assert len(found.temperatures(Policy(policy))) == len(found)

    assert seen[-1][0] <= seen[-1][1] == 2 * 2 * recorder.TOKENS
    assert len(list(tmp_path.rglob("*.npz"))) == 3


def test_the_recordings_of_the_bundled_model_are_shipped():
    def load():
        raise AssertionError("the model is not needed")

    found = recordings_for(BUNDLED, Policy("0.1 + 0.8*entropy"), load)

    assert found.model == BUNDLED
    assert found.count == len(recorder.PROMPTS) * len(recorder.TEMPERATURES)
    assert SHIPPED.stat().st_size < 200_000


def test_no_two_recorded_texts_draw_with_the_same_noise(brief):
    numbers = [token.request for group in write_texts(fake(), [Policy(1), Policy(1)], ["a", "a"]) for text in group
               for token in text[:1]]  # fmt: skip

    assert [0, 1, 2, 3] == numbers
    assert record(fake()).count == 4
