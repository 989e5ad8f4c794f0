"""The noise: the published answers, and the same numbers from the compiled kernel."""

import numpy as np
import pytest

from dyntemp.distribution.noise import Purpose, philox, uniform
from dyntemp.kernels.cpu.arguments import Key
from dyntemp.kernels.cpu.draw import uniform as compiled_uniform

ANSWERS = [  # of Random123's kat_vectors, philox4x32 with 10 rounds
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return tuple(int(word, 16) for word in text.split())


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS, ids=["zeros", "ones", "digits of pi"])
def test_known_answers(counter, key, answer):
    assert words(answer) == philox(words(counter), words(key))


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS, ids=["zeros", "ones", "digits of pi"])
def test_the_compiled_numbers_are_the_known_answers(counter, key, answer):
    request, position, attempt, purpose = words(counter)
    low, high = words(key)
    first, second, _, _ = words(answer)

    key = Key(np.uint64(high << 32 | low), np.int64(request), np.int64(position))
    found = compiled_uniform(key, attempt, purpose)

    assert found == ((first << 32 | second) >> 11) * 2.0**-53 + 2.0**-54


def test_both_give_the_same_numbers():
    rng = np.random.default_rng(1)
    for _ in range(2_000):
        seed = int(rng.integers(0, 2**64, dtype=np.uint64))
        request, position = (int(rng.integers(0, 2**32)) for _ in range(2))
        attempt, purpose = int(rng.integers(0, 17)), Purpose(int(rng.integers(0, 3)))

        assert uniform(seed, request, position, attempt, purpose) == compiled_uniform(
            Key(np.uint64(seed), np.int64(request), np.int64(position)), attempt, int(purpose)
        )


@pytest.mark.parametrize("part", ["seed", "high seed", "request", "position", "draw", "purpose"])
def test_every_part_of_the_name_changes_the_number(part):
    name = {"seed": 7, "request": 1, "position": 2, "draw": 3, "purpose": Purpose.BLOCK}
    changed = {"high seed": {"seed": 7 + 2**32}, "purpose": {"purpose": Purpose.PICK}}.get(part) or {
        part: name[part] + 1
    }

    assert uniform(*name.values()) != uniform(*(name | changed).values())


def test_the_ends_are_open():
    """The largest word rounds to 1 only where 53 bits were not kept apart from the half."""
    assert (2**53 - 1) * 2.0**-53 + 2.0**-54 <= 1.0
    numbers = [uniform(seed, 0, 0, 0, Purpose.BLOCK) for seed in range(20_000)]

    assert 0 < min(numbers) < 1e-3
    assert 1 - 1e-3 < max(numbers) < 1


def test_numbers_are_uniform_and_unrelated():
    stats = pytest.importorskip("scipy.stats")
    numbers = np.array([[uniform(5, r, t, 0, Purpose.BLOCK) for r in range(100)] for t in range(200)])

    assert stats.kstest(numbers.ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(numbers[:, :-1].ravel(), numbers[:, 1:].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1]) < 0.03
