"""llama.cpp through llama-cpp-python: in the chain of samplers, natively where that is exact, or as a logits processor.

`DynamicLlama` is a `llama_cpp.Llama` that takes a policy with each call, and stands where the temperature would:

    llama = DynamicLlama("model.gguf", "0.3 + 0.7*normalized_entropy")
    llama("Once upon a time", policy="0.5 - 0.4*max_prob")

`native` writes a policy as the parameters of llama.cpp's own dynamic temperature, which llama-server and xllamacpp
take too; those have no place for code of ours. `llama_cpp.server` takes neither: its requests have no such fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from dyntemp.convert import ConversionError, to_settings
from dyntemp.distribution.filters import GREEDY_AT
from dyntemp.engines.batch import Counts, Step
from dyntemp.engines.capabilities import CAPABILITIES
from dyntemp.engines.llama_cpp.chain import PLACES, Generation, insert
from dyntemp.engines.llama_cpp.check import check_chain
from dyntemp.engines.llama_cpp.processor import NEUTRAL, Carrier, DynamicTemperature, callables
from dyntemp.engines.requests import Requests
from dyntemp.errors import EngineError
from dyntemp.language.policy import Policy
from dyntemp.models import BUNDLED, bundled_path
from dyntemp.sampling import PolicyLike, as_policy

try:
    from llama_cpp import Llama
except ImportError:
    Llama = object

__all__ = ["NEUTRAL", "DynamicLlama", "DynamicTemperature", "native"]

ALONE = 1
"""The slot of tokens that `sample` draws by themselves, beside a generation that may be under way."""

NATIVE = ("temperature", "dynatemp_range", "dynatemp_exponent")


def native(policy: PolicyLike) -> dict[str, float]:
    """The parameters with which llama.cpp computes a policy by itself.

    For a request to llama-server or xllamacpp, send `to_settings("llama.cpp", policy).fields`, which has them together
    with the order of its samplers: where `temperature` stands there decides which candidates are measured. It counts
    candidates at -inf, which a policy does not, so that it is exact for rows in which a grammar masks nothing.

    Raises:
        EngineError: If llama.cpp cannot, with the reason.
        PolicyError: If `policy` is none.

    >>> native("0.3 + 0.6*normalized_entropy**2")
    {'temperature': 0.6, 'dynatemp_range': 0.3, 'dynatemp_exponent': 2.0}
    """
    found = as_policy(policy)
    try:
        settings = to_settings("llama.cpp", found)
    except ConversionError as error:
        raise EngineError(f"llama.cpp has no parameters of its own for this: {error}") from None
    return {name: settings.fields[name] for name in NATIVE}


class DynamicLlama(Llama):  # type: ignore[misc]  # Any to a type checker
    """A `llama_cpp.Llama` in whose chain of samplers a policy stands where the temperature would.

    Calls, chats, streams, `generate` and `sample` take `policy=` beside what they take already. A call's own
    `temperature` is what `requested` reads, and otherwise has no effect but that 0 stays greedy. What a policy or a
    logits processor raises reaches the caller, at the token at which it happened.

    Args:
        model_path: A GGUF file, or `"smollm2"`, the bundled one.
        policy: The policy of calls that name none; None leaves them as llama-cpp-python has them.
        before: The link of the chain in front of which the policy stands, of `PLACES`. It measures what the links
            before it have left: by default what truncation keeps (top-k 40, top-p 0.95, min-p 0.05 unless you say
            otherwise), with `"top-k"` all that penalties and a grammar leave, and truncation then reads scaled logits.
        native: Let llama.cpp's own sampler compute it, for policies that it can: see `native`.
        repack: Let llama.cpp rearrange the weights for this processor, as `Llama` does. On a virtual machine that
            announces AMX without permitting it the process then ends with a segmentation fault.
        given: What each `given("name", low, high)` reads, by name; read anew at every token.
        record: Called with each `Step`; not where llama.cpp computes the temperature.
        options: All else that `Llama` takes by name.

    Attributes:
        requests: What has run; see `Requests`.

    Raises:
        EngineError: If llama-cpp-python is not installed, or the policy is one that it cannot carry out.
        PolicyError: For what is no policy.
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
        record: Callable[[Step], None] | None = None,
        **options: Any,
    ) -> None:
        self._stack = ExitStack()  # which `Llama.__del__` closes, also where nothing was loaded
        if Llama is object:
            raise EngineError("llama-cpp-python is not installed: run `pip install 'dyntemp[llama-cpp]'`")
        if before not in PLACES:
            raise EngineError(f"before = {before!r} was given; {', '.join(PLACES)} are the links of the chain")
        self.before, self.native, self.repack = before, native, repack
        self.requests = Requests(CAPABILITIES["llama_cpp/native" if native else "llama_cpp/chain"],
                                 given=given, record=record)  # fmt: skip
        self.policy = policy
        super().__init__(bundled_path() if model_path == BUNDLED else model_path, **options)

    @property
    def policy(self) -> Policy | None:
        """The policy of calls that name none."""
        return self._policy

    @policy.setter
    def policy(self, policy: PolicyLike | None) -> None:
        self._policy = None if policy is None else self._accepted(policy)

    @property
    def counts(self) -> Counts:
        """How many tokens' rows were seen and changed."""
        return self.requests.counts

    @property
    def model_params(self) -> Any:
        """llama.cpp's parameters of the model, in which `Llama` has no argument for `repack`."""
        return self._model_params

    @model_params.setter
    def model_params(self, parameters: Any) -> None:
        parameters.use_extra_bufts = self.repack
        self._model_params = parameters

    def __call__(self, *arguments: Any, policy: PolicyLike | None = None, **options: Any) -> Any:
        """As `Llama`, with `policy`."""
        return super().__call__(*arguments, **self._with(policy, options))

    def create_completion(self, *arguments: Any, policy: PolicyLike | None = None, **options: Any) -> Any:
        """As `Llama`, with `policy`."""
        return super().create_completion(*arguments, **self._with(policy, options))

    def generate(self, *arguments: Any, policy: PolicyLike | None = None, **options: Any) -> Any:
        """As `Llama`, with `policy`.

        Raises:
            EngineError: At the next token, if another text was begun meanwhile.
        """
        return self._alone(super().generate(*arguments, **self._with(policy, options)))

    def create_chat_completion(self, *arguments: Any, policy: PolicyLike | None = None, **options: Any) -> Any:
        """As `Llama`, with `policy`.

        Raises:
            EngineError: If the chat handler does not pass on what calls for the policy.
        """
        options = self._with(policy, options)
        result = super().create_chat_completion(*arguments, **options)
        processors = options["logits_processor"]
        if isinstance(result, dict):
            processors.check_arrival()
            return result
        return _until_arrival(result, processors)

    def sample(self, *arguments: Any, idx: int | None = None, policy: PolicyLike | None = None, **options: Any) -> Any:
        """As `Llama`, with `policy`: a token of the row at hand, outside of `generate`.

        Raises:
            EngineError: For a policy that needs to know of earlier tokens, which nothing here says; or if llama.cpp
                drew the token without asking us.
        """
        kept = self._sampler
        if kept is None or policy is not None:
            options = self._with(policy, options)
            chosen = options["logits_processor"].policy
            if chosen is not None and chosen.reads_place:
                raise EngineError(
                    f"`{chosen}` needs to know of earlier tokens, and sample() draws one by itself: use generate()"
                )
            self._sampler = self._init_sampler(*arguments, **options)
            self._sampler.generation.slot = ALONE
        generation = self._sampler.generation
        generation.position = self.n_tokens if idx is None else idx + 1
        generation.drawn = int(self.input_ids[generation.position - 1])
        try:
            token = super().sample(*arguments, idx=idx, **options)
        finally:
            self._sampler = kept
        generation.check()
        return token

    def _alone(self, tokens: Generator[int, Any, None]) -> Generator[int, Any, None]:
        """These tokens, as long as no other text takes the chain of samplers: llama.cpp has one memory."""
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

    def self_test(self, policy: PolicyLike = "0.3 + 0.7*normalized_entropy") -> None:
        """Prove on this model that llama.cpp calls us, draws from what we leave, and gets the policy's temperatures.

        Generates a few tokens, whose prompt is then what the model's cache holds.

        Raises:
            EngineError: If it does not, with what to check.
        """
        check_chain(self, self._accepted(policy))

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        own = {"policy": self.policy, "before": self.before, "native": self.native, "repack": self.repack,
               "given": self.requests.given, "record": self.requests.record}  # fmt: skip
        return {**state, **own}

    def _init_sampler(self, *arguments: Any, **options: Any) -> Any:
        """The chain of a generation, in which the policy stands in place of the temperature."""
        call = inspect.signature(Llama._init_sampler).bind(self, *arguments, **self._with(None, options))  # noqa: SLF001
        call.apply_defaults()
        asked = {name: value for name, value in call.arguments.items() if name != "self"}
        processors: Carrier = asked["logits_processor"]
        processors.arrived = True
        policy = processors.policy
        temperature = asked["temp"] = 0.0 if 0 < asked["temp"] <= GREEDY_AT else asked["temp"]
        numbers = self._numbers(policy, asked)
        generation = Generation(self.requests, policy, temperature if temperature >= 0 else 1.0)
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
        """What llama.cpp's own sampler is made with, where that is to compute the policy.

        Raises:
            EngineError: If the policy cannot be carried out beside what was asked for.
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

    def _with(self, policy: PolicyLike | None, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options in which the logits processors carry the policy, which `Llama` hands on to `_init_sampler`.

        Raises:
            EngineError: For a policy beside a processor that has one too.
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
        return {**options, "logits_processor": Carrier(processors, chosen)}

    def _accepted(self, policy: PolicyLike) -> Policy:
        found = self.requests.accept(policy)
        if self.native:
            native(found)
        return found


def _until_arrival(chunks: Iterator[Any], processors: Carrier) -> Iterator[Any]:
    yield from chunks
    processors.check_arrival()
