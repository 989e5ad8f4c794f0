"""Policies as users give them, and what a dry run tells of them."""

import json

import pytest

from dyntemp.errors import PolicyError
from dyntemp.generation.dry_run import dry_run
from dyntemp.generation.policies import policy_of_temperature, read_given, read_policy, reads_temperature
from dyntemp.language.policy import Policy
from dyntemp.methods import METHODS, default
from dyntemp.traces.settings import Settings


def test_a_name_a_formula_and_json_are_the_same_policy():
    named = read_policy("edt")

    assert METHODS["edt"].make() == named == read_policy(str(named)) == read_given(json.loads(named.to_json())).policy
    with pytest.raises(PolicyError):
        read_policy("edd")


def test_a_temperature_alone_is_a_policy_and_nothing_is_the_default():
    assert Policy(0.3) == policy_of_temperature(0.3)
    assert default() == policy_of_temperature(None)


@pytest.mark.parametrize(("policy", "expected"), [("requested*0.5", True), ("0.5", False), ("0.1 + entropy", False)])
def test_a_temperature_has_an_effect_where_the_policy_reads_it(policy, expected):
    assert expected == reads_temperature(Policy(policy))


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [('given("x", 0, 1)', {}, "given"), ('given("x", 0, 1)', {"given": {"x": 2.0}}, "outside its range"),
     ('given("x", 0, 1)', {"given": {"x": [0.5, 2.0]}}, "was given 2.0, outside its range"),
     ("a", {}, "template"), ("0.5", {"parameters": {"a": 1.0}}, "a"),
     ('param("a", 0, 1)', {"parameters": {"a": 3.0}}, "a")],
)  # fmt: skip
def test_a_dry_run_tells_what_a_policy_lacks(policy, settings, message):
    with pytest.raises(PolicyError, match=message):
        dry_run(Policy(policy), Settings(backend="reference", **settings))


def test_a_dry_run_of_a_policy_that_has_all_is_silent():
    policy = Policy('clip(ema(surprisal, 0.5) + given("x", 0, 1) + param("a", 0, 1), 0.1, 2)')

    dry_run(policy, Settings(backend="reference", given={"x": 0.5}, parameters={"a": 1.0}))
