"""The report of a study as one HTML file, the verdict first."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from dyntemp.evaluation.report import listed
from dyntemp.evaluation.report.curves import best_of
from dyntemp.evaluation.report.forest import forest
from dyntemp.evaluation.report.fronts import fronts
from dyntemp.evaluation.report.limits import limits
from dyntemp.evaluation.report.reading import Reading, readings, sizes
from dyntemp.evaluation.report.temperatures import NOTE, temperatures
from dyntemp.evaluation.report.texts import side_by_side
from dyntemp.evaluation.results import Results
from dyntemp.evaluation.task import SPLITS
from dyntemp.show.fragments import figure_list
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.report_parts import counted, folded, page

OWN = ("dyntemp.evaluation.report", "report.css")
"""The style sheet for what no other report has."""


def document(results: Results) -> str:
    """The report as an HTML document without scripts and requests."""
    found = list(readings(results))
    verdict = results.verdict
    parts = [
        element("h1", *coded(verdict.sentence)),
        element("p", _extent(results, found), class_="dt-note"),
        listed.overview(found),
        element("ul", *(element("li", *coded(reason)) for reason in verdict.reasons)) if verdict.reasons else None,
        *(_task(one) for one in found),
        element("h2", "The controls"),
        listed.kinds(found),
        element("h2", "Limits"),
        element("ul", *(element("li", *coded(limit)) for limit in limits(results))),
        element("h2", "Circumstances"),
        circumstances(results.model, results.about, results.digest, results.study),
    ]
    return page(f"Evaluation on {results.model}", joined(parts), sheets=(OWN,))


def coded(text: str) -> list[Markup | str]:
    """A text whose parts between backticks are code."""
    parts = re.split("`([^`]*)`", text)
    return [element("code", part) if at % 2 else part for at, part in enumerate(parts)]


def _extent(results: Results, found: list[Reading]) -> str:
    arms = {split: sum(one.split == split for one in results.arms) for split in SPLITS}
    tokens = sum(one.tokens for one in results.arms)
    return (
        f"{results.model}; {counted(len(found), 'task')}; {counted(arms['tune'], 'configuration')} on "
        f"tune, {arms['val']:,} on val, {arms['test']:,} arms on test; {tokens:,} tokens drawn; "
        f"study {results.digest[:16]}."
    )


def _task(one: Reading) -> Markup:
    task = one.task
    return element(
        "section",
        element("h2", task.name, " ", element("small", f"{task.group}; {one.metric or 'no verifier'}"), id=one.anchor),
        element("p", f"{task.about} {sizes(task)}"),
        listed.tested(one),
        *_part("Differences", forest(one)),
        *_part("Budgets, quality and diversity", multiples(best_of(one), *fronts(one))),
        *_part("Temperatures", _temperatures(one)),
        *_part("Texts", *_texts(one)),
        element("h3", "All figures"),
        folded("All comparisons", listed.compared(one)) if one.results.comparisons and one.metric else None,
        folded("All metrics on test", listed.measured(one)),
        folded("Every family on val", listed.standing(one)) if one.standings else None,
        *(
            folded(f"All {len(one.arms(split)):,} arms on {split}", listed.configurations(one, split))
            for split in ("test", "val", "tune") if one.arms(split)
        ),
    )  # fmt: skip


def _part(title: str, *parts: Markup | None) -> list[Markup]:
    """A part with its heading, where there is one."""
    found = [part for part in parts if part]
    return [element("h3", title), *found] if found else []


def multiples(*figures: Markup | None) -> Markup | None:
    """Drawings side by side, as many as the page has room for."""
    found = [figure for figure in figures if figure]
    return element("div", *found, class_="dt-multiples") if found else None


def _temperatures(one: Reading) -> Markup | None:
    drawn = multiples(*temperatures(one))
    return joined([element("p", NOTE, class_="dt-note"), drawn]) if drawn else None


def _texts(one: Reading) -> list[Markup]:
    """Texts to the first item; those to the others are folded."""
    first, *rest = [side_by_side(pair) for pair in one.results.texts if pair.task == one.task.name] or [Markup()]
    return [first, *([folded(f"Texts to {len(rest)} more of its items", *rest)] if rest else [])]


def circumstances(model: str, about: Mapping[str, str], digest: str, study: Mapping[str, Any]) -> Markup:
    """The model, the machine and the versions, and the description of the study behind its digest."""
    facts = [("model", model), *about.items(), ("study", digest)]
    return joined([
        figure_list(facts, "dt-facts"),
        folded("The study file", element("pre", json.dumps(study, indent=2))),
    ])  # fmt: skip
