"""Texts of 200 runs, recorded once: the same seeds draw the same tokens in every version.

python -m tests.test_recorded    records them anew, where a version may change the tokens of a seed
"""

import json
from itertools import product
from pathlib import Path

import numpy as np

from dyntemp import generate
from dyntemp.testing.models import FakeModel

RECORDED = Path(__file__).parent / "data" / "recorded_runs.json"
VOCABULARY, TOKENS = 5_000, 20
POLICIES = (
    "0", "0.8", "0.5 - 0.4*max_prob", "0.1 + 0.3*entropy", "lerp(0.3, 1.3, normalized_entropy**1.5)",
    "0.8 * 0.8**(1.5/entropy)", "where(margin < 0.05, 0.4, 0.9)", "clip(0.2*log(perplexity) + quantile(0.9), 0.05, 2)",
    "temperature_for_entropy(0.85*entropy)", "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)",
)  # fmt: skip
FILTERS = ({}, {"top_k": 40}, {"top_p": 0.9, "min_p": 0.02}, {"top_p": 0.95, "filter_at": "temperature"})
SEEDS = range(5)


def logits(tokens):
    """Noise that depends on how many tokens there are, so that one token that differs changes no other."""
    index = np.arange(VOCABULARY, dtype=np.uint64) + np.uint64(VOCABULARY * len(tokens))
    mixed = (index * np.uint64(2654435761) ^ index >> np.uint64(3)) * np.uint64(40503) % np.uint64(2**31)
    return -1.5 * np.log(-np.log((mixed + 0.5) / 2**31))


def runs():
    """The tokens of each run, by policy, filters and seed."""
    model = FakeModel([b"x"] * VOCABULARY, logits)
    return {
        f"{policy} | {json.dumps(filters)} | {seed}": " ".join(
            str(token.token) for token in generate(model, [0], policy, max_tokens=TOKENS, seed=seed, **filters)
        )
        for policy, filters, seed in product(POLICIES, FILTERS, SEEDS)
    }


def test_recorded_seeds_draw_the_same_tokens():
    """Rounding differs between processors, and decides one draw in 10,000 at most."""
    recorded, now = json.loads(RECORDED.read_text(encoding="utf-8")), runs()

    assert list(recorded) == list(now)
    differ = {run: (tokens, now[run]) for run, tokens in recorded.items() if tokens != now[run]}
    assert len(differ) <= 1, differ


def test_the_recorded_runs_are_worth_comparing():
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))

    assert len(recorded) == 200
    assert all(len(tokens.split()) == TOKENS for tokens in recorded.values())
    assert len(set(recorded.values())) > 100


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(runs(), indent=0) + "\n", encoding="utf-8")
