"""Presets are files of policies: one brings its filters, and says where it comes from."""

import json

import numpy as np
import pytest
from tests.generation.test_policy_file import TUNED

from dyntemp.cli import main
from dyntemp.testing import FakeModel
from dyntemp.tune.presets import presets

PIECES = [bytes([code]) for code in range(97, 123)] + [b""]


@pytest.fixture
def shipped(monkeypatch):
    """One preset, `text`, in place of those that are shipped."""
    fake = FakeModel(PIECES, lambda tokens: np.random.default_rng(len(tokens)).normal(0, 2, len(PIECES)), name="fake")
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda name, **options: fake)
    monkeypatch.setattr("dyntemp.cli.policy_options.presets", lambda: {"text": TUNED})
    monkeypatch.setattr("dyntemp.cli.compare.presets", lambda: {"text": TUNED})


def run(capsys, *arguments):
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_each_shipped_preset_says_where_it_comes_from():
    for name, one in presets().items():
        assert one.provenance is not None, name
        assert one.provenance.scores, name
        assert not one.policy.parameters, name


def test_a_preset_brings_its_policy_and_its_filters(capsys, shipped, tmp_path):
    path = tmp_path / "run.jsonl"
    code, _, err = run(capsys, "generate", "-n", "2", "--preset", "text", "--trace", path, "x")
    header = json.loads(path.read_text().splitlines()[0])

    assert 0 == code, err
    assert (str(TUNED.policy), 0.05) == (header["policy"], header["settings"]["min_p"])


@pytest.mark.parametrize("beside", [("--policy", "0.7"), ("--method", "edt")])
def test_a_preset_and_a_policy_are_refused(capsys, shipped, beside):
    code, _, err = run(capsys, "generate", "--preset", "text", *beside, "x")

    assert 2 == code
    assert "were given; give one of them" in err


def test_a_preset_is_compared(capsys, shipped, tmp_path):
    common = ("compare", "-n", "2", "-q", "--json", "-o", tmp_path / "out", "--filters", TUNED.filters)
    code, out, err = run(capsys, *common, "-p", "0.7", "--preset", "text", "x")

    assert 0 == code, err
    assert ["0.7", str(TUNED.policy)] == [one["policy"] for one in json.loads(out)["figures"]["policies"]]


def test_policies_lists_presets_and_says_where_each_comes_from(capsys):
    _, listed, _ = run(capsys, "policies")
    for name, file in presets().items():
        code, told, _ = run(capsys, "policies", name)

        assert 0 == code
        assert f"  {name} " in listed
        assert " ".join(file.provenance.sentence.split()) in " ".join(told.split())


def test_a_preset_has_no_parameters_to_set(capsys):
    code, _, err = run(capsys, "policies", "code", "--set", "a=1")

    assert 2 == code
    assert "the preset code has no parameters" in err
