"""The report of a comparison: one HTML file without scripts and requests, and a shorter part for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dyntemp.comparison.figures import Figures
from dyntemp.comparison.folder import Cell
from dyntemp.comparison.measures import MEASURES
from dyntemp.comparison.report_parts import LETTERS, distributions, number
from dyntemp.comparison.report_texts import LONGEST, Sample, key, sample, scale_of
from dyntemp.show.markup import Markup, element, joined
from dyntemp.show.report_parts import counted, headed, page, row, scrolling, signed, style
from dyntemp.statistics.estimate import FEW_PROMPTS, Estimate
from dyntemp.traces.settings import Settings

PROMPTS, SEEDS, IN_NOTEBOOK = 10, 2, 1
"""Prompts whose texts a file shows, seeds of each, and prompts that a notebook shows."""

HONEST = (
    "None of these figures measures quality. They say how long, varied, repetitive and surprising to the model itself "
    "the texts are. Whether a text is good, somebody has to read."
)

SPREADS = "Share of the tokens, each policy at a height of its own; the dashed line is the median."


class Contents(NamedTuple):
    """The contents of a report.

    Attributes:
        figures: The figures over all texts.
        model: Name of the model.
        settings: Settings of the runs.
        samples: Texts to show, one sample for each prompt and seed.
    """

    figures: Figures
    model: str
    settings: Settings
    samples: Iterable[Sample]


def document(contents: Contents) -> str:
    """The whole file."""
    title = f"{len(contents.figures.policies)} policies compared"
    return page(title, joined([element("h1", title), _body(contents)]))


def fragment(contents: Contents) -> str:
    """The same for a notebook, with fewer texts."""
    return element("div", style(), _body(contents), class_="dt dt-report")


def _body(contents: Contents) -> Markup:
    figures = contents.figures
    scale = scale_of([one.policy for one in figures.policies])
    shown = [sample(one, scale) for one in contents.samples]
    texts = figures.prompts * figures.seeds
    return joined([
        element("p", _circumstances(contents)),
        _policies(figures),
        element("p", HONEST, class_="dt-note"),
        element("h2", "Figures"),
        _table(figures),
        element("h2", "How temperature and entropy spread"),
        element("p", SPREADS, class_="dt-note"),
        element("div", *distributions(figures), class_="dt-multiples"),
        element("h2", "Where the texts part"),
        _parting(figures),
        _overlap(figures),
        element("h2", "Texts"),
        _extent(len(shown), texts),
        key(scale),
        *shown,
    ])  # fmt: skip


def _circumstances(contents: Contents) -> str:
    figures, filters = contents.figures, contents.settings.filters
    return "; ".join([
        contents.model,
        f"{counted(figures.prompts, 'prompt')} with {counted(figures.seeds, 'seed')} each",
        f"at most {contents.settings.max_tokens} tokens a text",
        str(filters) or "no filters",
    ])  # fmt: skip


def _policies(figures: Figures) -> Markup:
    rows = []
    for letter, one in zip(LETTERS, figures.policies, strict=False):
        named = f"{one.name}: " if one.name else ""
        role = "leads" if one.parting is None else "follows A"
        rows.append(element("li", element("b", letter), f" {named}", element("code", one.policy), f" ({role})"))
    explained = (
        "The followers are coupled to A: each draws by its own policy, and yet A's token as often as that allows, so "
        "that texts part only where the policies make them."
    )
    return joined([element("ul", *rows, class_="dt-policies"), element("p", explained, class_="dt-note")])


def _table(figures: Figures) -> Markup:
    head = element("tr", element("th", "mean", scope="col"), *(
        element("th", letter if number == 0 else f"{letter}, and {letter} − A", scope="col")
        for number, letter in enumerate(LETTERS[: len(figures.policies)])
    ))  # fmt: skip
    rows = [
        element(
            "tr",
            element("th", measure.title, scope="row"),
            *(_cell(one.measures[name], measure.unit) for one in figures.policies),
        )
        for name, measure in MEASURES.items()
    ]
    ends = [
        element("tr", element("th", "how texts ended", scope="row"),
                *(element("td", ", ".join(f"{kind} {count}" for kind, count in sorted(one.finishes.items())))
                  for one in figures.policies))
    ]  # fmt: skip
    table = element("table", element("thead", head), element("tbody", *rows, *ends))
    meanings = [element("div", element("dt", one.title), element("dd", one.meaning)) for one in MEASURES.values()]
    return joined([
        element("p", _about_intervals(figures), class_="dt-note"),
        scrolling("Figures", table),
        element("details", element("summary", "What these figures mean"), element("dl", *meanings)),
    ])  # fmt: skip


def _cell(estimate: Estimate, unit: str) -> Markup:
    if estimate.mean is None:
        return element("td", "too short to say")
    parts: list[str] = [f"{number(estimate.mean)} {unit if unit not in ('', 'share') else ''}".rstrip()]
    if estimate.difference is not None:
        between = (
            ""
            if estimate.low is None or estimate.high is None
            else (f" ({signed(estimate.low)} to {signed(estimate.high)})")
        )
        parts.append(element("small", f"{signed(estimate.difference)}{between}"))
    return element("td", *parts)


def _about_intervals(figures: Figures) -> str:
    if figures.prompts < 2:
        return "There is one prompt, so no interval can be given: these figures hold for it alone."
    told = (
        f"Each figure is a mean over n = {figures.prompts} prompts, of each prompt's mean over its "
        f"{counted(figures.seeds, 'text')}. Below it, the mean difference to A on the same prompts, and its 95 % "
        "interval from a bootstrap over prompts."
    )
    few = f" With fewer than {FEW_PROMPTS} prompts such intervals are too narrow: take them as a hint."
    return told + (few if figures.prompts < FEW_PROMPTS else "")


def _parting(figures: Figures) -> Markup:
    head = ("policy", "equal to the end", "tokens kept, mean", "share of A's text", "part at, median")
    rows = []
    for letter, one in zip(LETTERS, figures.policies, strict=False):
        if (part := one.parting) is None:
            continue
        at = "most never part" if part.position is None else f"token {part.position:.0f}"
        cells = (f"{part.never:.0%}", number(part.kept), f"{part.kept_share:.0%}", at)
        rows.append(row(letter, *cells))
    note = "Tokens kept: how many the two texts share from their start; all of them where they never part."
    return joined([scrolling("Where the texts part", headed(head, rows)), element("p", note, class_="dt-note")])


def _overlap(figures: Figures) -> Markup:
    letters = LETTERS[: len(figures.policies)]
    rows = [
        row(letter, *(f"{value:.0%}" for value in shares))
        for letter, shares in zip(letters, figures.overlap, strict=True)
    ]
    table = element(
        "table",
        element("caption", "Share of tokens that the texts of two policies have in common, in any order"),
        element("thead", element("tr", element("th", "policy", scope="col"),
                                 *(element("th", letter, scope="col") for letter in letters))),
        element("tbody", *rows),
    )  # fmt: skip
    return scrolling("Overlap", table)


def _extent(shown: int, texts: int) -> Markup:
    some = (
        ""
        if shown >= texts
        else (f"{shown} of {texts} groups are shown, those of the first prompts and seeds; the figures are over all. ")
    )
    return element(
        "p",
        f"{some}Of each text the first {LONGEST} tokens at most, coloured by temperature. Every text is a trace: ",
        element("code", "dyntemp explain"), " and ", element("code", "dyntemp play"), " read the files named below.",
        class_="dt-note",
    )  # fmt: skip


def chosen(cells: Sequence[Cell], prompts: int = PROMPTS, seeds: int = SEEDS) -> list[Cell]:
    """The cells whose texts are shown: of the first prompts the first seeds."""
    return [cell for cell in cells if cell.prompt < prompts and cell.seed < seeds]
