"""Results as a study has them, made up: values that scatter around a mean of each arm, and comparisons of these."""

from dataclasses import replace

import numpy as np

from dyntemp.evaluation.results import (
    ArmResult,
    Comparison,
    Curve,
    Results,
    Standing,
    TaskResult,
    TextPair,
    Verdict,
)

ABOUT = {
    "date": "2026-11-28", "processor": "AMD EPYC 9R14", "processors": "2", "system": "Linux x86_64",
    "dyntemp": "0.1.0", "python": "3.11.7", "numpy": "2.4.6", "commit": "0a52aa8c5045",
}  # fmt: skip
POLICIES = {
    "edt": "max(1.113*0.5347**(0.3/entropy), 0.2)",
    "dynatemp": "lerp(0.2, 1.6, normalized_entropy**0.7)",
    "free max_prob": "clip(1.6 - 1.2*max_prob, 0.05, 3)",
    "free curve": "clip(lerp(1.9, 0.4, normalized_entropy**1.3), 0.05, 3)",
    "below_one": "0.1 + 0.8*normalized_entropy",
    "think_answer": 'where(inside("think") > 0.5, 0.9, 0.2)',
}
TASKS = {
    "fluency": ("text", "distinct@8", "Name a thing of a category, such as a fruit.", 3.9, 0.5),
    "letters": ("reasoning", "pass@8", "How often a letter occurs in some words.", 0.82, 0.12),
    "stories": ("text", None, "The beginning of a story.", 0.0, 0.0),
}
SHIFTS = {"greedy": -0.9, "static": 0.0, "static + min_p": 0.35, "no_op": -0.02}
OWN = {"matched": ("matched static of", 0.1), "placebo": ("placebo of", -0.2), "shuffled": ("shuffled of", -0.1)}
QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)


