"""The command `dyntemp convert`, as people call it."""

import io
import json
import shlex
import sys

import pytest

from dyntemp import Policy
from dyntemp.cli import main
from dyntemp.convert import PROGRAMS, from_settings


def run(capsys, *arguments):
    try:
        code = main(["convert", *arguments])
    except SystemExit as exit_:
        code = exit_.code
    out, err = capsys.readouterr()
    return code, out, err


WHOLE = ["top_k=0", "top_p=1", "min_p=0"]


def test_the_first_line_is_the_policy_and_another_the_command(capsys):
    code, out, err = run(
        capsys, "llama.cpp", "temperature=0.8", "dynatemp_range=0.5", "min_p=0.1", "top_k=0", "top_p=1"
    )
    first, *rest = out.splitlines()
    command = next(line for line in rest if "run it" in line)

    assert (0, "") == (code, err)
    assert Policy("lerp(0.3, 1.3, normalized_entropy)") == Policy(first)
    words = shlex.split(command.split("run it")[1])
    assert ["dyntemp", "generate", "--policy", first, "--min-p", "0.1", "..."] == words
    assert "0.3 to 1.3, not exact" in out
    assert "entropy is measured over what min_p left" in out


def test_options_of_the_other_program_can_be_pasted(capsys):
    pasted = ["--", "--temp", "0.8", "--dynatemp-range=0.5", "--top-k", "0", "--top-p", "1", "--min-p", "0"]
    code, out, _ = run(capsys, "llama.cpp", *pasted)

    assert 0 == code
    assert out.startswith("lerp(0.3, 1.3, normalized_entropy)\n")
    assert "0.3 to 1.3, exact" in out


def test_a_preset_file_is_sorted_out_and_what_is_given_beside_it_counts(capsys, data):
    preset = str(data / "sillytavern_preset.json")
    out = run(capsys, "sillytavern", "--file", preset)[1]

    assert out.startswith("lerp(0.4, 1.6, normalized_entropy**0.7)\n")
    for words in (
        "not temperature",
        "--filters 'tfs(0.97), min_p(0.05), xtc(0.15, 0.3)'",
        "no effect",
        "off  ",
        "mirostat_mode",
    ):
        assert words in out
    assert run(capsys, "sillytavern", "dynatemp=false", "temp=0.9", "--file", preset)[1].startswith("0.9\n")


def test_a_chain_of_filters_is_written_and_read_back(capsys):
    chain = "top_n_sigma(1.5), min_p(0.05), temperature, typical(0.9)"
    code, out, _ = run(capsys, "--to", "llama.cpp", "--filters", chain, "--json", "0.7")
    answer = json.loads(out)
    back = json.loads(run(capsys, "llama.cpp", "--json", "--", *shlex.split(" ".join(answer["flags"])))[1])

    assert 0 == code
    assert ["penalties", "dry", "top_n_sigma", "min_p", "temperature", "typ_p"] == answer["settings"]["samplers"]
    assert ("0.7", chain, True) == (back["policy"], back["filters"], back["exact"])
    assert 2 == run(capsys, "--to", "llama.cpp", "--filters", chain, "--top-k", "5", "0.7")[0]
    assert 1 == run(capsys, "--to", "vllm", "--filters", chain, "0.7")[0]


