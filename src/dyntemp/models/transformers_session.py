"""Sessions of models of transformers: sequences in one padded batch, which others may join."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from dyntemp.errors import ModelError
from dyntemp.models import Model, check_advance, check_join, check_prompts
from dyntemp.models.kept_prompts import KeptPrompts
from dyntemp.models.torch_module import import_torch


class CachedModel(Model, Protocol):
    """A model that computes one padded batch with one KV cache.

    Attributes:
        module: The network of transformers.
    """

    module: Any

    def compute(self, ids: Any, mask: Any, cache: Any) -> tuple[Any, Any]:
        """The logits after the last column of `ids`, [batch, vocabulary], and the cache."""


def has_plain_cache(model: CachedModel) -> bool:
    """True where each layer of the cache keeps every position, so that sequences can be padded after they were read.

    Layers with a sliding window or a recurrent state keep something else. One token is computed to see the cache.
    """
    from transformers.cache_utils import DynamicCache, DynamicLayer

    torch = import_torch()
    ids = torch.zeros((1, 1), dtype=torch.int64, device=model.module.device)
    _, cache = model.compute(ids, torch.ones_like(ids), None)
    return type(cache) is DynamicCache and all(type(one) is DynamicLayer and one.is_initialized for one in cache.layers)


class TransformersSession:
    """Sequences of a model of transformers in one padded batch with one KV cache; see `Session`.

    Sequences with equal tokens have one row in the batch, until they part. Logits are a tensor on the CPU.
    """

    def __init__(self, model: CachedModel, prompts: Sequence[Sequence[int]]) -> None:
        check_prompts(model, prompts)
        self._torch = torch = import_torch()
        self._model = model
        self._lengths = {row: len(prompt) for row, prompt in enumerate(prompts)}
        self._cache: Any = None
        self._logits: Any = torch.empty(0, model.vocabulary)
        if not prompts:
            self._places: dict[int, int] = {}
            return
        places = Places(tuple(map(int, prompt)) for prompt in prompts)
        self._places = dict(enumerate(places.of))
        longest = max(self._lengths.values())
        device = model.module.device
        padding = [longest - len(prompt) for prompt in places.kinds]
        ids = [[0] * pad + [*prompt] for pad, prompt in zip(padding, places.kinds, strict=True)]
        self._mask = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in padding], device=device)
        self._compute(torch.tensor(ids, device=device))

    def logits(self) -> Any:
        """Logits of the next token, a tensor [live sequences, vocabulary]."""
        self._require_open()
        shared = len(self._places) > len(self._logits)
        return self._logits[[*self._places.values()]] if shared else self._logits

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append `tokens[row]` to the sequence `row`. Live sequences without a token end."""
        self._require_open()
        check_advance(self._model, self._lengths, tokens)
        torch, device = self._torch, self._model.module.device
        self._lengths = {row: length + 1 for row, length in self._lengths.items() if row in tokens}
        places = Places((self._places[row], int(tokens[row])) for row in self._lengths)
        self._places = dict(zip(self._lengths, places.of, strict=True))
        if not tokens:
            self._cache, self._logits = None, self._logits[:0]
            return
        before, ids = zip(*places.kinds, strict=True)
        if before != tuple(range(len(self._mask))):
            self._rearrange(before)
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(ids), 1)], dim=1)
        self._compute(torch.tensor(ids, device=device)[:, None])

    def _rearrange(self, before: Sequence[int]) -> None:
        """Fill the batch anew with the rows that were in these places; a place may be named several times."""
        self._mask = self._mask[list(before)]
        self._cache.reorder_cache(self._torch.tensor(before, device=self._model.module.device))

    def close(self) -> None:
        """Free the cache."""
        self._cache = self._logits = None

    def _require_open(self) -> None:
        if self._logits is None:
            raise ModelError("the session is closed: start another")

    def _compute(self, ids: Any) -> None:
        logits, self._cache = self._model.compute(ids, self._mask, self._cache)
        self._logits = logits.cpu()


