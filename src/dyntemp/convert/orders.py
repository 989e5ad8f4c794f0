"""The order in which a program applies its samplers, read from a list, a text or letters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dyntemp.convert.curve import ConversionError
from dyntemp.convert.reading import Given, Unknown
from dyntemp.convert.samplers import LLAMA_ORDER, NAMES, TEXTGEN_ORDER

LLAMA_LETTERS = {
    "e": "penalties", "d": "dry", "s": "top_n_sigma", "k": "top_k", "y": "typ_p", "p": "top_p", "m": "min_p",
    "x": "xtc", "t": "temperature", "i": "infill", "a": "adaptive_p", "f": "tfs_z",
}  # fmt: skip
"""Letters of `--sampler-seq` -> names. llama.cpp has removed the sampler `f`."""

REMOVED = ("tfs_z", "tfs-z", "tfs", "typical_p", "typical-p", "typical")
"""Names in older presets and builds that llama.cpp of 2026 skips."""

KOBOLD_STAGES: dict[int, tuple[str, ...]] = {
    0: ("top_k",), 1: ("top_a",), 2: ("top_p", "min_p"), 3: ("tfs",), 4: ("typical",),
    5: ("temperature", "top_n_sigma"), 6: (),
}  # fmt: skip
"""Numbers of `sampler_order` -> samplers; 6 are penalties. XTC comes last in any order."""

KOBOLD_ORDER = (6, 0, 1, 3, 4, 2, 5)

TEXTGEN_NAMES = (
    "repetition_penalty", "presence_penalty", "frequency_penalty", "dry", "top_n_sigma", "temperature",
    "dynamic_temperature", "quadratic_sampling", "top_k", "top_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "tfs",
    "top_a", "min_p", "adaptive_p", "mirostat", "xtc", "encoder_repetition_penalty", "no_repeat_ngram",
)  # fmt: skip
"""The samplers of text-generation-webui, in its own order."""


class Order(NamedTuple):
    """Samplers in the order in which a program applies them.

    Attributes:
        names: The known samplers; filters have dyntemp's names.
        unknown: The entries of the list that the program does not know.
        notes: Remarks on the list.
    """

    names: tuple[str, ...]
    unknown: tuple[Unknown, ...] = ()
    notes: tuple[str, ...] = ()


def _aliases() -> dict[str, str]:
    """Each spelling of a sampler in llama.cpp's lists -> its name."""
    names = [name for name in LLAMA_LETTERS.values() if name not in REMOVED]
    spelled = {name.replace("_", mark): name for name in names for mark in ("_", "-", "")}
    return spelled | {"nucleus": "top_p", "temp": "temperature", "typ": "typ_p"}


LLAMA_NAMES = _aliases()


def llama_order(given: Given) -> Order:
    """The samplers of llama.cpp: `samplers` as a list of names or a text of letters, or `sampler_seq` as letters.

    In an empty list no sampler runs. Names may have capital letters, as in builds of 2026. Read in
    common/sampling.cpp (`common_sampler_types_from_names` and `_from_chars`) and tools/server/server-schema.cpp.

    Raises:
        ConversionError: If the order has another form, or names a sampler twice.
    """
    if given.has("sampler_seq") and given.has("samplers"):
        raise ConversionError(f"{given.program} was given samplers and sampler_seq; both set the order: leave one out")
    if given.has("sampler_seq"):
        value = given.values["sampler_seq"]
        if not isinstance(value, str):
            raise given.wrong("sampler_seq", value, "a text of letters such as kpmt is")
        return _llama_samplers(given, "sampler_seq", list(value), LLAMA_LETTERS)
    if not given.has("samplers"):
        return Order(LLAMA_ORDER)
    value = given.values["samplers"]
    if isinstance(value, str):
        if _is_letters(given, value):
            return _llama_samplers(given, "samplers", list(value), LLAMA_LETTERS)
        note = (
            "a text of `samplers` is read as the option --samplers takes it; llama-server takes a text as letters, "
            "so send it a list"
        )
        return _llama_samplers(given, "samplers", value.split(";"), LLAMA_NAMES, note)
    if not isinstance(value, Sequence) or not all(isinstance(part, str) for part in value):
        raise given.wrong("samplers", value, "a list of samplers is")
    return _llama_samplers(given, "samplers", value, LLAMA_NAMES)


def _is_letters(given: Given, text: str) -> bool:
    """True if a text of `samplers` is a sequence of letters.

    Raises:
        ConversionError: If it is both a sequence of letters and a name.
    """
    if not set(text) <= set(LLAMA_LETTERS):
        return False
    if text in LLAMA_NAMES:
        raise ConversionError(
            f"{given.program} was given samplers = {text!r}; llama-server takes it as {len(text)} letters, the option "
            f'--samplers as one name: write ["{LLAMA_NAMES[text]}"], or sampler_seq for letters'
        )
    return True


def _llama_samplers(given: Given, field: str, parts: Sequence[str], table: Mapping[str, str], *notes: str) -> Order:
    """The samplers that `parts` name in `table`."""
    known = tuple(name for name in (table if table is LLAMA_LETTERS else LLAMA_LETTERS.values()) if name not in REMOVED)
    names, unknown, capital, removed = [], [], [], []
    for part in filter(None, parts):
        plain = part if table is LLAMA_LETTERS else part.lower()
        if table.get(plain, plain) in REMOVED:
            removed.append(part)
        elif plain in table:
            names.append(table[plain])
            capital += [part] if part != plain else []
        else:
            unknown.append(Unknown(field, part, known))
    if capital:
        notes += (f"{_quoted(capital)} in `{field}`: builds of 2024 leave out a name with capital letters",)
    if removed:
        notes += (f"{_quoted(removed)} in `{field}`: llama.cpp has no such sampler any more and leaves it out",)
    _once(given, field, names)
    return Order(_plain(names), tuple(unknown), notes)


