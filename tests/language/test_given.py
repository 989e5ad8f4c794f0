"""Numbers of `given` by position."""

import pytest

from dyntemp import Policy, PolicyError
from dyntemp.language.given import check_lists, lists_of, number_at, numbers_at

POLICY = Policy('0.1 + given("a", 0, 2) + 0.1*given("b", 0, 1)')


def test_a_list_has_a_number_for_each_position_and_begins_again():
    assert [number_at([1, 2, 3], position) for position in range(7)] == [1, 2, 3, 1, 2, 3, 1]
    assert number_at((4.5,), 1000) == 4.5
    assert number_at(0.5, 9) == 0.5
    assert numbers_at({"a": [1, 2], "b": 3}, 5) == {"a": 2, "b": 3}
    assert numbers_at(None, 5) == {}


def test_lists_of_are_those_that_the_policy_reads():
    given = {"a": [1.0], "b": 0.5, "c": [2.0]}

    assert {str(signal): value for signal, value in lists_of(POLICY, given).items()} == {'given("a", 0, 2)': [1.0]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "a list with a number for each position"),
        ([[1], [2]], "a list with a number for each position"),
        (["x"], "a list with a number for each position"),
        ([0.5, 2.5, 1, -1], r"was given 2\.5, -1\.0, outside its range of 0 to 2"),
        ([float("nan")], "was given nan, outside"),
        ([3] * 10, r"was given 3\.0, 3\.0, 3\.0, \.\.\., outside"),
    ],
)
def test_wrong_lists_are_refused(value, message):
    with pytest.raises(PolicyError, match=message):
        check_lists(POLICY, {"a": value, "b": 0.5})


def test_right_lists_and_single_numbers_pass():
    check_lists(POLICY, {"a": [0, 2], "b": 7})  # a single number is checked where it is read
    check_lists(POLICY, None)
