"""The limits of a study: sentences about what its figures do not say, and about what was not done."""

from __future__ import annotations

from collections.abc import Iterator

from dyntemp.evaluation.results import Results
from dyntemp.show.quantity import figure

FEW_ITEMS = 30
"""Below so many items of test, an interval from a bootstrap is too narrow."""

CUT = 0.05
"""From this share on, texts that were cut off are mentioned."""

CONTROLS = {
    "greedy": "the likeliest token, always",
    "static": "a tuned static temperature",
    "static + min_p": "a tuned static temperature with min-p before it",
    "no_op": "a policy that reads the row and does nothing",
    "matched": "a static temperature at the policy's own mean, with its filters",
    "placebo": "the policy's own temperatures, drawn at random",
    "shuffled": "the policy's temperatures of another text",
}
"""The kinds of control, and what each one is."""


def limits(results: Results) -> Iterator[str]:
    """The limits, one sentence or two each."""
    groups = sorted({task.group for task in results.tasks})
    yield (
        f"The figures hold for {results.model} on these tasks ({', '.join(groups)}) with these prompts. "
        "Other models may behave otherwise, and another format of the prompt can move a score more than a temperature."
    )
    yield (
        "Intervals are over items, not over texts. Each is 95 % for itself; the corrected p-values are over all "
        "methods of a task."
    )
    yield "A text that cannot be read as an answer counts as wrong."
    for task in results.tasks:
        count = len(task.items["test"])
        if count < FEW_ITEMS:
            yield f"{task.name} has {count} items on test: intervals over so few are too narrow."
        if (least := results.detectable.get(task.name)) is not None:
            yield (
                f"{task.name}: differences of {task.metric} below {figure(least)} are seen in fewer than 80 of 100 "
                "such studies. Nothing found does not mean nothing there."
            )
        yield from _cut(results, task.name)
        if task.metric is None:
            yield f"{task.name} has no verifier: its figures describe the texts, and take no part in the verdict."
    for kind in sorted(CONTROLS.keys() - {one.control for one in results.arms if one.split == "test"}):
        yield f"The control {kind} was not run: {CONTROLS[kind]}."


def _cut(results: Results, task: str) -> Iterator[str]:
    """The largest share of texts that were cut off, if it is large."""
    shares = {
        one.name: sum(map(float, filter(None, values))) / len(values)
        for one in results.arms
        if (one.task, one.split) == (task, "test") and (values := one.values.get("truncated"))
    }
    name = max(shares, key=shares.__getitem__, default=None)
    if name is not None and shares[name] >= CUT:
        yield f"{task}: up to {shares[name]:.0%} of the texts were cut off at the limit of tokens ({name})."
