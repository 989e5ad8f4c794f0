"""Recordings of a model, made once and kept in the user's cache; those of the bundled model are shipped."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dyntemp.generation.loop import Loop
from dyntemp.generation.prompts import encode
from dyntemp.generation.request import Request
from dyntemp.language.nodes import Signal
from dyntemp.language.policy import Policy
from dyntemp.language.signals import SIGNALS
from dyntemp.models import BUNDLED, Model
from dyntemp.theory.recordings import Recordings
from dyntemp.traces.row_record import RECORDED
from dyntemp.traces.settings import Settings
from dyntemp.traces.token import Token

TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.2, 1.4, 1.7, 2.2, 4.0)
"""Temperatures of the recorded texts: close where a text begins to heat itself, and up to where it is noise."""

TOKENS = 60
"""Tokens of a recorded text; fewer where the model ends it."""

ALTERNATIVES = 20
"""Entries of a row that are kept one by one; the others are kept in bins."""

AT_ONCE = 54
"""Texts that are written in one batch, which bounds the memory."""

PROMPTS = (
    "Write a short story about a fox who finds a key.",
    "Explain why the sky is blue.",
    "Give me a recipe for vegetable soup.",
    "What should I see on a weekend in Lisbon?",
    "Write a Python function that reverses a string, and explain it.",
    "Summarise the causes of the First World War.",
    "Write a letter to my landlord about a broken heater.",
    "List five ideas for a birthday party.",
    "How do plants make sugar from light?",
    "Describe a quiet morning by the sea.",
    "What is the difference between a virus and a bacterium?",
    "Write a dialogue between a teacher and a curious child.",
)
"""Prompts of the recorded texts; each has one text at each temperature."""

SHIPPED = Path(__file__).with_name("smollm2.npz")
"""Recordings of the bundled model, made by `python evidence/theory/run.py record`."""

Progress = Callable[[int, int], object]
"""Called with the number of tokens that are written, and the number that will be at most."""


def write_texts(
    model: Model,
    policies: Sequence[Policy],
    prompts: Sequence[str],
    *,
    tokens: int = TOKENS,
    seed: int = 0,
    signals: Sequence[Signal] = (),
    alternatives: int = 0,
    progress: Progress = lambda done, all_of_them: None,
) -> list[list[list[Token]]]:
    """A text to each prompt under each policy, in large batches, [policies][prompts][tokens].

    Every text has a request number of its own, so that no two draw with the same noise. `signals` are recorded beside
    those of the policies, and `alternatives` is how many entries of a row are kept one by one; with 0, no row is kept.
    """
    jobs = [(policy, encode(model, prompt)) for policy in policies for prompt in prompts]
    texts: list[list[Token]] = [[] for _ in jobs]
    settings = Settings(seed=seed, max_tokens=tokens, alternatives=alternatives)
    most, done = len(jobs) * tokens, 0
    for first in range(0, len(jobs), AT_ONCE):
        loop = Loop(model)
        loop.add(
            [
                Request(prompt=prompt, policy=policy, settings=settings, number=number, signals=tuple(signals))
                for number, (policy, prompt) in list(enumerate(jobs))[first : first + AT_ONCE]
            ]
        )
        try:
            while loop.live:
                step = loop.step()
                for _, token in step:
                    texts[token.request].append(token)
                done += len(step)
                progress(done, most)
        finally:
            loop.close()
    return [texts[at : at + len(prompts)] for at in range(0, len(texts), len(prompts))]


def record(
    model: Model, signals: Sequence[Signal] = (), progress: Progress = lambda done, all_of_them: None
) -> Recordings:
    """Texts of `model` to `PROMPTS` at `TEMPERATURES`.

    Args:
        model: The model.
        signals: Signals to record beside those that need no argument.
        progress: Called after each step.
    """
    policies = [Policy(temperature) for temperature in TEMPERATURES]
    groups = write_texts(
        model, policies, PROMPTS, signals=(*RECORDED, *signals), alternatives=ALTERNATIVES, progress=progress
    )
    heats = [temperature for temperature in TEMPERATURES for _ in PROMPTS]
    return Recordings.of(model.name, [text for group in groups for text in group], heats)


def recordings_for(
    name: str, policy: Policy, load: Callable[[], Model], progress: Progress = lambda done, all_of_them: None
) -> Recordings:
    """The recordings of a model that `policy` can be judged by.

    Args:
        name: The model as `load_model` takes it.
        policy: The policy; signals that it reads and that take arguments are recorded too.
        load: Loads the model, where it has to write texts.
        progress: Called after each step of the writing.
    """
    signals = tuple(s for s in policy.signals if s not in RECORDED and SIGNALS[s.name].source != "context")
    if name == BUNDLED and not signals:
        return Recordings.load(SHIPPED)
    path = _cached(name, signals)
    if path.exists():
        return Recordings.load(path)
    found = record(load(), signals, progress)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.npz")
    found.save(part)
    part.replace(path)
    return found


def _cached(name: str, signals: Sequence[Signal]) -> Path:
    """The file of a model's recordings; a file with other contents, or other settings, has another."""
    path = Path(name)
    state = [path.resolve().as_posix(), path.stat().st_size, path.stat().st_mtime_ns] if path.exists() else [name]
    key = [*state, PROMPTS, TEMPERATURES, TOKENS, ALTERNATIVES, *map(str, signals)]
    return cache_folder() / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:24]}.npz"


def cache_folder() -> Path:
    """The folder of recordings in the user's cache, by the conventions of the system."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dyntemp" / "recordings"
