"""Write the layout of a build of llama.cpp, from the source that a package brings: needs pip and a C compiler.

    python tools/llama_layout.py xllamacpp==2026.10.11549
    python tools/llama_layout.py llama-cpp-python==0.3.36 llama_cpp_python-0.3.36.tar.gz

Sizes, offsets and types are the compiler's, for llama.h of that source. Defaults are those that the source of
`llama_model_default_params` and `llama_context_default_params` states, compiled too. Nothing is asked of the built
library: the guard compares it with this file when it is opened.
"""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from dyntemp.models.llama.binding import FUNCTIONS
from dyntemp.models.llama.layout import ROOM, STRUCTS

LAYOUTS = Path(__file__).parents[1] / "src/dyntemp/models/llama/layouts"
DEFAULTS = {"llama_model_params": "llama-model.cpp", "llama_context_params": "llama-context.cpp"}
"""The file that fills each struct with its defaults."""

SIZES = {("i", 4): "i", ("u", 4): "I", ("i", 1): "b", ("u", 8): "Q", ("i", 8): "q", ("f", 4): "f", ("b", 1): "?"}
"""Kind and length of a field -> its letter in the module `struct`; `p` is a pointer, and 8 bytes."""

PROGRAM = """
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "llama.h"
#define nullptr NULL
#define KIND(x) _Generic((x), bool: "b", float: "f", int8_t: "i", int32_t: "i", uint32_t: "u", size_t: "u", \\
    default: "p")
#define FIELD(type, name) printf("%s %s %zu %zu %s", #type, #name, offsetof(struct type, name), \\
    sizeof(((struct type *) 0)->name), KIND(((struct type *) 0)->name)); bytes(&type##_value.name, \\
    sizeof type##_value.name);
static void bytes(const void * at, size_t size) {
    printf(" ");
    for (size_t i = 0; i < size; i++) printf("%02x", ((const unsigned char *) at)[i]);
    printf("\\n");
}
int main(void) {
"""


def main(arguments: list[str]) -> int:
    """Write the layout of the package that the first argument names; the second may be its source distribution."""
    package, _, version = arguments[0].partition("==")
    with TemporaryDirectory() as name:
        folder = Path(name)
        archive = Path(arguments[1]) if arguments[1:] else downloaded(arguments[0], folder)
        source = unpacked(archive, folder / "source")
        layout = {"package": package, "version": version, **read(source, folder)}
    target = LAYOUTS / f"{package}-{version}.json"
    target.write_text(written(layout), encoding="utf-8")
    print(f"{target}\npin {package}=={version} in pyproject.toml and constraints.txt, and run the tests of models")
    return 0


def downloaded(requirement: str, folder: Path) -> Path:
    """The source distribution, from the package index."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "-d", folder, requirement]
    subprocess.run(command, check=True)
    return next(folder.glob("*.tar.gz"))


def unpacked(archive: Path, folder: Path) -> Path:
    """The folder of llama.cpp's source in an archive."""
    with tarfile.open(archive) as tar:
        members = [member for member in tar if re.search(r"\.(h|cpp)$|/CMakeLists\.txt$", member.name)]
        tar.extractall(folder, members, filter="data")
    return next(path.parents[1] for path in folder.rglob("src/llama-cparams.h"))


def read(source: Path, folder: Path) -> dict[str, object]:
    """The layout of this source."""
    header = without_comments((source / "include/llama.h").read_text(encoding="utf-8"))
    sequences = re.search(r"#define LLAMA_MAX_SEQ (\d+)", (source / "src/llama-cparams.h").read_text(encoding="utf-8"))
    return {
        "llama": cmake_version(source / "CMakeLists.txt", "LLAMA"),
        "ggml": cmake_version(source / "ggml/CMakeLists.txt", "GGML"),
        "sequences": int(sequences[1]) if sequences else 0,
        "structs": structs(source, header, folder),
        "functions": {name: declaration(header, name) for name in FUNCTIONS},
    }


