"""A policy as a logits processor, for a `llama_cpp.Llama` that other code made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.engines.batch import Batch, Counts
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.host_trace import HostTrace, Record, split_record
from dyntemp.engines.llama_cpp.check import check_processor
from dyntemp.engines.llama_cpp.vocabulary import token_bytes, vocabulary
from dyntemp.engines.requests import Requests
from dyntemp.engines.sequence_record import SequenceRecord
from dyntemp.engines.vocabulary import Vocabulary
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy
from dyntemp.sampling import PolicyLike

try:
    from llama_cpp import LogitsProcessorList, StoppingCriteriaList
except ImportError:
    LogitsProcessorList = StoppingCriteriaList = list

NEUTRAL: Mapping[str, float] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0}
"""Arguments with which a `Llama` draws from the processor's row unchanged."""


class Processors(LogitsProcessorList):  # type: ignore[misc]  # Any to a type checker
    """A list of logits processors that works beside a `logit_bias`."""

    def extend(self, others: Iterable[Callable[..., Any]]) -> Processors:
        """Add others, and return the list: where `logit_bias` is set, llama-cpp-python uses the returned value."""
        super().extend(others)
        return self


class Carrier(Processors):
    """The logits processors of one call, which carry its policy through llama-cpp-python's methods.

    Attributes:
        policy: The policy, or None.
        record: The file of the call's trace, or None.
        arrived: True once the chain of samplers was made with this list.
    """

    def __init__(
        self, processors: Iterable[Callable[..., Any]], policy: Policy | None, record: str | Path | None = None
    ) -> None:
        super().__init__(processors)
        self.policy, self.record = policy, record
        self.arrived = False

    def check_arrival(self) -> None:
        """Check that a chat handler passed on the processors, and with them the policy.

        Raises:
            EngineError: If it did not.
        """
        if not self.arrived and (self or self.policy is not None):
            raise EngineError(
                "the chat handler of this model did not pass logits_processor on, which carries the policy: use "
                "create_completion with a prompt, or a handler that passes it on"
            )


def callables(processors: Any) -> list[Callable[..., Any]]:
    """Logits processors as a list, from None, one processor or several.

    Raises:
        EngineError: If one cannot be called. llama-cpp-python would find that out inside a callback, which hides it.
    """
    if processors is None:
        return []
    found = [processors] if callable(processors) and not isinstance(processors, list) else list(processors)
    for one in found:
        if not callable(one):
            raise EngineError(f"logits_processor has a {type(one).__name__}; each is called as f(input_ids, scores)")
    return found


