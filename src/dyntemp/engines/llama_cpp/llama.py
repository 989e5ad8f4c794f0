"""A `llama_cpp.Llama` that takes a policy with each call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.batch import Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.host_trace import HostTrace
from dyntemp.engines.llama_cpp.chain import PLACES, Generation, filters_behind, insert
from dyntemp.engines.llama_cpp.check import check_chain
from dyntemp.engines.llama_cpp.native import native
from dyntemp.engines.llama_cpp.processor import Carrier, DynamicTemperature, callables
from dyntemp.engines.llama_cpp.vocabulary import token_bytes, vocabulary
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.kernels.job import NO_FILTERS
from dyntemp.language.policy import Policy
from dyntemp.models import BUNDLED, bundled_path
from dyntemp.sampling import PolicyLike

try:
    from llama_cpp import Llama
except ImportError:
    Llama = object

ALONE = 1
"""The slot of tokens that `sample` draws. A generation that is under way keeps its slot, 0."""


class DynamicLlama(Llama):  # type: ignore[misc]  # Any to a type checker
    """A `llama_cpp.Llama` whose chain of samplers holds a policy in the place of the temperature.

    Calls, chats, streams, `generate` and `sample` take `policy=` beside the arguments of `Llama`. A call's own
    `temperature` is the value of `requested`. It has no other effect, except that 0 stays greedy. An error in a policy
    or a logits processor reaches the caller at the token where it happened. With `record="run.jsonl"`, a call writes
    the trace of its text; a row there has the candidates that earlier samplers left.

    Args:
        model_path: A GGUF file, or `"smollm2"`, the bundled one.
        policy: The policy of calls without one; None leaves those as llama-cpp-python runs them.
        before: The sampler, of `PLACES`, in front of which the policy stands. The policy measures the candidates that
            earlier samplers left. By default truncation is among these (top-k 40, top-p 0.95, min-p 0.05 in
            llama-cpp-python). With `"top-k"`, the policy measures all candidates after penalties and a grammar, and
            truncation reads scaled logits.
        native: True lets llama.cpp's own sampler compute the policy, where it can: see `native`.
        repack: True lets llama.cpp rearrange the weights for this processor, as `Llama` does. On a virtual machine that
            announces AMX without permitting it, the process then ends with a segmentation fault.
        given: The value of each `given("name", low, high)`, by name; read again at every token.
        zones: Zones of your own for `inside("name")`, such as `"note=<note>...</note>"`: one, or several.
        record: A function that is called with each `Step`, except where llama.cpp computes the temperature.
        options: Further arguments of `Llama`, by name.

    Attributes:
        requests: The requests and their counts; see `Requests`.
        zones: The zones of your own.

    Raises:
        EngineError: If llama-cpp-python is not installed, or cannot carry out the policy.
        PolicyError: If `policy` is no policy.
        ModelError: If there is no bundled model.
    """

    _sampler: Any

    def __init__(
        self,
        model_path: str,
        policy: PolicyLike | None = None,
        *,
        before: str = "temp",
        native: bool = False,
        repack: bool = False,
        given: Mapping[str, Any] | None = None,
        zones: str | Sequence[str] = (),
        record: Callable[[Step], None] | None = None,
        **options: Any,
    ) -> None:
        self._stack = ExitStack()  # `Llama.__del__` closes it, also where nothing was loaded
        if Llama is object:
            raise EngineError("llama-cpp-python is not installed: run `pip install 'dyntemp[llama-cpp]'`")
        if record is not None and not callable(record):
            raise EngineError(
                f"record={record!r} was given to the model, which takes a function: give a file to each call, as in "
                "llama(prompt, record='run.jsonl')"
            )
        if before not in PLACES:
            raise EngineError(f"before = {before!r} was given; {', '.join(PLACES)} are the links of the chain")
        self.before, self.native, self.repack = before, native, repack
        self.zones = zones
        self.requests = Requests(
            CAPABILITIES["llama_cpp/native" if native else "llama_cpp/chain"], given=given,
            tokenizer=partial(token_bytes, self), zones=zones, record=record,
        )  # fmt: skip
        self.policy = policy
        super().__init__(bundled_path() if model_path == BUNDLED else model_path, **options)

    @property
    def policy(self) -> Policy | None:
        """The policy of calls without one."""
        return self._policy

    @policy.setter
    def policy(self, policy: PolicyLike | None) -> None:
        self._policy = None if policy is None else self._accepted(policy)

    @property
    def counts(self) -> Counts:
        """Numbers of calls and rows; see `Counts`."""
        return self.requests.counts

    @property
    def model_params(self) -> Any:
        """llama.cpp's parameters of the model; the setter adds `repack`, for which `Llama` has no argument."""
        return self._model_params

    @model_params.setter
    def model_params(self, parameters: Any) -> None:
        parameters.use_extra_bufts = self.repack
        self._model_params = parameters

    def __call__(
        self, *arguments: Any, policy: PolicyLike | None = None, record: str | Path | None = None, **options: Any
    ) -> Any:
        """As `Llama`, with `policy` and `record`."""
        return super().__call__(*arguments, **self._with(policy, options, record))

    def create_completion(
        self, *arguments: Any, policy: PolicyLike | None = None, record: str | Path | None = None, **options: Any
    ) -> Any:
        """As `Llama`, with `policy` and `record`."""
        return super().create_completion(*arguments, **self._with(policy, options, record))

    def generate(
        self, *arguments: Any, policy: PolicyLike | None = None, record: str | Path | None = None, **options: Any
    ) -> Any:
        """As `Llama`, with `policy` and `record`.

        Raises:
            EngineError: At the next token, if another generation was begun meanwhile.
        """
        return self._alone(super().generate(*arguments, **self._with(policy, options, record)))

    def create_chat_completion(
        self, *arguments: Any, policy: PolicyLike | None = None, record: str | Path | None = None, **options: Any
    ) -> Any:
        """As `Llama`, with `policy` and `record`.

        Raises:
            EngineError: If the chat handler does not pass on `logits_processor`, which carries the policy.
        """
        options = self._with(policy, options, record)
        result = super().create_chat_completion(*arguments, **options)
        processors = options["logits_processor"]
        if isinstance(result, dict):
            processors.check_arrival()
            return result
        return _until_arrival(result, processors)

    def sample(self, *arguments: Any, idx: int | None = None, policy: PolicyLike | None = None, **options: Any) -> Any:
        """As `Llama`, with `policy`: draw a token from the current row, outside of `generate`.

        Raises:
            EngineError: If the policy reads earlier tokens, which are not known here; or if llama.cpp drew the token
                without calling the policy.
        """
        kept = self._sampler
        if kept is None or policy is not None:
            options = self._with(policy, options)
            chosen = options["logits_processor"].policy
            if chosen is not None and self.requests.reads_place(chosen):
                raise EngineError(
                    f"`{chosen}` needs to know of earlier tokens, and sample() draws one by itself: use generate()"
                )
            self._sampler = self._init_sampler(*arguments, **options)
            self._sampler.generation.slot = ALONE
        generation = self._sampler.generation
        generation.position = self.n_tokens if idx is None else idx + 1
        generation.tokens = self.input_ids[: generation.position]
        try:
            token = super().sample(*arguments, idx=idx, **options)
        finally:
            self._sampler = kept
        generation.check()
        generation.know(token)
        return token

    def _alone(self, tokens: Generator[int, Any, None]) -> Generator[int, Any, None]:
        """Yield the tokens, and refuse to go on after another generation began: llama.cpp has one memory."""
        sampler = sent = None
        try:
            while True:
                if sampler is not None and self._sampler is not sampler:
                    raise EngineError(
                        "another text was begun with this model before this one was finished: finish the one first, "
                        "or load the model twice"
                    )
                try:
                    token = tokens.send(sent)
                except StopIteration:
                    return
                sampler = self._sampler
                sent = yield token
        finally:
            tokens.close()
            if sampler is not None:
                sampler.generation.close()

    def self_test(self, policy: PolicyLike = "0.3 + 0.7*normalized_entropy") -> None:
        """Prove on this model that llama.cpp calls us, draws from our rows, and gets the policy's temperatures.

        The test generates a few tokens; afterwards the model's cache holds their prompt.

        Raises:
            EngineError: If it does not; the message says what to check.
        """
        check_chain(self, self._accepted(policy))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        own = {"policy": self.policy, "before": self.before, "native": self.native, "repack": self.repack,
               "given": self.requests.given, "zones": self.zones, "record": self.requests.record}  # fmt: skip
        return {**state, **own}

    def _init_sampler(self, *arguments: Any, **options: Any) -> Any:
        """Make the chain of samplers of a generation, with the policy in the place of the temperature."""
        call = inspect.signature(Llama._init_sampler).bind(self, *arguments, **self._with(None, options))  # noqa: SLF001
        call.apply_defaults()
        asked = {name: value for name, value in call.arguments.items() if name != "self"}
        processors: Carrier = asked["logits_processor"]
        processors.arrived = True
        policy = processors.policy
        temperature = asked["temp"] = 0.0 if 0 < asked["temp"] <= GREEDY_AT else asked["temp"]
        numbers = self._numbers(policy, asked)
        generation = Generation(
            self.requests, policy, temperature if temperature >= 0 else 1.0, self._trace(processors, temperature),
            filters_behind(self.before, asked) if processors.record is not None else NO_FILTERS,
        )  # fmt: skip
        asked["logits_processor"] = [generation.guarded(processors)] if processors else None
        sampler = super()._init_sampler(**asked)
        sampler.generation = generation

        def add() -> None:
            if numbers is None:
                sampler.add_custom(generation.apply)
                return
            if temperature != 0:
                sampler.add_temp_ext(*numbers)
            sampler.add_custom(generation.count)

        if policy is not None:
            insert(sampler, self.before, add, short=temperature <= 0)
        return sampler

    def _numbers(self, policy: Policy | None, asked: Mapping[str, Any]) -> tuple[float, ...] | None:
        """The arguments of llama.cpp's own sampler, where that computes the policy; else None.

        Raises:
            EngineError: If the policy cannot be carried out beside the other settings of the call.
        """
        if policy is None:
            return None
        mirostat, processors = asked["mirostat_mode"], asked["logits_processor"]
        if asked["temp"] > 0 and mirostat in {1, 2}:
            raise EngineError(
                f"mirostat_mode = {mirostat} was given beside the policy `{policy}`; its mirostat has no "
                "temperature: give 0, or no policy"
            )
        if not self.native:
            return None
        if asked["grammar"] is not None or processors:
            what = "a logits processor, or a logit_bias," if processors else "a grammar"
            raise EngineError(
                f"{what} was given beside native=True; llama.cpp's own sampler counts masked candidates, which "
                f"`{policy}` does not: make the model with native=False"
            )
        return tuple(native(policy).values())

    def _trace(self, processors: Carrier, temperature: float) -> HostTrace | None:
        """The trace that a call asked for.

        Raises:
            EngineError: If the call is greedy, or has no policy that is computed here.
            TraceError: If the file is there.
        """
        if processors.record is None:
            return None
        if processors.policy is None or self.native or temperature == 0:
            raise EngineError(
                f"record={str(processors.record)!r} was given, and no policy of ours decides: pass policy= to a model "
                "with native=False; a text at temperature 0 is recorded as the policy 0 at another temperature"
            )
        name = Path(self.model_path).stem
        return HostTrace(processors.record, self.requests.capabilities, vocabulary(self), name, self.zones)

    def _with(
        self, policy: PolicyLike | None, options: Mapping[str, Any], record: str | Path | None = None
    ) -> dict[str, Any]:
        """Options with the policy in `logits_processor`, the only one that `Llama` hands on to `_init_sampler`.

        Raises:
            EngineError: If a logits processor has a policy too.
        """
        given = options.get("logits_processor")
        if isinstance(given, Carrier) and policy is None:
            return {**options}
        chosen = self.policy if policy is None else self._accepted(policy)
        processors = callables(given)
        if chosen is not None and any(isinstance(one, DynamicTemperature) for one in processors):
            raise EngineError(
                f"a DynamicTemperature was given beside the policy `{chosen}`, and both would divide: give one of them"
            )
        return {**options, "logits_processor": Carrier(processors, chosen, record)}

    def _accepted(self, policy: PolicyLike) -> Policy:
        found = self.requests.accept(policy)
        if self.native:
            native(found)
        return found


def _until_arrival(chunks: Iterator[Any], processors: Carrier) -> Iterator[Any]:
    yield from chunks
    processors.check_arrival()
