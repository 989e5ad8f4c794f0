"""The programs whose settings can be converted: their fields, their formulas, and the sources of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dyntemp.convert import readers, writers
from dyntemp.convert.curve import ConversionError
from dyntemp.convert.llama_options import SHORT, VALUED, VALUELESS
from dyntemp.convert.nested import Keys
from dyntemp.convert.reading import Given, Reading
from dyntemp.convert.samplers import KNOBS, ORDERS, Knob, fields_of
from dyntemp.language.signals import suggestion


@dataclass(frozen=True, slots=True)
class Program:
    """One program.

    Attributes:
        name: Its name for `from_settings` and `to_settings`.
        title: Its full name.
        fields: Its fields about temperature, and about the order of samplers.
        formula: Its temperature in terms of these fields; h is the normalized entropy.
        exactness: The extent to which its draws equal dyntemp's.
        source: The file, function and version in which that was read.
        read: Converts its settings to a `Reading`.
        write: Converts a curve and filters to its settings.
        spellings: Other spellings of a field -> the field.
        zero_is_off: True if top_p = 0 filters nothing.
        floor: The lowest temperature that it uses, whatever the settings.
        flags: Field -> option of its command line.
        separators: Field -> the separator in a list that is given as an option.
        wrappers: Paths of names that lead to the settings inside a request, an answer or an export.
        answers_float32: True if numbers in an answer are float32, written as doubles.
        short: Options of one or two letters about sampling -> their fields.
        beside: Options of its command line that do not concern sampling.
        valueless: Options that take no value.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    formula: str
    exactness: str
    source: str
    read: Callable[[Given, bool], Reading] = field(repr=False)
    write: writers.Writer = field(repr=False)
    spellings: Mapping[str, str] = field(default_factory=dict, repr=False)
    zero_is_off: bool = False
    floor: float = 0.0
    flags: Mapping[str, str] = field(default_factory=dict, repr=False)
    separators: Mapping[str, str] = field(default_factory=dict, repr=False)
    wrappers: tuple[Keys, ...] = ()
    answers_float32: bool = field(default=False, repr=False)
    short: Mapping[str, str] = field(default_factory=dict, repr=False)
    beside: frozenset[str] = field(default=frozenset(), repr=False)
    valueless: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def own_fields(self) -> tuple[str, ...]:
        """All fields that are read: those about temperature and order, then those of its filters."""
        return (*self.fields, *fields_of(self.name))

    def field_of(self, spelled: str) -> str:
        """The field that a name or an option stands for."""
        plain = spelled.lstrip("-").replace("-", "_")
        if spelled.startswith("-"):
            plain = self.short.get(plain, plain)
        return self.spellings.get(plain, plain)

    def is_beside(self, spelled: str) -> bool:
        """True for a known option that does not concern sampling."""
        return spelled.startswith("-") and _bare(spelled) in self.beside

    def takes_no_value(self, spelled: str) -> bool:
        """True for an option that is known to take no value."""
        return _bare(spelled) in self.valueless


def _bare(spelled: str) -> str:
    """An option without its leading dashes."""
    return spelled.lstrip("-").replace("_", "-")


AROUND = "lo = max(0, t - d), hi = t + d; lo + (hi - lo)*h**e"
BETWEEN = "lo + (hi - lo)*h**e"
MEASURED = "where filters come first, h is that of what they left"
RANGE_FIELDS = ("temperature", "dynatemp_range", "dynatemp_exponent")
TEXTGEN_FIELDS = ("temperature", "dynamic_temperature", "dynatemp_low", "dynatemp_high", "dynatemp_exponent",
                  "temperature_last", "sampler_priority")  # fmt: skip
TABBY_FIELDS = ("temperature", "min_temp", "max_temp", "temp_exponent", "temperature_last")
TABBY_SPELLINGS = {"temp": "temperature", "typical_p": "typical", "dynatemp_low": "min_temp",
                   "dynatemp_high": "max_temp", "dynatemp_exponent": "temp_exponent"}  # fmt: skip

PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        Program("llama.cpp", "llama-server, llama-cli, xllamacpp and other hosts of llama.cpp",
                (*RANGE_FIELDS, "samplers", "sampler_seq"), f"t where d <= 0; else {AROUND}",
                f"exact for rows without masked candidates, which it counts; {MEASURED}: by itself top_k 40, "
                "top_p 0.95, min_p 0.05",
                "src/llama-sampler.cpp, temp_ext; b11434 and xllamacpp 2026.10.11549, run through the C interface",
                readers.llama_cpp, writers.llama_cpp,
                {"temp": "temperature", "dynatemp_exp": "dynatemp_exponent", "sampling_seq": "sampler_seq",
                 "typical": "typical_p", "typ_p": "typical_p", "top_nsigma": "top_n_sigma"},
                flags={"temperature": "--temp", "dynatemp_range": "--dynatemp-range",
                       "dynatemp_exponent": "--dynatemp-exp", "top_k": "--top-k", "top_p": "--top-p",
                       "min_p": "--min-p", "typical_p": "--typical", "top_n_sigma": "--top-nsigma",
                       "xtc_threshold": "--xtc-threshold", "xtc_probability": "--xtc-probability",
                       "samplers": "--samplers"},
                separators={"samplers": ";"},
                wrappers=(("default_generation_settings", "params"), ("default_generation_settings",),
                          ("generation_settings",), ("params",)),
                answers_float32=True, short=SHORT, beside=VALUELESS | VALUED,
                valueless=VALUELESS | {"ignore-eos", "penalize-nl"}),
        Program("koboldcpp", "koboldcpp", (*RANGE_FIELDS, "sampler_order"), f"t where d = 0; else {AROUND}",
                f"the 3,000 likeliest tokens are all that it measures and draws from; {MEASURED}",
                "gpttype_adapter.cpp, SampleLogits and sample_entropy; 2da346a (2024-10-11), and in a copy of 2026, "
                "e4510ab, where a range below 0 is no longer off",
                readers.koboldcpp, writers.koboldcpp,
                {"temp": "temperature", "typical_p": "typical", "top_n_sigma": "nsigma"}, wrappers=(("params",),)),
        Program("textgen", "text-generation-webui, its loaders on transformers", (*TEXTGEN_FIELDS, "do_sample"),
                f"{BETWEEN}, times t where t comes after it",
                f"exact for a batch of one with t = 1; it sums the entropy over a batch; {MEASURED}",
                "modules/sampler_hijack.py, DynamicTemperatureLogitsWarper; 1dcde41 (2026-05-03)",
                readers.textgen, writers.textgen),
        Program("textgen-llama.cpp", "text-generation-webui, its llama.cpp loader", TEXTGEN_FIELDS,
                "t = (lo + hi)/2, d = (hi - lo)/2, sent to llama.cpp", "as llama.cpp; a lo above hi is off",
                "modules/llama_cpp_server.py, prepare_payload; 1dcde41 (2026-05-03)",
                readers.textgen_llama_cpp, writers.textgen_llama_cpp),
        Program("exllamav2", "ExLlamaV2, and TabbyAPI on it", TABBY_FIELDS, f"t where max <= min; else {BETWEEN}",
                f"exact for rows without masked candidates, with t = 1 or temperature_last; {MEASURED}; "
                "top_p cuts a token earlier",
                "exllamav2_ext/cpp/sampling.cpp, post_softmax_temperature; da07fac (2025-12-09)",
                readers.exllamav2, writers.exllamav2, TABBY_SPELLINGS, zero_is_off=True),
        Program("exllamav3", "TabbyAPI today, on ExLlamaV3", TABBY_FIELDS, "t",
                "min_temp and max_temp are accepted and ignored; top_p cuts a token earlier",
                "tabbyAPI common/sampling.py, warn_unsupported_params; e632af4 (2026-08-13)",
                readers.exllamav3, writers.exllamav3, TABBY_SPELLINGS),
        Program("aphrodite", "Aphrodite, V1 model runner",
                ("temperature", "dynatemp_min", "dynatemp_max", "dynatemp_exponent", "temperature_last"),
                f"t where neither bound is above 1e-5; else max({BETWEEN}, 1e-5)",
                "exact; top_k, top_p and min_p come after the temperature, min_p first",
                "aphrodite/v1/sample/ops/temperatures.py, apply_all_temperatures; b42eeec (2026-04-28)",
                readers.aphrodite, writers.aphrodite, {"top_nsigma": "nsigma", "top_n_sigma": "nsigma"}, floor=1e-5),
        Program("sillytavern", "SillyTavern, a preset for text completion",
                ("temperature", "dynatemp", "min_temp", "max_temp", "dynatemp_exponent", "temperature_last",
                 "sampler_order", "samplers", "sampler_priority", "samplers_priorities", "do_sample"),
                f"t unless `dynatemp`; else {BETWEEN}", "the temperature is; the order of the filters is the backend's",
                "public/scripts/textgen-settings.js, getTextGenGenerationData; ba6f7b7 (2024-09-28)",
                readers.sillytavern, writers.sillytavern,
                {"temp": "temperature", "top_n_sigma": "nsigma", "typical": "typical_p"}, wrappers=(("preset",),)),
        Program("vllm", "vLLM, SamplingParams and its server", ("temperature",), "t, at least 0.01 unless greedy",
                "exact; it filters after the temperature, min_p first",
                "vllm/sampling_params.py and v1/sample/sampler.py; 0.32.0", readers.vllm, writers.vllm),
        Program("transformers", "transformers, generate() and generation_config.json", ("temperature", "do_sample"),
                "t if `do_sample`, else greedy", "exact; it filters after the temperature; its own top_k is 50",
                "generation/utils.py, _get_logits_processor; 5.23.0", readers.transformers, writers.transformers),
        Program("openai", "OpenAI's API and what speaks it", ("temperature",), "t",
                "exact without top_p, whose order is not documented", "the API reference", readers.openai,
                writers.openai),
    )
}  # fmt: skip

