"""Rows and policies that attack a bound."""

from __future__ import annotations

import os
import random

import numpy as np

from dyntemp.errors import PolicyError
from dyntemp.language.policy import Policy
from dyntemp.sampling import measure

POLICIES, PAIRS = int(os.environ.get("DYNTEMP_EXAMPLES", "200")) // 10, 200
"""Random policies of an attack, and the pairs of rows that each is tried on."""


def random_rows(generator: np.random.Generator, count: int, n: int) -> np.ndarray:
    """Logits [count, n] from nearly uniform to nearly certain, some with ties."""
    rows = generator.normal(0, 1, (count, n)) * 10 ** generator.uniform(-1.5, 1.5, (count, 1))
    tied = generator.random(count) < 0.2
    rows[tied] = np.round(rows[tied])
    return rows


def untied(rows: np.ndarray) -> np.ndarray:
    """`rows` with their entries moved apart, for derivatives that differ from side to side at a tie."""
    return rows + 1e-3 * np.arange(rows.shape[-1])


def near(generator: np.random.Generator, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows at a random distance in a random direction, mostly to a corner of the cube, and the distances."""
    count, n = rows.shape
    corners, others = generator.choice([-1.0, 1.0], (count, n)), generator.normal(0, 1, (count, n))
    steps = np.where(generator.random((count, 1)) < 0.8, corners, others)
    steps[np.ptp(steps, axis=1) == 0, 0] *= -1  # a constant is no distance
    steps *= 10 ** generator.uniform(-5, 0.7, (count, 1))
    others = rows + steps
    moves = others - rows
    return others, (moves.max(axis=1) - moves.min(axis=1)) / 2


def two_levels(support: int, likely: int, masses: np.ndarray) -> np.ndarray:
    """Logits of rows in which `likely` entries share each mass, and the other entries the rest."""
    rows = np.zeros((len(masses), support))
    rows[:, :likely] = (np.log(masses / likely) - np.log((1 - masses) / (support - likely)))[:, None]
    return rows


ROW_SIGNALS = [
    "max_prob", "entropy", "normalized_entropy", "perplexity", "quantile(0.7)", "median_prob", "margin", "collision",
    "varentropy", "top_mass(2)", "support",
]  # fmt: skip


def random_text(rng: random.Random, depth: int) -> str:
    """An expression with numbers of the size that policies have."""
    if depth == 0:
        return rng.choice(ROW_SIGNALS)
    x, y = random_text(rng, depth - 1), random_text(rng, rng.randrange(depth))
    number = rng.choice([0.1, 0.3, 0.8, 1.0, 1.5, 2.0])
    return rng.choice([
        f"({x} + {y})", f"({x} - {y})", f"({x} * {y})", f"{number}*({x})", f"({x})/({number} + abs({y}))",
        f"{number}/({x})", f"abs({x})**{number}", f"{number}**({x})", f"exp(-{number}*({x}))", f"sqrt(abs({x}))",
        f"log({number} + abs({x}))", f"tanh({x})", f"sigmoid({x})", f"min({x}, {y}, {number})", f"max({x}, {y})",
        f"clip({x}, 0.1, {number})", f"lerp({number}, {x}, normalized_entropy)", f"abs({x} - {number})",
        f"where({rng.choice(ROW_SIGNALS)} < {number}, {x}, {y})", f"where(entropy > {number}, entropy, {number})",
    ])  # fmt: skip


def random_policies(count: int, seed: int) -> list[Policy]:
    """Policies that are accepted and read the row."""
    rng, found = random.Random(seed), []
    while len(found) < count:
        try:
            policy = Policy(f"abs({random_text(rng, rng.randint(1, 3))})")
        except PolicyError:
            continue
        if policy.signals:
            found.append(policy)
    return found


def temperatures(policy: Policy, rows: np.ndarray) -> np.ndarray:
    """The temperature of each row, from signals in float64."""
    return policy.step(measure(rows, *policy.signals))
