"""GGUF models, the bundled one included, run by llama.cpp through the library of an installed package."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import ModelError
from dyntemp.models import Messages, check_advance, check_join, check_prompts
from dyntemp.models.chat_template import chat_template
from dyntemp.models.kept_prompts import KeptPrompts
from dyntemp.models.llama.handles import BATCH, Context, Weights
from dyntemp.models.llama.library import open_library
from dyntemp.models.llama.reading import LEAST, LlamaCppReading, ReadPrompt
from dyntemp.models.recommended import FIELDS

MOST_CONTEXT = 8192  # the default; more has to be asked for
MOST_THREADS = 8  # with more, reading the weights is the bottleneck
SPARE = 4  # sequence numbers for each place; after these, ended sequences are dropped
ROOM = 512  # tokens after its prompt that a sequence has memory for, before the session takes more


def load(
    path: str | Path,
    name: str | None = None,
    *,
    threads: int | None = None,
    context: int | None = None,
    repack: bool = False,
) -> LlamaCppModel:
    """Load a model from a GGUF file.

    Args:
        path: The file; the first part of a split model.
        name: Its name in a trace; the file's name without its ending by default.
        threads: Processor threads; by default half the number of this process's processors, from 1 to 8. On a busy
            machine a thread too many costs far more than a thread too few.
        context: Most tokens in a sequence; by default the length of the training, at most 8192. Memory grows with
            the sequences.
        repack: True lets llama.cpp rearrange the weights for this processor. Some processors then read prompts faster;
            loading takes longer and more memory. On a virtual machine that announces AMX without permitting it, the
            process ends with a segmentation fault.

    Raises:
        ModelError: If no library of llama.cpp works here, or the file is missing or not a model that continues text.
    """
    if threads is not None and threads < 1:
        raise ModelError(f"threads = {threads} was given; 1 or more are allowed")
    if context is not None and context < 1:
        raise ModelError(f"context = {context} was given; 1 or more are allowed")
    weights = Weights(Path(path), repack)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    trained = int(open_library().api.llama_model_n_ctx_train(weights.pointer))
    return LlamaCppModel(
        weights,
        name or Path(path).stem,
        threads or min(max(processors // 2, 1), MOST_THREADS),
        context or min(trained or MOST_CONTEXT, MOST_CONTEXT),
    )


class LlamaCppModel:
    """A GGUF model; see `Model`, and `load`, which makes it.

    Special tokens in the text of a prompt, such as `<|im_end|>`, are read as these tokens. The weights are freed
    with the last model, session or array of logits that needs them.
    """

    def __init__(self, weights: Weights, name: str, threads: int, context: int) -> None:
        self.weights = weights
        self.name = name
        self.threads = threads
        self.context: int | None = context
        self._api = open_library().api
        self._vocab = self._api.llama_model_get_vocab(weights.pointer)
        self.vocabulary = int(self._api.llama_vocab_n_tokens(self._vocab))
        ends = self._api.llama_vocab_is_eog
        self.end_tokens = frozenset(token for token in range(self.vocabulary) if ends(self._vocab, token))

    def encode(self, text: str) -> list[int]:
        """The tokens of a plain prompt, after the model's begin token if it has one."""
        data = text.encode()
        size = len(data) + 2  # a leading space, and one to spare
        buffer = (ctypes.c_int32 * size)()
        count = self._api.llama_tokenize(self._vocab, data, len(data), buffer, size, False, True)
        assert count >= 0, "a token stands for one byte at least"
        tokens: list[int] = buffer[:count]
        begin = self._api.llama_vocab_bos(self._vocab)
        if self._api.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [begin]:
            return [begin, *tokens]
        return tokens

    def encode_chat(self, messages: Messages) -> list[int] | None:
        """The tokens of a conversation by the file's own chat template, or None without one."""
        if self._template is None:
            return None
        try:
            text = self._template(messages)
        except Exception as error:  # a template is a program, and may raise any error
            raise ModelError(f"the chat template of {self.name} refuses this conversation: {error}") from error
        return self.encode(text)

    def token_bytes(self, token: int) -> bytes:
        """The bytes that a token adds to the text; empty for control tokens and end tokens."""
        if token in self.end_tokens:
            return b""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = self._api.llama_token_to_piece(self._vocab, token, buffer, size, 0, False)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def token_name(self, token: int) -> str:
        """The token as the vocabulary writes it, such as `<|im_end|>`."""
        text: bytes = self._api.llama_vocab_get_text(self._vocab, token)
        return text.decode("utf-8", "replace")

    def start(self, prompts: Sequence[Sequence[int]]) -> LlamaCppSession:
        """Start sequences that every step computes together; equal prompts are computed once."""
        return LlamaCppSession(self, prompts)

    def start_open(self, places: int, kept: int = 0) -> LlamaCppSession:
        """Start a session without sequences; see `OpenModel.start_open`."""
        return LlamaCppSession(self, [], places, kept)

    @cached_property
    def recommended(self) -> dict[str, float]:
        """The sampling in the file's header; see `Recommends`."""
        keys = {name: "temp" if name == "temperature" else name for name in FIELDS}
        given = {name: self.weights.metadata(f"general.sampling.{key}") for name, key in keys.items()}
        return {name: float(value) for name, value in given.items() if value is not None}

    @cached_property
    def _template(self) -> Callable[[Messages], str] | None:
        """The model's chat template as a function, or None."""
        text = self.weights.metadata("tokenizer.chat_template")
        if not text:
            return None
        begin, end = self._api.llama_vocab_bos(self._vocab), self._api.llama_vocab_eos(self._vocab)
        names = {"bos_token": begin, "eos_token": end}
        return chat_template(text, **{name: self.token_name(at) if at >= 0 else "" for name, at in names.items()})


