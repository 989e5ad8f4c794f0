"""Files of learning that the tests of the page share: networks and curves that move from round to round."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import numpy as np

QUANTILES = {
    "entropy": [0, 0.04, 0.21, 0.55, 0.98, 1.52, 2.17, 3.2, 7.4],
    "max_prob": [0.04, 0.21, 0.34, 0.47, 0.62, 0.79, 0.93, 0.99, 1],
    "margin": [0, 0.05, 0.14, 0.28, 0.47, 0.7, 0.88, 0.98, 1],
    "top_mass(5)": [0.11, 0.55, 0.71, 0.82, 0.9, 0.96, 0.99, 1, 1],
    "position": [0, 11, 23, 35, 47, 59, 71, 83, 95],
}
BOUNDS = [0.1, 3.0]
ANCHOR = 0.9
FORMS = {
    "network": None,
    "curve": "clip(0.9 + {a}*clip(entropy/2, 0, 1) - {b}*clip((entropy - 2)/3, 0, 1), 0.1, 3)",
    "template": "clip({a} + 0.9 - {b}*max_prob*ema(max_prob, 0.9), 0.1, 3)",
}


def network(random: np.random.Generator, units: int, signals: list[str]) -> dict[str, np.ndarray]:
    """The weights of a network of `units` tanh units over `signals`, and the direction in which they move."""
    shapes = {"out": (units,), "shift": (units,), "weights": (units, len(signals))}
    return {name: random.normal(0, 1, shape) for name, shape in shapes.items()}


def policy_of(weights: dict[str, np.ndarray], share: float, signals: list[str]) -> str:
    """The text of the network, `share` of the way from one temperature for all to its last weights."""
    scales = {name: (QUANTILES[name][4], QUANTILES[name][6] - QUANTILES[name][2]) for name in signals}
    units = []
    for out, shift, row in zip(share * weights["out"], weights["shift"], weights["weights"], strict=True):
        parts = [f"{w:.4g}*({name} - {scales[name][0]:.3g})/{scales[name][1]:.3g}"
                 for name, w in zip(signals, row, strict=True)]  # fmt: skip
        units.append(f"{out:.4g}*tanh({shift:.4g} + {' + '.join(parts)})")
    return f"clip({ANCHOR}*exp({' + '.join(units)}), {BOUNDS[0]}, {BOUNDS[1]})".replace("+ -", "- ")


def learning(
    *, shape: str = "network", seeds: int = 3, rounds: int = 30, units: int = 8, signals: int = 5, **fields: Any
) -> dict[str, Any]:
    """A trace of learning as `dyntemp learn` writes it; `fields` replace its own."""
    names = {"network": list(QUANTILES)[:signals], "curve": ["entropy"], "template": ["max_prob"]}[shape]
    made = {
        "format": "dyntemp.learning", "version": 1, "model": "transformers:smollm2", "task": "fluency",
        "metric": "distinct@8", "shape": shape, "bounds": BOUNDS, "filters": "min_p(0.05)", "anchor": ANCHOR,
        "signals": {name: QUANTILES[name] for name in names},
        "runs": [run(seed, rounds, shape, units, names) for seed in range(seeds)],
        "sentence": "The learned policy was not better than the static temperature 0.9 on new items.",
    }  # fmt: skip
    return deepcopy(made | fields)


def run(seed: int, rounds: int, shape: str, units: int, names: list[str]) -> dict[str, Any]:
    """The rounds of one seed: each moves the weights a little further."""
    random = np.random.default_rng(seed)
    weights = network(random, units, names)
    found = []
    for at in range(rounds):
        share = at / max(rounds - 1, 1)
        form = FORMS[shape]
        a, b = 0.6 * share * (1 + 0.2 * seed), 1.5 * share
        text = policy_of(weights, share, names) if form is None else form.format(a=f"{a:.4g}", b=f"{b:.4g}")
        found.append(
            {"round": at, "texts": 192 * (at + 1), "policy": text,
             "score": float(3.2 + 0.7 * share + random.normal(0, 0.12)), "temperature": ANCHOR + 0.07 * share,
             "spread": 0.2 * share, "at_bound": max(0.0, share - 0.6) / 6}
        )  # fmt: skip
    return {"seed": seed, "rounds": found, "chosen": None if not rounds or seed == 1 else max(rounds - 2, 0)}


def learning_text(**settings: Any) -> str:
    """The text of the file of `learning`."""
    return json.dumps(learning(**settings), indent=1) + "\n"
