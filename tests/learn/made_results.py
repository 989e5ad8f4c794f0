"""Results of learning, made up: values of items around those of a static temperature."""

import numpy as np

from dyntemp.evaluation.results import TaskResult
from dyntemp.learn.answer import beside
from dyntemp.learn.results import Ceiling, Control, LearnResults, Round, Run
from dyntemp.tune.results import Measured

ITEMS = 20
STATIC = np.random.default_rng(1).normal(4, 1, ITEMS)
"""The values of the static temperature on test."""
CLUSTERS = [f"test{at}" for at in range(ITEMS)]
SENTENCE = "A learned temperature helped on fluency: distinct@8 is 4.5 on test."


def measured(value):
    return Measured(split="val", values=[value], low=[value - 0.2], high=[value + 0.2],
                    items={"fluency": {"distinct@8": [value] * 4}}, exact=False, texts=64, tokens=128)  # fmt: skip


def round_(number, at_bound=0.0, policy="0.9"):
    return Round(round=number, policy=policy, score=3.0 + number / 8, texts=64 * (number + 1), tokens=128,
                 temperature=1.2, spread=0.3, at_bound=at_bound, divergence=0.02)  # fmt: skip


def run(seed, test, learned="0.5 + 0.1*entropy", static=False, at_bound=0.0):
    return Run(seed=seed, rounds=[round_(0), round_(1, at_bound, learned)], learned=learned,
               on_val=measured(4.0 + seed), static=static, test=list(test))  # fmt: skip


def control(kind, test):
    return Control(name=f"the {kind}", kind=kind, policy="0.9", filters="", test=list(test))


def beside_of(runs, kept, controls, clusters=CLUSTERS):
    return beside(runs, kept, controls, clusters)


def results(ceiling=True):
    """Whole results."""
    runs = [run(0, STATIC + 0.4), run(1, STATIC + 0.5)]
    controls = [control("static + min_p", STATIC), control("matched", STATIC + 0.1)]
    ids = dict.fromkeys(("tune", "val", "test"), CLUSTERS)
    return LearnResults(
        settings={"task": "fluency", "shape": "curve"}, digest="51ab" * 16, model="smollm2",
        about={"date": "2026-11-28", "dyntemp": "0.1.0"},
        task=TaskResult(name="fluency", group="text", metric="distinct@8", about="Name a thing.", items=ids,
                        clusters=ids, samples={"tune": 8, "val": 64, "test": 64}),
        metric="distinct@8", shape="curve", bounds=(0.1, 3.0), filters="min_p(0.05)", anchor="0.9", rival="0.9",
        rival_filters="min_p(0.05)", anchor_on_val=measured(3.9), signals={"entropy": [0.0, 0.5, 2.0]}, runs=runs,
        kept=1, controls=controls, beside=beside_of(runs, 1, controls),
        ceiling=Ceiling(static=4.0, learned=4.4, oracle=5.1) if ceiling else None, answer="helps", sentence=SENTENCE,
        warnings=["one warning"], budget=(6144, 6144),
    )  # fmt: skip