def kobold_order(given: Given) -> Order:
    """The samplers of koboldcpp: `sampler_order`, a list of up to seven numbers from 0 to 6.

    Numbers in quotes, and a text of numbers separated by commas, are allowed. An empty list means koboldcpp's own
    order. Read in koboldcpp.py (`sampler_order`) and gpttype_adapter.cpp (`SampleLogits`).

    Raises:
        ConversionError: If the order has another form, or has a number twice.
    """
    value = given.values.get("sampler_order")
    parts = () if value in (None, "", [], ()) else value
    if isinstance(parts, str):
        parts = parts.replace(";", ",").replace("\n", ",").split(",")
    if not isinstance(parts, Sequence) or not all(_is_integer(part) for part in parts):
        raise given.wrong("sampler_order", value, "a list of numbers from 0 to 6, such as 6,0,1,3,4,2,5, is")
    numbers = [int(part) for part in parts] or list(KOBOLD_ORDER)
    if len(numbers) > len(KOBOLD_ORDER):
        raise given.wrong("sampler_order", value, "at most seven numbers, each from 0 to 6 and once, are")
    _once(given, "sampler_order", numbers)
    notes = []
    if numbers != list(KOBOLD_ORDER) and any(isinstance(part, str) for part in parts):
        notes.append(
            "numbers in quotes or in a text are read as numbers; koboldcpp itself then keeps its own order, so send a "
            "list of numbers"
        )
    stages = tuple(stage for number in numbers for stage in KOBOLD_STAGES.get(number, ()))
    known = tuple(map(str, KOBOLD_STAGES))
    unknown = tuple(Unknown("sampler_order", str(number), known) for number in numbers if number not in KOBOLD_STAGES)
    return Order((*stages, "xtc"), unknown, tuple(notes))


def textgen_order(given: Given) -> Order:
    """The warpers of text-generation-webui: `sampler_priority`, a list, or a text with commas or lines.

    An empty list means the program's own order. Of a name that is given twice, the first place counts. With
    `temperature_last` both temperatures move to the end. Read in modules/sampler_hijack.py and text_generation.py.

    Raises:
        ConversionError: If it is neither a list of names nor a text.
    """
    listed = _texts(given, "sampler_priority", ",\n")
    names = list(_plain(listed)) or list(TEXTGEN_ORDER)
    if given.flag("temperature_last", False):
        for name in ("temperature", "dynamic_temperature"):
            if name in names:
                names.remove(name)
            names.append(name)
    return Order(tuple(names), _strange("sampler_priority", listed, TEXTGEN_NAMES))


def textgen_llama_order(given: Given) -> tuple[list[str] | None, tuple[Unknown, ...]]:
    """The `samplers` that text-generation-webui sends to llama.cpp; None if it sends none.

    A text has one name per line. Read in modules/llama_cpp_server.py (`prepare_payload`).

    Raises:
        ConversionError: If `sampler_priority` is neither a list of names nor a text.
    """
    names = _texts(given, "sampler_priority", "\n") if given.has("sampler_priority") else list(TEXTGEN_NAMES)
    if not names:
        return None, ()
    unknown = _strange("sampler_priority", names, TEXTGEN_NAMES)
    names = [{"typical_p": "typ_p"}.get(name, name) for name in names]
    sent = [name for name in names if name in LLAMA_LETTERS.values() and name != "adaptive_p"]
    if given.flag("temperature_last", False) and "temperature" in sent:
        sent.remove("temperature")
        sent.append("temperature")
    return sent, unknown


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    """The samplers by dyntemp's names, where they are filters."""
    return tuple(NAMES.get(name, name) for name in names)


def _texts(given: Given, field: str, marks: str) -> list[str]:
    """The names in a list, or in a text where one of `marks` separates them; empty if there are none.

    Raises:
        ConversionError: If the value is neither.
    """
    value = given.values.get(field)
    if isinstance(value, str):
        for mark in marks:
            value = value.replace(mark, "\n")
        return [part.strip() for part in value.split("\n") if part.strip()]
    if value is None:
        return []
    if not isinstance(value, Sequence) or not all(isinstance(part, str) for part in value):
        raise given.wrong(field, value, "a list of samplers is")
    return [part.strip() for part in value]


def _is_integer(part: Any) -> bool:
    """True if `part` is an integer, or the text of one."""
    if isinstance(part, str):
        return part.strip().removeprefix("-").isdecimal()
    return isinstance(part, int) and not isinstance(part, bool)


def _strange(field: str, names: Iterable[str], known: tuple[str, ...]) -> tuple[Unknown, ...]:
    return tuple(Unknown(field, name, known) for name in names if name not in known)


def _once(given: Given, field: str, names: Sequence[Any]) -> None:
    """Check that a list names no sampler twice.

    Raises:
        ConversionError: If one is named twice.
    """
    for name in names:
        if names.count(name) > 1:
            raise ConversionError(
                f"{given.program} was given {field} with {name} twice, and would apply it twice: name each sampler once"
            )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
