"""The page's JavaScript reads the traces that Python reads, and refuses what Python refuses, in words."""

import json
import re

import pytest
from tests.page.made import trace_text

from dyntemp import Trace
from dyntemp.errors import TraceError

READ = """
const { readTrace, TraceError } = await load("traces/file");
return data.texts.map((text) => {
  try {
    const { header, tokens } = readTrace(text);
    return { seed: String(header.seed), count: tokens.length };
  } catch (error) {
    return { told: error instanceof TraceError, words: error.message };
  }
});
"""
GONE = object()
TOKENS = [
    *(({name: GONE}) for name in (
        "request", "position", "token", "text", "bytes", "temperature", "signals", "probability", "surprisal",
        "entropy_after", "candidates", "alternatives", "finish",
    )),
    *({name: value} for name in ("request", "position", "token", "candidates") for value in (-1, 1.5, "1", None, True)),
    *({name: value} for name in ("temperature", "probability", "probability_after", "surprisal", "entropy_after")
      for value in ("x", None, [], True, "nan")),
    *({name: value} for name in ("probability", "probability_after") for value in (-0.1, 1.1, "inf")),
    {"temperature": -0.1}, {"temperature": "-inf"}, {"text": 5}, {"text": None}, {"bytes": "0"}, {"bytes": "zz"},
    {"bytes": 5}, {"signals": {}}, {"signals": None}, {"signals": []}, {"signals": {"entropy": "x"}},
    {"signals": {"entropy": 1, "margin": None}}, {"signals": {"max_prob": 1}}, {"origin": "made"}, {"origin": None},
    {"finish": "over"}, {"finish": 0}, {"name": 5}, {"name": None}, {"surplus": 1}, {"rest": [[1]]},
    {"rest": [[1, 2, 3]]}, {"rest": [[-1, 0.5]]},
    {"rest": [[1, "x"]]}, {"rest": [5]}, {"rest": None}, {"alternatives": None}, {"alternatives": [None]},
    {"alternatives": [{}]}, {"alternatives": [[1, "a", 0.5, 0.5]]},
    {"curve": None}, {"curve": [0.5]}, {"curve": ["x"] * 50}, {"curve": [0.0] * 51}, {"curve": 5},
    *({"alternatives": [{"token": 1, "text": "a", "probability": 0.5, "probability_after": 0.5} | change]}
      for change in ({"token": -1}, {"token": "1"}, {"text": None}, {"probability": -1}, {"probability": 1.01},
                     {"probability_after": 7}, {"probability_after": "x"}, {"probability": None})),
]  # fmt: skip
"""What a token's line may hold by mistake."""

HEADERS = [
    *({name: GONE} for name in ("model", "policy", "seed", "prompts", "settings", "versions", "started", "format")),
    {"seed": 1.5}, {"seed": 1e30}, {"seed": "5"}, {"seed": None}, {"seed": True}, {"settings": None}, {"settings": []},
    {"settings": "x"}, {"prompts": "x"}, {"prompts": None}, {"prompts": {}}, {"policy": None}, {"policy": 0.7},
    {"model": None}, {"model": 5}, {"policy_name": 5}, {"started": None}, {"versions": []}, {"surplus": 1},
    {"host": None}, {"host": 5}, {"rendered": None}, {"rendered": "x"}, {"rendered": [5]}, {"version": 3},
    {"version": None},
]  # fmt: skip
"""What a header may hold by mistake."""

FINE = [
    {}, {"rest": GONE}, {"origin": GONE}, {"temperature": "inf"}, {"temperature": 0}, {"surprisal_after": "inf"},
    {"probability": 1.0000005}, {"bytes": ""}, {"bytes": "C3 a9"}, {"origin": "forced"}, {"finish": "stop"},
    {"alternatives": []}, {"signals": {"entropy": 1, "perplexity": "inf"}}, {"name": "<|im_end|>"}, {"name": GONE},
    {"curve": []}, {"curve": ["-inf", *[0.5] * 49]},
]  # fmt: skip
"""What a token's line may hold."""


@pytest.fixture
def lines(tmp_path):
    """The lines of a trace, as objects."""
    return [json.loads(line) for line in trace_text(tmp_path, count=3).splitlines()]


def changed(lines, at, change):
    """The text of a trace in which one line is changed."""
    found = [*lines]
    found[at] = {name: value for name, value in {**lines[at], **change}.items() if value is not GONE}
    return "".join(json.dumps(line) + "\n" for line in found)


def refused(path, text):
    path.write_text(text, encoding="utf-8")
    try:
        list(Trace.open(path))
    except TraceError:
        return True
    return False


@pytest.mark.parametrize(("at", "changes"), [(2, TOKENS), (0, HEADERS)])
def test_what_python_refuses_is_refused_in_words(ask, tmp_path, lines, at, changes):
    texts = [changed(lines, at, change) for change in changes]
    answers = ask(READ, {"texts": texts})

    for change, text, answer in zip(changes, texts, answers, strict=True):
        assert refused(tmp_path / "one.jsonl", text), change
        assert answer.get("told"), (change, answer)
        assert answer["words"].startswith(f"line {at + 1}: this "), answer
        assert not re.search(r"undefined|not iterable|is not a function|BigInt|\[object", answer["words"]), answer


def test_what_python_reads_is_read(ask, tmp_path, lines):
    texts = [changed(lines, 2, change) for change in FINE]
    texts += [changed(lines, 0, change) for change in (
        {"seed": 2**64 - 1}, {"policy_name": "edt"}, {"version": 1}, {"rendered": GONE}, {"rendered": ["a", ""]},
        {"host": GONE}, {"host": "vLLM"},
    )]  # fmt: skip
    answers = ask(READ, {"texts": texts})

    for text, answer in zip(texts, answers, strict=True):
        assert not refused(tmp_path / "one.jsonl", text)
        assert {"seed": str(Trace.open(tmp_path / "one.jsonl").header.seed), "count": 3} == answer
