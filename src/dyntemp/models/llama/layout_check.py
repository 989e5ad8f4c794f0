"""The check of an open library's structs against their layout.

With a wrong layout, tokens may be right while memory past a struct is overwritten, without an error. So each function
that returns a struct is called first of all, and the memory that it wrote is compared with the layout. Every field must
have its default, and every byte after the end must be unchanged. A field that moved, appeared or disappeared changes
one of these.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Mapping
from typing import Any

from dyntemp.errors import ModelError
from dyntemp.models.llama.binding import FUNCTIONS, Api
from dyntemp.models.llama.layout import ROOM, Block, Struct, known

CANARIES = (0xA5, 0x5A)
"""Bytes that fill the memory before a call: two, so that any byte written differs from one of them."""

POINTED = (ctypes.c_int32 * 3)(1, 2, 3)
"""Tokens for `llama_batch_get_one`, which stores their address and number, and does not read them."""


def check(api: Api, name: str) -> None:
    """Compare a library with its layout.

    Args:
        api: The library's functions and the layout.
        name: Its name in the message.

    Raises:
        ModelError: If its version or one of its structs differs.
    """
    if difference := differences(api):
        raise ModelError(
            f"{name} is not built as the layout of {api.layout} says: {difference}. It would write past its memory, so "
            f"it is not used; these builds work: {known()}"
        )


def differences(api: Api) -> str:
    """The first difference between a library and its layout, in words, or an empty text."""
    layout = api.layout
    for function, expected in (("llama_version", layout.llama), ("ggml_version", layout.ggml)):
        version = (getattr(api, function)() or b"").decode("utf-8", "replace")
        if version.removesuffix("-dev") != expected:
            return f"{function}() is {version!r}, and {expected!r} was expected"
    batch = {"n_tokens": len(POINTED), "token": ctypes.addressof(POINTED)}
    for function, name, arguments, filled in (
        ("llama_model_default_params", "llama_model_params", (), None),
        ("llama_context_default_params", "llama_context_params", (), None),
        ("llama_batch_get_one", "llama_batch", (ctypes.addressof(POINTED), len(POINTED)), batch),
    ):
        struct = layout.structs[name]
        expected_values = defaults(struct) if filled is None else dict.fromkeys(struct.fields, 0) | filled
        for canary in CANARIES:
            found = returned(getattr(api, function), arguments, canary)
            if difference := _difference(found, struct, expected_values):
                return f"{name} {difference}"
    return ""


def defaults(struct: Struct) -> dict[str, Any]:
    """The default of each field."""
    return {name: field.default for name, field in struct.fields.items()}


def returned(function: Any, arguments: tuple[int, ...], canary: int) -> tuple[bytes, int]:
    """The memory that a function returned its struct in, and the byte that filled it before.

    On x86-64 the caller passes the address of that memory as a hidden first argument. That is done here, with memory
    filled with `canary`. On AArch64 the address is in a register of its own, x8, which only ctypes can set. ctypes
    fills the memory with zeros, so a field after the end whose default is zero is not found there.
    """
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return bytes(function(*arguments)), 0
    memory = ctypes.create_string_buffer(bytes([canary]) * ROOM, ROOM)
    types = FUNCTIONS[function.__name__][1]
    plain = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, *types)(
        ctypes.cast(function, ctypes.c_void_p).value or 0
    )
    plain(ctypes.addressof(memory), *arguments)
    return memory.raw, canary


def _difference(found: tuple[bytes, int], struct: Struct, expected: Mapping[str, Any]) -> str:
    """The difference between the memory and the struct, in words, or an empty text."""
    memory, filler = found
    written = len(memory.rstrip(bytes([filler])))
    if written > struct.size:
        return f"has {written} bytes or more, and {struct.size} were expected"
    for name, field in struct.fields.items():
        value = struct.read(memory, name)
        if value != expected[name]:
            return f"holds {value} at byte {field.offset}, and {name} = {expected[name]} was expected there"
    return ""


assert ctypes.sizeof(Block) == ROOM
