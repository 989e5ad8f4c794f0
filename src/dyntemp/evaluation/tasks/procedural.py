"""Questions made by rule, each with one number as its answer: arithmetic, and counting letters.

All questions of a task are enumerated, and each belongs to a split by its content: the same operands in any order, or
the same letter and words. Questions in tune, val and test: add 32, 40, 104; mul 26, 15, 48; gcd 83, 109, 197; lcm 22,
49, 62; letters about 460, 500, 1010; chain_sum some thousands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle, islice, product, starmap
from typing import NamedTuple

from dyntemp.evaluation.task import SPLITS, WRONG, Item, Score, Split, listed_score
from dyntemp.evaluation.tasks.splits import digest, first_items, split_of

NUMBER = re.compile(r" ?-?\d+\.?")
"""The form of an answer, right or wrong."""


class Question(NamedTuple):
    """A question.

    Attributes:
        text: The question.
        answer: Its answer.
        content: The content by which it belongs to a split; questions of one content differ in form only.
        cluster: Its cluster; see `Item`.
    """

    text: str
    answer: int
    content: str
    cluster: str


@dataclass
class Procedural:
    """A task of questions with a number as the answer, six solved ones in front of each; see `Task`.

    Args:
        name: The name of the task.
        about: A sentence about it.
        questions: Makes all questions.
        shots: The solved questions; no item has the content of one of them.
    """

    name: str
    about: str
    questions: Callable[[], Iterable[Question]]
    shots: Sequence[Question]

    group: str = field(default="reasoning", init=False)
    metric: str | None = field(default="pass@8", init=False)

    def items(self, split: Split, count: int, seed: int = 0) -> list[Item]:
        """The first `count` questions of a split, in an order that the seed decides; see `Task.items`.

        Raises:
            ValueError: If the split has fewer questions.
        """
        return first_items(self.name, split, self._items[split], count, seed)

    def score(self, item: Item, text: str) -> Score:
        """The score of an answer: valid if it is a whole number, perhaps with a full stop."""
        score = listed_score(item, text)
        return WRONG._replace(valid=NUMBER.fullmatch(text) is not None) if score == WRONG else score

    @cached_property
    def _items(self) -> dict[Split, list[Item]]:
        """All items of each split."""
        shown = {shot.content for shot in self.shots}
        solved = "".join(f"Question: {shot.text}\nAnswer: {shot.answer}\n\n" for shot in self.shots)
        found: dict[Split, list[Item]] = {split: [] for split in SPLITS}
        for question in dict.fromkeys(self.questions()):  # some texts of letters are made twice
            if question.content not in shown:
                found[split_of(f"{self.name} {question.content}")].append(self._item(question, solved))
        return found

    def _item(self, question: Question, solved: str) -> Item:
        answer = str(question.answer)
        return Item(
            id=f"{self.name}: {question.text}",
            cluster=question.cluster,
            prompt=f"{solved}Question: {question.text}\nAnswer:",
            max_tokens=8,
            stop=("\n",),
            answers={f" {answer}": answer, f" {answer}.": answer},
        )


def _about(text: str, answer: int, *operands: int) -> Question:
    """A question about numbers, which belongs to the split and the cluster of its operands in any order."""
    content = " ".join(map(str, sorted(operands)))
    return Question(text, answer, content, cluster=content)


def _add(a: int, b: int, sign: str) -> Question:
    return _about(f"Calculate {a} {sign} {b}.", a + b if sign == "+" else a - b, a, b)


def _mul(a: int, b: int) -> Question:
    return _about(f"Solve the following multiplication: {a} * {b}. Give only the result.", a * b, a, b)


def _gcd(a: int, b: int) -> Question:
    return _about(f"Find the Greatest Common Divisor (GCD) of these numbers: {a}, {b}.", math.gcd(a, b), a, b)


def _lcm(a: int, b: int) -> Question:
    return _about(f"Find the Least Common Multiple (LCM) of these numbers: {a}, {b}.", math.lcm(a, b), a, b)


def _chain_sum(a: int, b: int, sign: str) -> Question:
    question = _add(a, b, sign)
    return question._replace(text=f"State the final answer to the following arithmetic problem: {a} {sign} {b} =")


def _letters(letter: str, *words: str) -> Question:
    text = " ".join(words)
    return Question(
        f'How many times does the letter "{letter}" appear in the text: "{text}"?',
        text.count(letter),
        content=" ".join([letter, *sorted(words)]),
        cluster=letter,
    )


WORDS = """
    able above across action active after again agree allow almost alone along always among animal another answer
    anyone appear apple around arrive attack author autumn baby balance banana become before begin behind believe
    below beneath beside better between beyond book borrow bottle bottom branch bread bridge bright bring broken
    brother build business butter button camera cannot capital careful carry castle center certain chance change
    cheese choose circle clear climb close coffee collect color common company complete cool corner correct cotton
    country course cover create crowd current danger daughter decide deep degree deliver desert different dinner
    direction discover distance doctor dollar double dream driver during early earth effect effort eleven empty
    engine enjoy enough evening every example except expect family farmer father feeling fellow fifteen figure
    finger finish flower follow forest forget forward freedom friend future garden gather general gentle given glass
    govern green ground happen happy harbor heavy hello hidden history hollow honest horse hotel hundred imagine
    indeed inside instead island itself journey judge kitchen knee ladder language large laugh leather lesson letter
    level library little lonely machine manner market matter meadow measure meeting member memory message middle
    million minute mirror modern moment money morning mother mountain narrow nature needle neighbor never nothing
    notice number object ocean office often onion open orange other outside paper parade parent passage pattern
    pepper perhaps picture pillow planet please pocket pool possible pretty problem proper puzzle quarter question
    quickly rabbit rather really reason remember repeat rescue result return river rubber sailor school science
    season second sentence seven shadow shoulder silver simple sister sleep slowly smooth soldier someone speech
    spirit spoon spring station steel stood story street student succeed sudden summer supper surface sweet system
    table teacher temper terrible thirteen thousand through ticket together tomorrow toward travel tunnel twenty
    umbrella under until useful valley vessel village visitor voice voyage wagon water weather welcome whether
    window winter wisdom without wonder wooden yellow yesterday young"""
"""The words that letters are counted in."""

ROUNDS = 16
"""The words are cut into texts this many times, each time in another order."""


def _all_letters() -> Iterator[Question]:
    """Texts of one to four of the words, each with a letter that it has."""
    for number in range(ROUNDS):
        mixed = sorted(WORDS.split(), key=lambda word: digest(f"{number} {word}"))
        words, sizes = iter(mixed), cycle((1, 2, 3, 4))
        while text := tuple(islice(words, next(sizes))):
            letters = sorted(set("".join(text)))
            yield _letters(letters[digest(f"{number} {text}") % len(letters)], *text)


PROCEDURAL: tuple[Procedural, ...] = (
    Procedural(
        "add", "The sum or the difference of two digits.",
        lambda: starmap(_add, product(range(10), range(10), "+-")),
        [_add(4, 1, "-"), _add(1, 5, "+"), _add(5, 9, "-"), _add(7, 8, "+"), _add(6, 0, "+"), _add(9, 3, "-")],
    ),
    Procedural(
        "mul", "The product of two digits.",
        lambda: starmap(_mul, product(range(10), repeat=2)),
        [_mul(4, 1), _mul(5, 9), _mul(8, 0), _mul(6, 2), _mul(3, 7), _mul(9, 9)],
    ),
    Procedural(
        "gcd", "The greatest common divisor of two numbers up to 20.",
        lambda: starmap(_gcd, product(range(1, 21), repeat=2)),
        [_gcd(4, 16), _gcd(3, 3), _gcd(12, 20), _gcd(10, 4), _gcd(12, 11), _gcd(18, 3)],
    ),
    Procedural(
        "lcm", "The least common multiple of two numbers up to 12.",
        lambda: starmap(_lcm, product(range(1, 13), repeat=2)),
        [_lcm(10, 2), _lcm(2, 2), _lcm(6, 10), _lcm(2, 1), _lcm(12, 6), _lcm(3, 4)],
    ),
    Procedural(
        "chain_sum", "The sum or the difference of two numbers below 100.",
        lambda: starmap(_chain_sum, product(range(100), range(100), "+-")),
        [_chain_sum(4, 1, "-"), _chain_sum(23, 60, "-"), _chain_sum(98, 93, "+"), _chain_sum(43, 14, "+"),
         _chain_sum(6, 0, "+"), _chain_sum(58, 26, "-")],
    ),
    Procedural(
        "letters", "How often a letter occurs in one to four words.",
        _all_letters,
        [_letters("n", "hundred", "thousand"), _letters("c", "constitution"), _letters("h", "free", "the"),
         _letters("e", "the", "evening", "sleep"), _letters("o", "of", "the", "scientific", "world"),
         _letters("i", "States", "with")],
    ),
)  # fmt: skip
"""The tasks."""
