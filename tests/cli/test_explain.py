"""`dyntemp explain`: what it tells of a recorded run, in each of its shapes."""

import json
import re

import pytest

from dyntemp import Policy, cli, generate
from dyntemp.show.words import changed, explain, flowing
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.replay import replay

PIECES = [b" one", b" two", b" three", b"!", b"\n", b"\xc3", b"\xa9"]
POLICY = "0.2 + 0.6*normalized_entropy"


@pytest.fixture
def path(tmp_path):
    """A trace of one text of 20 tokens."""
    return recorded(tmp_path / "run.jsonl", [0])


@pytest.fixture
def two(tmp_path):
    """A trace of two texts of 20 tokens each."""
    return recorded(tmp_path / "two.jsonl", [[0], [1, 2]])


def recorded(path, prompts, policy=POLICY):
    model = FakeModel(
        PIECES, lambda seen: [((n * 5 + len(seen) * 3 + seen[-1]) % 7) / (1 + len(seen) % 4) for n in range(7)]
    )
    list(generate(model, prompts, policy, max_tokens=20, seed=11, trace=path, top_k=6))
    return path


def run(capsys, *arguments):
    try:
        code = cli.main(["explain", *map(str, arguments)])
    except SystemExit as ending:  # of the parser
        code = ending.code
    out, err = capsys.readouterr()
    return code, out, err


def test_every_token_has_its_figures_and_its_sentence(capsys, path):
    code, out, _ = run(capsys, path)
    tokens = list(Trace.open(path))
    lines = [line.strip() for line in out.splitlines()]

    assert 0 == code
    assert [explain(token) for token in tokens] == lines[2:-1:2]
    assert out.startswith(f"fake, seed 11, policy {POLICY}")
    assert lines[-1].startswith("20 tokens, T mean ")


def test_a_part_of_a_trace_can_be_asked_for(capsys, two):
    out = run(capsys, two, "--request", "1", "--from", "18", "--count", "5")[1]

    assert ["18", "19"] == re.findall(r"^ +(\d+)  `", out, re.MULTILINE)
    out = run(capsys, two, "--from", "17", "--count", "1")[1]
    assert ["17", "17"] == re.findall(r"^ +(\d+)  `", out, re.MULTILINE)


def test_text_alone_holds_all_of_it_with_numbers_where_there_is_no_colour(capsys, path):
    out = run(capsys, path, "--text")[1]
    tokens = list(Trace.open(path))
    numbers = re.findall(r"(?<![\d.])\.\d\d(?![\d.])", out)

    assert all(flowing(token)[0] in out for token in tokens)
    assert [f"{token.temperature:.2f}"[1:] for token in tokens] == numbers


def test_text_is_coloured_by_what_was_asked_for(capsys, path):
    code, out, _ = run(capsys, path, "--text", "--by", "surprisal", "--color", "always")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)

    assert 0 == code
    assert "surprisal 0.00 ━" in plain
    assert len({*re.findall(r"38;2;\d+;\d+;\d+", out)}) > 10
    assert not re.search(r"\.\d\d \.\d\d", plain)
    numbered = re.sub(r"\x1b\[[0-9;]*m", "", run(capsys, path, "--text", "--numbers", "--color", "always")[1])
    assert 20 == len(re.findall(r"(?<![\d.])\.\d\d(?![\d.])", numbered))


def test_the_listing_tells_what_it_is_coloured_by(capsys, path):
    out = run(capsys, path, "--by", "margin", "--count", "1")[1]

    assert f"margin {next(iter(Trace.open(path))).signals['margin']:.3g}" in out


def test_one_token_has_its_card(capsys, path):
    out = run(capsys, path, "--at", "7")[1]
    token = list(Trace.open(path))[7]

    assert explain(token) in " ".join(out.split())
    assert f"T = {POLICY} = 0.2 + " in out
    assert len(token.alternatives) == len(re.findall(r"^ {7}\S+ +[0-9.<]+% [█▉▊▋▌▍▎▏]", out, re.MULTILINE))
    assert 1 == out.count("dropped")


def test_another_policy_is_replayed_and_told(capsys, path):
    other = Policy("1.9 - max_prob")
    tokens = list(Trace.open(path))
    now = replay(tokens, other, seed=11)
    out = run(capsys, path, "--policy", str(other))[1]
    differ = sum(not one.kept for one in now)

    assert all(changed(*pair) in out for pair in zip(tokens, now, strict=True))
    assert f"; {differ} of 20 tokens would differ" in out
    assert 0 < differ < 20
    at = next(token.position for token, one in zip(tokens, now, strict=True) if not one.kept)
    card = run(capsys, path, "--policy", str(other), "--at", at)[1]
    assert 1 == card.count("drawn instead")
    assert "T = 1.9 - max_prob = 1.9 - " in card
    shown = run(capsys, path, "--policy", str(other), "--text")[1]
    assert [f"{one.temperature:.2f}" for one in now] == re.findall(r"\d\.\d\d", shown.split("tokens,")[0])
    assert differ == shown.count("*") - POLICY.count("*")


def test_json_lines_hold_the_replay(capsys, path):
    plain = [json.loads(line) for line in run(capsys, path, "--jsonl")[1].splitlines()]
    lines = [json.loads(line) for line in run(capsys, path, "--jsonl", "--policy", "1.5")[1].splitlines()]

    assert 20 == len(plain) == len(lines)
    assert all("replayed" not in line and line["why"] for line in plain)
    assert {1.5} == {line["replayed"]["temperature"] for line in lines}


