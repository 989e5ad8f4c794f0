"""Results of a study that never was: four tasks, many families, one winner where asked."""

from collections.abc import Iterator

import numpy as np

from dyntemp.evaluation.results import ArmResult, Comparison, Curve, Results, TaskResult, TextPair, Verdict

METHODS = ("edt", "dynatemp", "max_prob <b>", "free entropy", "margin", "adapt")
CONTROLS = ("greedy", "static", "static + min_p", "no-op")
ITEMS = {"tune": 6, "val": 6, "test": 12}


def made(families: int = 6, configurations: int = 4, seed: int = 0) -> Results:
    """Results with so many families and configurations of each."""
    generator = np.random.default_rng(seed)
    tasks = [
        _task("fluency", "text", "distinct@8", "Name things of a category."),
        _task("sums", "reasoning", "accuracy", "Add two numbers."),
        _task("stories", "dialogue", None, "Write a story."),
    ]
    names = [
        METHODS[at % len(METHODS)] + (f" {at // len(METHODS)}" if at >= len(METHODS) else "") for at in range(families)
    ]
    arms = [arm for task in tasks for arm in _arms(task, names, configurations, generator)]
    comparisons = [one for task in tasks if task.metric for one in _comparisons(task, arms, names)]
    curves = [
        Curve(task=task.name, family=name, configurations=[1, 2, 4], scores=sorted(generator.uniform(2, 5, 3).tolist()),
              tokens=[100.0, 200.0, 400.0])
        for task in tasks if task.metric for name in ("static", "static + min_p", *names)
    ]  # fmt: skip
    verdict = Verdict(
        sentence="Nothing helped: no policy beat every control in any group of tasks (fake, 12 items of fluency).",
        helps=[], groups={}, reasons=["fluency: `edt` comes best off.", "`turn` was not run: it needs hidden states"],
    )  # fmt: skip
    texts = [TextPair(task="fluency", item="test1", prompt="Name a bird:\n<script>alert(1)</script>",
                      texts={"edt": [" robin", " crow"], "static": ["", " swan & goose" * 80]})]  # fmt: skip
    return Results(
        study={"seed": 0}, digest="0123456789abcdef", model="fake", tasks=tasks, arms=arms, comparisons=comparisons,
        about={"date": "2026-01-02", "processor": "an abacus", "dyntemp": "0.1", "commit": "abcdef"},
        detectable={"fluency": 0.31}, curves=curves, verdict=verdict, texts=texts,
    )  # fmt: skip


def _task(name: str, group: str, metric: str | None, about: str) -> TaskResult:
    items = {split: [f"{split}{at}" for at in range(count)] for split, count in ITEMS.items()}
    return TaskResult(name=name, group=group, metric=metric, about=about, items=items, clusters=items,
                      samples=dict.fromkeys(ITEMS, 8))  # fmt: skip


def _arms(task: TaskResult, names: list[str], count: int, generator: np.random.Generator) -> Iterator[ArmResult]:
    for name in names:
        for number in range(1, count + 1):
            yield _arm(task, "tune", f"{name} #{number}", name, None, generator)
    for name in ("static", "static + min_p"):
        for number in range(1, count + 1):
            yield _arm(task, "tune", f"{name} #{number}", name, name, generator)
    for control in CONTROLS:
        yield _arm(task, "test", control, control, control.replace("-", "_"), generator)
    for name in names:
        yield _arm(task, "test", name, name, None, generator)
        yield _arm(task, "test", f"matched static of {name}", name, "matched", generator, of=name)


def _arm(
    task: TaskResult, split: str, name: str, family: str, control: str | None, generator: np.random.Generator,
    of: str | None = None,
) -> ArmResult:  # fmt: skip
    count = ITEMS[split]
    hot = generator.uniform(0.2, 2)
    entropy = generator.exponential(1.2, 60)
    t = np.full(60, hot) if control else 0.1 + hot * entropy / (1 + entropy)
    points = np.stack([entropy, np.exp(-entropy), t], axis=1)
    values = {"truncated": [0.1] * count}
    if task.metric:
        valid = np.clip(generator.normal(1 - hot / 4, 0.1, count), 0, 1)
        values |= {task.metric: (3 + hot + generator.normal(0, 0.5, count)).tolist(), "validity": valid.tolist(),
                   "distinct@8": (3 + hot + generator.normal(0, 0.5, count)).tolist()}  # fmt: skip
    return ArmResult(
        task=task.name, split=split, name=name, family=family, control=control, of=of,
        policy=f"{hot:.4g}" if control else f"0.1 + {hot:.4g}*entropy/(1 + entropy)",
        filters="min_p(0.05)" if "min_p" in name else "", exact=False, values=values, texts=8 * count,
        tokens=800 * count, temperatures=np.quantile(t, (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)).tolist(),
        temperature=float(t.mean()), spread=0.0 if control else float(t.std()), points=points.tolist(),
    )  # fmt: skip


def _comparisons(task: TaskResult, arms: list[ArmResult], names: list[str]) -> Iterator[Comparison]:
    here = {one.name: one for one in arms if (one.task, one.split) == (task.name, "test")}
    for name in names:
        for other in (one for one in here.values() if one.of == name or (one.control and one.of is None)):
            a, b = (np.array(one.values[task.metric]) for one in (here[name], other))
            error = float(np.std(a - b) / len(a) ** 0.5)
            yield Comparison(
                task=task.name, metric=task.metric, arm=name, against=other.name, control=other.control,
                mean=float(a.mean()), other=float(b.mean()), difference=float((a - b).mean()),
                low=float((a - b).mean() - 2 * error), high=float((a - b).mean() + 2 * error), p=0.2, holm=0.9,
                items=len(a),
            )  # fmt: skip