class LlamaCppSession:
    """The sequences of one llama.cpp context; see `Session`.

    Rows of logits are llama.cpp's own memory, which the next `advance` overwrites; only the rows after several prompts,
    and those of 64 sequences or more, are copied. Memory of an array that is still held is freed with the array, not by
    `close`.

    On one thread, a sequence that joins has the same logits, to the last bit, as a sequence that `start` began alone,
    with any other sequences in the session. Prompts that `start` reads together, and more threads, sum in another
    order.
    """

    def __init__(self, model: LlamaCppModel, prompts: Sequence[Sequence[int]], places: int = 0, kept: int = 0) -> None:
        check_prompts(model, prompts)
        self._model = model
        self._limit = model.context or MOST_CONTEXT
        self._lengths = {row: len(prompt) for row, prompt in enumerate(prompts)}
        parallel = open_library().api.layout.sequences
        self._places = max(min(places, parallel), len(prompts), 1)
        self._reading = 0  # prompts that have a place, and have not joined yet
        self._kept = KeptPrompts[ReadPrompt](kept)
        self._most = self._limit * self._places
        # where a model stretches its context, the size of the cache changes the numbers
        self._fixed = model.weights.metadata("{}.rope.scaling.original_context_length") is not None
        self._used = sum(self._lengths.values())  # ended sequences stay until a move: filling gaps would reorder sums
        self._sequences = max(min(SPARE * places, parallel), self._places)
        self._taken = set(self._lengths)  # until a move, since ended sequences stay
        self._closed = False
        self._context: Context | None = None
        self._logits = np.empty((0, model.vocabulary), np.float32)
        if prompts:
            self._context = self._new(self._used + ROOM * len(prompts))
            self._logits = self._read(self._context, prompts)

    @property
    def places(self) -> int:
        """Number of sequences that can still join."""
        return 0 if self._closed else self._places - len(self._lengths) - self._reading

    def join(self, prompts: Sequence[Sequence[int]], part: int) -> LlamaCppReading:
        """Begin to read prompts whose sequences will join; see `OpenSession.join`. A part has 64 tokens or more.

        Raises:
            ModelError: If there are fewer places, or `start` would refuse the prompts.
        """
        self._require_open()
        check_join(self._model, self.places, prompts)
        count = len(prompts)
        self._reading += count

        def end() -> None:
            self._reading -= count

        model = self._model
        return LlamaCppReading(model.weights, model.threads, prompts, part, self._take_in, end, self._kept)

    def logits(self) -> NDArray[np.float32]:
        """Logits of the next token, [live sequences, vocabulary], lower-numbered sequences first."""
        self._require_open()
        return self._logits

    def advance(self, tokens: Mapping[int, int]) -> None:
        """Append `tokens[row]` to the sequence `row`. Live sequences without a token end.

        Raises:
            ModelError: If a sequence has filled the context, or has ended.
        """
        self._require_open()
        check_advance(self._model, self._lengths, tokens)
        for row in [row for row in self._lengths if row not in tokens]:
            del self._lengths[row]
        rows = list(self._lengths)
        if not rows:
            self._logits = self._logits[:0]
            return
        context = self._with_room(0, len(rows))
        entries = [(int(tokens[row]), self._lengths[row], row, True) for row in rows]
        parts = -(-len(entries) // (LEAST - 1))  # with `LEAST` rows or more, attention would sum in another order
        ends = [len(entries) * at // parts for at in range(parts + 1)]
        found = []
        for begin, end in pairwise(ends):
            context.decode(entries[begin:end])
            found.append(context.rows(end - begin) if parts == 1 else context.rows(end - begin).copy())
        self._logits = found[0] if parts == 1 else np.concatenate(found)
        self._used += len(rows)
        for row in rows:
            self._lengths[row] += 1

    def close(self) -> None:
        """Free the context. The session cannot be used afterwards."""
        self._closed = True
        self._context = None
        self._logits = np.empty((0, self._model.vocabulary), np.float32)

    def _require_open(self) -> None:
        if self._closed:
            raise ModelError("the session is closed: start another")

    def _new(self, cells: int) -> Context:
        """A context with room for `cells` tokens, or for the most that the session may hold."""
        cells = self._most if self._fixed else min(cells, self._most)
        return Context(self._model.weights, cells, self._sequences, self._model.threads)

    def _unused(self) -> list[int]:
        """The sequence numbers without a token, rising."""
        return [row for row in range(self._sequences) if row not in self._taken]

    def _with_room(self, sequences: int, tokens: int) -> Context:
        """The context, if more sequences and tokens of these numbers fit; else a new one without ended sequences."""
        context = self._context
        if context is None:
            self._context = context = self._new(tokens + ROOM * sequences)
        elif self._used + tokens > context.cells or len(self._unused()) < sequences:
            used = sum(self._lengths.values())
            cells = self._most if self._fixed else min(2 * (used + tokens), self._most)
            self._context = context = context.moved(list(self._lengths), cells)
            self._used, self._taken = used, set(self._lengths)
        return context

    def _take_in(self, read: Sequence[ReadPrompt], sources: Sequence[int]) -> tuple[list[int], NDArray[np.float32]]:
        """Give each prompt that was read a sequence; see `LlamaCppReading`."""
        self._require_open()
        lengths = [read[source].length for source in sources]
        context = self._with_room(len(sources), sum(lengths))
        rows = self._unused()[: len(sources)]
        self._taken.update(rows)
        first: dict[int, int] = {}
        for row, source in zip(rows, sources, strict=True):
            if source in first:
                context.copy(first[source], row)
            else:
                first[source] = row
                context.restore(read[source].state, row)
        self._used += sum(lengths)
        self._lengths = dict(sorted((self._lengths | dict(zip(rows, lengths, strict=True))).items()))
        return rows, np.stack([read[source].logits for source in sources])

    def _read(self, context: Context, prompts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Compute the prompts in the empty sequences 0, 1, ..., and return the logits after each."""
        first: dict[tuple[int, ...], int] = {}
        source = [first.setdefault(tuple(prompt), at) for at, prompt in enumerate(prompts)]
        entries = [
            (int(token), position, at, position == len(prompt) - 1)
            for prompt, at in first.items()
            for position, token in enumerate(prompt)
        ]
        logits = np.empty((len(prompts) if len(prompts) != 1 else 0, self._model.vocabulary), np.float32)
        for begin in range(0, len(entries), BATCH):
            chunk = entries[begin : begin + BATCH]
            context.decode(chunk)
            done = [row for _, _, row, last in chunk if last]
            if done and len(prompts) == 1:
                return context.rows(1)
            if done:
                logits[done] = context.rows(len(done))
        for at, same in enumerate(source):
            if at != same:
                context.copy(same, at)
                logits[at] = logits[same]
        return logits
