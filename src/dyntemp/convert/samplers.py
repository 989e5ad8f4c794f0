"""The filters of each program: their fields, the values there, and where a program's filter differs."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

FILTERS = ("top_k", "top_p", "min_p")


class Knob(NamedTuple):
    """One argument of a filter, as a field of a program.

    Attributes:
        field: Its name.
        own: The program's own value where none is given.
        off: A value at which the filter keeps everything.
        unit: What 1 in the field stands for in the filter's argument.
        beyond: From this argument on, the program leaves the filter out.
    """

    field: str
    own: float
    off: float
    unit: float = 1.0
    beyond: float = inf


Knobs = Mapping[str, tuple[Knob, ...]]
"""Names of filters -> the fields of their arguments, in their order."""


def _usual(top_k: float = 0, top_p: float = 1.0, min_p: float = 0.0) -> dict[str, tuple[Knob, ...]]:
    """Fields that every program names alike; each has its own value for them."""
    return {"top_k": (Knob("top_k", top_k, 0),), "top_p": (Knob("top_p", top_p, 1.0),),
            "min_p": (Knob("min_p", min_p, 0.0),)}  # fmt: skip


def _typical(field: str = "typical_p") -> dict[str, tuple[Knob, ...]]:
    return {"typical": (Knob(field, 1.0, 1.0, beyond=1.0),)}


def _xtc(threshold: float = 0.1) -> dict[str, tuple[Knob, ...]]:
    return {"xtc": (Knob("xtc_threshold", threshold, threshold), Knob("xtc_probability", 0.0, 0.0))}


def _cutoffs(unit: float = 1.0, beyond: float = 1.0) -> dict[str, tuple[Knob, ...]]:
    return {"epsilon": (Knob("epsilon_cutoff", 0.0, 0.0, unit, beyond),),
            "eta": (Knob("eta_cutoff", 0.0, 0.0, unit, beyond),)}  # fmt: skip


def _sigma(field: str = "top_n_sigma", off: float = 0.0) -> dict[str, tuple[Knob, ...]]:
    return {"top_n_sigma": (Knob(field, off, off),)}


TAILS = {"tfs": (Knob("tfs", 1.0, 1.0, beyond=1.0),), "top_a": (Knob("top_a", 0.0, 0.0),)}
IN_TEN_THOUSANDTHS = 1e-4

KNOBS: dict[str, Knobs] = {
    "llama.cpp": {**_usual(40, 0.95, 0.05), **_sigma(off=-1.0), **_typical(), **_xtc()},
    "koboldcpp": {**_usual(100, 0.92), **TAILS, **_sigma("nsigma"), **_typical("typical"), **_xtc(0.2)},
    "textgen": {**_usual(), **TAILS, **_sigma(), **_typical(), **_xtc(), **_cutoffs(IN_TEN_THOUSANDTHS)},
    "textgen-llama.cpp": {**_usual(), **_sigma(), **_typical(), **_xtc()},
    "exllamav2": {**_usual(), **TAILS, **_typical("typical"), **_xtc()},
    "exllamav3": {**_usual(), **_xtc()},
    "aphrodite": {**_usual(), **TAILS, **_sigma("nsigma"), **_typical(), **_xtc(), **_cutoffs(beyond=inf)},
    "sillytavern": {**_usual(), **TAILS, **_sigma("nsigma"), **_typical(), **_xtc(), **_cutoffs(IN_TEN_THOUSANDTHS)},
    "vllm": _usual(),
    "transformers": {**_usual(50), "top_h": (Knob("top_h", 1.0, 1.0, beyond=1.0),), **_typical(), **_cutoffs()},
    "openai": _usual(),
}
"""The filters of each program and their fields."""

LLAMA_ORDER = ("top_n_sigma", "top_k", "typical", "top_p", "min_p", "xtc", "temperature")
TEXTGEN_ORDER = (
    "top_n_sigma", "temperature", "dynamic_temperature", "top_k", "top_p", "typical", "epsilon", "eta", "tfs", "top_a",
    "min_p", "xtc",
)  # fmt: skip
TEXTGEN_STATIC = tuple(name for name in TEXTGEN_ORDER if name != "dynamic_temperature")
TEXTGEN_LAST = (*(name for name in TEXTGEN_STATIC if name != "temperature"), "temperature")
"""The order with one temperature, and that with `temperature_last`."""

TEXTGEN_BUILT = (
    "temperature", "top_k", "top_p", "min_p", "typical", "epsilon", "eta", "tfs", "top_a", "top_n_sigma", "xtc",
    "dynamic_temperature",
)  # fmt: skip
"""The order in which text-generation-webui makes its warpers, which holds among those that its list does not name."""

ORDERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "exllamav2": (
        ("temperature", "top_k", "top_p", "top_a", "min_p", "tfs", "typical", "xtc"),
        ("top_k", "top_p", "top_a", "min_p", "tfs", "typical", "temperature", "xtc"),
    ),
    "exllamav3": (("temperature", *FILTERS, "xtc"), (*FILTERS, "temperature", "xtc")),
    "aphrodite": (
        ("temperature", "top_n_sigma", "top_a", "tfs", "eta", "epsilon", "typical", "xtc", "min_p", "top_k", "top_p"),
        ("top_n_sigma", "top_a", "tfs", "eta", "epsilon", "typical", "xtc", "temperature", "min_p", "top_k", "top_p"),
    ),
    "vllm": (("temperature", "min_p", "top_k", "top_p"),),
    "transformers": (("temperature", "top_h", *FILTERS, "typical", "epsilon", "eta"),),
    "openai": (("temperature", *FILTERS),),
}  # fmt: skip
"""The fixed orders of a program; a second one is that with `temperature_last`."""

NAMES = {"typ_p": "typical", "typical_p": "typical", "epsilon_cutoff": "epsilon", "eta_cutoff": "eta"}
"""Names of samplers in programs' lists -> names of filters, where they differ."""

