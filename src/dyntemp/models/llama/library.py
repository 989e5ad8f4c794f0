"""llama.cpp's library, found, opened and checked: from xllamacpp, llama-cpp-python, or a file that the user names."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections import deque
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from dyntemp.errors import ModelError
from dyntemp.models.llama import layout_check
from dyntemp.models.llama.binding import Api, Log, bind
from dyntemp.models.llama.layout import known, layouts

VARIABLE = "DYNTEMP_LLAMA"
"""The environment variable that names a library: a package of `PACKAGES`, or a file."""

PACKAGES = {
    "xllamacpp": ("xllamacpp", ("xllamacpp*.so",)),
    "llama-cpp-python": ("llama_cpp", ("lib/libllama.so", "lib/libllama.dylib", "lib/llama.dll", "lib/libllama.dll")),
}
"""Packages with llama.cpp, the preferred one first: their module, and the library's file in its folder."""

ERROR_LEVEL = 4  # ggml's
NEEDS = ("avx2", "fma", "f16c", "bmi2")  # of an x86 processor; xllamacpp's code uses them without a check

INSTALL = (
    "run `pip install 'dyntemp[llama]'` on Linux and macOS, elsewhere `pip install 'dyntemp[llama-cpp]'`, which "
    "compiles llama.cpp or takes a wheel of its maintainers' index; or let transformers run the model, with the "
    "prefix `transformers:`"
)


class Library(NamedTuple):
    """llama.cpp's library in this process.

    Attributes:
        api: Its functions and the layout of its structs.
        name: Its package and version, or its file.
        errors: The latest errors. llama.cpp gives reasons only in its log.
        log: The function that llama.cpp calls with each line of its log; kept here so that it is not freed.
    """

    api: Api
    name: str
    errors: deque[str]
    log: Any

    def listen(self) -> None:
        """Forget earlier errors, and receive the log again: an import of llama-cpp-python takes it over."""
        self.errors.clear()
        self.api.llama_log_set(self.log, None)

    def reason(self) -> str:
        """The errors that llama.cpp logged since `listen`."""
        return "; ".join(self.errors) or "llama.cpp does not say why"


@cache
def open_library() -> Library:
    """Open llama.cpp's library. Its errors are kept for our messages; the rest of its log is dropped.

    Raises:
        ModelError: If there is none, if it cannot be opened here, or if its structs have an unknown layout.
    """
    api, name = opened(os.environ.get(VARIABLE, ""))
    errors: deque[str] = deque(maxlen=4)

    def log(level: int, text: bytes, _: Any) -> None:
        if level == ERROR_LEVEL:
            errors.append(text.decode("utf-8", "replace").strip())

    library = Library(api, name, errors, Log(log))
    library.listen()
    api.llama_backend_init()
    return library


def running() -> str | None:
    """The library that this process has opened, or None."""
    return open_library().name if open_library.cache_info().currsize else None


def opened(choice: str) -> tuple[Api, str]:
    """The checked functions of the library that `choice` names, and its name for messages.

    Args:
        choice: A package of `PACKAGES`, a file, or nothing for the first package that is installed.

    Raises:
        ModelError: As `open_library`.
    """
    if choice and choice not in PACKAGES:
        return _named(Path(choice))
    installed = [name for name in ([choice] if choice else PACKAGES) if find_spec(PACKAGES[name][0])]
    if not installed:
        raise ModelError(f"{choice or 'llama.cpp'} is not installed: {INSTALL}")
    package = installed[0]
    try:
        found = version(package)
    except PackageNotFoundError:
        found = "of no version"
    name = f"{package} {found}"
    layout = next((layout for layout in layouts() if str(layout) == name), None)
    if layout is None:
        raise ModelError(
            f"{name} is installed, whose layout is not known; these builds work: {known()}. Install one of them, or "
            f"name another library in {VARIABLE}: {' or '.join(PACKAGES)}, or a file"
        )
    if package == "xllamacpp":
        _check_processor(name)
    api = bind(_load(_file(package), name), name, layout)
    layout_check.check(api, name)
    return api, name


def _named(path: Path) -> tuple[Api, str]:
    """The functions of a file that the user names, with the first layout that fits."""
    if not path.is_file():
        raise ModelError(f"{VARIABLE} is {str(path)!r}; allowed are {', '.join(PACKAGES)}, or the file of a library")
    library = _load(path, str(path))
    reasons = []
    for layout in layouts():
        api = bind(library, str(path), layout)
        if not (difference := layout_check.differences(api)):
            return api, f"{path.name} (laid out as {layout})"
        reasons.append(f"it is not {layout}: {difference}")
    raise ModelError(
        f"{path} has a layout that is not known; {'; '.join(reasons)}. Name a library of one of these builds"
    )


def _file(package: str) -> Path:
    """The library's file in an installed package."""
    module, patterns = PACKAGES[package]
    spec = find_spec(module)
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    files = [file for folder in folders for pattern in patterns for file in sorted(folder.glob(pattern))]
    if not files:
        raise ModelError(f"{package} is installed without {' or '.join(patterns)}: install it again")
    return files[0]


def _load(path: Path, name: str) -> ctypes.CDLL:
    """The open library."""
    if sys.platform == "win32":
        os.add_dll_directory(str(path.parent))  # the folder of the libraries that it needs
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        advice = "run `apt-get install libgomp1` or what your system has for it" if "libgomp" in str(error) else INSTALL
        raise ModelError(f"{name} cannot be opened: {error}: {advice}") from error


def _check_processor(name: str) -> None:
    """Check that an x86 processor has the instructions of the library's code; without them, the process would end.

    Only Linux is checked: macOS 13, which the package needs, runs on no processor without them.
    """
    information = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not information.is_file():
        return
    flags = next((line.split() for line in information.read_text().splitlines() if line.startswith("flags")), None)
    if flags is not None and (missing := [need for need in NEEDS if need not in flags]):
        raise ModelError(
            f"{name} needs a processor with {', '.join(missing)}, which this one lacks: run "
            f"`pip install 'dyntemp[llama-cpp]'`, which compiles llama.cpp for it, and set {VARIABLE}=llama-cpp-python"
        )