def test_a_page_is_written_once_and_never_over_the_trace(capsys, path, tmp_path):
    page = tmp_path / "run.html"
    code, out, err = run(capsys, path, "--html", page, "--policy", "1.5")

    assert (0, "") == (code, out)
    assert f"wrote {page}" in err
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "replayed under" in page.read_text(encoding="utf-8")
    assert 2 == run(capsys, path, "--html", page)[0]
    assert 0 == run(capsys, path, "--html", page, "--overwrite")[0]
    before = path.read_bytes()
    assert 2 == run(capsys, path, "--html", path, "--overwrite")[0]
    assert before == path.read_bytes()
    assert 1 == run(capsys, path, "--html", tmp_path / "no" / "run.html")[0]


def test_of_several_texts_each_is_named(capsys, two):
    out = run(capsys, two)[1]

    assert [out.index("prompt 0"), out.index("prompt 1")] == sorted([out.index("prompt 0"), out.index("prompt 1")])
    assert 40 == len(re.findall(r"^ +(\d+)  `", out, re.MULTILINE))
    assert "prompt 0" not in run(capsys, two, "--request", "1")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--by", "entropi"], 1, "did you mean `entropy`?"),
        (["--at", "3"], 2, "add --request, of 0 to 1"),
        (["--request", "2"], 2, "this trace holds 0 to 1"),
        (["--request", "0", "--at", "99"], 2, "this trace holds 0 to 19"),
        (["--from", "20"], 2, "position 20 was asked for"),
        (["--count", "0"], 2, "--count is at least 1"),
        (["--numbers"], 2, "--numbers stands beside --text"),
        (["--text", "--jsonl"], 2, "not allowed with argument"),
        (["--policy", "top_mass(3)"], 2, "which these records do not hold"),
        (["--policy", "a*entropy"], 2, "parameter `a` has no value"),
        (["--policy", "entropi"], 2, "did you mean `entropy`?"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_what_can(capsys, two, arguments, code, message):
    found, out, err = run(capsys, two, *arguments)

    assert (code, "") == (found, out)
    assert message in err


def test_what_can_be_read_of_a_damaged_trace_is_shown_in_every_shape(capsys, path, tmp_path):
    path.write_bytes(path.read_bytes()[:-10])
    page = tmp_path / "run.html"
    for shape in ([], ["--text"], ["--jsonl"], ["--html", page], ["--at", "3"]):
        code, out, err = run(capsys, path, *shape)
        assert 1 == code
        assert "the line is cut off" in err
        assert out or page.exists()


def test_a_trace_of_the_first_format_is_explained_but_not_replayed(capsys, path):
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[0]["version"] = 1
    for line in lines[1:]:
        del line["rest"], line["origin"]
        line["alternatives"] = line["alternatives"][:3]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    assert 0 == run(capsys, path)[0]
    assert "T = " not in run(capsys, path, "--at", "2")[1].split("drew")[1]
    code, _, err = run(capsys, path, "--policy", "1.5")
    assert 1 == code
    assert "cannot be replayed" in err


def test_a_trace_without_tokens_says_so(capsys, path):
    path.write_text(path.read_text(encoding="utf-8").splitlines(keepends=True)[0], encoding="utf-8")

    assert (0, "fake: no tokens; seed 11\n") == run(capsys, path)[:2]


def test_control_characters_of_a_header_are_shown_and_not_obeyed(capsys, path):
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    header = json.loads(header) | {"model": "\x1b[31mRED", "policy": "0.5\x1b]0;title\x07\x9b"}
    path.write_text("".join([json.dumps(header) + "\n", *lines]), encoding="utf-8")
    out = run(capsys, path, "--text", "--color", "never")[1]

    assert "␛[31mRED" in out
    assert not set(out) & {"\x1b", "\x07", "\x9b"}


def test_a_sum_stands_only_where_the_policy_gave_the_temperature(capsys, tmp_path):
    """As in a text that went on under another policy: the record of its beginning keeps its own temperatures."""
    first = recorded(tmp_path / "first.jsonl", [0])
    second = recorded(tmp_path / "second.jsonl", [0], "0.3 + 0.5*max_prob")
    _, *before = first.read_text(encoding="utf-8").splitlines(keepends=True)
    header, *after = second.read_text(encoding="utf-8").splitlines(keepends=True)
    second.write_text("".join([header, *before[:5], *after[5:]]), encoding="utf-8")

    assert "T = 0.3 + 0.5*max_prob = " in run(capsys, second, "--at", "7")[1]
    beginning = run(capsys, second, "--at", "2")[1]
    assert "T = 0.3" not in beginning
    assert f"{json.loads(before[2])['temperature']:.3g}" in beginning


def test_a_mean_that_leaves_infinite_temperatures_out_says_so(capsys, path):
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[3] = json.dumps(json.loads(lines[3]) | {"temperature": "inf"}) + "\n"
    path.write_text("".join([header, *lines]), encoding="utf-8")

    assert "to inf (1 infinite); seed 11" in run(capsys, path)[1]
    path.write_text("".join([header, lines[0]]), encoding="utf-8")
    assert "1 token, T mean" in run(capsys, path)[1]
