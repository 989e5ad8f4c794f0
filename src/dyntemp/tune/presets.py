"""Presets: tuned policies that are shipped, each as the file of a policy has it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from dyntemp.generation.policies import read_given
from dyntemp.generation.policy_file import PolicyFile

FILE = "presets.json"
"""The file beside this one: name -> object as `PolicyFile.to_json` writes it."""


@cache
def presets() -> dict[str, PolicyFile]:
    """The presets by name, with their filters and their provenance."""
    data = json.loads(files("dyntemp.tune").joinpath(FILE).read_text(encoding="utf-8"))
    return {name: read_given(one) for name, one in data.items()}
