"""Functions of one line: references checked by hand-made values, and texts that are no answer."""

import pytest

from dyntemp.evaluation.task import SPLITS, WRONG, Score
from dyntemp.evaluation.tasks import programs
from dyntemp.evaluation.tasks.code import CODE, expression, same
from dyntemp.evaluation.tasks.functions import FAMILIES, SHOTS, VALUES, Function
from dyntemp.evaluation.tasks.splits import split_of

FUNCTIONS = [function for functions in FAMILIES.values() for function in functions]
ITEMS = {
    item.id: item
    for split in SPLITS
    for item in CODE.items(split, sum(len(FAMILIES[family]) for family in FAMILIES if split_of(family) == split))
}
VALUES_BY_HAND = {  # arguments and value, from the sentence alone
    "larger": ((3, 5), 5), "smaller": ((3, -7), -7), "square": ((-4,), 16), "cube": ((-4,), -64),
    "is_even": ((0,), True), "is_odd": ((-25,), True), "double": ((9,), 18), "triple": ((9,), 27),
    "half": ((9,), 4.5), "last_digit": ((135,), 5), "remainder": ((7, 5), 2), "next_number": ((-4,), -3),
    "previous_number": ((0,), -1), "average": ((3, 2), 2.5), "distance": ((-7, 5), 12), "is_positive": ((0,), False),
    "is_negative": ((0,), False), "absolute": ((-25,), 25), "is_divisible": ((135, 3), True),
    "at_least_zero": ((-4,), 0), "area": ((3, 4), 12), "perimeter": ((3, 4), 14), "triangle_area": ((3, 7), 10.5),
    "is_between": ((5, 2, 0), True), "fahrenheit": ((30,), 86), "minutes": ((12,), 720), "seconds": ((1,), 60),
    "hours": ((7,), 168), "count_digits": ((135,), 3), "sum_of_three": ((3, 5, 4), 12),
    "product_of_three": ((3, 5, -3), -45), "sum_up_to": ((7,), 28), "sum_of_squares": ((3, -1), 10),
    "negate": ((6,), -6), "length": (("Zebra",), 5), "upper_case": (("a small Boat",), "A SMALL BOAT"),
    "lower_case": (("Zebra",), "zebra"), "reverse": (("Zebra",), "arbeZ"), "first_letter": (("Zebra",), "Z"),
    "last_letter": (("Zebra",), "a"), "twice": (("x",), "xx"), "three_times": (("x",), "xxx"),
    "is_palindrome": (("level",), True), "starts_with": (("level", "l"), True), "ends_with": (("banana", "n"), False),
    "contains": (("banana", "n"), True), "count_letter": (("banana", "a"), 3),
    "trim": (("  wide open  ",), "wide open"),
    "split_words": (("one Two three",), ["one", "Two", "three"]), "count_words": (("to be or not to be",), 6),
    "first_word": (("one Two three",), "one"), "join": (("sun", "day"), "sun day"),
    "underscored": (("one Two three",), "one_Two_three"), "without_spaces": (("one Two three",), "oneTwothree"),
    "is_digits": (("12345",), True), "same_length": (("sun", "day"), True),
    "letters": (("Zebra",), ["Z", "e", "b", "r", "a"]), "total": (([4, 9, 2],), 15), "largest": (([4, 9, 2],), 9),
    "smallest": (([4, 9, 2],), 2), "first_number": (([4, 9, 2],), 4), "last_number": (([4, 9, 2],), 2),
    "count": (([4, 9, 2],), 3), "increasing": (([4, 9, 2],), [2, 4, 9]), "decreasing": (([4, 9, 2],), [9, 4, 2]),
    "backwards": (([4, 9, 2],), [2, 9, 4]), "mean": (([4, 9, 2],), 5), "evens": (([4, 9, 2],), [4, 2]),
    "positives": (([10, -3, 7, 0, 12, 5],), [10, 7, 12, 5]), "squares": (([4, 9, 2],), [16, 81, 4]),
    "doubled": (([4, 9, 2],), [8, 18, 4]), "lengths": ((["fig", "Apple", "kiwi"],), [3, 5, 4]),
    "sentence_of": ((["fig", "Apple", "kiwi"],), "fig Apple kiwi"),
    "comma_separated": ((["fig", "Apple", "kiwi"],), "fig,Apple,kiwi"),
    "count_different": ((["Zoe", "adam", "Zoe"],), 2), "has_number": (([4, 9, 2], 7), False),
    "longest": ((["fig", "Apple", "kiwi"],), "Apple"), "all_positive": (([30, 20, -10, 20],), False),
    "any_negative": (([30, 20, -10, 20],), True), "numbers_to": ((7,), [1, 2, 3, 4, 5, 6, 7]),
    "without_first": (([4, 9, 2],), [9, 2]), "without_last": (([4, 9, 2],), [4, 9]),
    "alphabetical": ((["Zoe", "adam", "Zoe"],), ["Zoe", "Zoe", "adam"]), "spread": (([4, 9, 2],), 7),
    "capitals": ((["fig", "Apple", "kiwi"],), ["FIG", "APPLE", "KIWI"]),
    "initials": ((["fig", "Apple", "kiwi"],), ["f", "A", "k"]),
}  # fmt: skip


