"""Methods on the command line: the list, one of them, and --method with --set in place of --policy."""

import json

import pytest
from tests.cli.test_cli import model, run  # noqa: F401 (a fixture)

from dyntemp.methods import METHODS
from dyntemp.tune.presets import presets

pytestmark = pytest.mark.usefixtures("model")


def policy_of(capsys, *arguments):
    return json.loads(run(capsys, "generate", "--json", "-n", "1", *arguments, "x")[1])["policy"]


def test_a_method_stands_in_place_of_a_policy(capsys):
    assert "0.9*0.8**(0.5/entropy)" == policy_of(capsys, "--method", "edt", "--set", "t0=0.9", "--set", "theta=0.5")
    assert str(METHODS["gdt"].make()) == policy_of(capsys, "--method", "gdt")


@pytest.mark.parametrize("command", ["generate", "serve"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "edt", "--policy", "0.5"], "--policy and --method were given; give one of them"),
        (["--set", "a=1"], "--set a=1 was given; it needs a method: --method NAME"),
        (["--method", "dynatmp"], "there is no method `dynatmp`; `dyntemp policies` lists"),
        (["--method", "edt", "--set", "theta"], "write --set NAME=NUMBER"),
        (["--method", "edt", "--set", "theta=9"], "`theta` = 9 was given, outside its range of 0.01 to 5 in `edt`"),
        (["--method", "edt", "--set", "t=9"], "`edt` has no parameter `t`; its parameters are t0, theta, n, floor"),
    ],
)
def test_wrong_methods_are_refused(capsys, command, arguments, words):
    if command == "serve":
        pytest.importorskip("fastapi")
    code, _, err = run(capsys, command, *arguments, *(["x"] if command == "generate" else []))

    assert 2 == code
    assert words in err


def test_chat_begins_with_the_method(capsys, monkeypatch):
    arguments = ("chat", "-n", "2", "--method", "static", "--set", "temperature=0.25")

    assert "0.25   T from 0.25 to 0.25" in run(capsys, *arguments, stdin="/policy\n", monkeypatch=monkeypatch)[1]


def test_the_list_has_a_line_for_each_in_80_columns(capsys):
    code, out, _ = run(capsys, "policies")
    lines = out.splitlines()

    assert 0 == code
    assert sorted([*METHODS, *presets()]) == sorted(line.split()[0] for line in lines if line.startswith("  "))
    assert max(map(len, lines)) <= 80
    assert out.index("hotter where") < out.index("  edt ") < out.index("colder where") < out.index("  fixed_entropy ")


@pytest.mark.parametrize("name", ["edt", "static", "entropy_control", "dfd", "met", "dynatemp_llama_cpp"])
def test_one_is_shown_with_all_that_is_known(capsys, name):
    method = METHODS[name]
    code, out, _ = run(capsys, "policies", name)
    text = " ".join(out.split())

    assert 0 == code
    for known in (method.formula, method.source, method.fails, *method.parameters):
        assert " ".join(known.split()) in text
    assert "temperature over the row's entropy" in text
    assert "not measured: " in text or "of the tokens differ from T = 1" in text


def test_one_is_shown_with_other_values(capsys):
    out = run(capsys, "policies", "dynatemp", "--set", "low=0.125")[1]

    assert "as set: lerp(0.125, 1.3, normalized_entropy)" in out
    assert "needs the name of a policy" in run(capsys, "policies", "--set", "low=0.1")[2]


def test_a_recorded_text_is_coloured_by_temperature(capsys):
    out = run(capsys, "policies", "dynatemp", "--color", "always")[1]

    assert out.count("\x1b[38;2;") > 40
    assert "T 0.00" in out


def test_json_holds_the_records(capsys):
    listed = json.loads(run(capsys, "policies", "--json")[1])
    (edt,) = (row for row in listed if row["name"] == "edt")

    assert edt == json.loads(run(capsys, "policies", "edt", "--json")[1])
    assert {"name": "theta", "default": 1.5, "low": 0.01, "high": 5, "meaning": "the scale, in nats"} in edt[
        "parameters"
    ]
    assert ("heats", False, ["entropy"], []) == tuple(
        edt[key] for key in ("direction", "remembers", "signals", "needs")
    )
    assert edt["measured"]["tokens"] > 0
    shown = json.loads(run(capsys, "policies", "edt", "--json", "--set", "floor=0.1")[1])
    assert "max(0.8**(1.5/entropy), 0.1)" == shown["policy"]
