"""Answers, sentences and warnings of results that are made up."""

import numpy as np
import pytest
from tests.learn.made_results import STATIC, beside_of, control, run

from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.arm import Arm
from dyntemp.language.policy import Policy
from dyntemp.learn.answer import OFTEN, answer_of, sentence, warnings_of
from dyntemp.learn.run import Course

pytest.importorskip("statsmodels")

BETTER, EQUAL, WORSE = STATIC + 1, STATIC + 0, STATIC - 1
RIVAL = Arm(name="static + min_p", family="static + min_p", policy=Policy(0.9), filters=Filters.read("min_p(0.05)"))


def compared(learned, own, spread=0.2, **more):
    """What was learned beside a static control and its own ones, whose level is given less that of static."""
    noise = np.random.default_rng(4)
    runs = [run(seed, learned + noise.normal(0, spread, len(STATIC)), **more) for seed in range(2)]
    controls = [control("static + min_p", STATIC)]
    controls += [control(kind, STATIC + own + noise.normal(0, spread, len(STATIC)))
                 for kind in ("matched", "placebo", "shuffled")]  # fmt: skip
    return runs, beside_of(runs, 0, controls)


@pytest.mark.parametrize(("learned", "own", "spread", "answer"), [
    (BETTER, 0.0, 0.2, "helps"), (BETTER, 1.0, 0.2, "heat"), (BETTER, 0.97, 0.2, "heat"),
    (WORSE, -2.0, 0.2, "not better"), (EQUAL, 0.0, 0.01, "not better"), (EQUAL, 0.0, 3.0, "open"),
    (WORSE, 0.0, 0.2, "not better"),
])  # fmt: skip
def test_answers(learned, own, spread, answer):
    runs, beside = compared(learned, own, spread)

    assert answer == answer_of(runs, beside)


def test_runs_that_all_stay_static_are_not_better():
    runs, beside = compared(BETTER, 0.0, static=True)

    assert "not better" == answer_of(runs, beside)


def test_what_is_better_than_static_and_has_no_controls_of_its_own_is_heat():
    runs = [run(0, BETTER)]

    assert "heat" == answer_of(runs, beside_of(runs, 0, [control("static + min_p", STATIC)]))
    assert "heat" == answer_of(
        runs, beside_of(runs, 0, [control("static + min_p", STATIC), control("matched", STATIC)])
    )


def test_every_static_control_has_to_be_beaten():
    runs, controls = [run(0, BETTER)], [control("static + min_p", STATIC), control("static", BETTER)]

    assert answer_of(runs, beside_of(runs, 0, controls)) in ("open", "not better")


def test_static_controls_stand_beside_the_mean_of_runs_and_own_ones_beside_the_kept_run():
    runs = [run(0, BETTER), run(1, WORSE), run(2, BETTER + 3)]
    static, matched = beside_of(runs, 2, [control("static", STATIC), control("matched", STATIC)])

    assert static.mean == pytest.approx(np.mean(STATIC) + 4 / 3)
    assert matched.mean == pytest.approx(np.mean(STATIC) + 4)
    assert (static.difference, matched.difference) == pytest.approx((4 / 3, 4))
    assert static.other == matched.other == pytest.approx(np.mean(STATIC))


def test_an_item_without_a_value_in_one_run_is_left_out_everywhere():
    missing = [None, *BETTER[1:]]
    (static,) = beside_of([run(0, missing), run(1, BETTER)], 0, [control("static", STATIC)])

    assert static.other == pytest.approx(np.mean(STATIC[1:]))


def test_a_single_cluster_has_no_interval_and_decides_nothing():
    runs = [run(0, BETTER)]
    found = beside_of(runs, 0, [control("static", STATIC)], ["one"] * len(STATIC))

    assert (None, None) == (found[0].low, found[0].high)
    assert "open" == answer_of(runs, found)


@pytest.mark.parametrize(("learned", "own", "spread", "words"), [
    (BETTER, 0.0, 0.2, "A learned temperature helped on fluency"),
    (BETTER, 1.0, 0.2, "better than a tuned one, but not than its own heat"),
    (WORSE, 0.0, 0.2, "was not better than a static one"), (EQUAL, 0.0, 3.0, "It cannot be told"),
])  # fmt: skip
def test_the_sentence_has_the_answer_and_its_figures(learned, own, spread, words):
    runs, beside = compared(learned, own, spread)
    told = sentence(answer_of(runs, beside), "fluency", "distinct@8", beside, RIVAL, 2, 6144)
    static, *others = beside
    worst = min(others, key=lambda one: one.difference)

    assert words in told
    assert f"distinct@8 is {static.mean:.3f} on test, the mean of 2 runs" in told
    assert f"{static.difference:+.3f} [{static.low:+.3f}, {static.high:+.3f}] beside {static.other:.3f}" in told
    assert "6,144 texts" in told
    assert "T = 0.9 with min_p(0.05)" in told
    assert f"{worst.difference:+.3f} [{worst.low:+.3f}, {worst.high:+.3f}] beside its {worst.kind} control" in told


def warned(learned="0.5 + 0.1*entropy", at_bound=0.0, statics=(False, False), static=True):
    runs = [run(seed, BETTER, learned=learned, static=one, at_bound=at_bound) for seed, one in enumerate(statics)]
    courses = [Course(one.rounds, Policy(learned), {}, (0.1, 3.0), static) for one in runs]
    return warnings_of(courses, runs, 0)


def test_a_sound_run_has_no_warning():
    assert [] == warned() == warned(at_bound=OFTEN - 0.01)


@pytest.mark.parametrize(("case", "words"), [
    ({"at_bound": OFTEN}, "T sits at its bound for 20% of the tokens, mean 1.2 between 0.1 and 3"),
    ({"statics": (False, True)}, "1 of 2 runs were no better on val than the static temperature"),
    ({"static": False}, "could not begin at the static temperature"),
    ({"learned": "0.7"}, "reads no signal: it is one temperature"),
])  # fmt: skip
def test_warnings(case, words):
    (told,) = warned(**case)

    assert words in told
