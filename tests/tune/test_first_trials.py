"""The first trials are the settings that they are named after."""

import pytest

from dyntemp.tune.first_trials import Static, as_static, first_trials
from dyntemp.tune.space import control, family_of

CARD = {"temperature": 0.2, "top_p": 0.9}
BEST = Static("best static", 0.93, {"min_p": 0.05})
CLIPPED = 'clip(param("a", 0, 1) + param("b", -1, 2)*normalized_entropy, 0.05, 2)'


@pytest.mark.parametrize("template", [CLIPPED, "dynatemp", "edt", "free curve", 'param("T", 0, 2)'])
def test_a_template_that_can_be_static_is_the_best_static_temperature_first(template):
    family = family_of(template, "min_p(0:0.3)")

    first = first_trials(family, {}, BEST, 8)
    arm = family.arm("x", first["best static"])

    assert "best static" == next(iter(first))
    assert (0.93, 0.93) == pytest.approx(tuple(arm.policy.bounds()))
    assert "min_p(0.05)" == str(arm.filters)
    assert (1, 1) == pytest.approx(tuple(family.arm("x", first["T = 1"]).policy.bounds()))


def test_a_template_that_is_never_static_has_no_static_trials():
    first = first_trials(family_of('param("a", 0.1, 1)*entropy'), {}, BEST, 8)

    assert not first.keys() - {"coldest", "greedy"}


def test_the_coldest_setting_is_named_greedy_only_where_it_is():
    assert {"greedy"} <= first_trials(family_of('param("T", 0, 2)'), {}, None, 8).keys()
    assert {"coldest"} <= first_trials(control(), {}, None, 8).keys()


def test_the_card_has_its_filter_where_the_space_has_it():
    first = first_trials(family_of('param("T", 0, 2)', "top_p(0.5:1), top_k(2:100), min_p(0.01:0.3)"), CARD, None, 8)

    assert {"T": 0.2, "top_p": 0.9, "top_k": 100, "min_p": 0.01} == first["model card"]


def test_equal_configurations_are_one_and_there_are_no_more_than_asked():
    best = Static("best static", 0.7, {"min_p": 0.0})

    assert ["best static", "T = 1", "coldest"] == list(first_trials(control(), {}, best, 8))
    assert 2 == len(first_trials(control(), {}, best, 2))


def test_what_lies_outside_the_ranges_is_left_out():
    assert as_static(family_of('param("T", 0, 0.5)'), BEST) is None
