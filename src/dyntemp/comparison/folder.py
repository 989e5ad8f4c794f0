"""The folder of a comparison: its manifest, and a trace for each text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dyntemp.errors import TraceError
from dyntemp.models.versions import versions
from dyntemp.textfile import write_whole
from dyntemp.traces.file import Trace

FORMAT, VERSION = "dyntemp.comparison", 1
MANIFEST, TRACES = "manifest.json", "traces"
UNFINISHED = f"{MANIFEST}.*.partial"
DECIDING = ("dyntemp", "llama.cpp", "torch", "transformers")
"""Packages whose version may decide which tokens a seed draws."""


class Cell(NamedTuple):
    """One prompt with one seed, by their numbers."""

    prompt: int
    seed: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The inputs of a comparison; two runs with equal manifests write the same texts.

    Attributes:
        model: Name of the model.
        policies: Text and name of each policy; the first leads.
        prompts: Text, conversations or tokens.
        seeds: Seeds; each policy writes one text to each prompt with each.
        settings: The settings as the file has them; `Settings.from_json` reads them.
        versions: Versions of the packages that decide which tokens are drawn.
    """

    model: str
    policies: list[dict[str, str | None]]
    prompts: list[Any]
    seeds: list[int]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def cells(self) -> list[Cell]:
        """Every prompt with every seed."""
        return [Cell(prompt, seed) for prompt in range(len(self.prompts)) for seed in range(len(self.seeds))]

    def seed_of(self, cell: Cell) -> int:
        """The seed of a cell's draws, one for each pair of prompt and seed.

        The seed of the manifest alone would give all prompts the same noise, and prompts would not be independent.
        """
        words = np.random.SeedSequence([self.seeds[cell.seed], cell.prompt]).generate_state(1, np.uint64)
        return int(words[0])

    def differences(self, other: Manifest) -> list[str]:
        """The differences to another manifest, in words."""
        found = [] if self.model == other.model else [_told("model", other.model, self.model)]
        for name in ("policies", "prompts", "seeds"):
            found += _lists(name, getattr(other, name), getattr(self, name))
        for mine, theirs, every in (
            (self.settings, other.settings, self.settings.keys() | other.settings.keys()),
            (self.versions, other.versions, self.versions.keys() & other.versions.keys()),
        ):
            found += [
                _told(name, theirs.get(name), mine.get(name))
                for name in sorted(every)
                if mine.get(name) != theirs.get(name)
            ]
        return found

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The manifest at `path`.

        Raises:
            TraceError: If this dyntemp cannot read it.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("format") != FORMAT or data.pop("version") != VERSION:
                raise TraceError(f"{path} is of another format or version: update dyntemp")
            return cls(**data)
        except OSError as error:
            raise TraceError(f"{path} cannot be read: {error.strerror}") from None
        except TraceError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise TraceError(f"{path} is no manifest of a comparison ({error})") from None

    def write(self, path: Path) -> None:
        """Write it to `path`, whole or not at all."""
        data = {"format": FORMAT, "version": VERSION, **asdict(self)}
        write_whole(path, json.dumps(data, indent=1, ensure_ascii=False))

    def path(self, folder: Path, cell: Cell, policy: int) -> Path:
        """The path of the trace of a text."""
        counts = (len(self.prompts), len(self.seeds), len(self.policies))
        prompt, seed, one = (
            str(number).zfill(len(str(count - 1))) for number, count in zip((*cell, policy), counts, strict=True)
        )
        return folder / TRACES / f"prompt{prompt}-seed{seed}-policy{one}.jsonl"

    def missing(self, folder: Path) -> Iterator[Cell]:
        """The cells that are not written yet."""
        for cell in self.cells:
            if not all(_whole(self.path(folder, cell, policy)) for policy in range(len(self.policies))):
                yield cell


def _whole(path: Path) -> bool:
    """True if the trace is there and holds its text to the end."""
    try:
        *_, last = Trace.open(path)
    except (TraceError, ValueError):  # it is not there, damaged, or without a token
        return False
    return last.finish is not None


def begin(folder: Path, manifest: Manifest) -> None:
    """Make the folder of a comparison if it is not there.

    Raises:
        TraceError: If it holds another comparison or other files; the message says what differs.
    """
    path = folder / MANIFEST
    if path.exists():
        if differences := manifest.differences(Manifest.read(path)):
            raise TraceError(
                f"{folder} holds another comparison ({'; '.join(differences)}): ask for the same, or name another "
                "folder"
            )
    elif folder.exists() and (not folder.is_dir() or any(not entry.match(UNFINISHED) for entry in folder.iterdir())):
        raise TraceError(f"{folder} is there already, and is no comparison: name a folder that is new or empty")
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        manifest.write(path)
    (folder / TRACES).mkdir(exist_ok=True)


def deciding_versions() -> dict[str, str]:
    """The versions that a manifest names, of the packages that are loaded."""
    known = versions()
    return {name: known[name] for name in DECIDING if name in known}


def _lists(name: str, there: list[Any], here: list[Any]) -> list[str]:
    """The difference of two lists: of their lengths, else of the first entry that differs."""
    if len(there) != len(here):
        return [f"{len(there)} {name} there, {len(here)} here"]
    return [
        _told(f"{name}[{at}]", *pair) for at, pair in enumerate(zip(there, here, strict=True)) if pair[0] != pair[1]
    ][:1]


def _told(name: str, there: Any, here: Any) -> str:
    shown = (json.dumps(value, ensure_ascii=False) for value in (there, here))
    return "{}: {} there, {} here".format(name, *(one if len(one) <= 120 else f"{one[:117]}..." for one in shown))