def test_every_reference_has_the_value_that_its_sentence_says():
    wanted = {name: VALUES_BY_HAND[name] for name in ITEMS}

    for function in FUNCTIONS:
        arguments, value = wanted[function.name]
        found = eval(f"lambda {function.head.partition('(')[2][:-1]}: {function.right}")(*arguments)
        assert arguments in function.cases
        assert same(found, value), function.name


@pytest.mark.parametrize("name", ["larger", "average", "is_even", "reverse", "evens", "sentence_of"])
def test_the_scorer_runs_the_expression(name):
    item = ITEMS[name]
    right = item.data["right"]
    key = expression(f" {right}")

    assert CODE.score(item, f" {right}") == Score(valid=True, correct=True, key=key)
    assert CODE.score(item, f" ({right})  # yes") == Score(valid=True, correct=True, key=key)
    assert CODE.score(item, " None") == Score(valid=True, correct=False, key="")


@pytest.mark.parametrize(("name", "text", "correct"), [
    ("larger", " a if a > b else b", True),
    ("larger", " b if a > b else a", False),
    ("larger", " sorted([a, b])[1]", True),
    ("larger", " maximum(a, b)", False),
    ("larger", " print('[5]')", False),
    ("larger", " [print(x) for x in [1]]", False),
    ("larger", " open('/etc/passwd')", False),
    ("larger", " [[] for _ in iter(int, 1)]", False),  # fills the memory
    ("larger", " object()", False),
    ("larger", " 1e999", False),
    ("fahrenheit", " n * 1.8 + 32", True),  # rounds otherwise
    ("is_even", " 1 - number % 2", False),  # equal to a bool, and none
    ("is_even", " not number % 2", True),
    ("evens", " list(filter(lambda n: n % 2 == 0, numbers))", True),
    ("evens", " tuple(n for n in numbers if n % 2 == 0)", False),
    ("increasing", " numbers.sort()", False),
])  # fmt: skip
def test_an_expression_is_judged_by_its_values(name, text, correct):
    score = CODE.score(ITEMS[name], text)

    assert score.valid
    assert score.correct == correct
    assert score.key == (expression(text) if correct else "")


@pytest.mark.parametrize("text", [
    "", " ", " a +", " a; b", "a", " if a > b", " a\n    b = 1", "\n    pass", " a\0b", f" {'(' * 400}a{')' * 400}",
    f" {'-' * 5000}a", " # the larger",
])  # fmt: skip
def test_a_text_that_is_no_expression_is_not_valid(text):
    assert CODE.score(ITEMS["larger"], text) == WRONG


@pytest.mark.parametrize(("found", "expected", "equal"), [
    (1, True, False), (True, 1, False), (True, True, True), (0.1 + 0.2, 0.3, True), (2, 2.0, True), (2, 3, False),
    ([1, [2.0]], [1, [2]], True), ([1], [1, 2], False), ((1,), [1], False), ("1", 1, False), ("a", "a", True),
    (None, 0, False), ([True], [1], False), (10**400, 1.5, False), (10**400, 10**400, True),
])  # fmt: skip
def test_values_are_equal_up_to_rounding(found, expected, equal):
    assert same(found, expected) == equal


def test_equal_programs_run_once(monkeypatch):
    runs = []
    monkeypatch.setattr(programs, "run_code", lambda *args, **_: runs.append(args))
    programs.outcome_of.cache_clear()
    for _ in range(3):
        programs.outcome_of("print(1)")
    programs.outcome_of.cache_clear()

    assert runs == [("print(1)",)]


def test_no_family_is_in_two_splits_and_no_shot_is_asked_for():
    clusters = {split: {item.cluster for item in ITEMS.values() if split_of(item.cluster) == split} for split in SPLITS}

    assert sum(map(len, clusters.values())) == len(FAMILIES)
    assert all(len(families) >= 12 for families in clusters.values())
    assert not {shot.name for shot in SHOTS} & set(ITEMS)
    assert not {shot.asked for shot in SHOTS} & {function.asked for function in FUNCTIONS}


def test_the_seed_chooses_the_order():
    assert CODE.items("test", 10, seed=1) == CODE.items("test", 20, seed=1)[:10] != CODE.items("test", 10, seed=2)
    with pytest.raises(ValueError, match=r"999 items of the task 'code' .* its split 'val' has \d+"):
        CODE.items("val", 999)


def test_prompts_end_where_the_expression_begins():
    assert ITEMS["larger"].prompt.endswith("\n\n# Return the larger of a and b\ndef larger(a, b):\n    return")
    assert ITEMS["larger"].stop == ("\n",)


def test_cases_are_all_combinations_of_values():
    function = Function("", "f(width, height)", "")

    assert function.cases == [(w, h) for w in VALUES["width"] for h in VALUES["height"]]
