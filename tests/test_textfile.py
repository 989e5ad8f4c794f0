"""Byte order marks and other encodings, wherever people bring text."""

import io
import json
import subprocess
import sys

import pytest

from dyntemp import Policy, PolicyError, TraceError, generate
from dyntemp.cli import UsageError, main
from dyntemp.cli.common import read_prompt, readable
from dyntemp.cli.compare import read_prompts
from dyntemp.cli.play import opened
from dyntemp.cli.policy_options import read_policy
from dyntemp.testing import FakeModel
from dyntemp.textfile import decoded, read_text
from dyntemp.traces.file import Trace

MARK = "\ufeff"
TEXT = "Once upon a time, ü and 東京\n"


@pytest.mark.parametrize("text", [TEXT, "", "\n", "x", f"inside {MARK} it stays"])
@pytest.mark.parametrize("mark", ["", MARK])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_mark_at_the_start_is_no_text(tmp_path, text, mark, ends):
    path = tmp_path / "text"
    path.write_bytes((mark + text.replace("\n", ends)).encode())

    assert read_text(path) == text


def test_only_one_mark_is_the_encodings():
    assert decoded((MARK + MARK + "x").encode()) == MARK + "x"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named_with_what_to_do(encoding):
    name = encoding[:6].upper()
    data = TEXT.encode("utf-16-le") if encoding == "utf-16-le" else TEXT.encode(encoding)

    with pytest.raises(ValueError, match=f"this is {name}, and only UTF-8 is read: save it as UTF-8, or run `iconv"):
        decoded(data)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "Привет, мир", "東京の夜"])
def test_what_is_utf_8_is_not_taken_for_another_encoding(text):
    assert decoded(text.encode()) == text


def test_bytes_of_no_encoding_are_refused_with_their_place():
    with pytest.raises(ValueError, match=r"this is not UTF-8 \(invalid start byte at byte 3\): save it as UTF-8"):
        decoded(b"abc\xff")


@pytest.fixture
def written(tmp_path):
    def write(name, text, encoding="utf-8-sig"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    return write


def test_prompts_have_no_mark(written, monkeypatch):
    assert read_prompt([], written("p.txt", TEXT)) == TEXT[:-1]
    assert read_prompt([MARK + "Once", "more"], None) == "Once more"
    assert readable(MARK + "x") == "x"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((MARK + TEXT).encode()), encoding="utf-8"))
    assert read_prompt(["-"], None) == TEXT[:-1]
    monkeypatch.setattr("sys.stdin", io.StringIO(MARK + TEXT))
    assert read_prompt(["-"], None) == TEXT[:-1]


def test_prompts_in_other_encodings_are_refused_with_their_source(written, monkeypatch):
    path = written("p.txt", TEXT, "utf-16")
    with pytest.raises(UsageError, match=r"p\.txt: this is UTF-16"):
        read_prompt([], path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode("utf-16")), encoding="utf-8"))
    with pytest.raises(UsageError, match="the standard input: this is UTF-16"):
        read_prompt(["-"], None)


def test_lists_of_prompts_have_no_mark(written, tmp_path):
    assert read_prompts(tmp_path / written("l.txt", "one\ntwo\n")) == ["one", "two"]
    assert read_prompts(tmp_path / written("l.jsonl", '{"prompt": "one"}\n')) == ["one"]
    with pytest.raises(UsageError, match=r"m\.txt: this is UTF-16"):
        read_prompts(tmp_path / written("m.txt", "one\n", "utf-16"))


def test_policies_have_no_mark(written):
    policy = Policy("0.1 + 0.8*entropy", name="mine")
    assert Policy.load(written("p.json", policy.to_json())) == policy
    assert read_policy(written("q.json", policy.to_json())) == policy
    assert read_policy(MARK + "0.1 + 0.8*entropy") == policy
    assert read_policy(MARK + "edt") == read_policy("edt")
    with pytest.raises(PolicyError, match=r"r\.json: this is UTF-16"):
        Policy.load(written("r.json", policy.to_json(), "utf-16"))


def test_traces_have_no_mark(tmp_path, written):
    path = tmp_path / "run.jsonl"
    tokens = list(generate(FakeModel([b"a", b"b"], lambda _: [0.0, 1.0]), "a", 1.0, max_tokens=3, seed=1, trace=path))
    lines = path.read_text(encoding="utf-8")
    marked = written("marked.jsonl", lines)

    assert list(Trace.open(marked)) == tokens
    assert opened(marked)["lines"] == lines
    assert main(["explain", marked]) == 0
    with pytest.raises(TraceError, match=r"wide\.jsonl, line 1: this is UTF-16"):
        Trace.open(written("wide.jsonl", lines, "utf-16"))


def test_a_chat_from_a_file_begins_without_a_mark(monkeypatch, capsys):
    model = FakeModel([bytes([code]) for code in range(128)], lambda _: [0.0] * 128, chat=True)
    monkeypatch.setattr("dyntemp.cli.common.load_model", lambda *_, **__: model)
    monkeypatch.setattr("sys.stdin", io.StringIO(MARK + "/set\n" + "/bye\n"))

    assert main(["chat", "--color", "never"]) == 0
    assert "max_tokens 256" in capsys.readouterr().out


def test_the_standard_input_of_a_process(tmp_path):
    code = "from dyntemp.cli.common import read_prompt; import json; print(json.dumps(read_prompt(['-'], None)))"
    done = subprocess.run([sys.executable, "-X", "utf8", "-c", code], input=(MARK + TEXT).encode(), capture_output=True,
                          check=True)  # fmt: skip
    assert json.loads(done.stdout) == TEXT[:-1]
