"""Files of learning: Python and the page refuse the same faults in the same words, and accept the rest."""

import json
from math import inf

import pytest
from tests.page.learnings import learning, learning_text

from dyntemp.errors import TraceError
from dyntemp.page.learning import check_learning, is_learning

READ = """
const { makeLanguage } = await load("language/policy");
const { isLearning, LearningError, readLearning } = await load("learning/file");
const { read } = makeLanguage(data.table);
return data.texts.map((text) => {
  try {
    const { runs } = readLearning(text, read);
    return { found: isLearning(text), rounds: runs.map(({ rounds }) => rounds.length) };
  } catch (error) {
    if (!(error instanceof LearningError)) return { crash: error.stack };
    return { found: isLearning(text), error: error.message };
  }
});
"""


def spoilt(*path, value):
    """The text of a learning with another value at a place; the value `...` takes the field away."""
    made = learning(seeds=2, rounds=3, units=2, signals=2)
    *above, last = path
    place = made
    for step in above:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(made)


ROUND = ("runs", 1, "rounds", 1)
FAULTS = {
    "cut off": (learning_text(rounds=2)[:-30], "this is not whole JSON"),
    "NaN": (learning_text(rounds=2).replace('"anchor": 0.9', '"anchor": NaN'), "this is not whole JSON"),
    "a list": ("[]", 'it lacks "format": "dyntemp.learning"'),
    "another format": (spoilt("format", value="dyntemp.trace"), 'it lacks "format": "dyntemp.learning"'),
    "a later version": (spoilt("version", value=2), "this is format version 2, and this dyntemp reads 1: update"),
    "no version": (spoilt("version", value=...), "this is format version null"),
    "no anchor": (spoilt("anchor", value=...), "this is no learning: it lacks anchor"),
    "an infinite anchor": (learning_text(rounds=2).replace('"anchor": 0.9', '"anchor": 1e999'), "`anchor` is "),
    "a shape": (spoilt("shape", value="forest"), '`shape` is "forest"; expected: "network", "curve", "template"'),
    "bounds": (spoilt("bounds", value=[3, 0.5]), "`bounds` is [3,0.5]; expected: two numbers, 0 <= low < high"),
    "eight quantiles": (spoilt("signals", "entropy", value=[*range(8)]), "nine finite numbers in ascending order"),
    "falling quantiles": (spoilt("signals", "entropy", 4, value=0), "nine finite numbers in ascending order"),
    "a truth value": (spoilt("signals", "entropy", 0, value=True), "nine finite numbers in ascending order"),
    "an unknown signal": (spoilt("signals", "entropi", value=[1] * 9), '`signals` name "entropi", which is no signal'),
    "a policy as signal": (spoilt("signals", "2*entropy", value=[1] * 9), '`signals` name "2*entropy"'),
    "another spelling": (spoilt("signals", "top_mass( 5)", value=[1] * 9), '`signals` name "top_mass( 5)"'),
    "a value out of range": (spoilt("signals", "max_prob", 8, value=1.5),
                             "`signals` give max_prob [0.04,1.5], outside its range of 9.53674e-07 to 1"),
    "no runs": (spoilt("runs", value=[]), "`runs` is []; expected: a list of at least one run"),
    "a run that is text": (spoilt("runs", 1, value="x"), 'run 2: it is "x"; expected: an object'),
    "a run without rounds": (spoilt("runs", 1, "rounds", value=...), "run 2: it lacks rounds"),
    "half a seed": (spoilt("runs", 0, "seed", value=0.5), "run 1: its `seed` is 0.5; expected: a whole number from 0"),
    "the same seed": (spoilt("runs", 1, "seed", value=0), "run 2: an earlier run has its seed 0 too; seeds differ"),
    "a choice": (spoilt("runs", 0, "chosen", value=7), "run 1: it chose round 7, which is not among its rounds"),
    "a round again": (spoilt(*ROUND, "round", value=0), "run 2, item 2 of its rounds: round 0 follows round 0"),
    "a round without score": (spoilt(*ROUND, "score", value=...), "run 2, item 2 of its rounds: it lacks score"),
    "a score of nothing": (spoilt(*ROUND, "score", value=None), "its `score` is null; expected: a finite number"),
    "a negative spread": (spoilt(*ROUND, "spread", value=-1), "its `spread` is -1; expected: a finite number from 0"),
    "a share": (spoilt(*ROUND, "at_bound", value=1.5), "its `at_bound` is 1.5; expected: a number from 0 to 1"),
    "a policy": (spoilt(*ROUND, "policy", value="0.1 + 0.8*entropi"),
                 "run 2, item 2 of its rounds: its policy cannot be read: unknown name `entropi`; did you mean"),
    "a template": (spoilt(*ROUND, "policy", value="a + b*entropy"), "its policy has the parameter `a`"),
    "a template with a range": (spoilt(*ROUND, "policy", value='param("theta", 0.1, 2)'), "the parameter `theta`"),
    "a long value": (spoilt("task", value=["é" * 90]), '"éééé'),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_refused_and_named(name):
    text, words = FAULTS[name]

    with pytest.raises(TraceError) as caught:
        check_learning(text)

    assert words in str(caught.value)


def test_the_page_refuses_in_the_same_words(ask):
    texts = {name: text for name, (text, _) in FAULTS.items()}

    for (name, text), here in zip(texts.items(), ask(READ, {"texts": list(texts.values())}), strict=True):
        with pytest.raises(TraceError) as caught:
            check_learning(text)
        assert (is_learning(text), str(caught.value)) == (here.get("found"), here.get("error")), (name, here)


def test_whole_learnings_are_read(ask):
    texts = [
        learning_text(rounds=2), learning_text(shape="curve", seeds=1), learning_text(shape="template", rounds=1),
        learning_text(rounds=0), spoilt("note", value="a field of a later writer"), spoilt("signals", value={}),
        json.dumps(learning(rounds=1)),
    ]  # fmt: skip
    for text in texts:
        check_learning(text)

    rounds = [[2, 2, 2], [30], [1, 1, 1], [0, 0, 0], [3, 3], [3, 3], [1, 1, 1]]
    assert [{"found": True, "rounds": one} for one in rounds] == ask(READ, {"texts": texts})


@pytest.mark.parametrize(
    "text", [json.dumps({"format": "dyntemp.trace", "name": '"format": "dyntemp.learning"'}), "", "dyntemp.learning"]
)
def test_other_files_are_no_learnings(text):
    assert not is_learning(text)


def test_infinities_do_not_pass():
    assert inf == json.loads("1e999"), "so that the case above tests what it says"
