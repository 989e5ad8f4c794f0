"""The page's JavaScript follows zones through bytes, and replays policies that read them, as Python does."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.page import fixtures

from dyntemp import Policy, generate
from dyntemp.errors import PolicyError
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.replay import replay
from dyntemp.traces.zones import RecordedText
from dyntemp.zones.known import BOUNDARIES, KNOWN
from dyntemp.zones.tracker import ZoneTracker

OWN = ["note=aab...ab", "think=«...»"]
FOLLOW = """
const { ZoneTracker } = await load("zones/tracker");
const { bytesOf, bytesOfHex } = await load("zones/bytes");
return data.cases.map(({ own, tokens }) => {
  const tracker = new ZoneTracker(data.names, own, data.table.zones);
  let state = tracker.start;
  return tokens.map((token) => {
    state = tracker.advance(state, bytesOfHex(token));
    return tracker.inside(state).join("");
  });
});
"""


def streams(count):
    """Texts of delimiters and of what matters between them, each cut anywhere into tokens."""
    rng = random.Random(7)
    pieces = ["`", "```", "~~~~", "\n", "\r\n", " ", "\t", "x", "é", "👍", "\xa0", "\x85", "\u2028", "{", "}", "[", "]",
              '"', "\\", ":", "1", "aab", "ab", "aa", "«", "»", "<think>", "</think>", *BOUNDARIES]  # fmt: skip
    for _ in range(count):
        text = "".join(rng.choices(pieces, k=rng.randint(1, 40))).encode()
        text = text.replace(b"x", bytes([rng.randrange(256)]))
        at = [0, *sorted(rng.choices(range(len(text) + 1), k=12)), len(text)]
        yield [text[start:end] for start, end in pairwise(at)]


def test_zones_of_any_bytes_are_equal(ask):
    names = [*KNOWN, "note"]
    cases = [{"own": OWN[: 1 + at % 2], "tokens": tokens} for at, tokens in enumerate(streams(1500))]
    met = set()
    sent = [{**case, "tokens": [token.hex() for token in case["tokens"]]} for case in cases]
    for case, here in zip(cases, ask(FOLLOW, {"names": names, "cases": sent}), strict=True):
        tracker, there = ZoneTracker.of(names, case["own"]), []
        state = tracker.start
        for token in case["tokens"]:
            state = tracker.advance(state, token)
            there.append("".join(f"{inside:.0f}" for inside in tracker.inside(state)))
        assert there == here, case
        met |= {(name, value) for row in there for name, value in zip(names, row, strict=True)}

    assert met == {(name, value) for name in names for value in "01"}


REPLAY = """
const { makeLanguage } = await load("language/policy");
const { readTrace } = await load("traces/file");
const { replay } = await load("traces/replay");
const { recordedText } = await load("traces/zones");
const language = makeLanguage(data.table);
const { header, tokens } = readTrace(data.trace);
return data.policies.map((text) => {
  try {
    const before = { ...recordedText(header, 0), ...data.before };
    return replay(tokens.slice(data.from), language.parse(text), { seed: header.seed, before })
      .map(({ temperature }) => temperature);
  } catch (error) {
    return error.message;
  }
});
"""


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    """A trace of random pieces, under a policy that reads one of two zones."""
    pieces = [b"<thi", b"nk>", b"</think>", "é".encode(), b"aa", b"b", b""]

    class Named(FakeModel):
        def token_name(self, token):
            return "<think>"

    path = tmp_path_factory.mktemp("zones") / "run.jsonl"
    model = Named(pieces, lambda _: [0.0] * len(pieces))
    with generate(model, [5, 0], '0.5 + inside("note")', seed=3, max_tokens=60, zones=OWN[:1], trace=path) as run:
        list(run)
    return path


@pytest.mark.parametrize(("start", "before"), [(0, {}), (0, {"prompt": None}), (2, {})], ids=["", "old", "late"])
def test_policies_that_read_zones_are_replayed_alike(ask, trace, start, before):
    policies = ['inside("think")', 'where(inside("note") > 0.5, inside("think"), 2)', 'inside("nobody") + entropy',
                '1 + inside("answer") + inside("code")', 'inside("think")*0.5*prev(inside("think"))']  # fmt: skip
    opened = Trace.open(trace)
    text = replace(RecordedText.of(opened.header, 0), **before)
    found = ask(REPLAY, {"trace": trace.read_text(encoding="utf-8"), "policies": policies, "from": start,
                         "before": before})  # fmt: skip

    for policy, here in zip(policies, found, strict=True):
        try:
            there = [one.temperature for one in replay([*opened][start:], Policy(policy), seed=3, text=text)]
        except PolicyError as error:
            there = str(error)
        if isinstance(there, str):
            assert there == here
        else:
            assert len(set(there)) > 1
            assert all(fixtures.close(one, other, 1e-12) for one, other in zip(there, here, strict=True)), policy