class Maker:
    """Makes the results of one study.

    Args:
        helps: Whether `edt + min_p` is better than all controls.
        configurations: Configurations of each family on tune.
        methods: Names of the methods, by default all of `POLICIES`.
        items: Items of test.
    """

    def __init__(self, helps=False, configurations=8, methods=tuple(POLICIES), items=24):
        self.random = np.random.default_rng(3)
        self.helps, self.configurations, self.items = helps, configurations, items
        self.families = [f"{name}{more}" for name in methods for more in ("", " + min_p")]

    def results(self):
        tasks = [self.task(name, *TASKS[name][:3]) for name in TASKS]
        arms, comparisons, curves = [], [], []
        for task in tasks:
            found = list(self.test(task))
            arms += [*self.tried(task, "tune"), *self.tried(task, "val"), *found]
            if task.metric:
                comparisons += self.compared(task, found)
                curves += [self.curve(task, family) for family in ("static", "static + min_p", *self.families)]
        return Results(
            study={"model": "smollm2", "tasks": list(TASKS), "methods": ["all"], "budget": self.configurations},
            digest="9f2c" * 16, model="smollm2", about=ABOUT, tasks=tasks, arms=arms, comparisons=comparisons,
            detectable={"fluency": 0.31, "letters": 0.06}, curves=curves, verdict=self.verdict(),
            texts=[self.pair(task, at) for task in tasks for at in range(2)],
            standings=[one for task in tasks if task.metric for one in self.standings(task, arms)],
        )  # fmt: skip

    def verdict(self):
        if self.helps:
            sentence = "`edt + min_p` helped in text and reasoning: better than every control (smollm2, 48 items)."
            return Verdict(sentence=sentence, helps=["edt + min_p"], groups={"edt + min_p": ["text", "reasoning"]},
                           reasons=["fluency: `edt + min_p` +1.2 [+0.9, +1.5]."])  # fmt: skip
        return Verdict(
            sentence="Nothing helped: no policy beat every control in any group of tasks (smollm2, 24 items of "
            "fluency, 24 items of letters).",
            helps=[], groups={},
            reasons=["fluency: `free curve + min_p` comes best off against its hardest control, static + min_p.",
                     "`shuffled of think_answer` was not run: the server cannot."],
        )  # fmt: skip

    def task(self, name, group, metric, about):
        counts = {"tune": 12, "val": 8, "test": self.items}
        ids = {split: [f"{split}{at}" for at in range(count)] for split, count in counts.items()}
        return TaskResult(name=name, group=group, metric=metric, about=about, items=ids, clusters=ids,
                          samples={"tune": 8, "val": 16, "test": 32})  # fmt: skip

    def shift(self, family):
        """How much better a family is than a static temperature, in spreads between items."""
        base = 0.3 if "min_p" in family else 0.0
        return base + (2.5 if self.helps and family == "edt + min_p" else -0.1 * (len(family) % 5))

    def tried(self, task, split):
        """The configurations of each family on tune, or the best of each on val."""
        if task.metric is None:
            return
        count = self.configurations if split == "tune" else 1
        for family in ("static", "static + min_p", *self.families):
            for at in range(count):
                name = f"{family} #{at + 1}"
                lost = self.random.exponential(1.2) if split == "tune" else 0.2
                control = family if family in SHIFTS else None
                yield self.arm(task, split, name, family, control, None, self.shift(family) - lost,
                               exact=split == "tune" and task.name == "fluency")  # fmt: skip

    def test(self, task):
        for kind, shift in SHIFTS.items():
            yield self.arm(task, "test", kind.replace("no_op", "no-op"), kind, kind, None, shift)
        for family in self.families:
            yield self.arm(task, "test", family, family, None, None, self.shift(family))
            for kind, (title, shift) in OWN.items():
                if (kind, family) != ("shuffled", "think_answer"):
                    yield self.arm(task, "test", f"{title} {family}", family, kind, family, shift)

    def arm(self, task, split, name, family, control, of, shift, exact=False):
        count = len(task.items[split])
        _, _, _, level, scale = TASKS[task.name]
        wave = np.sin(np.arange(count))  # items differ in the same way for all arms
        values = {}
        if task.metric:
            values[task.metric] = self.clipped(level + scale * (wave + shift) + self.random.normal(0, scale / 2, count))
            accuracy = self.clipped(0.75 - 0.12 * shift + self.random.normal(0, 0.08, count), 1.0)
            values |= {"accuracy": accuracy, "validity": accuracy}
        if not exact:
            values |= {"ead": self.clipped(0.5 + 0.1 * shift + self.random.normal(0, 0.05, count), 1.0),
                       "self_repetition": [None, *self.clipped(self.random.normal(0.1, 0.03, count - 1))],
                       "truncated": self.clipped(self.random.normal(0.05, 0.02, count), 1.0)}  # fmt: skip
        policy = {"greedy": "0", "no-op": "0.89 + 0*entropy"}.get(name) or POLICIES.get(
            family.removesuffix(" + min_p"), "0.89"
        )
        if control in OWN:
            policy = "0.97" if control == "matched" else 'given("temperature", 0, 20)'
        points = [] if exact else self.points(policy)
        drawn = np.array([t for *_, t in points])
        return ArmResult(
            task=task.name, split=split, name=name, family=family, control=control, of=of, policy=policy,
            filters="min_p(0.05)" if "min_p" in family else "", exact=exact, values=values,
            texts=0 if exact else count * task.samples[split], tokens=0 if exact else count * task.samples[split] * 3,
            temperatures=np.quantile(drawn, QUANTILES).tolist() if points else (),
            temperature=float(drawn.mean()) if points else None, spread=float(drawn.std()) if points else None,
            points=points,
        )  # fmt: skip

    def points(self, policy):
        entropy = self.random.gamma(1.5, 1.2, 200)
        likeliest = np.exp(-entropy / 1.6) * self.random.uniform(0.8, 1, 200)
        if policy.split(" ")[0].replace(".", "").isdigit() and "norm" not in policy:
            temperature = np.full(200, float(policy.split(" ")[0]))
        else:
            temperature = np.clip(0.2 + 0.35 * entropy + self.random.normal(0, 0.03, 200), 0.05, 3)
        return [[float(f"{x:.5g}") for x in one] for one in zip(entropy, likeliest, temperature, strict=True)]

    def clipped(self, values, high=8.0):
        return [float(f"{x:.5g}") for x in np.clip(values, 0, high)]

    def compared(self, task, arms):
        for arm in arms:
            if arm.control is None:
                own = [other for other in arms if other.control is not None and other.of in (None, arm.name)]
                found = [self.pair_of(task, arm, other) for other in own]
                holm = min(1.0, 6 * max(one.p for one in found))
                yield from (replace(one, holm=holm) for one in found)
        static, no_op = (next(arm for arm in arms if arm.control == kind) for kind in ("static", "no_op"))
        yield self.pair_of(task, no_op, static)

    def pair_of(self, task, arm, other):
        a, b = (np.array(one.values[task.metric]) for one in (arm, other))
        mean, error = float(np.mean(a - b)), float(np.std(a - b, ddof=1) / len(a) ** 0.5)
        p = float(np.exp(-(max(mean / error, 0.0) ** 2)))
        return Comparison(
            task=task.name, metric=task.metric, arm=arm.name, against=other.name, control=other.control,
            mean=float(a.mean()), other=float(b.mean()), difference=mean, low=mean - 1.96 * error,
            high=mean + 1.96 * error, p=p, holm=None, items=len(a), wilcoxon=p,
        )  # fmt: skip

    def standings(self, task, arms):
        val = [one for one in arms if (one.task, one.split) == (task.name, "val")]
        base, *others = sorted(val, key=lambda one: one.name != "static + min_p #1")
        for arm in others:
            pair = self.pair_of(task, arm, base)
            yield Standing(
                task=task.name, metric=task.metric, family=arm.family, arm=arm.name, against=base.name,
                mean=pair.mean, other=pair.other, difference=pair.difference, low=pair.low, high=pair.high,
            )  # fmt: skip

    def curve(self, task, family):
        _, _, _, level, scale = TASKS[task.name]
        numbers = [n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n < self.configurations] + [self.configurations]
        scores = [level + scale * (self.shift(family) - 1.2 / n) for n in numbers]
        return Curve(task=task.name, family=family, configurations=numbers, scores=scores,
                     tokens=[n * 288.0 for n in numbers])  # fmt: skip

    def pair(self, task, at):
        texts = {name: [f"<b>{name}</b> says apple {at}", "a pear & a plum\nand more", "apple"]
                 for name in ("greedy", "static", "static + min_p", *self.families[:3])}  # fmt: skip
        return TextPair(
            task=task.name,
            item=f"test{at}",
            prompt="Question: Name a <fruit>.<script>alert(1)</script>\nAnswer:",
            texts=texts,
        )
