"""Layouts: the places of the fields in llama.cpp's structs, one JSON file for each known build.

`tools/llama_layout.py` writes these files from the source of a build. ctypes has no description of a struct. Instead,
each is a block of memory larger than any struct, and fields are read and written at the places in the layout. Blocks
of this size are passed to and from llama.cpp by value. So a struct that is longer than expected is neither cut off nor
written past its end.
"""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

ROOM = 1024
"""Size of a block in bytes; the largest struct has 168."""

STRUCTS = ("llama_model_params", "llama_context_params", "llama_batch")
"""The structs that are passed by value."""


class Block(ctypes.Structure):
    """Memory for a struct that is passed by value, with room after its end."""

    _fields_ = [("words", ctypes.c_uint64 * (ROOM // 8))]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct.

    Attributes:
        offset: Its first byte.
        format: Its type, in the notation of the module `struct`.
        default: Its value after llama.cpp filled the struct; None if no function does.
    """

    offset: int
    format: str
    default: float | bool | None


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct of one build.

    Attributes:
        size: Its size in bytes.
        fields: All its fields, by name.
    """

    size: int
    fields: Mapping[str, Field]

    def read(self, block: Block | bytes, name: str) -> Any:
        """The value of a field."""
        field = self.fields[name]
        return struct.unpack_from(field.format, block, field.offset)[0]

    def write(self, block: Block, **values: float | bool) -> None:
        """Set fields."""
        for name, value in values.items():
            field = self.fields[name]
            struct.pack_into(field.format, block, field.offset, value)


@dataclass(frozen=True, slots=True)
class Layout:
    """The structs of one build of llama.cpp, as a package ships it.

    Attributes:
        package: The package's name.
        version: The package's version.
        llama: The beginning of `llama_version()` in this build.
        ggml: The beginning of `ggml_version()` in this build.
        sequences: Most sequences of a context, `LLAMA_MAX_SEQ`.
        structs: The structs of `STRUCTS`, by name.
        functions: The declarations in llama.h of the functions that are called.
    """

    package: str
    version: str
    llama: str
    ggml: str
    sequences: int
    structs: Mapping[str, Struct]
    functions: Mapping[str, str]

    def __str__(self) -> str:
        """The package and its version."""
        return f"{self.package} {self.version}"

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read a layout that `tools/llama_layout.py` wrote."""
        data = json.loads(text)
        data["structs"] = {
            name: Struct(entry["size"], {field: Field(*place) for field, place in entry["fields"].items()})
            for name, entry in data["structs"].items()
        }
        return cls(**data)


@cache
def layouts() -> tuple[Layout, ...]:
    """The layouts of all known builds, by package and version."""
    folder = files("dyntemp.models.llama") / "layouts"
    texts = [file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".json")]
    return tuple(sorted(map(Layout.from_json, texts), key=lambda layout: (layout.package, layout.version)))


def known() -> str:
    """The known builds, as a list for messages."""
    return " and ".join(map(str, layouts()))
