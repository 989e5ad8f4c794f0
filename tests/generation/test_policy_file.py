"""The file of a policy keeps its filters and its provenance, and no reader loses the filters in silence."""

import json
from dataclasses import asdict

import pytest

from dyntemp import Policy, PolicyFile
from dyntemp.distribution.filters import Filters
from dyntemp.errors import PolicyError
from dyntemp.generation.policies import read_given
from dyntemp.generation.policy_file import Provenance, Score

SCORE = Score(task="fluency", metric="distinct@8", mean=4.5, low=4.25, high=4.75, items=20)
ORIGIN = Provenance(
    sentence="Worth its parameters.", model="smollm2", trials=32, scores=(SCORE,), digest="9f2c" * 16,
    about={"date": "2026-11-28", "dyntemp": "0.1.0"},
)  # fmt: skip
TUNED = PolicyFile(
    policy=Policy("0.3 + 0.8*normalized_entropy", name="über"), filters=Filters.read("temperature, min_p(0.05)"),
    provenance=ORIGIN,
)  # fmt: skip


@pytest.mark.parametrize("file", [TUNED, PolicyFile(policy=Policy("0.9"))])
def test_what_is_saved_is_loaded(file, tmp_path):
    file.save(tmp_path / "a.json")
    loaded = PolicyFile.load(tmp_path / "a.json")

    assert file == loaded
    assert file.policy.name == loaded.policy.name


def test_a_file_of_a_policy_alone_is_one_too(tmp_path):
    Policy("0.9", name="warm").save(tmp_path / "a.json")
    PolicyFile(policy=Policy("0.9", name="warm")).save(tmp_path / "b.json")

    assert PolicyFile(policy=Policy("0.9")) == PolicyFile.load(tmp_path / "a.json")
    assert Policy("0.9") == Policy.load(tmp_path / "b.json")


def test_a_policy_alone_does_not_lose_the_filters_of_its_file():
    with pytest.raises(PolicyError, match=r"filters, `temperature, min_p\(0.05\)`.*PolicyFile"):
        Policy.from_json(TUNED.to_json())


def test_a_name_a_formula_and_an_object_are_given():
    assert Filters() == read_given("edt").filters
    assert Policy("0.5") == read_given("0.5").policy
    assert TUNED == read_given(json.loads(TUNED.to_json()))


def changed(**fields):
    return json.dumps(json.loads(TUNED.to_json()) | fields)


def origin(**fields):
    return changed(provenance=json.loads(TUNED.to_json())["provenance"] | fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "this is not the JSON of a policy"),
        (changed(filters=3), "its filters are 3"),
        (changed(filters="top_q(1)"), "the filter 'top_q' was given"),
        (changed(provenance=[]), "its provenance cannot be read"),
        (changed(provenance={"model": "m"}), "its provenance cannot be read"),
        (origin(more=1), "its provenance cannot be read"),
        (origin(model=3), "its provenance cannot be read: 3"),
        (origin(scores=[{"task": "a"}]), "its provenance cannot be read"),
        (origin(trials="many"), "its provenance cannot be read: 'many'"),
        (origin(scores=[asdict(SCORE) | {"mean": "c"}]), "its provenance cannot be read: 'c'"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named_with_its_fault(text, message, tmp_path):
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(PolicyError, match=rf"a\.json: .*{message}"):
        PolicyFile.load(tmp_path / "a.json")


def test_a_score_says_its_interval_where_it_has_one():
    assert "4.5 (4.25 to 4.75) distinct@8, 20 items" == str(SCORE)
    assert "0.5 accuracy, 1 items" == str(Score(task="a", metric="accuracy", mean=0.5, low=None, high=None, items=1))
