"""llama.cpp's models, contexts and batches as Python objects, which are freed in the right order."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dyntemp.errors import ModelError
from dyntemp.models.llama.binding import Api
from dyntemp.models.llama.layout import Block
from dyntemp.models.llama.library import open_library

BATCH = 512  # tokens of a prompt that are computed together
ROUNDED = 256  # llama.cpp rounds a context up to a multiple of this
Entry = tuple[int, int, int, bool]
"""A token, its position, its sequence, and True if the logits after it are needed."""


class Weights:
    """A `llama_model`, freed when neither a model nor a context needs it.

    Raises:
        ModelError: If the file is missing, or is not a model that continues text.
    """

    def __init__(self, path: Path, repack: bool) -> None:
        if not path.is_file():
            raise ModelError(f"there is no file {str(path)!r}")
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"{str(path)!r} is not a GGUF file: it does not begin with `GGUF`")
        library = open_library()
        self._api = library.api
        library.listen()
        parameters = self._api.llama_model_default_params()
        self._api.layout.structs["llama_model_params"].write(parameters, use_extra_bufts=repack)
        self.pointer = self._api.llama_model_load_from_file(os.fsencode(path), parameters)
        if not self.pointer:
            raise ModelError(f"{str(path)!r} cannot be loaded: {library.reason()}")
        weakref.finalize(self, self._api.llama_model_free, self.pointer)
        if self._api.llama_model_has_encoder(self.pointer) or not self._api.llama_model_has_decoder(self.pointer):
            raise ModelError(f"{str(path)!r} is not a model that continues text: it has no decoder, or an encoder too")

    def metadata(self, key: str) -> str | None:
        """A value of the file's header, or None; `{}` in the key stands for the architecture."""
        name = key.format(self.metadata("general.architecture")) if "{}" in key else key
        size = self._api.llama_model_meta_val_str(self.pointer, name.encode(), ctypes.create_string_buffer(1), 1)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        self._api.llama_model_meta_val_str(self.pointer, name.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")


class Context:
    """A `llama_context`, freed when neither a session nor an array of its logits needs it.

    Attributes:
        cells: Most tokens of all sequences together.
        sequences: Most sequences.

    Raises:
        ModelError: If there are too many sequences, or too little memory.
    """

    def __init__(self, weights: Weights, cells: int, sequences: int, threads: int) -> None:
        self._library = open_library()
        self._api = api = self._library.api
        if sequences > (most := api.layout.sequences):
            raise ModelError(f"{sequences} prompts were given; llama.cpp takes at most {most}: start them in parts")
        self._library.listen()
        parameters = api.llama_context_default_params()
        api.layout.structs["llama_context_params"].write(
            parameters,
            n_ctx=cells,
            n_batch=BATCH,
            n_ubatch=BATCH,
            n_seq_max=sequences,
            n_outputs_max=sequences,
            kv_unified=True,  # without it, ended sequences leave gaps, and a gap splits the batch
            n_threads=threads,
            n_threads_batch=threads,
        )
        self._pointer = api.llama_init_from_model(weights.pointer, parameters)
        if not self._pointer:
            raise ModelError(
                f"there is no memory for {sequences} sequences with {cells} tokens in all: load the model with a "
                f"smaller `context`, or start fewer prompts ({self._library.reason()})"
            )
        weakref.finalize(self, _free, api.llama_free, self._pointer, weights)
        self.cells = int(api.llama_n_ctx(self._pointer))
        self._read_back(cells, sequences, threads)
        self.sequences = sequences
        self._weights, self._threads = weights, threads
        self._width = int(api.llama_vocab_n_tokens(api.llama_model_get_vocab(weights.pointer)))
        self._memory = api.llama_get_memory(self._pointer)
        self._batch = _Batch(api)

    def _read_back(self, cells: int, sequences: int, threads: int) -> None:
        """Check that the context has the values that were written into its parameters."""
        api, pointer = self._api, self._pointer
        asked = {"n_seq_max": sequences, "n_threads": threads, "n_threads_batch": threads}
        got = {name: getattr(api, f"llama_{name}")(pointer) for name in asked}
        if got != asked or (cells and not cells <= self.cells < cells + ROUNDED):  # 0 means the length of the training
            raise ModelError(
                f"{self._library.name} made a context with {got} and n_ctx = {self.cells}, and {asked} and n_ctx = "
                f"{cells} were asked for: its structs have another layout, and another build is needed"
            )

    def decode(self, entries: Sequence[Entry]) -> None:
        """Compute at most `BATCH` tokens.

        Raises:
            ModelError: If llama.cpp fails.
        """
        self._library.errors.clear()
        code = self._api.llama_decode(self._pointer, self._batch.filled(entries))
        if code:
            raise ModelError(f"llama_decode returned {code}: {self._library.reason()}")

    def rows(self, count: int) -> NDArray[np.float32]:
        """The `count` rows of logits of the last `decode`, [count, vocabulary], in llama.cpp's own memory."""
        first = self._api.llama_get_logits(self._pointer)
        memory: Any = (ctypes.c_float * (count * self._width)).from_address(ctypes.addressof(first.contents))
        memory.context = self  # so the context lives as long as any array of this memory
        found: NDArray[np.float32] = np.frombuffer(memory, np.float32)
        return found.reshape(count, self._width)

    def copy(self, source: int, sequence: int) -> None:
        """Copy the tokens of a sequence into an empty one."""
        self._api.llama_memory_seq_cp(self._memory, source, sequence, -1, -1)

    def state(self, sequence: int) -> Any:
        """The cache of a sequence as bytes, for `restore`.

        Raises:
            ModelError: If llama.cpp fails.
        """
        size = self._api.llama_state_seq_get_size(self._pointer, sequence)
        found = (ctypes.c_uint8 * size)()
        if self._api.llama_state_seq_get_data(self._pointer, found, size, sequence) != size:
            raise ModelError(f"sequence {sequence} cannot be saved: {self._library.reason()}")
        return found

    def restore(self, state: Any, sequence: int) -> None:
        """Fill an empty sequence from the bytes of `state`, also from another context.

        Raises:
            ModelError: If llama.cpp fails.
        """
        if self._api.llama_state_seq_set_data(self._pointer, state, len(state), sequence) != len(state):
            raise ModelError(f"sequence {sequence} cannot be moved to other memory: {self._library.reason()}")

    def clear(self) -> None:
        """Remove all sequences."""
        self._api.llama_memory_clear(self._memory, False)

    def moved(self, sequences: Sequence[int], cells: int) -> Context:
        """A new context with room for `cells` tokens and copies of these sequences alone.

        Raises:
            ModelError: If there is too little memory.
        """
        other = Context(self._weights, cells, self.sequences, self._threads)
        for sequence in sequences:
            other.restore(self.state(sequence), sequence)
        return other


class _Batch:
    """The arrays of a `llama_batch`, filled again for each call."""

    def __init__(self, api: Api) -> None:
        self._columns = np.zeros((3, BATCH), np.int32)  # token, position, sequence
        self._wanted = np.zeros(BATCH, np.int8)
        self._ones = np.ones(BATCH, np.int32)
        sequence = self._columns[2]
        self._places = sequence.ctypes.data + sequence.itemsize * np.arange(BATCH, dtype=np.uintp)
        self._struct = api.layout.structs["llama_batch"]
        self._batch = Block()
        self._struct.write(
            self._batch,
            token=self._columns[0].ctypes.data,
            pos=self._columns[1].ctypes.data,
            n_seq_id=self._ones.ctypes.data,
            seq_id=self._places.ctypes.data,
            logits=self._wanted.ctypes.data,
        )

    def filled(self, entries: Sequence[Entry]) -> Block:
        """A batch of these entries."""
        table = np.array(entries, np.int32)
        self._columns[:, : len(entries)] = table[:, :3].T
        self._wanted[: len(entries)] = table[:, 3]
        self._struct.write(self._batch, n_tokens=len(entries))
        return self._batch


def _free(free: Any, pointer: Any, _: Weights) -> None:
    """Free a context. The weights are an argument so that they outlive it, also in one garbage collection."""
    free(pointer)
