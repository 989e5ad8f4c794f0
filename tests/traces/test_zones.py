"""The replay of a text under a policy that reads zones which its run did not record."""

import json
from dataclasses import replace

import pytest

from dyntemp import Policy, generate
from dyntemp.errors import PolicyError
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.replay_trace import replays

PIECES = [b"<thi", b"nk>", b"\xc3", b"\xa9", b"</note>", b"<note>", b""]
POLICY = Policy('where(inside("think") > 0.5, 1, 0.3) + 0.1*inside("note") + 0.2*prev(inside("note"))')
NOTE = "note=<note>...</note>"


@pytest.fixture
def trace(tmp_path):
    """A trace of two texts of random pieces, under a policy without zones."""

    class Named(FakeModel):
        def token_name(self, token):
            return "<note>"

    with generate(
        Named(PIECES, lambda _: [0.0] * len(PIECES)), ["<think>", [6, 2]], 1.0, seed=5, max_tokens=40, zones=NOTE,
        trace=tmp_path / "run.jsonl",
    ) as run:  # fmt: skip
        list(run)
    return Trace.open(tmp_path / "run.jsonl")


def test_zones_follow_from_the_recorded_text(trace):
    found = replays(trace.header, list(trace), POLICY)
    for request, prompt in enumerate((b"<think>", b"<note>\xc3")):
        text, before = prompt, None
        for token, replayed in zip(trace, found, strict=True):
            if token.request != request:
                continue
            note = float(text.rfind(b"<note>") > text.rfind(b"</note>"))
            before = note if before is None else before
            think = b"<think>" in text
            assert replayed.temperature == pytest.approx((1 if think else 0.3) + 0.1 * note + 0.2 * before)
            text, before = text + (token.bytes or b"<note>"), note


def test_recorded_values_go_before(trace):
    tokens = [replace(token, signals={**token.signals, 'inside("think")': 1.0}) for token in trace]

    assert {one.temperature for one in replays(trace.header, tokens, Policy('inside("think")'))} == {1.0}


def test_further_zones_may_be_named(trace):
    policy = Policy('inside("x")')
    with pytest.raises(PolicyError, match=r'inside\("x"\).*note'):
        replays(trace.header, list(trace), policy)

    found = replays(trace.header, list(trace), policy, ["x=<think>...</note>"])
    assert {one.temperature for one in found} == {0.0, 1.0}


def test_a_trace_without_its_prompt_is_refused(trace):
    first, *lines = trace.path.read_text(encoding="utf-8").splitlines(keepends=True)
    header = json.loads(first)
    del header["rendered"]
    trace.path.write_text(json.dumps(header) + "\n" + "".join(lines), encoding="utf-8")
    old = Trace.open(trace.path)
    with pytest.raises(PolicyError, match="do not hold, nor do they hold the text from its beginning"):
        replays(old.header, list(old), POLICY)


def test_a_text_without_its_beginning_is_refused(trace):
    with pytest.raises(PolicyError, match="from the first token on"):
        replays(trace.header, [token for token in trace if token.position >= 2], Policy('inside("think")'))
