"""The trace of one `generate()` of transformers: a text for each row, whose tokens a stopping criterion tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import dropwhile
from pathlib import Path
from typing import Any

from dyntemp.distribution.filters import Filters
from dyntemp.engines.capabilities import Capabilities
from dyntemp.engines.host_trace import HostTrace
from dyntemp.engines.sequence_record import SequenceRecord
from dyntemp.engines.vocabulary import Vocabulary
from dyntemp.errors import EngineError
from dyntemp.kernels.job import NO_FILTERS
from dyntemp.language.policy import Policy


class GenerateTrace:
    """The trace of one `generate()`.

    A logits processor learns a token with the next step, and never the last one. So `watch` has to be among the
    stopping criteria, which are called after each token. With an assistant they are called after each verification, so
    that rejected drafts are not recorded.

    A row of a batch ends with a token that ends texts, or before padding. With an encoder, the prompt in the header is
    that of the decoder. Truncation by the host behind a logits processor is not known.

    Args:
        path: The file.
        capabilities: The adapter's record.
        tokenizer: The model's tokenizer, or a function that returns the bytes of a token.
        zones: Zones of the user's own.
        model: The model, where it is known.

    Raises:
        EngineError: If there is no tokenizer.
        TraceError: If the file is there.
    """

    def __init__(
        self, path: Path, capabilities: Capabilities, tokenizer: Any, zones: str | Sequence[str], model: Any = None
    ) -> None:
        self._file = HostTrace(path, capabilities, Vocabulary.of(tokenizer), zones=zones)
        self._filters: Filters = NO_FILTERS
        self._seed: int | None = None
        self._records: list[SequenceRecord] = []
        self._start = 0
        self._pad: int | None = None
        self.configure(getattr(model, "generation_config", tokenizer), tokenizer if model is None else model)

    def configure(self, config: Any, model: Any, *, filters: Filters = NO_FILTERS, seed: int | None = None) -> None:
        """Take over the settings of the `generate()` that begins.

        Args:
            config: A generation config, or another object with `eos_token_id` and `pad_token_id`.
            model: The model, or its tokenizer, which has the same `name_or_path`.
            filters: The truncation of the draw.
            seed: The seed of all rows; None where the host draws.
        """
        self._file.model = getattr(model, "name_or_path", "")
        ends, self._pad = getattr(config, "eos_token_id", None), getattr(config, "pad_token_id", None)
        found = frozenset() if ends is None else frozenset([ends] if isinstance(ends, int) else ends)
        self._file.vocabulary = replace(self._file.vocabulary, ends=found)
        self._filters, self._seed = filters, seed

    def begin(self, policy: Policy, input_ids: Any, requested: float) -> list[SequenceRecord]:
        """Begin the texts, one for each row.

        Args:
            policy: The policy of all rows.
            input_ids: The prompts, padded on the left, [rows, length].
            requested: The temperature that was asked for.

        Raises:
            EngineError: If the file holds another `generate()`.
        """
        prompts = [[*dropwhile(lambda token: token == self._pad, row)] for row in input_ids.tolist()]
        self._records = self._file.begin(policy, prompts, requested=requested, filters=self._filters, seed=self._seed)
        self._start = input_ids.shape[1]
        return self._records

    @property
    def known(self) -> int:
        """Number of tokens in each row of `input_ids` that no later step takes back."""
        return self._start + max((record.next for record in self._records), default=0)

    def watch(self, input_ids: Any, _: Any = None, **__: Any) -> bool:
        """A stopping criterion that stops nothing, and records the tokens.

        Args:
            input_ids: All tokens, [rows, length].
        """
        for row, record in enumerate(self._records):
            if record.ended:
                continue
            tokens = input_ids[row, self._start + record.next :].tolist()
            padded = len(self._records) > 1 and self._pad in tokens and self._pad not in self._file.vocabulary.ends
            record.know(tokens[: tokens.index(self._pad)] if padded else tokens)
            if padded:
                record.end()
        return False

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        self._file.close()

    def check(self) -> None:
        """Check that tokens were recorded.

        Raises:
            EngineError: If there is none.
        """
        if not any(record.next for record in self._records):
            raise EngineError(
                f"{self._file.path} holds no token: pass **adapter.arguments to generate(), so that it tells its "
                "tokens, and do_sample=True"
            )
