"""A trace keeps every number, and says where it is damaged."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from tests.waiting import wait_until

from dyntemp import Trace, TraceError, generate
from dyntemp.testing import FakeModel
from dyntemp.traces.file import TraceWriter
from dyntemp.traces.token import Token


@pytest.fixture
def run(tmp_path):
    model = FakeModel([b"a", b"\xff", b" \n"], lambda tokens: [0.1 * len(tokens), 0.2, -0.3], name="tiny")
    path = tmp_path / "run.jsonl"
    tokens = list(generate(model, "a", "0.5 + 0.1*entropy", max_tokens=6, seed=2**63 + 1, trace=path))
    return path, tokens


def test_what_is_written_is_read_back_to_the_last_bit(run):
    path, tokens = run
    trace = Trace.open(path)

    assert tokens == list(trace)
    assert tokens == list(trace), "a trace can be read again"
    assert ("tiny", "0.5 + 0.1*entropy", 2**63 + 1, ["a"]) == (
        trace.header.model, trace.header.policy, trace.header.seed, trace.header.prompts,
    )  # fmt: skip
    assert {"dyntemp", "numpy", "python"} <= set(trace.header.versions)
    assert 6 == trace.header.settings["max_tokens"]


def test_every_line_is_json_that_any_reader_accepts(run, tmp_path):
    path, tokens = run
    infinite = replace(tokens[0], temperature=float("inf"), surprisal_after=float("inf"))
    with TraceWriter(tmp_path / "inf.jsonl", Trace.open(path).header) as writer:
        writer.write(infinite)

    def refuse(name):
        raise AssertionError(name)

    for line in (
        *path.read_text(encoding="utf-8").splitlines(),
        *(tmp_path / "inf.jsonl").read_text(encoding="utf-8").splitlines(),
    ):
        json.loads(line, parse_constant=refuse)
    assert [infinite] == list(Trace.open(tmp_path / "inf.jsonl"))


def test_a_trace_of_the_first_format_is_read(run):
    path, tokens = run
    header, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        del line["rest"], line["origin"]
    path.write_text("".join(json.dumps(line) + "\n" for line in [{**header, "version": 1}, *lines]), encoding="utf-8")

    assert [replace(token, rest=(), origin="drawn") for token in tokens] == list(Trace.open(path))


@pytest.mark.parametrize(
    ("field", "value"), [("seed", "x"), ("settings", [1]), ("prompts", "a"), ("policy", None), ("seed", True)]
)
def test_a_header_of_other_kinds_is_refused(run, field, value):
    path, _ = run
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([json.dumps(json.loads(header) | {field: value}) + "\n", *lines]), encoding="utf-8")

    with pytest.raises(TraceError, match=rf"line 1: {field} is "):
        Trace.open(path)


@pytest.mark.parametrize("value", [-0.1, 1.1, "inf"])
@pytest.mark.parametrize("field", ["probability", "probability_after"])
def test_a_probability_that_is_none_is_refused(run, field, value):
    data = run[1][0].to_json()

    with pytest.raises(ValueError, match="a probability outside 0 to 1"):
        Token.from_json(data | {field: value})
    with pytest.raises(ValueError, match="a probability outside 0 to 1"):
        Token.from_json(data | {"alternatives": [data["alternatives"][0] | {field: value}]})


def test_tokens_are_read_one_line_at_a_time(run):
    path, tokens = run
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{broken\n", *lines[4:]]))
    reader = iter(Trace.open(path))

    assert tokens[:2] == [next(reader), next(reader)]
    with pytest.raises(TraceError, match=r"run\.jsonl, line 4: this is not JSON"):
        next(reader)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.pop("temperature"), "fields missing or unknown: temperature"),
        (lambda data: data.update(extra=1), "fields missing or unknown: extra"),
        (lambda data: data.update(temperature="hot"), "no token record"),
        (lambda data: data.update(temperature="nan"), "'nan' among its numbers"),
        (lambda data: data.update(temperature=-1), "negative temperature"),
        (lambda data: data.update(temperature=10**400), "no token record"),
        (lambda data: data.update(signals={}), "lacks the signal `entropy`"),
        (lambda data: data["signals"].update(entropy="nan"), "'nan' among its numbers"),
        (lambda data: data.update(token=-5), "-5 where a whole number"),
        (lambda data: data.update(position=3.7), "3.7 where a whole number"),
        (lambda data: data.update(text=None), "None where text"),
        (lambda data: data.update(finish=7), "finish is 7"),
        (lambda data: data.update(bytes="zz"), "no token record"),
        (lambda data: data.update(signals=[1]), "no token record"),
        (lambda data: data.update(alternatives=[{}]), "no token record"),
    ],
)
def test_a_damaged_record_is_named(run, change, message):
    path, _ = run
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    data = json.loads(lines[1])
    change(data)
    path.write_text("".join([lines[0], json.dumps(data) + "\n"]), encoding="utf-8")

    with pytest.raises(TraceError, match=f"line 2: .*{message}"):
        list(Trace.open(path))


def test_a_last_line_that_is_cut_off_is_told_after_what_is_whole(run):
    path, tokens = run
    path.write_bytes(path.read_bytes()[:-20])
    reader = iter(Trace.open(path))

    assert tokens[:5] == [next(reader) for _ in range(5)]
    with pytest.raises(TraceError, match="line 7: the line is cut off"):
        next(reader)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "not JSON"),
        (b"\xff\xfe\n", "line 1: this is UTF-16"),
        (b"\xfa{}\n", "line 1: this is not UTF-8"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b"[1]\n", "a JSON object is expected"),
        (b'{"format": "else"}\n', "is no trace"),
        (b'{"format": "dyntemp.trace", "version": 99}\n', "update dyntemp"),
        (b'{"format": "dyntemp.trace", "version": 1, "model": "m"}\n', "line 1: fields missing"),
    ],
)
def test_what_is_no_trace_is_refused_at_once(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(TraceError, match=message):
        Trace.open(tmp_path / "file")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(TraceError, match="cannot be read: No such file"):
        Trace.open(tmp_path / "none")
    with pytest.raises(TraceError, match="cannot be read"):
        Trace.open(tmp_path)


def test_an_existing_file_is_kept_unless_it_may_be_overwritten(run):
    path, tokens = run
    header = Trace.open(path).header
    with pytest.raises(TraceError, match="already there"):
        TraceWriter(path, header)

    assert tokens == list(Trace.open(path))
    TraceWriter(path, header, overwrite=True).close()
    assert [] == list(Trace.open(path))


SLOW = """
import sys, time
from dyntemp import generate
from dyntemp.testing import FakeModel
def logits(tokens):
    time.sleep(0.02)
    return [0.0, 0.5]
