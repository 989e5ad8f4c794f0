"""Spaces from text, and the settings of a tuning."""

import pytest

from dyntemp.tune.settings import TuneSettings
from dyntemp.tune.space import chain_of, control, family_of, parameters, rounded

TEMPLATE = 'clip(param("a", 0, 1) + param("b", -1, 2)*normalized_entropy, 0.05, 2)'


def test_a_policy_and_its_filters_are_one_space():
    family = family_of(TEMPLATE, "min_p(0:0.3), temperature, top_k(2:200)")
    arm = family.arm("x", {"a": 0.5, "b": 1.0, "min_p": 0.1, "top_k": 20.0})

    assert "min_p(0.1), temperature, top_k(20)" == str(arm.filters)
    assert {"a": False, "b": False, "min_p": False, "top_k": True} == {
        name: one.whole for name, one in parameters(family).items()
    }
    assert [name for name, one in parameters(family).items() if one.log] == ["top_k"]


def test_two_filters_of_one_name_have_a_parameter_each():
    chain, ranges = chain_of("min_p(0:0.1), temperature, min_p(0.1:0.2)")

    assert "min_p({min_p}), temperature, min_p({min_p_2})" == chain
    assert {"min_p": (0.0, 0.1), "min_p_2": (0.1, 0.2)} == ranges


def test_values_are_rounded_and_stay_inside_their_ranges():
    assert {"T": 0.1235, "min_p": 0.3} == rounded(control(), {"T": 0.123456, "min_p": 0.30001})


@pytest.mark.parametrize(
    ("template", "filters", "told"),
    [
        ("0.7", "", "nothing to tune"),
        ('param("min_p", 0, 1)', "min_p(0:0.3)", "another name"),
        (TEMPLATE, "min_p(0.3:0)", "the smaller one first"),
        (TEMPLATE, "min_p(0:2)", "min_p = 2"),
        (TEMPLATE, "nucleus(0:1)", "the filter 'nucleus' was given"),
        ("article", "", "article"),
    ],
)
def test_a_space_that_is_none_is_refused(template, filters, told):
    with pytest.raises(ValueError, match=told):
        family_of(template, filters)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"tasks": ()}, "name one or more"),
        ({"sampler": "tpu"}, "the sampler 'tpu' was given.*did you mean `tpe`"),
        ({"trials": 0}, "trials = 0"),
        ({"weights": {"letters": 1}}, "letters"),
        ({"weights": {"fluency": 0}}, "a number above 0"),
        ({"objectives": ("validity", "accuracy", "ead")}, "one, or two"),
        ({"objectives": ("self_repetition",)}, "of which more is better"),
        ({"objectives": ("validity", "distinct@8"), "sampler": "cmaes"}, "one objective"),
        ({"constraint": "accuracy", "sampler": "cmaes"}, "no constraint"),
        ({"items": {"train": 3}}, "train"),
    ],
)
def test_settings_that_do_not_fit_are_refused(given, told):
    with pytest.raises(ValueError, match=told):
        TuneSettings(template=TEMPLATE, **given)


def test_cmaes_needs_two_parameters():
    with pytest.raises(ValueError, match="two parameters"):
        TuneSettings(template='param("a", 0, 1)', sampler="cmaes").family()


def test_the_digest_is_that_of_all_settings():
    one, other = TuneSettings(template=TEMPLATE), TuneSettings(template=TEMPLATE, seed=1)

    assert one.digest == TuneSettings(template=TEMPLATE).digest != other.digest