class Places:
    """The places of a batch in which sequences of equal kind share a row.

    Attributes:
        kinds: The kind of each place, in the order in which they came.
        of: The place of each sequence.

    >>> Places("abca").of
    [0, 1, 2, 0]
    """

    def __init__(self, kinds: Iterable[Hashable]) -> None:
        found: dict[Any, int] = {}
        self.of = [found.setdefault(kind, len(found)) for kind in kinds]
        self.kinds = [*found]


class ReadPrompt(NamedTuple):
    """A prompt that was read.

    Attributes:
        length: Number of its tokens.
        layers: The keys and the values of each layer, [1, heads, tokens, size]. No one writes to them.
        logits: The logits of the token after it, [vocabulary].
    """

    length: int
    layers: Sequence[tuple[Any, Any]]
    logits: Any


class OpenTransformersSession(TransformersSession):
    """A `TransformersSession` that sequences can join; see `OpenSession`.

    Args:
        model: A model whose cache is plain; see `has_plain_cache`.
        places: How many sequences can live at a time.
        kept: How many prompts the session keeps; see `OpenModel.start_open`.
    """

    def __init__(self, model: CachedModel, places: int, kept: int = 0) -> None:
        super().__init__(model, [])
        self._most, self._begun = places, 0
        self._reading = 0  # prompts that have a place, and have not joined yet
        self.kept = KeptPrompts[ReadPrompt](kept)

    @property
    def places(self) -> int:
        """Number of sequences that can still join."""
        return 0 if self._logits is None else self._most - len(self._lengths) - self._reading

    def join(self, prompts: Sequence[Sequence[int]], part: int) -> TransformersReading:
        """Begin to read prompts whose sequences will join; see `OpenSession.join`.

        Raises:
            ModelError: If there are fewer places, or `start` would refuse the prompts.
        """
        self._require_open()
        check_join(self._model, self.places, prompts)
        self._reading += len(prompts)
        return TransformersReading(self, prompts, part)

    def _rearrange(self, before: Sequence[int]) -> None:
        """Fill the batch anew, without columns that are padding in all rows."""
        super()._rearrange(before)
        unused = self._mask.shape[1] + 1 - max(self._lengths.values())
        if unused:
            self._mask = self._mask[:, unused:]
            for layer in self._cache.layers:
                layer.keys, layer.values = layer.keys[:, :, unused:], layer.values[:, :, unused:]

    def take_in(self, prompts: Mapping[Any, ReadPrompt], order: Sequence[Any]) -> tuple[list[int], Any]:
        """Give each of these prompts a place at the end of the batch; see `Reading.finish`.

        Args:
            prompts: The prompts that were read, each once.
            order: The prompt of each sequence that joins.
        """
        self._require_open()
        read = [*prompts.values()]
        lengths = [one.length for one in read]
        live, columns = (len(self._mask), self._mask.shape[1]) if self._lengths else (0, 0)
        width = max(columns, *lengths)
        mask = self._torch.zeros((live + len(read), width), dtype=self._torch.int64, device=self._model.module.device)
        if live:
            mask[:live, width - columns :] = self._mask
        for at, length in enumerate(lengths, live):
            mask[at, width - length :] = 1
        old = (
            [(layer.keys, layer.values) for layer in self._cache.layers]
            if live
            else [(None, None)] * len(read[0].layers)
        )
        layers = [
            tuple(_joined(one, parts, width) for one, parts in zip(pair, zip(*new, strict=True), strict=True))
            for pair, *new in zip(old, *(one.layers for one in read), strict=True)
        ]
        self._mask, self._cache = mask, _cache_of(layers)
        rows = list(range(self._begun, self._begun + len(order)))
        self._begun += len(order)
        self._lengths |= {row: prompts[prompt].length for row, prompt in zip(rows, order, strict=True)}
        places = {prompt: place for place, prompt in enumerate(prompts, live)}
        self._places |= {row: places[prompt] for row, prompt in zip(rows, order, strict=True)}
        return rows, self._torch.stack([prompts[prompt].logits for prompt in order])

    def read(self, parts: Sequence[Sequence[int]], before: ReadPrompt | None) -> list[ReadPrompt]:
        """Read parts of equal length, each of another prompt, behind the tokens that all of them begin with."""
        count, size = len(parts), len(parts[0])
        device, length = self._model.module.device, before.length if before else 0
        layers = [[one.expand(count, -1, -1, -1) for one in pair] for pair in before.layers] if before else []
        mask = self._torch.ones((count, length + size), dtype=self._torch.int64, device=device)
        ids = self._torch.tensor([[*part] for part in parts], device=device)
        logits, cache = self._model.compute(ids, mask, _cache_of(layers) if before else None)
        return [
            ReadPrompt(
                length + size, [(one.keys[at : at + 1], one.values[at : at + 1]) for one in cache.layers], row
            )
            for at, row in enumerate(logits.cpu())
        ]  # fmt: skip

    def end_reading(self, count: int) -> None:
        """Free the places of this many prompts."""
        self._reading -= count