def without_comments(text: str) -> str:
    """C source without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def cmake_version(file: Path, name: str) -> str:
    """The version that a CMake file states in three parts."""
    text = file.read_text(encoding="utf-8")
    parts = [re.search(rf"set\({name}_VERSION_{part}\s+(\d+)\)", text) for part in ("MAJOR", "MINOR", "PATCH")]
    return ".".join(part[1] for part in parts if part)


def declaration(header: str, name: str) -> str:
    """A function's declaration in llama.h: its result and the types of its arguments."""
    found = re.search(rf"LLAMA_API\s+([\w\s*]+?)\b{name}\s*\(([^)]*)\)", header)
    if found is None:
        raise SystemExit(f"llama.h declares no {name}: mend FUNCTIONS in models/llama/binding.py")
    types = [re.sub(r"(?<=[\s*])\w+$", "", argument.strip()) for argument in found[2].split(",")]  # without names
    return f"{spaced(found[1])}({', '.join(map(spaced, types))})"


def spaced(text: str) -> str:
    """One space between words, none elsewhere."""
    return re.sub(r"\s*\*\s*", "*", " ".join(text.split())).strip()


def structs(source: Path, header: str, folder: Path) -> dict[str, object]:
    """Each struct's size, and each field's offset, type and default."""
    program = PROGRAM
    for name in STRUCTS:
        body = re.search(rf"struct {name} \{{(.*?)\}}", header, re.DOTALL)
        assert body, f"llama.h has no struct {name}"
        fields = [re.findall(r"\w+", line)[-1] for line in body[1].split(";") if line.strip()]
        filled = initializer(source, name) if name in DEFAULTS else "{0}"
        program += f"static struct {name} {name}_value = {filled};\n"
        program += f'printf("{name} %zu\\n", sizeof(struct {name}));\n'
        program += "\n".join(f"FIELD({name}, {field})" for field in fields) + "\n"
    lines = compiled(program + "return 0;\n}\n", source, folder).splitlines()
    found: dict[str, dict[str, object]] = {}
    for line in lines:
        name, *rest = line.split()
        if len(rest) == 1:
            found[name] = {"size": int(rest[0]), "fields": {}}
            assert int(rest[0]) <= ROOM, f"{name} is longer than a block: raise ROOM in models/llama/layout.py"
            continue
        field, offset, size, kind, data = rest
        found[name]["fields"][field] = entry(int(offset), int(size), kind, data, name in DEFAULTS)  # type: ignore[index]
    return found


def initializer(source: Path, name: str) -> str:
    """The braces with which llama.cpp fills a struct, as C."""
    text = (source / "src" / DEFAULTS[name]).read_text(encoding="utf-8")
    found = re.search(rf"{name} result = (\{{.*?\}});", text, re.DOTALL)
    assert found, f"{DEFAULTS[name]} does not fill {name} as it used to"
    return found[1]


def entry(offset: int, size: int, kind: str, data: str, has_default: bool) -> list[object]:
    """A field as the layout has it: offset, letter of its type, default."""
    letter = "Q" if kind == "p" and size == 8 else "i" if kind == "p" else SIZES[kind, size]  # enumerations are `int`
    return [offset, f"<{letter}", struct.unpack(f"<{letter}", bytes.fromhex(data))[0] if has_default else None]


def compiled(program: str, source: Path, folder: Path) -> str:
    """The output of a C program."""
    file = folder / "layout.c"
    file.write_text(program, encoding="utf-8")
    paths = [f"-I{source / place}" for place in ("include", "ggml/include")]
    subprocess.run(["cc", "-std=c11", "-w", *paths, file, "-o", folder / "layout"], check=True)
    return subprocess.run([folder / "layout"], check=True, capture_output=True, text=True).stdout


def written(layout: dict[str, object]) -> str:
    """The layout as JSON, a field on each line."""
    text = json.dumps(layout, indent=2)
    return re.sub(r"\[\s+(\d+),\s+(\S+),\s+(\S+)\s+\]", r"[\1, \2, \3]", text) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
