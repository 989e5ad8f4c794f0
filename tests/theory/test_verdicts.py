"""The list of verdicts that fit a policy."""

import json
from pathlib import Path

import pytest

from dyntemp.cli import main
from dyntemp.language.policy import Policy
from dyntemp.methods import METHODS
from dyntemp.theory.verdicts import verdicts


def sections(policy, vocabulary=100):
    return [verdict.proof.removeprefix("rows.md#") for verdict in verdicts(policy, vocabulary)]


def test_a_policy_of_the_row_has_all_of_them():
    assert sections(Policy("0.1 + 0.8*entropy")) == ["order", "lipschitz", "agreement", "reapplication", "speculation"]


def test_those_that_do_not_fit_are_left_out():
    assert "reapplication" not in sections(Policy("0.2 + ema(entropy, 0.5)"))
    assert "reapplication" not in sections(Policy('param("theta", 0, 1)*max_prob'))
    assert "agreement" not in sections(Policy("where(max_prob < 0.3, 0, 0.7)"))


def test_every_verdict_has_its_section():
    page = Path(__file__).parents[2] / "docs" / "theory" / "rows.md"
    headings = {line[3:].lower() for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("## ")}

    assert set(sections(Policy("0.1 + 0.8*entropy"))) <= headings


@pytest.mark.parametrize("name", METHODS)
def test_every_published_policy_has_verdicts(name):
    policy = METHODS[name].make()

    assert {"order", "lipschitz", "speculation"} <= set(sections(policy))


def test_check_prints_them_with_their_proofs(capsys):
    assert main(["check", "0.1 + 0.8*entropy"]) == 0
    out = " ".join(capsys.readouterr().out.split())

    assert "+ T rises as entropy rises" in out
    assert "+ T moves by at most 4.358 times as far as the logits, on a vocabulary of 49,152" in out
    assert "(docs/theory/rows.md#lipschitz)" in out


def test_check_gives_them_as_json(capsys):
    main(["check", "where(max_prob < 0.3, 0, 0.7)", "--json", "--vocabulary", "100"])
    found = {verdict["proof"]: verdict for verdict in json.loads(capsys.readouterr().out)["verdicts"]}

    assert found["rows.md#lipschitz"]["holds"] is False
    assert found["rows.md#lipschitz"]["values"]["constant"] == "inf"


def test_a_template_has_none(capsys):
    main(["check", "a + b*entropy", "--json"])

    assert json.loads(capsys.readouterr().out)["verdicts"] == []
