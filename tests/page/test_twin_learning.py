"""The curves of a learning in the page are those of Python."""

import random

import numpy as np
from tests.page import fixtures
from tests.page.learnings import QUANTILES, learning

from dyntemp import Policy

SWEEP = """
const { makeLanguage } = await load("language/policy");
const { quantileAt, rangeOf, sweep } = await load("learning/sweep");
const { readLearning } = await load("learning/file");
const { runs, signals } = readLearning(JSON.stringify(data.learning), makeLanguage(data.table).read);
const held = Object.fromEntries(Object.entries(signals).map(([name, all]) => [name, quantileAt(all, data.share)]));
return data.over.map((signal) => runs.map(({ rounds }) => sweep(rounds, signal, rangeOf(signals[signal]), held)));
"""

STEP = """
const { makeLanguage } = await load("language/policy");
const { compiled } = await load("language/compile");
const language = makeLanguage(data.table);
return data.cases.map(({ text, row }) => compiled(language.parse(text))(row));
"""


def test_curves_are_those_of_python(ask):
    for shape, share in (("network", 0.5), ("network", 0.27), ("curve", 0.5), ("template", 1)):
        made = learning(shape=shape, seeds=2, rounds=4)
        over = list(made["signals"])
        held = {name: float(np.interp(8 * share, range(9), QUANTILES[name])) for name in over}
        found = ask(SWEEP, {"learning": made, "share": share, "over": over})

        for signal, runs in zip(over, found, strict=True):
            xs = np.linspace(QUANTILES[signal][0], QUANTILES[signal][-1], 60)
            for run, curves in zip(made["runs"], runs, strict=True):
                for one, points in zip(run["rounds"], curves, strict=True):
                    policy = Policy(one["policy"])
                    state = policy.state(slots=60) if policy.remembers else None
                    wanted = policy.step({**held, signal: xs}, state=state)
                    assert np.allclose([point["x"] for point in points], xs, rtol=1e-12, atol=1e-12)
                    assert np.allclose([point["y"] for point in points], wanted, rtol=1e-9), (signal, one["policy"])
        assert np.ptp([point["y"] for point in found[0][0][-1]]) > 0.1, "a case that proves something"


def test_the_surprisal_of_the_token_before_is_a_signal_like_others(ask):
    text = "clip(0.2 + 0.15*surprisal + 0.1*max_prob, 0.1, 3)"
    surprisals = [0, 0.1, 0.3, 0.8, 1.4, 2.1, 3, 4.5, 11.8]
    made = learning(shape="template", seeds=1, rounds=1)
    made["signals"] = {"surprisal": surprisals, "max_prob": QUANTILES["max_prob"]}
    made["runs"][0]["rounds"][0]["policy"] = text
    ((((*points,),),),) = ask(SWEEP, {"learning": made, "share": 0.5, "over": ["surprisal"]})

    xs = np.linspace(surprisals[0], surprisals[-1], 60)
    policy, slots = Policy(text), np.arange(60)
    state = policy.state(slots=60)
    policy.step({"max_prob": np.full(60, 0.5), "entropy": np.ones(60)}, state=state, slot=slots, position=0)
    state.observe(slots, 0, xs)
    signals = {"max_prob": np.full(60, QUANTILES["max_prob"][4]), "entropy": np.ones(60)}
    wanted = policy.step(signals, state=state, slot=slots, position=1)
    assert np.allclose([point["y"] for point in points], wanted, rtol=1e-12)


def test_a_compiled_policy_is_the_first_step_of_python(ask):
    rng = random.Random(8)
    texts = [text for text in fixtures.readable(400) if not Policy(text).parameters]
    requests = [fixtures.steps(text, rng, count=1) for text in texts]
    cases = [{"text": one["text"], "row": {"requested": 1, **one["rows"][0]}} for one in requests]
    found = ask(STEP, {"cases": cases})

    assert len(cases) > 500
    for one, case, here in zip(requests, cases, found, strict=True):
        assert fixtures.close(one["temperatures"][0], here, 1e-12), (case, here)
