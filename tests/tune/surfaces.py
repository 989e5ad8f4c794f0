"""Tunings whose scores are known: a surface with noise stands for the texts of a model."""

import re
from dataclasses import replace

import numpy as np

from dyntemp.tune.progress import Meter
from dyntemp.tune.results import Measured, Objective
from dyntemp.tune.settings import TuneSettings
from dyntemp.tune.storage import optuna
from dyntemp.tune.tuning import Tuning

TEMPLATE = 'param("a", 0.1, 0.9)*max_prob + param("b", 0.1, 0.9)*margin + param("g", 0.1, 0.9)*entropy'
SETTINGS = TuneSettings(template=TEMPLATE, trials=40, kept=5)
ITEMS = {"tune": 16, "val": 16, "test": 16}


def numbers(arm):
    """The numbers in the text of an arm's policy, in their order."""
    return [float(one) for one in re.findall(r"\d+(?:\.\d+)?", str(arm.policy))]


def cliff(values):
    """A plateau beside a cliff, over a base temperature, a gain and an exponent, each from 0.1 to 0.9."""
    u, v, w = ((value - 0.1) / 0.8 for value in values)
    a, b, g = 0.05 + 1.95 * u, -1 + 3 * v, 0.3 * 10**w
    edge = 1 / (1 + np.exp((a + 0.8 * b - 1.6) / 0.12))
    rise = 1 - np.exp(-1.8 * (a + 0.25 * b))
    return max(0.0, edge * rise * (1 - 0.25 * (b - 0.7) ** 2 - 0.05 * np.log(g) ** 2))


class Surface:
    """The part of `Scorer` that a tuning needs: the true value of an arm, with noise of its own on each item."""

    objectives = (Objective(name="score", metrics={"task": "score"}, units={"task": 1.0}, weights={"task": 1.0}),)
    constraint, prunes = None, False

    def __init__(self, truth, noise, seed, easy=0.0):
        self.truth, self.noise = truth, noise
        self.random = np.random.default_rng(seed)
        self.easy = {split: self.random.normal(0, easy, count) for split, count in ITEMS.items()}

    def prepare(self, arms):
        """Nothing has to be known before."""

    def texts(self, split):
        return ITEMS[split]

    def clusters(self, split):
        return [str(at) for at in range(ITEMS[split])]

    def records(self):
        return []

    def measure(self, arm, split, enough=None):
        count = ITEMS[split]
        spread = self.noise * np.sqrt(count) / (1 if split == "tune" else np.sqrt(8))
        values = self.truth(arm) + self.easy[split] + self.random.normal(0, spread, count)
        return Measured(split=split, values=[float(values.mean())], low=[None], high=[None], exact=False, texts=count,
                        tokens=count, items={"task": {"score": values.tolist()}})  # fmt: skip


def tuning(surface, **changed):
    storage = optuna().storages.InMemoryStorage()
    return Tuning(replace(SETTINGS, **changed), surface, storage, "surface", Meter(None))