class TransformersReading:
    """Prompts that are being read for an `OpenTransformersSession`; see `Reading`.

    Each is read by itself. Those that go on from the same kept prompt by as many tokens are read together.
    """

    def __init__(self, session: OpenTransformersSession, prompts: Sequence[Sequence[int]], part: int) -> None:
        self._session, self._part = session, part
        self._prompts = [tuple(int(token) for token in prompt) for prompt in prompts]
        self._read = {prompt: session.kept.longest(prompt) for prompt in self._prompts}
        self._open = True

    @property
    def left(self) -> int:
        """Number of tokens that are not read yet."""
        return sum(len(prompt) - _length(read) for prompt, read in self._read.items())

    def read(self) -> int:
        """Read the next part, and return its number of tokens.

        Raises:
            ModelError: If all tokens are read, or the reading has ended.
        """
        if not self._open or not self.left:
            raise ModelError("this reading has ended: join again")
        prompt, before = next((prompt, read) for prompt, read in self._read.items() if _length(read) < len(prompt))
        begin = _length(before)
        together = [prompt]
        if before is not None and (rest := len(prompt) - begin) <= self._part:
            alike = [one for one, read in self._read.items() if read is before and len(one) == len(prompt)]
            together = alike[: max(self._part // rest, 1)]
        parts = [one[begin : begin + self._part] for one in together]
        for one, read in zip(together, self._session.read(parts, before), strict=True):
            self._read[one] = read
            if read.length == len(one):
                self._session.kept.keep(one, read)
        return sum(map(len, parts))

    def finish(self) -> tuple[list[int], Any]:
        """Let the sequences join the session; see `Reading.finish`."""
        if not self._open or self.left:
            raise ModelError(f"{self.left} tokens of these prompts are not read yet, or the reading has ended")
        read = {prompt: one for prompt, one in self._read.items() if one is not None}
        self.close()
        return self._session.take_in(read, self._prompts)

    def close(self) -> None:
        """Free the prompts."""
        if self._open:
            self._open = False
            self._read = {}
            self._session.end_reading(len(self._prompts))


def _cache_of(layers: Sequence[Sequence[Any]]) -> Any:
    """A cache with these keys and values, which are copied."""
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache()
    for number, (keys, values) in enumerate(layers):
        cache.update(keys, values, number)
    return cache


def _length(read: ReadPrompt | None) -> int:
    return 0 if read is None else read.length


def _joined(old: Any, parts: Sequence[Any], width: int) -> Any:
    """Keys or values of the batch and of prompts that join it, padded on the left: [rows, heads, width, size].

    Args:
        old: Those of the batch, [rows, heads, columns, size]; None without any.
        parts: Those of each prompt, [1, heads, tokens, size].
        width: The columns of the result.
    """
    live = 0 if old is None else len(old)
    joined = parts[0].new_zeros((live + len(parts), parts[0].shape[1], width, parts[0].shape[3]))
    if old is not None:
        joined[:live, :, width - old.shape[2] :] = old
    for at, part in enumerate(parts, live):
        joined[at, :, width - part.shape[2] :] = part[0]
    return joined
