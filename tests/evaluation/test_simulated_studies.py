"""Simulated studies in a world whose best policy is known: the verdict is right, and noise helps nobody.

A text has two tokens. One is drawn from an open row: `ANSWERS` good tokens, the one of number j with the logit
-SLOPE*j. The other is drawn from a sure row: a right token, and wrong ones whose logit lies `gap` lower. Its place
differs between items. A text is correct if the second is right; its answer is the token of the open row. A policy has
one temperature on open rows and one on sure rows. So the chance of each answer, and the expected score, are known.
"""

import gc
from dataclasses import replace
from math import comb
from typing import NamedTuple

import numpy as np
import pytest

from dyntemp.evaluation import pairs
from dyntemp.evaluation.power import detectable
from dyntemp.evaluation.results import ArmResult, TaskResult
from dyntemp.evaluation.verdict import SHARED, compare_all, verdict
from dyntemp.statistics import estimate

pytest.importorskip("statsmodels")

ANSWERS, SLOPE, WRONG, K = 10, 0.25, 3, 8
STUDIES, CONFIGURATIONS, FINALISTS = 100, 8, 2
ITEMS = {"tune": 24, "val": 24, "test": 48}
SAMPLES = {"tune": 8, "val": 32, "test": 16}


class World(NamedTuple):
    """The mean of `gap` over items, and how far items differ: by their clusters of two."""

    gap: float
    spread: float

    def gaps(self, generator, items):
        return np.repeat(generator.normal(self.gap, self.spread, items // 2), 2)


DIVIDED = World(1.0, 0.3)  # open rows want heat, sure rows cold: a static temperature cannot give both
EVEN = World(60.0, 0.3)  # sure rows are right at any temperature: the best static policy is a best one


def chances(gaps, arms):
    """The chance of each answer, [arms, items, ANSWERS]. An arm is a mixture of (weight, open T, sure T, min-p)."""
    weight, hot, cold, cut = np.moveaxis(np.asarray(arms), -1, 0)[..., None, None]  # [arms, parts, 1, 1]
    logits = -SLOPE * np.arange(ANSWERS)
    good = np.exp(logits / np.maximum(hot, 1e-3)) * (np.exp(logits) >= cut)
    wrong = WRONG * np.exp(-gaps[:, None] / np.maximum(cold, 1e-3)) * (np.exp(-gaps[:, None]) >= cut)
    return (weight * good / good.sum(axis=-1, keepdims=True) / (1 + wrong)).sum(axis=-3)


def scores(generator, gaps, arms, samples):
    """`distinct@8` of texts that are drawn for each item, as the metric computes it, [arms, items]."""
    chance = chances(gaps, arms)
    none = np.clip(1 - chance.sum(axis=-1, keepdims=True), 0, 1)
    counts = generator.multinomial(samples, np.concatenate([chance, none], axis=-1))
    seen = np.array([1 - comb(samples - count, K) / comb(samples, K) for count in range(samples + 1)])
    return seen[counts[..., :ANSWERS]].sum(axis=-1)


def expected(gaps, arm):
    return np.mean((1 - (1 - chances(gaps, [arm])) ** K).sum(axis=-1))


def static(temperature, cut=0.0):
    return [(1.0, temperature, temperature, cut)]


def dynamic(hot, cold):
    return [(1.0, hot, cold, 0.0)]


def own_controls(arm):
    """The mean temperature; temperatures in no order; those of another text, whose rows may stand the other way."""
    [(_, hot, cold, _)] = arm
    return {
        "matched": static((hot + cold) / 2),
        "placebo": [(0.25, open_t, sure_t, 0.0) for open_t in (hot, cold) for sure_t in (hot, cold)],
        "shuffled": [(0.5, hot, cold, 0.0), (0.5, cold, hot, 0.0)],
    }


def drawn(generator, count):
    """Temperatures, log-uniform."""
    return np.exp(generator.uniform(np.log(0.05), np.log(4), count))


def families(generator, number):
    """The configurations of `number` dynamic families and of two families of controls, equally many for each."""
    found = {f"method {n}": [dynamic(*pair) for pair in drawn(generator, (CONFIGURATIONS, 2))] for n in range(number)}
    found["static"] = [static(one) for one in drawn(generator, CONFIGURATIONS)]
    found["static + min_p"] = [static(one, cut) for one, cut in zip(
        drawn(generator, CONFIGURATIONS), generator.uniform(0.01, 0.3, CONFIGURATIONS), strict=True)]  # fmt: skip
    return found


def result(split, name, values, control=None, of=None):
    return ArmResult(
        task="", split=split, name=name, family=name, control=control, of=of, policy="", filters="", exact=False,
        values={"distinct@8": values.tolist()}, texts=0, tokens=0, temperatures=(), temperature=None, spread=None,
    )  # fmt: skip


def task(group):
    clusters = {split: [str(n // 2) for n in range(count)] for split, count in ITEMS.items()}
    return TaskResult(name="", group=group, metric="distinct@8", about="", items=clusters, clusters=clusters,
                      samples=SAMPLES)  # fmt: skip


def one_task(generator, world, number, group):
    """Choose on tune, again on val, and compare on test: the comparisons, the stated difference, and the true ones."""
    gaps = {split: world.gaps(generator, count) for split, count in ITEMS.items()}

    def run(split, *arms):
        return scores(generator, gaps[split], arms, SAMPLES[split])

    final, on_val = {}, {}
    for name, configurations in families(generator, number).items():
        ranked = np.argsort(-run("tune", *configurations).mean(axis=1))[:3]
        found = run("val", *[configurations[at] for at in ranked])
        best = int(found.mean(axis=1).argmax())
        final[name], on_val[name] = configurations[ranked[best]], found[best]
    methods = sorted((name for name in final if name.startswith("method")), key=lambda name: -on_val[name].mean())
    declared = methods[:FINALISTS]
    where = task(group)
    val = [result("val", name, on_val[name], "static" if name == "static" else None) for name in ["static", *declared]]
    shared = {"greedy": static(0.0), **{name: final[name] for name in ("static", "static + min_p")},
              "no_op": final["static"]}  # fmt: skip
    arms = [result("test", kind, run("test", arm)[0], kind) for kind, arm in shared.items()]
    truth = {}
    for name in declared:
        own = own_controls(final[name])
        arms.append(result("test", name, run("test", final[name])[0]))
        arms += [result("test", f"{kind} of {name}", run("test", arm)[0], kind, name) for kind, arm in own.items()]
        others = [expected(gaps["test"], arm) for arm in (shared | own).values()]
        truth[name] = expected(gaps["test"], final[name]) - max(others)
    return where, compare_all(where, arms, declared), detectable(where, val, FINALISTS), truth


class Study(NamedTuple):
    """The verdict of a study, the differences that it said it could show, and the true ones by group and method."""

    verdict: object
    stated: list[float]
    truth: dict[str, dict[str, float]]


def study(seed, world, number):
    generator = np.random.default_rng(seed)
    tasks, comparisons, stated, truth = [], [], {}, {}
    for group in ("text", "code"):
        where, found, least, true = one_task(generator, world, number, group)
        tasks.append(renamed(where, group))
        comparisons += [renamed(one, group, "task") for one in found]
        stated[group], truth[group] = least, true
    return Study(verdict(tasks, comparisons, stated, "a world"), list(stated.values()), truth)


def renamed(record, name, field="name"):
    return replace(record, **{field: name})


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Few resamples, and no collection of garbage, which statsmodels asks for in each correction: 85 ms."""
    monkeypatch.setattr(gc, "collect", lambda: 0)
    monkeypatch.setattr(estimate, "RESAMPLES", 499)
    monkeypatch.setattr(pairs, "RESAMPLES", 127)


def test_scores_of_drawn_texts_have_the_expected_mean():
    gaps, generator = np.repeat([0.5, 1.5], 4000), np.random.default_rng(0)
    for arm in (dynamic(3.0, 0.1), static(0.8, 0.2), own_controls(dynamic(3.0, 0.1))["placebo"]):
        assert scores(generator, gaps, [arm], 16).mean() == pytest.approx(expected(gaps, arm), abs=0.06)


def test_the_verdict_is_right_where_the_best_policy_is_dynamic():
    studies = [study(seed, DIVIDED, FINALISTS) for seed in range(STUDIES)]
    gain = [
        max(min(of[name] for of in one.truth.values() if name in of) for name in one.truth["text"]) for one in studies
    ]

    assert np.mean([np.median(gain) > least for one in studies for least in one.stated]) > 0.95
    assert sum(bool(one.verdict.helps) for one in studies) >= 95
    for one in studies:
        for name in one.verdict.helps:
            assert all(of[name] > 0 for of in one.truth.values())


def test_no_method_of_20_helps_where_the_best_policy_is_static():
    studies = [study(1000 + seed, EVEN, 20) for seed in range(STUDIES)]

    assert sum(bool(one.verdict.helps) for one in studies) <= 5
    wrong = [
        one
        for one in studies
        for name, groups in one.verdict.groups.items()
        for group in groups
        if one.truth[group][name] <= 0
    ]  # a lucky search may beat the tuned static temperature in truth
    assert len(wrong) <= 5


def test_a_method_that_equals_its_best_control_wins_a_task_in_at_most_5_of_100():
    """The hardest null: every other control is far behind, so that one comparison decides."""
    generator, where, won, runs = np.random.default_rng(7), task("text"), 0, 200
    for _ in range(runs):
        gaps = DIVIDED.gaps(generator, ITEMS["test"])
        names = (*SHARED, "method 0", "method 1")
        drawn_scores = scores(generator, gaps, [dynamic(3.0, 0.1)] * len(names), 16)
        drawn_scores[[names.index(kind) for kind in SHARED if kind != "static"]] -= 1
        arms = [result("test", name, values, name if name in SHARED else None)
                for name, values in zip(names, drawn_scores, strict=True)]  # fmt: skip
        found = verdict([where], compare_all(where, arms, names[-2:]), {}, "a world")
        won += bool(found.groups)

    assert 0 < won <= 0.05 * runs
