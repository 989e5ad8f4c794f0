"""Functions of one line, by families: what a function returns, its head, and an expression that is right.

The functions of one family are variants of each other, and no family is in two splits. The parameters of a function
decide its test cases, by the values that `VALUES` has for each name.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

VALUES: Mapping[str, tuple[Any, ...]] = {
    "a": (3, -7, 0, 12, 5),
    "b": (5, -7, 2, -1, 12),
    "c": (4, -3, 0),
    "n": (7, 0, 12, 135, 1, 24, 30),
    "number": (-4, 9, 0, 17, -25, 6),
    "divisor": (2, 3, 5),
    "width": (3, 1, 10),
    "height": (4, 7, 2),
    "text": ("level", "a small Boat", "Zebra", "x", "12345", "Noon is here", "banana", "  wide open  "),
    "sentence": ("the cat sat down", "hello", "one Two three", "to be or not to be"),
    "letter": ("a", "e", "n", "l"),
    "first": ("sun", "North", "x"),
    "second": ("day", "Pole", "long word"),
    "numbers": ([4, 9, 2], [10, -3, 7, 0, 12, 5], [-6], [1, 1, 2, 3, 5, 8], [30, 20, -10, 20]),
    "words": (["fig", "Apple", "kiwi"], ["a"], ["one", "three", "fifteen", "to", "four"], ["Zoe", "adam", "Zoe"]),
}
"""Values of each parameter; a function is tested on all combinations."""


class Function(NamedTuple):
    """A function.

    Attributes:
        asked: The value that it returns, as the comment above it says.
        head: Its name and parameters.
        right: An expression that is right.
    """

    asked: str
    head: str
    right: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.head.partition("(")[0]

    @property
    def cases(self) -> list[tuple[Any, ...]]:
        """The arguments of each test case."""
        names = self.head.partition("(")[2].rstrip(")").split(", ")
        return list(product(*(VALUES[name] for name in names)))


SHOTS = (
    Function("the sum of a and b", "add(a, b)", "a + b"),
    Function("the text in quotes", "quoted(text)", "'\"' + text + '\"'"),
    Function("True if a and b are equal", "is_equal(a, b)", "a == b"),
    Function("the last two numbers of a list", "last_two(numbers)", "numbers[-2:]"),
)
"""Functions shown in front of each prompt."""

FAMILIES: Mapping[str, tuple[Function, ...]] = {
    # numbers
    "extreme of two": (
        Function("the larger of a and b", "larger(a, b)", "max(a, b)"),
        Function("the smaller of a and b", "smaller(a, b)", "min(a, b)"),
    ),
    "power": (
        Function("the square of a number", "square(number)", "number * number"),
        Function("the cube of a number", "cube(number)", "number ** 3"),
    ),
    "parity": (
        Function("True if a number is even", "is_even(number)", "number % 2 == 0"),
        Function("True if a number is odd", "is_odd(number)", "number % 2 == 1"),
    ),
    "multiple": (
        Function("twice a number", "double(number)", "2 * number"),
        Function("three times a number", "triple(number)", "3 * number"),
    ),
    "half": (Function("half of a number", "half(number)", "number / 2"),),
    "last digit": (Function("the last digit of n", "last_digit(n)", "n % 10"),),
    "remainder": (Function("the remainder of n divided by divisor", "remainder(n, divisor)", "n % divisor"),),
    "neighbor": (
        Function("the number after a number", "next_number(number)", "number + 1"),
        Function("the number before a number", "previous_number(number)", "number - 1"),
    ),
    "mean of two": (Function("the average of a and b", "average(a, b)", "(a + b) / 2"),),
    "distance": (Function("the distance between a and b", "distance(a, b)", "abs(a - b)"),),
    "sign": (
        Function("True if a number is positive", "is_positive(number)", "number > 0"),
        Function("True if a number is negative", "is_negative(number)", "number < 0"),
    ),
    "magnitude": (Function("the absolute value of a number", "absolute(number)", "abs(number)"),),
    "divisible": (Function("True if n is divisible by divisor", "is_divisible(n, divisor)", "n % divisor == 0"),),
    "bound": (Function("a number, but at least zero", "at_least_zero(number)", "max(number, 0)"),),
    "rectangle": (
        Function("the area of a rectangle", "area(width, height)", "width * height"),
        Function("the perimeter of a rectangle", "perimeter(width, height)", "2 * (width + height)"),
    ),
    "triangle": (Function("the area of a triangle", "triangle_area(width, height)", "width * height / 2"),),
    "between": (Function("True if b lies between a and c", "is_between(a, b, c)", "a < b < c or c < b < a"),),
    "temperature": (Function("degrees Fahrenheit of n degrees Celsius", "fahrenheit(n)", "n * 9 / 5 + 32"),),
    "time": (
        Function("the minutes in n hours", "minutes(n)", "n * 60"),
        Function("the seconds in n minutes", "seconds(n)", "n * 60"),
        Function("the hours in n days", "hours(n)", "n * 24"),
    ),
    "digits": (Function("the number of digits of n", "count_digits(n)", "len(str(n))"),),
    "three numbers": (
        Function("the sum of a, b and c", "sum_of_three(a, b, c)", "a + b + c"),
        Function("the product of a, b and c", "product_of_three(a, b, c)", "a * b * c"),
    ),
    "sum up to": (Function("the sum of the numbers from 1 to n", "sum_up_to(n)", "n * (n + 1) // 2"),),
    "sum of squares": (Function("the sum of the squares of a and b", "sum_of_squares(a, b)", "a * a + b * b"),),
    "opposite": (Function("a number with the opposite sign", "negate(number)", "-number"),),
    # texts
    "length": (Function("the length of a text", "length(text)", "len(text)"),),
    "case": (
        Function("a text in upper case", "upper_case(text)", "text.upper()"),
        Function("a text in lower case", "lower_case(text)", "text.lower()"),
    ),
    "reverse text": (Function("a text in reverse", "reverse(text)", "text[::-1]"),),
    "end letter": (
        Function("the first letter of a text", "first_letter(text)", "text[0]"),
        Function("the last letter of a text", "last_letter(text)", "text[-1]"),
    ),
    "repeat": (
        Function("a text repeated twice", "twice(text)", "text * 2"),
        Function("a text repeated three times", "three_times(text)", "text * 3"),
    ),
    "palindrome": (Function("True if a text is a palindrome", "is_palindrome(text)", "text == text[::-1]"),),
    "prefix": (
        Function("True if a text starts with a letter", "starts_with(text, letter)", "text.startswith(letter)"),
        Function("True if a text ends with a letter", "ends_with(text, letter)", "text.endswith(letter)"),
    ),
    "letter in text": (
        Function("True if a text contains a letter", "contains(text, letter)", "letter in text"),
        Function("how often a letter is in a text", "count_letter(text, letter)", "text.count(letter)"),
    ),
    "strip": (Function("a text without the spaces around it", "trim(text)", "text.strip()"),),
    "words of text": (
        Function("the words of a sentence", "split_words(sentence)", "sentence.split()"),
        Function("the number of words in a sentence", "count_words(sentence)", "len(sentence.split())"),
        Function("the first word of a sentence", "first_word(sentence)", "sentence.split()[0]"),
    ),
    "join two": (Function("first and second with a space between", "join(first, second)", "first + ' ' + second"),),
    "replace": (
        Function("a sentence with underscores for spaces", "underscored(sentence)", "sentence.replace(' ', '_')"),
        Function("a sentence without its spaces", "without_spaces(sentence)", "sentence.replace(' ', '')"),
    ),
    "all digits": (Function("True if a text has digits only", "is_digits(text)", "text.isdigit()"),),
    "same length": (
        Function("True if first and second have equal lengths", "same_length(first, second)",
                 "len(first) == len(second)"),
    ),
    "list of letters": (Function("the list of letters of a text", "letters(text)", "list(text)"),),
    # lists
    "total": (Function("the sum of a list of numbers", "total(numbers)", "sum(numbers)"),),
    "extreme of list": (
        Function("the largest number of a list", "largest(numbers)", "max(numbers)"),
        Function("the smallest number of a list", "smallest(numbers)", "min(numbers)"),
    ),
    "end item": (
        Function("the first number of a list", "first_number(numbers)", "numbers[0]"),
        Function("the last number of a list", "last_number(numbers)", "numbers[-1]"),
    ),
    "size": (Function("how many numbers a list has", "count(numbers)", "len(numbers)"),),
    "sort": (
        Function("the numbers in increasing order", "increasing(numbers)", "sorted(numbers)"),
        Function("the numbers in decreasing order", "decreasing(numbers)", "sorted(numbers, reverse=True)"),
    ),
    "reverse list": (Function("the list of numbers in reverse", "backwards(numbers)", "numbers[::-1]"),),
    "mean of list": (Function("the mean of a list of numbers", "mean(numbers)", "sum(numbers) / len(numbers)"),),
    "filter": (
        Function("the even numbers of a list", "evens(numbers)", "[n for n in numbers if n % 2 == 0]"),
        Function("the positive numbers of a list", "positives(numbers)", "[n for n in numbers if n > 0]"),
    ),
    "map": (
        Function("a list with the square of each number", "squares(numbers)", "[n * n for n in numbers]"),
        Function("a list with each number doubled", "doubled(numbers)", "[2 * n for n in numbers]"),
    ),
    "lengths": (Function("a list with the length of each word", "lengths(words)", "[len(w) for w in words]"),),
    "join list": (
        Function("the words with spaces between", "sentence_of(words)", "' '.join(words)"),
        Function("the words with commas between", "comma_separated(words)", "','.join(words)"),
    ),
    "distinct": (Function("the number of different words", "count_different(words)", "len(set(words))"),),
    "member": (Function("True if a list has the number n", "has_number(numbers, n)", "n in numbers"),),
    "longest": (Function("the longest word of a list", "longest(words)", "max(words, key=len)"),),
    "all of list": (
        Function("True if all numbers are positive", "all_positive(numbers)", "all(n > 0 for n in numbers)"),
        Function("True if any number is negative", "any_negative(numbers)", "any(n < 0 for n in numbers)"),
    ),
    "range": (Function("the list of numbers from 1 to n", "numbers_to(n)", "list(range(1, n + 1))"),),
    "rest": (
        Function("a list without its first number", "without_first(numbers)", "numbers[1:]"),
        Function("a list without its last number", "without_last(numbers)", "numbers[:-1]"),
    ),
    "sort words": (Function("the words in alphabetical order", "alphabetical(words)", "sorted(words)"),),
    "range of values": (
        Function("the largest number less the smallest", "spread(numbers)", "max(numbers) - min(numbers)"),
    ),
    "capitals": (Function("a list of the words in capitals", "capitals(words)", "[w.upper() for w in words]"),),
    "initials": (Function("a list with the first letter of each word", "initials(words)", "[w[0] for w in words]"),),
}  # fmt: skip
"""The functions of each family."""