class DynamicTemperature:
    """A logits processor that divides rows by the temperature that a policy gives them.

        with DynamicTemperature("0.3 + 0.7*normalized_entropy") as processor:
            llama("Once upon a time", **processor.arguments)

    llama-cpp-python calls it first, so it measures the model's own row, before penalties, grammar and truncation.
    These act on the scaled row. So does the call's own temperature, which has to be 1: see `NEUTRAL`. The processor
    does not know the temperature of the call: at 0 its rows are scaled too, which changes no choice as long as the
    policy stays finite.

    An error in the processor cannot pass through llama.cpp to the caller. It is logged. It is raised by the stopping
    criterion in `arguments` before the token is used, and at the end of the `with` block. The end of the block also
    raises if the processor was never called, as with a plain list of processors beside a `logit_bias`.

    A policy that remembers, or reads `position`, `surprisal`, `inside` or a list in `given`, serves one sequence: make
    a processor for each. Such a policy is refused under a draft model, whose drafts are in `input_ids` too.
    `DynamicLlama` can run it there.

    Args:
        policy: The policy, or its text.
        given: The value of each `given("name", low, high)`, by name; read again at every token.
        tokenizer: For policies that read `inside(...)`: the `Llama`, or a function that returns the bytes of a token.
        zones: Zones of your own, such as `"note=<note>...</note>"`: one, or several.
        record: A file for the trace of one text, for which `tokenizer` is needed; or a function that is called with
            each `Step`. A processor is not told the last token, so its trace ends before it.

    Attributes:
        policy: The policy.
        tokenizer: Returns the bytes of a token, where that is known.
        zones: The zones of your own.
        requests: The requests and their counts; see `Requests`.

    Raises:
        EngineError, PolicyError: As `Requests.accept`; and if a trace is asked for without `tokenizer`.
        TraceError: If the file of the trace is there.
    """

    def __init__(
        self,
        policy: PolicyLike,
        *,
        given: Mapping[str, Any] | None = None,
        tokenizer: Any = None,
        zones: str | Sequence[str] = (),
        record: Record | None = None,
    ) -> None:
        self.tokenizer = partial(token_bytes, tokenizer) if hasattr(tokenizer, "token_eos") else tokenizer
        self.zones = zones
        call, path = split_record(record)
        self.requests = Requests(
            CAPABILITIES["llama_cpp/processor"], given=given, tokenizer=self.tokenizer, zones=zones, record=call
        )
        self.policy = self.requests.accept(policy)
        self._trace: HostTrace | None = None
        self._record: SequenceRecord | None = None
        if path is not None:
            known = vocabulary(tokenizer) if hasattr(tokenizer, "token_eos") else Vocabulary.of(tokenizer)
            self._trace = HostTrace(path, self.requests.capabilities, known, zones=zones)
        self._tokens: NDArray[np.int32] | None = None
        self._prompt = 0
        self._error: BaseException | None = None
        self._calls = 0

    @property
    def counts(self) -> Counts:
        """Numbers of calls and rows; see `Counts`."""
        return self.requests.counts

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of a `Llama` call, and of `create_completion`.

        `create_chat_completion` takes no `stopping_criteria`: leave that one out, and use the `with` block.
        """
        return {
            "logits_processor": Processors([self]),
            "stopping_criteria": StoppingCriteriaList([self.stop]),
            **NEUTRAL,
        }

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scaled row; after an error, the row as it was."""
        if self._error is None:
            try:
                return self._scaled(np.asarray(input_ids), scores)
            except BaseException as error:  # noqa: BLE001  # raised again by `check`
                self._error = error
                logging.getLogger("dyntemp").error(  # noqa: TRY400  # the trace comes with the exception
                    "dyntemp: a processor failed, and llama.cpp goes on without it: %s", error
                )
        return scores

    def __iter__(self) -> Iterator[DynamicTemperature]:
        """Yield the processor itself, so that `logits_processor=processor` works where a list is expected."""
        return iter((self,))

    def extend(self, others: Iterable[Callable[..., Any]]) -> Processors:
        """A list of this processor and others: llama-cpp-python asks for it where `logit_bias` is set."""
        return Processors([self, *others])

    def stop(self, _: Any = None, __: Any = None) -> bool:
        """A stopping criterion that never stops the generation, and raises the processor's error."""
        self.check()
        return False

    def check(self) -> None:
        """Raise the error of an earlier call, if there was one."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def self_test(self, llama: Any) -> None:
        """Prove that a `Llama` calls such a processor, draws from its rows, and gets the policy's temperatures.

        The test generates a few tokens; afterwards the model's cache holds their prompt.

        Raises:
            EngineError: If it does not; the message says what to check.
        """
        check_processor(self, llama)

    def __enter__(self) -> DynamicTemperature:
        self._tokens, self._error, self._calls = None, None, self.counts.calls
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if self._trace is not None:
            self._trace.close()
        if kind is not None:
            return
        self.check()
        if self.counts.calls == self._calls:
            raise EngineError(
                "llama.cpp never called this processor: pass it as logits_processor=; beside a logit_bias pass "
                "`**processor.arguments` or the processor itself, since llama-cpp-python drops a plain list then"
            )

    def _scaled(self, input_ids: NDArray[np.int32], scores: Any) -> Any:
        position = len(input_ids)
        if self.requests.reads_place(self.policy) or self.policy.zones or self._trace is not None:
            self._follow(input_ids)
        elif 0 not in self.requests:
            self.requests.begin(0, self.policy)
        row = np.array(scores, np.float32)[None]
        drawn = int(input_ids[-1]) if position else -1
        batch = Batch(row, [0], position, drawn=[drawn], text=lambda _: input_ids)
        return self.requests.scale(batch, out=row)[0]

    def _follow(self, input_ids: NDArray[np.int32]) -> None:
        """Begin a sequence, or continue it.

        Raises:
            EngineError: If tokens were added without a call of this processor.
        """
        before, length = self._tokens, len(input_ids)
        self._tokens = input_ids.copy()
        common = 0 if before is None else min(len(before), length)
        begun = self._prompt + (0 if self._record is None else self._record.next)  # what no later step takes back
        if before is None or length < begun or not np.array_equal(before[:common], input_ids[:common]):
            self._prompt = length
            self.requests.begin(0, self.policy, prompt=length)
            if self._trace is not None:
                (self._record,) = self._trace.begin(self.policy, [input_ids.tolist()])
                self.requests.attach(0, self._record)
        elif length > len(before) + 1:
            raise EngineError(
                f"`{self.policy}` needs to know of every token, and {length - len(before)} have come at once: under a "
                "draft model take DynamicLlama; for another text that begins alike make another DynamicTemperature"
            )
        elif self._record is not None:
            self._record.know(input_ids[self._prompt + self._record.next :].tolist())
