"""The trace file of one run inside a host.

A host does not tell its seed, nor why a text ends: `finish` is `end` at a token that ends texts, and else None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from weakref import finalize

from dyntemp.distribution.filters import Filters
from dyntemp.engines.batch import Step
from dyntemp.engines.capabilities import Capabilities
from dyntemp.engines.sequence_record import SequenceRecord
from dyntemp.engines.vocabulary import Vocabulary
from dyntemp.errors import EngineError, TraceError
from dyntemp.kernels.job import NO_FILTERS
from dyntemp.language.policy import Policy
from dyntemp.models.versions import versions
from dyntemp.traces.file import TraceWriter
from dyntemp.traces.header import Header
from dyntemp.traces.settings import Settings
from dyntemp.zones.zone import listed

Record = str | Path | Callable[[Step], None]
"""The argument `record=` of adapters: the file of a trace, or a function that is called with each `Step`."""

TOLD = ("top_k", "top_p", "min_p", "filter_at", "requested", "zones", "alternatives")
"""Settings of a run that are known inside a host; `given` is in the records, since it may change while a text grows."""


def split_record(record: Record | None) -> tuple[Callable[[Step], None] | None, Path | None]:
    """The function that `record` is, and the file that it names; None for the one that it is not."""
    return (None, Path(record)) if isinstance(record, str | Path) else (record, None)


class HostTrace:
    """The trace file of one run of a host.

    Args:
        path: The file, which may not be there yet.
        capabilities: The adapter's record.
        vocabulary: The tokens of the model.
        model: Name of the model; by default the host's.
        zones: Zones of the user's own, as `parse_zone` reads them: one, or several.

    Attributes:
        path, vocabulary, model: The arguments; until a run begins, they may be replaced.

    Raises:
        TraceError: If the file is there.
    """

    def __init__(
        self, path: str | Path, capabilities: Capabilities, vocabulary: Vocabulary, model: str = "",
        zones: str | Sequence[str] = (),
    ) -> None:  # fmt: skip
        if Path(path).exists():
            raise TraceError(f"record={str(path)!r} was given, and this file is already there: name another one")
        self.path, self.vocabulary = Path(path), vocabulary
        self.model, self._engine, self._zones = model, capabilities.engine, listed(zones)
        self._writer: TraceWriter | None = None

    def begin(
        self, policy: Policy, prompts: Sequence[Sequence[int]], *, requested: float = 1.0,
        filters: Filters = NO_FILTERS, seed: int | None = None, first: int = 0,
    ) -> list[SequenceRecord]:  # fmt: skip
        """Write the header, and return the records of the texts, in the order of the prompts.

        Args:
            policy: The policy of all texts.
            prompts: The tokens of each prompt; empty where they are not known.
            requested: The temperature that was asked for.
            filters: The truncation of the draw.
            seed: The seed of the draws; None where the host draws.
            first: Position of the first record.

        Raises:
            EngineError: If the file holds another run.
            TraceError: If it cannot be written.
        """
        if self._writer is not None:
            raise EngineError(f"{self.path} holds one run already: give record= another file for the next one")
        settings = Settings(filters=filters, requested=requested, zones=self._zones)
        header = Header(
            model=self.model or self._engine,
            policy=str(policy),
            policy_name=policy.name,
            seed=seed or 0,
            prompts=[list(prompt) for prompt in prompts],
            settings=settings.to_json(TOLD),
            versions=versions(),
            started=datetime.now().astimezone().isoformat(timespec="seconds"),
            rendered=[self.vocabulary.text(prompt) for prompt in prompts],
            host=self._engine if seed is None else "",
        )
        self._writer = TraceWriter(self.path, header)
        finalize(self, self._writer.close)
        make = partial(
            SequenceRecord, self._writer.write, self.vocabulary, filters=filters, seed=seed or 0, first=first
        )
        return [make(number) for number in range(len(prompts))]

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        if self._writer is not None:
            self._writer.close()
