"""Results as learning has them, made up: runs whose scores rise and whose temperatures move away from static."""

import numpy as np

from dyntemp.evaluation.results import TaskResult
from dyntemp.language.policy import Policy
from dyntemp.learn.results import Beside, Ceiling, Control, LearnResults, Round, Run
from dyntemp.tune.results import Measured

SHAPE = 'clip(param("a", 0, 3) + param("b", -3, 3)*entropy + param("c", -3, 3)*margin, 0.1, 3)'
SIGNALS = {
    "entropy": [0.01, 0.1, 0.3, 0.6, 1.0, 1.5, 2.1, 3.0, 5.2],
    "margin": [0.001, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 0.999],
}
ANCHOR = 0.8
TOKENS, TEXTS, ITEMS = 400, 144, {"tune": 12, "val": 8, "test": 20}
SENTENCE = (
    "It cannot be told if a learned temperature was better than a static one on fluency: distinct@8 is 4.310 on test, "
    "the mean of 3 runs, +0.110 [-0.050, +0.270] beside 4.200 of static + min_p (tuned by 1,152 texts, as many as each "
    "run learned from; T = 0.8 with min_p(0.05))."
)
WARNING = "T sits at its bound for 24% of the tokens, mean 1.1 between 0.1 and 3: widen the bounds"


class Maker:
    """Makes the results of learning on one task.

    Args:
        runs: Number of runs.
        rounds: Rounds of each.
        shape: A template with the parameters `a`, `b` and `c`.
        signals: Quantiles of the signals that it reads.
        static: Seeds of the runs that were no better on val than the static temperature.
        began: The value of `b` in round 0; another one than 0 is not the static temperature.
        clusters: Clusters of the items of test.
        ceiling: Whether the answers are listed.
    """

    def __init__(
        self, runs=3, rounds=8, shape=SHAPE, signals=SIGNALS, static=(1,), began=0.0, clusters=20, ceiling=True
    ):
        self.random = np.random.default_rng(7)
        self.runs, self.rounds, self.shape, self.signals = runs, rounds, shape, signals
        self.static, self.began, self.clusters, self.ceiling = static, began, clusters, ceiling

    def results(self):
        runs = [self.run(seed) for seed in range(self.runs)]
        controls = [self.control(kind) for kind in ("static + min_p", "matched", "placebo", "shuffled")]
        return LearnResults(
            settings={"task": "fluency", "shape": self.shape, "rounds": self.rounds, "runs": self.runs},
            digest="7c4e" * 16, model="smollm2",
            about={"date": "2026-11-29", "processor": "AMD EPYC 9R14", "dyntemp": "0.1.0", "commit": "0a52aa8c5045"},
            task=self.task(), metric="distinct@8", shape=self.shape, bounds=(0.1, 3.0), filters="min_p(0.05)",
            anchor=str(ANCHOR), rival=str(ANCHOR), rival_filters="min_p(0.05)",
            anchor_on_val=self.measured(4.2), signals=self.signals, runs=runs, kept=0, controls=controls,
            beside=[self.beside(runs, one) for one in controls],
            ceiling=Ceiling(static=4.2, learned=4.3, oracle=4.7) if self.ceiling else None,
            answer="open", sentence=SENTENCE, warnings=[WARNING], budget=(TEXTS * self.rounds, TEXTS * self.rounds),
        )  # fmt: skip

    def task(self):
        ids = {split: [f"{split}{at}" for at in range(count)] for split, count in ITEMS.items()}
        clusters = {**ids, "test": [f"cluster{at % self.clusters}" for at in range(ITEMS["test"])]}
        return TaskResult(name="fluency", group="text", metric="distinct@8", about="Name a thing of a category.",
                          items=ids, clusters=clusters, samples={"tune": 8, "val": 32, "test": 32})  # fmt: skip

    def run(self, seed):
        rounds = [self.round(number) for number in range(self.rounds)]
        on_val = self.measured(4.1 if seed in self.static else 4.4 - 0.01 * seed)
        return Run(seed=seed, rounds=rounds, learned=self.policy(1.0), on_val=on_val, static=seed in self.static,
                   test=self.values(4.3))  # fmt: skip

    def round(self, number):
        share = number / self.rounds
        return Round(
            round=number, policy=self.policy(share), score=4.0 + 0.4 * share + self.random.normal(0, 0.1),
            texts=TEXTS * (number + 1), tokens=TOKENS, temperature=ANCHOR + 0.3 * share + self.random.normal(0, 0.02),
            spread=0.4 * share, at_bound=0.24 * share, divergence=0.1 * share + abs(self.began),
        )  # fmt: skip

    def policy(self, share):
        """The policy after a share of learning."""
        values = {"a": ANCHOR, "b": self.began + 0.3 * share, "c": -0.4 * share}
        template = Policy(self.shape)
        return str(template.bind(**{name: round(values[name], 4) for name in template.parameters}))

    def control(self, kind):
        policy = "1.1" if kind == "matched" else self.policy(1.0) if kind in ("placebo", "shuffled") else str(ANCHOR)
        name = kind if kind == "static + min_p" else f"{kind} of learned, seed 0"
        return Control(name=name, kind=kind, policy=policy, filters="min_p(0.05)", test=self.values(4.2))

    def beside(self, runs, control):
        own = control.kind != "static + min_p"
        learned = np.array(runs[0].test) if own else np.mean([run.test for run in runs], axis=0)
        differences = learned - np.array(control.test)
        middle, error = differences.mean(), differences.std() / len(differences) ** 0.5
        low, high = (None, None) if self.clusters == 1 else (middle - 2 * error, middle + 2 * error)
        return Beside(control=control.name, kind=control.kind, mean=learned.mean(), other=np.mean(control.test),
                      difference=middle, low=low, high=high, p=0.043)  # fmt: skip

    def values(self, mean):
        return self.random.normal(mean, 0.4, ITEMS["test"]).tolist()

    def measured(self, mean):
        items = {"fluency": {"distinct@8": [mean] * ITEMS["val"]}}
        return Measured(split="val", values=[mean], low=[mean - 0.3], high=[mean + 0.3], items=items, exact=False,
                        texts=ITEMS["val"] * 32, tokens=ITEMS["val"] * 96)  # fmt: skip
