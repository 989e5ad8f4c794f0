"""Layouts: where the fields of llama.cpp's structs lie, one JSON file for each build that we know.

`tools/llama_layout.py` writes these files from the source of a build. A struct is not described to ctypes: it is a
block of memory that is larger than any of them, and fields are written and read at the places that the layout names. A
block of this size goes to llama.cpp and comes back by value, so that a struct that is longer than expected is never cut
off and never written past its end.
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
"""Bytes of a block; the largest struct has 168."""

STRUCTS = ("llama_model_params", "llama_context_params", "llama_batch")
"""The structs that go by value."""


class Block(ctypes.Structure):
    """Memory for a struct that goes by value, with room behind its end."""

    _fields_ = [("words", ctypes.c_uint64 * (ROOM // 8))]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a struct.

    Attributes:
        offset: Where it begins, in bytes.
        format: Its type, as the module `struct` writes it.
        default: Its value where llama.cpp fills the struct; None where no function does.
    """

    offset: int
    format: str
    default: float | bool | None


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct of one build.

    Attributes:
        size: Its length in bytes.
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
    """The structs of one build of llama.cpp, in the package that brings it.

    Attributes:
        package: The package's name.
        version: The package's version.
        llama: What `llama_version()` of this build begins with.
        ggml: What `ggml_version()` of this build begins with.
        sequences: Most sequences of a context, `LLAMA_MAX_SEQ`.
        structs: The structs of `STRUCTS`, by name.
        functions: The types of the functions that we call, as llama.h declares them.
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
        """The layout that `tools/llama_layout.py` wrote."""
        data = json.loads(text)
        data["structs"] = {
            name: Struct(entry["size"], {field: Field(*place) for field, place in entry["fields"].items()})
            for name, entry in data["structs"].items()
        }
        return cls(**data)


@cache
def layouts() -> tuple[Layout, ...]:
    """The layouts of all builds that we know, by package and version."""
    folder = files("dyntemp.models.llama") / "layouts"
    texts = [file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".json")]
    return tuple(sorted(map(Layout.from_json, texts), key=lambda layout: (layout.package, layout.version)))


def known() -> str:
    """The builds that work, as messages name them."""
    return " and ".join(map(str, layouts()))