def test_yaml_is_read_from_a_file_and_from_standard_input(capsys, tmp_path, monkeypatch):
    lines = ["---", "dynamic_temperature: True  # mine", "dynatemp_low: 0.4", "", "dynatemp_high: 2"]
    text = "\ufeff" + "\n".join([*lines, "sampler_priority:", "- min_p", ""])
    path = tmp_path / "warm.yaml"
    path.write_text(text, encoding="utf-8")
    assert run(capsys, "textgen", "--file", str(path))[1].startswith("lerp(0.4, 2, normalized_entropy)\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    out = run(capsys, "textgen", "--file", "-", "dynatemp_high=.8")[1]
    assert out.startswith("lerp(0.4, 0.8, normalized_entropy)\n")


def test_what_public_reports_of_other_programs_held(capsys):
    for words, policy in (
        ("llama.cpp temperature=0.8 dynatemp_range=0.5 samplers=edkypmxt", "lerp(0.3, 1.3, normalized_entropy)"),
        ("koboldcpp temperature=0.7 dynatemp_range=0.3 top_k=0 top_p=1 sampler_order=6,0,1,3,4,2,5",
         "lerp(0.4, 1, normalized_entropy)"),
        ("llama.cpp -- --temp=0.75 --penalize-nl --dynatemp-range=0.2 --top-k=0 --top-p=1 --min-p=0",
         "lerp(0.55, 0.95, normalized_entropy)"),
        ("textgen temperature=0.7 dynamic_temperature=true dynatemp_low=0.1 dynatemp_high=1.5",
         "lerp(0.07, 1.05, normalized_entropy)"),
    ):  # fmt: skip
        code, out, err = run(capsys, *words.split())
        assert (0, "") == (code, err)
        assert out.startswith(policy + "\n")


def test_to_prints_settings_that_mean_the_policy(capsys):
    code, out, _ = run(capsys, "--to", "llama.cpp", "0.3 + normalized_entropy")
    settings = json.loads(out[: out.index("}") + 1])

    assert 0 == code
    assert (0.8, 0.5, 1.0) == (settings["temperature"], settings["dynatemp_range"], settings["dynatemp_exponent"])
    options = shlex.split(out.split("options")[1].splitlines()[0])
    assert ["--temp", "0.8", "--dynatemp-range", "0.5"] == options[:4]
    again = run(capsys, "llama.cpp", "--", *options)[1]
    assert again.startswith("lerp(0.3, 1.3, normalized_entropy)\n")


def test_to_takes_filters_and_names_of_published_policies(capsys):
    found = json.loads(
        run(capsys, "--to", "aphrodite", "dynatemp", "--min-p", "0.1", "--filter-at", "temperature", "--json")[1]
    )

    assert (0.3, 1.3, 0.1) == tuple(found["settings"][name] for name in ("dynatemp_min", "dynatemp_max", "min_p"))
    assert found["exact"]


def test_a_policy_that_a_program_has_no_settings_for_is_a_failure_with_the_reason(capsys):
    code, out, err = run(capsys, "--to", "llama.cpp", "0.5 - 0.4*max_prob")

    assert (1, "") == (code, out)
    assert "dyntemp convert: `0.5 - 0.4*max_prob` reads `max_prob`" in err


def test_json_holds_all_that_is_known(capsys, data):
    path = data / "sillytavern_preset.json"
    found = json.loads(run(capsys, "sillytavern", "--file", str(path), "--json")[1])
    expected = from_settings("sillytavern", json.loads(path.read_text(encoding="utf-8")))

    assert str(expected.policy) == found["policy"]
    assert expected.arguments == {name: found[name] for name in expected.arguments}
    assert list(expected.off) == found["off"]
    assert [aside.why for aside in expected.not_temperature] == [aside["why"] for aside in found["not_temperature"]]
    assert found["exact"] is False


def test_list_names_every_program_and_its_fields(capsys):
    out = run(capsys, "--list")[1]

    assert all(name in out for program in PROGRAMS.values() for name in (program.name, *program.fields))
    assert list(PROGRAMS) == [program["name"] for program in json.loads(run(capsys, "--list", "--json")[1])]


def test_unknown_fields_can_be_listed(capsys):
    out = run(capsys, "llama.cpp", "temperature=1", "xyzzy=2", *WHOLE, "--skip-unknown")[1]

    assert "unknown         xyzzy" in out.replace("  unknown", "unknown")


def test_long_lines_go_on_under_their_beginning_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    out = run(capsys, "llama.cpp", "dynatemp_range=0.5", "--color", "always")[1]

    assert "\x1b[" in out
    assert "\n" + " " * 18 in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no program: write one of llama.cpp"),
        (["lama.cpp", "temp=1"], "did you mean `llama.cpp`?"),
        (["llama.cpp", "dynatemp_rang=1"], "did you mean `dynatemp_range`?"),
        (["llama.cpp", "0.8"], "write KEY=VALUE"),
        (["llama.cpp", "=0.8"], "write KEY=VALUE"),
        (["llama.cpp", "temperature=hot"], "a finite number is allowed"),
        (["--to", "llama.cpp"], "--to takes a policy"),
        (["--to", "lama.cpp", "0.7"], "did you mean `llama.cpp`?"),
        (["--to", "llama.cpp", "0.1 + entropi"], "did you mean `entropy`?"),
        (["--to", "llama.cpp", "0.7", "--top-p", "2"], "top_p = 2.0 was given"),
    ],
)
def test_wrong_usage_ends_with_2(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)

    assert (2, "") == (code, out)
    assert message in err


@pytest.mark.parametrize(("text", "code", "message"), [("[1]", 2, "holds no settings"), ("{", 2, "Expecting property")])
def test_files_without_settings_are_refused(capsys, tmp_path, text, code, message):
    path = tmp_path / "preset.json"
    path.write_text(text, encoding="utf-8")
    found, _, err = run(capsys, "llama.cpp", "--file", str(path))

    assert code == found
    assert message in err
    assert 1 == run(capsys, "llama.cpp", "--file", str(tmp_path / "none.json"))[0]