ALSO_CALLED = {
    "text-generation-webui": "textgen", "oobabooga": "textgen", "tabbyapi": "exllamav3", "llama-server": "llama.cpp",
    "llamacpp": "llama.cpp", "xllamacpp": "llama.cpp", "kobold": "koboldcpp",
}  # fmt: skip


def program_of(name: str) -> Program:
    """The program with this name, or with this other name.

    Raises:
        ConversionError: If there is no such program.
    """
    plain = name.lower()
    if (known := ALSO_CALLED.get(plain, plain)) not in PROGRAMS:
        near = suggestion(plain, (*PROGRAMS, *ALSO_CALLED)) or "."
        raise ConversionError(f"no program {name!r}{near} Known are {', '.join(PROGRAMS)}")
    return PROGRAMS[known]


def table() -> list[str]:
    """The lines of the documentation's table of programs."""
    lines = ["| program | fields | T | what is the same | read in |", "|---|---|---|---|---|"]
    for program in PROGRAMS.values():
        fields = ", ".join(f"`{name}`" for name in program.fields)
        cells = (
            f"`{program.name}`: {program.title}",
            fields,
            f"`{program.formula}`",
            program.exactness,
            program.source,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def filter_table() -> list[str]:
    """The lines of the documentation's table of the programs' filters."""
    lines = ["| program | filters | order |", "|---|---|---|"]
    for name, knobs in KNOBS.items():
        filters = [f"{one} ({', '.join(map(_field, those))})" for one, those in knobs.items()]
        lines.append(f"| `{name}` | {', '.join(filters)} | {_order_of(name)} |")
    return lines


def _field(knob: Knob) -> str:
    return f"`{knob.field}`" + (f" in {knob.unit:g}" if knob.unit != 1 else "")


def _order_of(name: str) -> str:
    """The order of a program's filters, for the documentation."""
    if name in ("llama.cpp", "textgen", "textgen-llama.cpp"):
        return "any"
    if name == "koboldcpp":
        return "any, but min_p at once after top_p, nsigma after the temperature, XTC last"
    if name == "sillytavern":
        return "that of the program that it is sent to"
    orders = [", ".join(order) for order in ORDERS[name]]
    return orders[0] + (f"; with `temperature_last` {orders[1]}" if orders[1:] else "")
