"""The report of a study: one HTML file, the verdict first."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from dyntemp.evaluation.results import ArmResult, Results, TaskResult
from dyntemp.evaluation.selection import mean

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
"""


def document(results: Results) -> str:
    """The report as an HTML document without scripts or requests."""
    body = "".join(f"{part}\n" for part in _parts(results))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation of {escape(results.model)}'
        f'</title><meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body><main>\n{body}</main></body></html>\n"
    )


def _parts(results: Results) -> Iterator[str]:
    yield f"<h1>{escape(results.verdict.sentence)}</h1>"
    yield f"<ul>{''.join(f'<li>{escape(reason)}</li>' for reason in results.verdict.reasons)}</ul>"
    for task in results.tasks:
        yield f"<h2>{escape(task.name)}</h2><p>{escape(task.about)}</p>"
        if task.metric is not None:
            yield _comparisons(results, task)
        for split in ("test", "val", "tune"):
            arms = [one for one in results.arms if (one.task, one.split) == (task.name, split)]
            if arms:
                opened = " open" if split == "test" else ""
                yield f"<details{opened}><summary>{split}: {len(arms)} arms</summary>{_arms(arms, task)}</details>"
    about = {"study": results.digest, "model": results.model, **results.about}
    yield f"<h2>Circumstances</h2>{_table(('', ''), [list(pair) for pair in about.items()])}"


def _comparisons(results: Results, task: TaskResult) -> str:
    rows = [
        [one.arm, one.against, f"{one.mean:.3f}", f"{one.difference:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}",
         "" if one.holm is None else f"{one.holm:.3f}"]
        for one in results.comparisons if one.task == task.name
    ]  # fmt: skip
    return _table(("method", "less", f"{task.metric}", "difference", "95 % interval", "Holm p"), rows)


def _arms(arms: list[ArmResult], task: TaskResult) -> str:
    metric = task.metric
    if metric is not None:
        arms = sorted(arms, key=lambda one: -mean(one.values[metric]))
    rows = [
        [one.name, one.control or "", one.policy, one.filters, _value(one, metric),
         "" if one.temperature is None else f"{one.temperature:.2f}", str(one.tokens)]
        for one in arms
    ]  # fmt: skip
    return _table(("arm", "control", "policy", "filters", metric or "", "mean T", "tokens"), rows)


def _value(arm: ArmResult, metric: str | None) -> str:
    return "" if metric is None else f"{mean(arm.values[metric]):.3f}"


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>'
