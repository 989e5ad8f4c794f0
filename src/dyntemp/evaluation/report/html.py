"""The report of a study as one HTML file without scripts and requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dyntemp.evaluation.report.axes import Axis
from dyntemp.evaluation.report.drawings import best_of, interval, quality, temperatures
from dyntemp.evaluation.report.figures import Row, arms_of, chance, comparisons, described, mean, rows, value_of
from dyntemp.evaluation.report.limits import CONTROLS, limits
from dyntemp.evaluation.results import ArmResult, Comparison, Results, TaskResult, TextPair
from dyntemp.evaluation.task import SPLITS
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.quantity import figure
from dyntemp.show.report_parts import counted, folded, headed, page, scrolling, signed
from dyntemp.show.report_parts import row as row_of

SHEET = (("dyntemp.evaluation.report", "report.css"),)

SHOWN = 16
"""Arms of a task and methods of a forest plot that are shown before the others are folded."""

LONGEST = 400
"""Characters of a text or a prompt that are shown."""


def document(results: Results) -> str:
    """The whole file: the verdict, each task, texts, circumstances, all arms of all splits, limits."""
    body = joined([
        element("h1", _worded(results.verdict.sentence)),
        _list(results.verdict.reasons),
        *(_task(results, task) for task in results.tasks),
        _texts(results),
        element("h2", "What was run"),
        _circumstances(results),
        *(_everything(results, task) for task in results.tasks),
        element("h2", "Limits"),
        _list(limits(results)),
    ])  # fmt: skip
    return page(f"Evaluation of {results.model}", body, sheets=SHEET)


def _task(results: Results, task: TaskResult) -> Markup:
    count, texts = len(task.items["test"]), task.samples["test"]
    told = f"{task.about} {counted(count, 'item')} on test, {counted(texts, 'text')} of each arm to an item."
    if (least := results.detectable.get(task.name)) is not None:
        told += f" Such a test shows differences of {figure(least)} or more with a power of 80 %."
    found = rows(results, task)
    return element(
        "section",
        element("h2", task.name, " ", element("small", f"{task.group}, {task.metric or 'no verifier'}")),
        element("p", told, class_="dt-note"),
        _table(task, found),
        _forest(results, task),
        _best_of(results, task),
        _quality(results, task),
        _temperatures([row.arm for row in found if row.arm.control is None]),
    )


def _table(task: TaskResult, found: list[Row]) -> Markup:
    """The arms on test; controls that belong to one method stand in the forest plot only."""
    shown = [row for row in found if row.arm.of is None]
    names = [] if task.metric else described(found)
    own = (task.metric, "less hardest control [95 %]", "Holm p") if task.metric else names
    titles = ("arm", *own, "mean T", "tokens")
    lines = [_line(row, names) for row in shown]
    first = scrolling(f"{task.name}: arms on test", headed(titles, lines[:SHOWN]))
    if len(lines) <= SHOWN:
        return first
    rest = scrolling(f"{task.name}: more arms on test", headed(titles, lines[SHOWN:]))
    return joined([first, folded(f"{counted(len(lines) - SHOWN, 'arm')} more, with lower means", rest)])


def _line(row: Row, names: Sequence[str]) -> Markup:
    """An arm with its comparison, or with the means of these metrics."""
    arm, value, hardest = row
    kind = "dt-control" if arm.control else "dt-winner" if row.beats else None
    name = joined([
        arm.name,
        element("small", f"of the family {arm.family}") if arm.family != arm.name else None,
        element("small", f"control: {CONTROLS.get(arm.control, arm.control)}") if arm.control else _policy(arm),
    ])  # fmt: skip
    compared = (
        "" if value is None else figure(value),
        "" if hardest is None else joined([_difference(hardest), element("small", hardest.against)]),
        "" if hardest is None else chance(hardest.holm),
    )
    means = [mean(arm.values.get(name, ())) for name in names]
    cells = (
        *(["" if one is None else figure(one) for one in means] if names else compared),
        "" if arm.temperature is None else figure(arm.temperature),
        f"{arm.tokens:,}",
    )
    return row_of(name, *cells, kind=kind)


def _policy(arm: ArmResult) -> Markup:
    return element("small", element("code", arm.policy), f"; {arm.filters}" if arm.filters else None)


def _difference(one: Comparison) -> str:
    return f"{signed(one.difference)} [{signed(one.low)}, {signed(one.high)}]"


def _forest(results: Results, task: TaskResult) -> Markup | None:
    """The differences of each method to all of its controls, on one scale."""
    found = comparisons(results, task)
    if not found:
        return None
    axis = Axis.of([end for of_method in found for one in of_method for end in (one.low, one.high)], zero=True)
    titles = ("method, less its controls", f"{task.metric}: {signed(axis.low)} to {signed(axis.high)}",
              "difference [95 %]", "p")  # fmt: skip
    bodies = [[_against(one, axis, first=at == 0) for at, one in enumerate(of_method)] for of_method in found]
    few, many = joined(map(joined, bodies[:SHOWN])), joined(map(joined, bodies[SHOWN:]))
    parts = [element("h3", "Differences to each control"),
             scrolling(f"{task.name}: differences", headed(titles, [few]))]  # fmt: skip
    if many:
        rest = scrolling(f"{task.name}: more differences", headed(titles, [many]))
        parts.append(folded(f"{counted(len(found) - SHOWN, 'method')} more", rest))
    return joined(parts)


def _against(one: Comparison, axis: Axis, *, first: bool) -> Markup:
    name = joined([element("b", one.arm) if first else None, element("small", f"less {one.against}")])
    return row_of(name, interval(one, axis), _difference(one), chance(one.p), kind=None if first else "dt-same")


def _best_of(results: Results, task: TaskResult) -> Markup | None:
    controls = {one.family for one in results.arms if one.task == task.name and one.control and one.of is None}
    drawing = best_of([one for one in results.curves if one.task == task.name], sorted(controls), task.metric or "")
    if drawing is None:
        return None
    note = (
        "The expected score on one half of the items of the best of N configurations on the other half. Families with "
        "equal N had equal budgets. Dashed: controls."
    )
    return joined([element("h3", "Best of N configurations"), element("p", note, class_="dt-note"), drawing])


def _quality(results: Results, task: TaskResult) -> Markup | None:
    drawn = quality(arms_of(results, task, "tune"))
    if drawn is None:
        return None
    drawing, on = drawn
    names = element("ul", *(element("li", one.name, " ", _policy(one)) for one in on), class_="dt-policies")
    note = "Every configuration on tune. Ringed: no other one is better in both. Hollow: controls."
    return joined([element("h3", "Quality and diversity"), element("p", note, class_="dt-note"), drawing,
                   folded(f"{counted(len(on), 'configuration')} on the front", names)])  # fmt: skip


def _temperatures(arms: list[ArmResult]) -> Markup | None:
    found = [(one, list(temperatures(one))) for one in arms]
    parts = [
        joined([element("h4", one.name), element("div", *drawings, class_="dt-multiples")])
        for one, drawings in found
        if drawings
    ]
    if not parts:
        return None
    return joined([element("h3", "Temperatures"), parts[0],
                   folded(f"{counted(len(parts) - 1, 'method')} more", *parts[1:]) if parts[1:] else None])  # fmt: skip


def _texts(results: Results) -> Markup | None:
    if not results.texts:
        return None
    return joined([element("h2", "Texts"), *map(_pair, results.texts)])


def _pair(pair: TextPair) -> Markup:
    columns = [
        element("article", element("h4", arm), *(element("blockquote", _cut(text) or "(empty)") for text in texts))
        for arm, texts in pair.texts.items()
    ]
    return folded(f"{pair.task}, {pair.item}", element("p", _cut(pair.prompt), class_="dt-prompt"),
                  element("div", *columns, class_="dt-columns"))  # fmt: skip


def _circumstances(results: Results) -> Markup:
    facts = {"model": results.model, "configuration": results.digest, **results.about}
    return element("dl", *(element("div", element("dt", name), element("dd", value)) for name, value in facts.items()),
                   class_="dt-figures dt-facts")  # fmt: skip


def _everything(results: Results, task: TaskResult) -> Markup:
    """All arms of all splits, losers too."""
    arms = arms_of(results, task, *reversed(SPLITS))
    titles = ("arm", "split", "policy", "filters", task.metric or "", "mean T", "tokens")
    lines = [_listed(one, task) for one in arms]
    table = scrolling(f"{task.name}: all arms", headed(titles, lines))
    return folded(f"{task.name}: all {counted(len(arms), 'arm')} of all splits", table)


def _listed(one: ArmResult, task: TaskResult) -> Markup:
    value = value_of(one, task)
    return row_of(
        one.name, one.split, element("code", one.policy), one.filters,
        "" if value is None else figure(value), "" if one.temperature is None else figure(one.temperature),
        "computed" if one.exact else f"{one.tokens:,}", kind="dt-control" if one.control else None,
    )  # fmt: skip


def _list(sentences: Iterable[str]) -> Markup:
    return element("ul", *(element("li", _worded(one)) for one in sentences), class_="dt-reasons")


def _worded(sentence: str) -> Markup:
    """A sentence whose names between backticks are set as code."""
    parts = sentence.split("`")
    return joined(element("code", part) if at % 2 else part for at, part in enumerate(parts))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
