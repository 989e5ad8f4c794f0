"""The description of a study: from a TOML file and options to one record, and its digest."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from dyntemp.errors import StudyError
from dyntemp.evaluation.families import CHAINS, Family, chosen, published
from dyntemp.evaluation.task import SPLITS, Split
from dyntemp.generation.policies import read_given
from dyntemp.language.signals import suggestion
from dyntemp.models import BUNDLED
from dyntemp.textfile import read_text

ALL = "all"
"""The word for every method, or every filter."""

OF_TASK = ("budget", "items", "samples")
"""The settings that a task may have of its own."""

COMPARED = ("methods", "filters", "policies")
"""The fields that name what is compared. Where one is given, the tier adds nothing to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDesign:
    """The size of one task.

    Attributes:
        budget: Configurations of each family.
        items: Items of each split.
        samples: Texts per item of each split.
    """

    budget: int
    items: Mapping[Split, int]
    samples: Mapping[Split, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySettings:
    """The settings that decide the figures of a study.

    Attributes:
        model: Name of the model, as `load_model` takes it, or as a server calls it.
        tasks: Names of tasks.
        methods: Names of published methods and of sign-free templates; `all` for every one.
        filters: Names of filters that run beside a static temperature; `all` for every one.
        policies: Policies of one's own, or the JSON of their files; parameters with ranges are drawn.
        budget: Configurations of each family.
        kept: Configurations of each family that go from tune to val.
        finalists: Families that go from val to test, for each task.
        items: Items of each split.
        samples: Texts per item of each split.
        task: Numbers of single tasks where they differ: task -> `budget` -> number, and task -> `items` or `samples` ->
            split -> number.
        seed: Seed of configurations, items and noise.
    """

    model: str = BUNDLED
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    budget: int = 16
    kept: int = 3
    finalists: int = 8
    items: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 12))
    samples: Mapping[str, int] = field(default_factory=lambda: {"tune": 8, "val": 32, "test": 16})
    task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.tasks:
            raise StudyError('no task was given: write tasks = ["fluency"], or --task fluency')
        for name in ("budget", "kept", "finalists"):
            check_whole(name, getattr(self, name), 1)
        check_whole("seed", self.seed, 0)
        for name in ("items", "samples"):
            check_sizes(name, getattr(self, name))
        for task, sizes in self.task.items():
            check_names(f"[task.{task}]", sizes, OF_TASK)
            if task not in self.tasks:
                raise StudyError(f"[task.{task}] was given; the tasks are {', '.join(self.tasks)}")
            for name, number in sizes.items():
                check = check_whole if name == "budget" else check_sizes
                check(f"task.{task}.{name}", number, 1)

    def of(self, task: str) -> TaskDesign:
        """The size of a task: its own numbers, else those of all tasks."""
        own = self.task.get(task, {})
        items, samples = ({**getattr(self, name), **own.get(name, {})} for name in ("items", "samples"))
        return TaskDesign(
            budget=own.get("budget", self.budget),
            items={split: items[split] for split in SPLITS},
            samples={split: samples[split] for split in SPLITS},
        )

    def families(self) -> list[Family]:
        """The families that are compared, the controls first.

        Raises:
            ValueError: For an unknown name, a policy that cannot be read, or a family that is named twice.
        """
        methods = tuple(published()[0]) if self.methods == (ALL,) else self.methods
        filters = tuple(CHAINS) if self.filters == (ALL,) else self.filters
        found = chosen(methods, filters, [read_given(text) for text in self.policies])
        names = [family.name for family in found]
        if twice := [name for name in names if names.count(name) > 1]:
            raise StudyError(f"the family {twice[0]!r} was given twice: name it once")
        return found

    def to_json(self) -> dict[str, Any]:
        """A JSON object, as a study file has it."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hexadecimal."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def read(cls, given: Mapping[str, Any], tier: str = "short") -> Self:
        """The settings of a tier with those that were given in their place.

        Args:
            given: Settings by name; lists may stand for tuples. `items` and `samples` may name some of the splits.
            tier: `smoke`, `short` or `long`.

        Raises:
            ValueError: For an unknown name or tier, or a value that does not fit.
        """
        if tier not in TIERS:
            raise StudyError(f"the tier {tier!r} was given; there are {', '.join(TIERS)}{suggestion(tier, TIERS)}")
        kinds = {one.name: one.type for one in fields(cls)}
        check_names("the study", given, kinds)
        base: dict[str, Any] = dict(TIERS[tier])
        if any(given.get(name) for name in COMPARED):
            base = {name: value for name, value in base.items() if name not in COMPARED}
        settings: dict[str, Any] = {}
        for name, value in given.items():
            if str(kinds[name]).startswith("tuple"):
                settings[name] = read_texts(name, value)
            elif name in ("items", "samples"):
                check_sizes(name, value)
                settings[name] = {**base[name], **value}
            elif name == "task" and not isinstance(value, Mapping):
                raise StudyError(f"task = {value!r} was given; write a table [task.NAME], and names into tasks")
            else:
                settings[name] = value
        both = {"tasks": ("fluency",), **base, **settings}
        own = {name: sizes for name, sizes in base.get("task", {}).items() if name in both["tasks"]}
        return cls(**{**both, "task": {**own, **settings.get("task", {})}})


def read_study(path: str | Path) -> dict[str, Any]:
    """The settings in a TOML file, as `StudySettings.read` takes them; `tier` may be among them.

    Raises:
        ValueError: If it is no TOML.
    """
    try:
        return tomllib.loads(read_text(path))
    except ValueError as error:
        raise StudyError(f"{path}: {error}") from None


TIERS: dict[str, dict[str, Any]] = {
    "smoke": {
        "tasks": ("fluency", "add"),
        "methods": ("dynatemp", "edt", "free curve"),
        "budget": 8,
        "kept": 1,
        "finalists": 2,
        "items": {"tune": 4, "val": 8, "test": 12},
        "samples": {"tune": 8, "val": 8, "test": 8},
    },
    "short": {
        "tasks": ("fluency", "letters", "code"),
        "methods": (ALL,),
        "filters": (ALL,),
        "budget": 16,
        "kept": 1,
        "finalists": 6,
        "items": {"tune": 8, "val": 8, "test": 20},
        "samples": {"tune": 8, "val": 16, "test": 32},
    },
    "long": {
        "tasks": ("fluency", "letters", "code", "instructions", "stories"),
        "methods": (ALL,),
        "filters": (ALL,),
        "budget": 64,
        "kept": 4,
        "finalists": 12,
        "items": {"tune": 12, "val": 8, "test": 20},
        "samples": {"tune": 8, "val": 64, "test": 128},
        "task": {"stories": {"items": {"tune": 8}}},
    },
}
"""The tiers: a first look, a study whose tune split is mostly computed, and one of all groups of tasks."""


def check_names(place: str, given: Mapping[str, Any], names: Any) -> None:
    """Refuse what is no table, or has other names."""
    if not isinstance(given, Mapping):
        raise StudyError(f"{place}: {given!r} was given; a table is expected")
    for name in given:
        if name not in names:
            raise StudyError(f"{place} has no setting {name!r}; there are {', '.join(names)}{suggestion(name, names)}")


def check_whole(name: str, value: Any, least: int) -> None:
    """Refuse what is no whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise StudyError(f"{name} = {value!r} was given; a whole number of at least {least} is allowed")


def check_sizes(name: str, numbers: Any, least: int = 1) -> None:
    """Refuse what is no table from splits to whole numbers."""
    check_names(name, numbers, SPLITS)
    for split, number in numbers.items():
        check_whole(f"{name}.{split}", number, least)


def read_texts(name: str, value: Any) -> tuple[str, ...]:
    """The texts of a list, or one text."""
    if isinstance(value, str):
        value = (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise StudyError(f'{name} = {value!r} was given; a list of texts is expected, such as ["first", "second"]')
    return tuple(dict.fromkeys(value))