CROSSES = "{} leaves out the token that crosses the sum in {}, dyntemp keeps it"
OF_A_SAMPLE = "its top_n_sigma takes the deviation of a sample, larger by a share of 1/(2n) in a row of n"
SPARES = "its XTC leaves a row as it is where it would drop a line break or the end of the text"

DIFFERS: dict[str, dict[str, str]] = {
    "koboldcpp": {"tfs": "its tfs keeps one token fewer"},
    "textgen": {"xtc": SPARES},
    "exllamav2": {"top_p": CROSSES.format("exllamav2", "top_p"), "xtc": SPARES,
                  "typical": "its typical adds p to ln p, and leaves out the token that crosses the sum"},
    "exllamav3": {"top_p": CROSSES.format("exllamav3", "top_p"), "xtc": SPARES},
    "aphrodite": {"typical": CROSSES.format("aphrodite", "typical_p")},
    "transformers": {"top_h": "its top_h adds up -p ln p of at most 100 tokens without making their sum 1"},
}  # fmt: skip
"""Filters of programs that keep other tokens than dyntemp's."""

NOTES: dict[str, dict[str, str]] = {
    "koboldcpp": {"top_n_sigma": "it has nsigma since 2025, beside the temperature"},
    "textgen": {"top_n_sigma": f"{OF_A_SAMPLE}, with masked logits as 0"},
    "aphrodite": {
        "top_n_sigma": f"{OF_A_SAMPLE}; where logits are masked it filters nothing",
        "epsilon": "epsilon_cutoff is the probability itself in its V1 runner; its documentation says units of 1e-4",
        "eta": "eta_cutoff is epsilon itself in its V1 runner; its documentation says units of 1e-4",
    },
    "transformers": {"typical": "its typical_p keeps all tokens that are as near to the entropy as the last one"},
}
"""Small differences of programs' filters."""


def fields_of(program: str) -> tuple[str, ...]:
    """The fields of a program's filters."""
    return tuple(knob.field for knobs in KNOBS[program].values() for knob in knobs)
