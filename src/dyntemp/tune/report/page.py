"""The report of a tuning as one HTML file: the answer, then what the best trials promised and what was left."""

from __future__ import annotations

from collections.abc import Iterator

from dyntemp.evaluation.report.limits import FEW_CLUSTERS
from dyntemp.evaluation.report.page import OWN, circumstances, coded, multiples
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.report_parts import counted, folded, page
from dyntemp.tune.report import drawn, tables
from dyntemp.tune.report.reading import Search, own, searches
from dyntemp.tune.results import TuningResults
from dyntemp.tune.sensitivity import Sensitivity, sensitivities, sentences

STAGES = (
    "Promised: the value of the best trial on tune, which luck makes too good. Expected luck: by how much, if all "
    "trials were equally good. Left: the same trial on val. Test: the best on val, on items that no choice has seen."
)

GOOD = (
    "A trial is good if it lies at most one standard error below the best one on tune. The error is that of one trial, "
    "over draws of items and texts. Importance is PED-ANOVA's: how far the best tenth of the trials differs from the "
    "others in this parameter. It has no sign, and few trials make it rough."
)


def document(results: TuningResults) -> str:
    """The report as an HTML document without scripts and requests.

    Raises:
        StudyError: If Optuna is not installed.
    """
    search, found = own(results), sensitivities(results)
    parts = [
        element("h1", *coded(results.sentence)),
        element("p", _extent(results), class_="dt-note"),
        tables.promised_and_left(results),
        element("p", STAGES, class_="dt-note"),
        tables.differences(results),
        *_sensitivity(search, found),
        *_front(results),
        element("h2", "All trials"),
        *(part for one in searches(results) for part in _listed(one)),
        element("h2", "Limits"),
        element("ul", *(element("li", *coded(limit)) for limit in _limits(results))),
        element("h2", "Circumstances"),
        circumstances(results.model, results.about, results.digest, results.settings),
    ]
    return page(f"Tuning on {results.model}", joined(parts), sheets=(OWN,))


def _extent(results: TuningResults) -> str:
    tasks = ", ".join(one.name for one in results.tasks)
    tried = " and ".join(f"{counted(len(one.trials), 'trial')} of {one.title}" for one in searches(results))
    tokens = sum(results.tokens.values())
    return f"{results.model}; {tasks}; {tried}; {tokens:,} tokens drawn; settings {results.digest[:16]}."


def _sensitivity(search: Search, found: list[Sensitivity]) -> Iterator[Markup]:
    """The good values of each parameter, in words, in numbers and drawn."""
    if not found:
        return
    yield element("h2", "Sensitivity")
    yield element("ul", *(element("li", *coded(told)) for one in found for told in sentences(one)))
    yield tables.regions(found)
    yield element("p", GOOD, class_="dt-note")
    surfaces = [drawn.surface(search, [region.name for region in one.regions], at) for at, one in enumerate(found)]
    shown = multiples(*surfaces, *drawn.slices(search))
    if shown:
        yield shown


def _front(results: TuningResults) -> Iterator[Markup]:
    shown = drawn.front(results)
    if shown:
        yield element("h2", "Both objectives")
        yield shown


def _listed(search: Search) -> Iterator[Markup]:
    """The finalists of a search, and all its trials."""
    yield element(
        "h3",
        search.title,
        None if search.space.control else element("small", " ", element("code", search.space.family)),
    )
    yield tables.finalists(search)
    yield folded(f"All {counted(len(search.trials), 'trial')}", tables.trials(search))


def _limits(results: TuningResults) -> Iterator[str]:
    """Sentences about what a tuning does not show."""
    yield (
        f"The figures hold for {results.model} and these tasks and prompts. Tune on the model and the task that the "
        "policy is for."
    )
    yield "The policy and the static temperature had the same number of trials. More parameters need more of them."
    for task in results.tasks:
        clusters = len(set(task.clusters["test"]))
        if clusters < FEW_CLUSTERS:
            yield f"{task.name} has {clusters} clusters on test: with so few, intervals are too narrow."
    pruned = sum(one.state == "pruned" for one in results.trials)
    if pruned:
        yield f"{counted(pruned, 'trial')} ended early, after items enough to see that another is better."
    if any(one.measured.exact for one in results.trials):
        yield "All values were computed from the model's logits, without sampling: intervals are over items alone."
    if results.constraint is not None and results.least is not None:
        yield f"Only configurations with a {results.constraint} of at least {results.least:.4g} on tune could win."
