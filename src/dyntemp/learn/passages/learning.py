"""Learning from texts: the temperatures at which a model is least surprised by them, measured on the half held out.

This is adaptive temperature scaling (Xie et al. 2024, arXiv:2409.19817) with a policy in place of a network over hidden
states: the language model stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path

import numpy as np

from dyntemp.distribution.filters import Filters
from dyntemp.errors import StudyError
from dyntemp.evaluation.about import circumstances
from dyntemp.evaluation.folder import Folder
from dyntemp.learn.learnable import Learnable, Shape, check_bounds, inside, learnable
from dyntemp.learn.passages.answer import sentence, verdict_of, warnings_of
from dyntemp.learn.passages.figures import (
    Choice,
    Half,
    at_bound,
    figures,
    gain,
    oracle_loss,
    quantiles,
    rounds_of,
)
from dyntemp.learn.passages.file import policy_file
from dyntemp.learn.passages.fit import FOLDS, best_static, chosen_pull, fit, kept_tokens, told
from dyntemp.learn.passages.reading import FEWEST, Passage, halves
from dyntemp.learn.passages.results import PassageResults
from dyntemp.learn.passages.rows import PassageRows, rows_of
from dyntemp.learn.passages.settings import PassageSettings
from dyntemp.learn.passages.tokens import PassageTokens, clusters_of, first_tokens
from dyntemp.learn.passages.trace import trace
from dyntemp.learn.run import PLACEHOLDER
from dyntemp.learn.tokens import check_learnable
from dyntemp.models import Model

RESULTS = "results.json"
"""The results, as `PassageResults.to_json` has them."""

TRACE = "learning.json"
"""The trace of learning, which `dyntemp play` opens."""

POLICY = "policy.json"
"""The learned policy, with its filters and where it comes from."""

Show = Callable[[tuple[int, int, int]], None]
"""Called with the texts that are read, of how many, and their tokens."""


def learn_passages(
    settings: PassageSettings, source: str, passages: Sequence[Passage], model: Model, folder: str | Path,
    progress: Show | None = None,
) -> PassageResults:  # fmt: skip
    """Learn a policy from texts, or go on with what was interrupted.

    The passages are parted in two halves by their content. The parameters of the policy, and what it costs to leave the
    best static temperature, come from one half; all figures are of the other half.

    Args:
        settings: Shape and sizes.
        source: Name of the texts.
        passages: The texts.
        model: The model, which is read but not changed.
        folder: Where rows, results, the policy and the trace are kept.
        progress: Called as texts are read.

    Raises:
        ValueError: If the settings do not fit, the folder holds something else, there are too few passages, or PyTorch
            or SciPy is not installed.
    """
    shape = Shape.read(settings.shape)
    template = _shaped(settings, shape, 1.0, dict.fromkeys(shape.signals, PLACEHOLDER)).template
    check_learnable(template)
    chosen = first_tokens(model, halves(passages), settings.each, settings.most)
    check_halves(chosen, settings, len(passages))
    with Folder(folder, settings) as place:
        rows = rows_of(
            model, chosen, template, Filters.read(settings.filters), place.path / "rows",
            progress and (lambda done, tokens: progress((done, len(chosen), tokens))),
        )  # fmt: skip
        results = learned_from(settings, source, len(passages), chosen, rows, model.name)
        place.write(RESULTS, results.to_json())
        place.write(TRACE, trace(results))
        policy_file(results).save(place.path / POLICY)
    return results


def learned_from(
    settings: PassageSettings, source: str, given: int, chosen: Sequence[PassageTokens], rows: PassageRows, model: str
) -> PassageResults:
    """The results from rows that were read.

    Args:
        settings: Shape and sizes.
        source: Name of the texts.
        given: How many passages were given.
        chosen: The passages that were read.
        rows: Their rows.
        model: Name of the model.
    """
    first, second = (_half(chosen, rows, held_out=held_out) for held_out in (False, True))
    shape = Shape.read(settings.shape)
    spread = {one: quantiles(one, first.tokens) for one in shape.signals}
    static = best_static(first.tokens, settings.bounds)
    found = _shaped(settings, shape, static, spread)
    reached = found.template.bounds()
    bounds = check_bounds((reached.low, reached.high))
    pulls = chosen_pull(
        lambda anchor: _shaped(settings, shape, anchor, spread), first.tokens, _folds(chosen), settings.bounds
    )
    pull = min(reversed(pulls), key=pulls.__getitem__)  # the highest of equal ones
    fitted = fit(found, first.tokens, static, pull)
    anchor = f"{static:.4g}"
    kept = kept_tokens(second.tokens)
    if not kept.any():
        raise StudyError("the filters drop every token of the half that is held out: take weaker filters, or none")
    one, best = Choice.static("T = 1", "1", second.tokens), Choice.static("best static", anchor, second.tokens)
    if pull == inf:
        learned = best._replace(name="learned")
    else:
        now = told(found, fitted.values, second.tokens)
        learned = Choice("learned", str(found.policy(fitted.values)), now.log_t, now.draws)
    held_out = [figures(choice, second) for choice in (one, best, learned)]
    gains = [gain(choice, learned, second) for choice in (one, best)]
    verdict = verdict_of(gains[-1], static=pull == inf)
    return PassageResults(
        settings=settings.to_json(),
        digest=settings.digest,
        model=model,
        about=circumstances(),
        source=source,
        given=given,
        passages=(first.tokens.texts, second.tokens.texts),
        tokens=(len(first.clusters), len(second.clusters)),
        dropped=1 - float(kept_tokens(rows.tokens).mean()),
        shape=str(shape),
        bounds=bounds,
        filters=str(Filters.read(settings.filters)),
        anchor=anchor,
        began_static=found.static,
        signals={str(signal): quantiles(str(signal), first.tokens) for signal in found.template.signals},
        pulls=[(None if price == inf else price, loss) for price, loss in pulls.items()],
        pull=None if pull == inf else pull,
        rounds=rounds_of(found, fitted, first.tokens, static, bounds),
        held_out=held_out,
        gains=gains,
        oracle=oracle_loss(second.tokens, settings.bounds),
        verdict=verdict,
        sentence=sentence(verdict, source, held_out[-1], held_out[1], gains[-1], second.tokens.texts),
        warnings=warnings_of(
            learned=held_out[-1], static=pull == inf, at_bound=at_bound(learned.log_t, bounds), anchor=static,
            bounds=settings.bounds, clusters=len(set(second.clusters)), dropped=1 - float(kept.mean()),
            left_out=given - len(chosen), began_static=found.static,
        ),
    )  # fmt: skip


def check_halves(chosen: Sequence[PassageTokens], settings: PassageSettings, given: int) -> None:
    """Refuse fewer than two clusters in a half.

    Raises:
        StudyError: The message says what to raise.
    """
    for held_out in (False, True):
        if len({one.cluster for one in chosen if one.held_out == held_out}) < FEWEST // 2:
            raise StudyError(
                f"{len(chosen)} of {given} passages are left, which have two tokens or more, fit into the context, and "
                f"come before {settings.most} tokens are reached: two different ones are needed in each half. Give "
                "more or longer passages, or raise `most`"
            )


def _shaped(settings: PassageSettings, shape: Shape, static: float, spread: Mapping[str, Sequence[float]]) -> Learnable:
    """The template at a static temperature, which is moved inside the bounds where it lies at one."""
    return learnable(shape, settings.bounds, inside(static, settings.bounds), spread, settings.seed)


def _half(chosen: Sequence[PassageTokens], rows: PassageRows, *, held_out: bool) -> Half:
    own = [one for one in chosen if one.held_out == held_out]
    return Half(rows.part(np.array([one.held_out == held_out for one in chosen])), clusters_of(own))


def _folds(chosen: Sequence[PassageTokens]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The fold of each text that is learned from; texts of one cluster are in one fold."""
    own = [one.cluster for one in chosen if not one.held_out]
    place = {name: at for at, name in enumerate(dict.fromkeys(own))}
    return np.array([place[name] % min(FOLDS, len(place)) for name in own], np.int64)