for token in generate(FakeModel([b"a", b"b"], logits), "a", 1.0, max_tokens=100000, seed=0, trace=sys.argv[1]):
    pass
"""


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_a_readable_file(tmp_path, kill):
    path = tmp_path / "run.jsonl"
    with subprocess.Popen([sys.executable, "-c", SLOW, str(path)], stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") > 5, process)
        process.send_signal(kill)

    tokens = list(Trace.open(path))
    assert len(tokens) >= 5
    assert list(range(len(tokens))) == [token.position for token in tokens]
    assert all(isinstance(token, Token) for token in tokens)


@pytest.mark.skipif(sys.platform != "linux", reason="it limits the size of files as Linux does")
def test_a_disk_that_gets_full_leaves_whole_lines(run, tmp_path):
    """The process may write so many bytes to a file, in the middle of a line."""
    import resource

    path, tokens = run
    whole = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) - 20, hard))
    try:
        with TraceWriter(tmp_path / "full.jsonl", Trace.open(path).header) as writer:
            for token in tokens[:-1]:
                writer.write(token)
            with pytest.raises(TraceError, match=r"full\.jsonl cannot be written further: .*; it holds all tokens"):
                writer.write(tokens[-1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert (tmp_path / "full.jsonl").read_bytes() == b"".join(whole.splitlines(keepends=True)[:-1])
