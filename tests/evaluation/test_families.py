"""Families have equal numbers of configurations, in their ranges, and none twice."""

import pytest

from dyntemp.distribution.filter_table import FILTERS
from dyntemp.distribution.filters import Filters
from dyntemp.evaluation.families import CHAINS, chosen, filter_family, points, policy_family, published, scaled, static
from dyntemp.generation.policy_file import PolicyFile
from dyntemp.language.policy import Policy
from dyntemp.methods.table import METHODS

KNOWN, WITHOUT = published()
EVERY = chosen(list(KNOWN), list(CHAINS), [PolicyFile(policy=Policy("0.1 + 0.8*entropy", name="mine"))])


@pytest.mark.parametrize("family", EVERY, ids=lambda family: family.name)
def test_every_family_has_the_same_number_of_configurations_or_nothing_to_choose(family):
    arms = family.configurations(4, seed=1)
    digests = [arm.digest for arm in arms]

    assert len(arms) == (4 if family.policy.parameters or family.ranges else 1)
    assert len(set(digests)) == len(arms)
    assert digests[:2] == [arm.digest for arm in family.configurations(2, seed=1)], "a smaller budget tries the first"
    assert all(arm.policy.bounds().low >= 0 and not arm.policy.parameters for arm in arms)


@pytest.mark.parametrize("method", [name for name in KNOWN if name in METHODS])
def test_the_first_configuration_of_a_method_is_the_published_one(method):
    (first, *_) = KNOWN[method].configurations(2)

    published = METHODS[method].make()
    signals = {
        str(signal): 5.0 if str(signal) == "entries" else 0.37 for signal in {*published.signals, *first.policy.signals}
    }
    states = [policy.state() if policy.remembers else None for policy in (published, first.policy)]
    for position in range(3):
        (a,), (b,) = (
            policy.step(signals, state=state, position=position)
            for policy, state in zip((published, first.policy), states, strict=True)
        )
        assert pytest.approx(a) == b


def test_methods_that_no_task_feeds_or_that_are_others_by_name_are_left_out_with_the_reason():
    assert METHODS.keys() == (KNOWN.keys() & METHODS.keys()) | WITHOUT.keys()
    assert "it is `dynatemp` under another name" == WITHOUT["dynatemp_sillytavern"]
    assert "it is `entropy` under another name" == WITHOUT["perplexity"]
    assert "it needs knowledge, which no task gives" == WITHOUT["dfd"]
    with pytest.raises(ValueError, match="the method 'dfd' was given: it needs knowledge"):
        chosen(["dfd"], [], [])


def test_policies_are_crossed_with_min_p_and_controls_come_first():
    assert ["static", "static + min_p", "edt", "edt + min_p", "static + top_p"] == [
        family.name for family in chosen(["edt"], ["min_p", "top_p"], [])
    ]
    (_, crossed) = chosen(["edt"], [], [])[2:]
    assert all(arm.filters.steps[0].name == "min_p" and not arm.filters.steps[0].after
               for arm in crossed.configurations(5))  # fmt: skip


def test_slopes_of_sign_free_templates_have_either_sign():
    slopes = [arm.policy.step({"max_prob": [0.1, 1.0]}) for arm in KNOWN["free max_prob"].configurations(16)]

    assert {True, False} == {bool(cold < hot) for cold, hot in slopes}


def test_wide_ranges_are_drawn_by_their_logarithm():
    assert (0.1, 1.0) == (scaled(0.0, 0.1, 1), scaled(1.0, 0.1, 1))
    assert 0.55 == scaled(0.5, 0.1, 1.0)
    assert 0.1 == scaled(0.5, 0.01, 1.0)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 6])
def test_points_fill_the_ranges_evenly(dimensions):
    drawn = points(dimensions, 64, "seed")

    for axis in zip(*drawn, strict=True):
        assert 8 <= sum(u < 0.25 for u in axis) <= 24, "16 of 64 lie in a quarter"
    assert drawn != points(dimensions, 64, "another")


def test_every_filter_is_a_neighbour():
    assert FILTERS.keys() == {name.removesuffix("_after") for name in CHAINS}
    assert all(filter_family(name).configurations(3) for name in CHAINS)
    with pytest.raises(ValueError, match=r"the filter 'topp' was given; .*did you mean `top_p`"):
        filter_family("topp")


def test_a_policy_of_ones_own_is_drawn_where_it_has_ranges_and_refused_without():
    assert 1 == len(policy_family(Policy("0.1 + 0.8*entropy")).configurations(5))
    assert 5 == len(policy_family(Policy('param("a", 0, 1) + 0.8*entropy')).configurations(5))
    with pytest.raises(ValueError, match=r'write param\("a", low, high\)'):
        policy_family(Policy("a + 0.8*entropy"))


def test_static_temperatures_begin_at_the_usual_one():
    assert "0.7" == str(static().configurations(3)[0].policy)


def test_a_policy_with_filters_of_its_own_runs_with_these_alone():
    file = PolicyFile(policy=Policy('0.1 + param("a", 0, 1)*entropy'), filters=Filters.read("temperature, min_p(0.05)"))
    (family,) = chosen([], [], [file])[2:]

    assert {file.filters} == {arm.filters for arm in family.configurations(3)}
    assert f"{file.policy} + {file.filters}" == family.name
