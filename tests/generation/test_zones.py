"""Zones in our own loop: the values that policies read, alone and in batches, and what the records keep of them."""

import numpy as np
import pytest

from dyntemp import Policy, generate
from dyntemp.errors import PolicyError
from dyntemp.generation.dry_run import dry_run
from dyntemp.generation.loop import Loop
from dyntemp.generation.request import Request, coupled
from dyntemp.testing import FakeModel
from dyntemp.traces.file import Trace
from dyntemp.traces.settings import Settings

PIECES = [b"<thi", b"nk>", b"</thi", b"hm", b" <note>", b"</note>", b"\n", b"```", b"", b"a"]
SCRIPT = [0, 1, 3, 2, 1, 4, 3, 5, 6, 7, 6, 9, 6, 7, 3, 8]
"""<think>hm</think> <note>hm</note>, a fence with the code `a`, and the end."""

POLICY = 'where(inside("think") > 0.5, 1, 0.3) + 0.1*inside("note")'
NOTE = "note=<note>...</note>"


def speaking(script=SCRIPT):
    """A model that writes this, wherever it is begun; the prompt is one token."""

    def logits(tokens):
        row = np.full(len(PIECES), -30.0)
        row[script[(len(tokens) - 1) % len(script)]] = 30.0
        return row

    return FakeModel(PIECES, logits, end=[8])


def values(tokens, name):
    return [token.signals[f'inside("{name}")'] for token in tokens]


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_a_policy_reads_where_the_text_stands(backend):
    tokens = list(generate(speaking(), "\n", POLICY, seed=1, zones=NOTE, backend=backend))

    assert values(tokens, "think") == [0, 0, 1, 1, 1, *[0] * 11]
    assert values(tokens, "note") == [*[0] * 6, 1, 1, *[0] * 8]
    assert [token.temperature for token in tokens] == pytest.approx([0.3, 0.3, 1, 1, 1, 0.3, 0.4, 0.4, *[0.3] * 8])


def test_the_prompt_counts():
    tokens = generate(speaking([3]), "<think>", 'inside("think")', seed=1, max_tokens=1)

    assert values(tokens, "think") == [1]


def test_control_tokens_count_by_their_names():
    class Named(FakeModel):
        def token_name(self, token):
            return "<think>"

    model = Named([b"", b"a"], lambda tokens: [0.0, 50.0] if tokens[-1] == 0 else [50.0, 0.0])
    tokens = list(generate(model, [1], 'inside("think")', seed=1, max_tokens=3))

    assert values(tokens, "think") == [0, 1, 1]
    assert [token.name for token in tokens] == ["<think>", "", "<think>"]


def test_requests_of_one_batch_have_zones_of_their_own():
    model, loop = speaking(), Loop(speaking())
    texts = {
        'inside("z")': ["z=<think>...</think>"], '1 - inside("z")': [NOTE.replace("note=", "z=")],
        'inside("code")': [], "0.5": [],
    }  # fmt: skip
    requests = [
        Request(prompt=[6], policy=Policy(text), settings=Settings(seed=number, zones=zones), number=number)
        for number, (text, zones) in enumerate(texts.items())
    ]
    loop.add(requests)
    found = {number: [] for number in range(4)}
    while loop.live:
        for number, token in loop.step():
            found[number].append(token)

    for number, (text, zones) in enumerate(texts.items()):
        alone = list(generate(model, [6], text, seed=1, zones=zones))
        assert [one.temperature for one in found[number]] == [one.temperature for one in alone]
    assert len({tuple(one.temperature for one in tokens) for tokens in found.values()}) == 4


@pytest.mark.parametrize("policy", ['inside("think")', 'inside("think") + 0*prev(entropy)'])
def test_tokens_that_are_there_already_count(policy):
    """The second policy remembers, so that its given tokens are read one by one."""
    settings = Settings(seed=1, begin=SCRIPT[:3], force=SCRIPT[3:4], max_tokens=3)
    loop = Loop(speaking())
    loop.add([Request(prompt=[6], policy=Policy(policy), settings=settings)])
    tokens = []
    while loop.live:
        tokens += [token for _, token in loop.step()]

    assert values(tokens, "think") == [1, 1, 0]
    assert [token.position for token in tokens] == [3, 4, 5]


def test_coupled_sequences_follow_their_own_text():
    def torn(tokens):
        return [0.0, 0.0, -50, *[-50.0] * 5, -50, 0.0] if len(tokens) % 2 else [-50.0, 50, *[-50.0] * 8]

    model = FakeModel(PIECES, torn)
    settings = Settings(seed=3, max_tokens=40)
    texts = ['0.1 + 5*inside("think")', "50"]
    loop = Loop(model)
    loop.add(coupled([Request(prompt=[9], policy=Policy(text), settings=settings) for text in texts]))
    leader = []
    while loop.live:
        leader += [token for number, token in loop.step() if number == 0]
    text, expected = "", []
    for token in leader:
        expected.append(float("<think>" in text))
        text += token.text

    assert values(leader, "think") == expected
    assert set(expected) == {0.0, 1.0}


@pytest.mark.parametrize(("policy", "zones", "message"), [
    ('inside("thnk")', (), 'inside\\("thnk"\\).*there are think, answer.*--zone'),
    ('inside("think")', "note", "a zone is written as its name"),
    ('inside("think")', [NOTE, NOTE], "two zones were given with the name 'note'"),
    ('inside("think")', [3], "a zone is text"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_before_the_model_runs(policy, zones, message):
    with pytest.raises(PolicyError, match=message):
        generate(FakeModel([b"a"], None), "a", policy, zones=zones)
    with pytest.raises(PolicyError, match=message):
        dry_run(Policy(policy), Settings(zones=[zones] if isinstance(zones, str) else zones))


def test_a_trace_tells_zones_prompt_and_names(tmp_path):
    path = tmp_path / "run.jsonl"
    tokens = list(generate(speaking(), ["\n", [9]], POLICY, seed=1, zones=[NOTE], trace=path))
    trace = Trace.open(path)

    assert trace.header.rendered == ["\n", "a"]
    assert trace.header.run().zones == [NOTE]
    assert list(trace) == tokens
    assert {token.name for token in trace} == {"", "<8>"}
