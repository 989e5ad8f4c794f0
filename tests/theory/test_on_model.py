"""The verdicts that need a model, and the option of `dyntemp check` that asks for them."""

import json

import pytest

from dyntemp import Policy
from dyntemp.cli import main
from dyntemp.theory.on_model import verdicts_on
from dyntemp.theory.record import SHIPPED
from dyntemp.theory.recordings import Recordings


@pytest.mark.parametrize(
    ("policy", "proofs", "holds"),
    [("0.7", ["runs-away"], [True]), ("0.1 + 0.8*entropy", ["runs-away"], [False]),
     ("clip(1 + 0.1*(2.5 - ema(surprisal, 0.8)), 0.05, 2)", ["runs-away", "controllers"], [True, True]),
     ("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)", ["controllers"], [True]),
     ("0.7 + integral(0.1*exp(-surprisal), -0.5, 0.8)", ["controllers"], [None])],
)  # fmt: skip
def test_each_policy_has_the_verdicts_that_its_theory_gives(policy, proofs, holds):
    found = verdicts_on(Policy(policy), Recordings.load(SHIPPED))

    assert [f"loop.md#{proof}" for proof in proofs] == [verdict.proof for verdict in found]
    assert holds == [verdict.holds for verdict in found]


def test_two_theories_agree_where_a_policy_rests():
    policy = Policy("clip(1 + 0.1*(2.5 - ema(surprisal, 0.8)), 0.05, 2)")
    loop, controller = verdicts_on(policy, Recordings.load(SHIPPED))

    assert controller.values["temperature"] == pytest.approx(loop.values["last"].value, rel=0.05)


def test_check_tells_of_the_bundled_model_without_loading_it(capsys, monkeypatch):
    monkeypatch.setattr("dyntemp.cli.check.load_model", None)

    assert main(["check", "0.1 + 0.8*entropy", "--model", "smollm2", "--json"]) == 0

    last = json.loads(capsys.readouterr().out)["verdicts"][-1]
    assert last["claim"].startswith("runs away on smollm2: mean T from ")
    assert last["proof"] == "loop.md#runs-away"
    assert last["values"]["temperature"][1] < last["values"]["temperature"][0] < last["values"]["temperature"][2]
