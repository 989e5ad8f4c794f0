"""Texts of a model at several static temperatures, for TURN, and the file that keeps them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from dyntemp.errors import TraceError
from dyntemp.generation.loop import Loop
from dyntemp.generation.prompts import Prompt, encode, prompts_of
from dyntemp.generation.request import Request
from dyntemp.models import Model, check_prompts
from dyntemp.models.versions import versions
from dyntemp.sampling import as_policy
from dyntemp.statistics.estimate import mean
from dyntemp.textfile import read_text
from dyntemp.traces.settings import Settings
from dyntemp.tune.turn import Text

AT_ONCE = 16
"""Texts that are written together."""

FORMAT, VERSION = "dyntemp.turn", 1


class Progress(NamedTuple):
    """How far the writing is: texts that are complete, of how many, and the tokens written since the start."""

    done: int
    texts: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The texts to write: `samples` at each temperature, spread evenly over the prompts.

    Attributes:
        prompts: Texts, conversations or lists of tokens.
        temperatures: Static temperatures, above 0.
        samples: Texts at each temperature, over all prompts together.
        max_tokens: Most tokens of a text.
        seed: 64-bit seed. Text k draws with the same noise at every temperature.
        system: Text of the system message; needs a chat template.
        chat: Whether text is put into the model's chat template; None does so where the model has one.

    Raises:
        ValueError: For values outside their range.
    """

    prompts: Sequence[Prompt]
    temperatures: Sequence[float]
    samples: int = 32
    max_tokens: int = 256
    seed: int = 0
    system: str | None = None
    chat: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompts", prompts_of(self.prompts))
        if not all(0 < t < float("inf") for t in self.temperatures):
            raise ValueError(f"the temperatures {list(self.temperatures)} were given; they lie above 0")
        for name in ("samples", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)} was given; whole numbers from 1 are allowed")

    def keys(self) -> list[tuple[float, int]]:
        """Temperature and number of every text, in the order in which they are written."""
        return [(t, number) for t in self.temperatures for number in range(self.samples)]

    def prompt_of(self, number: int) -> int:
        """The number of a text's prompt."""
        return number % len(self.prompts)

    def header(self, model: Model) -> dict[str, Any]:
        """The settings that decide a text, beside its temperature and number, as JSON has them."""
        return {
            "model": model.name, "prompts": json.loads(json.dumps(self.prompts)), "max_tokens": self.max_tokens,
            "seed": self.seed, "system": self.system, "chat": self.chat,
        }  # fmt: skip


def write_texts(
    model: Model, plan: Plan, done: Iterable[Text] = (), progress: Callable[[Progress], None] | None = None
) -> Iterator[Text]:
    """Write the texts of a plan that are not among `done`, and yield each when it is complete.

    Raises:
        ModelError, ValueError: Before the model runs, for prompts that it cannot begin with.
        InvalidLogitsError: During the run, for a broken row of logits.
    """
    prompts = [encode(model, prompt, plan.system, plan.chat) for prompt in plan.prompts]
    check_prompts(model, prompts)
    keys = plan.keys()
    known = {(text.temperature, text.number) for text in done}
    missing = [key for key in keys if key not in known]
    complete, tokens = len(keys) - len(missing), 0

    def tell() -> None:
        if progress:
            progress(Progress(complete, len(keys), tokens))

    tell()
    settings = Settings(seed=plan.seed, max_tokens=plan.max_tokens, alternatives=0)
    for temperature, group in groupby(missing, lambda key: key[0]):
        numbers = [number for _, number in group]
        for first in range(0, len(numbers), AT_ONCE):
            requests = [
                Request(prompt=prompts[plan.prompt_of(number)], policy=as_policy(temperature), settings=settings,
                        number=number, signals=())
                for number in numbers[first : first + AT_ONCE]
            ]  # fmt: skip
            for counted, entropies in _written(model, requests):
                tokens += counted
                for number, values in entropies.items():
                    complete += 1
                    yield Text(temperature, plan.prompt_of(number), number, len(values), float(mean(values) or 0.0))
                tell()


def _written(model: Model, requests: Sequence[Request]) -> Iterator[tuple[int, dict[int, list[float]]]]:
    """Write these requests. Yields for each step its tokens, and the entropies of the texts that it completed."""
    loop = Loop(model)
    entropies: dict[int, list[float]] = {request.number: [] for request in requests}
    try:
        loop.add(requests)
        while loop.live:
            ready, complete = loop.step(), {}
            for _, token in ready:
                entropies[token.request].append(token.entropy_after)
                if token.finish is not None:
                    complete[token.request] = entropies.pop(token.request)
            yield len(ready), complete
    finally:
        loop.close()


class TextFile:
    """A file of texts: a header line, then a JSON line for each text, written when the text is complete.

    Attributes:
        texts: The texts that it held when it was opened.

    Raises:
        TraceError: If the file holds something else, or texts of another model or of other prompts or settings.
    """

    def __init__(self, path: str | Path, header: Mapping[str, Any]) -> None:
        place = Path(path)
        try:
            self.texts = _read(place, header) if place.exists() else []
            self._file = place.open("a" if self.texts else "w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise TraceError(f"{path} cannot be opened: {error.strerror}") from None
        if not self.texts:
            self._write({"format": FORMAT, "version": VERSION, **header, "versions": versions()})

    def add(self, text: Text) -> None:
        """Append a text."""
        self._write(text._asdict())

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def _read(path: Path, header: Mapping[str, Any]) -> list[Text]:
    """The texts of a file; a last line that was cut off is dropped, and cut off the file.

    Raises:
        TraceError: See `TextFile`.
    """
    try:
        whole, _, rest = read_text(path).rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        if not lines and not rest:
            return []
        first = lines[0]
        if (first.pop("format"), first.pop("version")) != (FORMAT, VERSION):
            raise TraceError(f"{path} is of another format or version: name another file")
        texts = [Text(**line) for line in lines[1:]]
    except TraceError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise TraceError(f"{path} holds no texts of `dyntemp turn` ({error}): name another file") from None
    for name, value in header.items():
        if first.get(name) != value:
            raise TraceError(
                f"{path} holds texts with another {name} ({first.get(name)!r:.80} there, {value!r:.80} here): ask for "
                "the same, or name another file"
            )
    if rest:
        path.write_text(whole + "\n", encoding="utf-8")
    return texts
