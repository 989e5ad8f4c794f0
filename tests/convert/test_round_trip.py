"""Settings to a policy, to settings, and to a policy again: a thousand random settings of every program, and policies.

What comes back has the same temperatures and filters, or the conversion says in what they differ.
"""

import shlex

import numpy as np
import pytest

from dyntemp import Policy
from dyntemp.convert import PROGRAMS, ConversionError, from_settings, to_settings
from dyntemp.convert.command_line import settings_of
from dyntemp.convert.samplers import KNOBS
from dyntemp.distribution.filters import GREEDY_AT, Filters

ENTROPIES = np.linspace(0, 1, 33)
TIMES = 1000
ROWS = [np.random.default_rng(seed).normal(0, spread, 24) for seed, spread in enumerate((0.5, 1.5, 4))]


def temperatures(policy):
    return policy.step({"normalized_entropy": ENTROPIES, "support": np.full(len(ENTROPIES), 9.0)})


class Random:
    """Random settings, drawn from a seed."""

    def __init__(self, seed):
        self.noise = np.random.default_rng(seed)

    def choice(self, *values):
        return values[self.noise.integers(len(values))]

    def number(self, low, high):
        """A number with one, two or three decimals, or as many as a double has."""
        return round(float(self.noise.uniform(low, high)), self.choice(1, 2, 3, 17))

    def switch(self):
        return bool(self.noise.integers(2))

    def some(self, values):
        """Some of the values, in any order."""
        values = list(values)
        return [values[at] for at in self.noise.permutation(len(values))[: self.noise.integers(1, len(values) + 1)]]

    def filters(self, program):
        """Fields of filters: half of the time none are on, else some, and sometimes those beside the usual three."""
        if self.switch():
            return {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
        given = {
            "top_k": self.choice(0, 1, 40, 5000), "top_p": self.choice(1.0, 0.9, self.number(0.3, 0.9)),
            "min_p": self.choice(0.0, 0.05, self.number(0.001, 0.3)),
        }  # fmt: skip
        given = {name: value for name, value in given.items() if self.noise.random() < 0.8}
        others = [name for name in KNOBS[program] if name not in ("top_k", "top_p", "min_p")]
        if others and self.switch():
            for name in self.some(others)[:2]:
                knobs = KNOBS[program][name]
                given |= {knob.field: self.number(0.05, 0.95) / knob.unit for knob in knobs}
        return given

    def chain(self, program):
        """The text of a chain of up to three filters of a program, and perhaps the temperature among them."""
        names = self.some(KNOBS[program])[:3]
        texts = [f"{name}({', '.join(self.argument(name) for _ in KNOBS[program][name])})" for name in names]
        place = self.noise.integers(len(texts) + 1)
        return ", ".join([*texts[:place], "temperature", *texts[place:]])

    def argument(self, name):
        return str(self.choice(1, 5, 40)) if name == "top_k" else repr(self.number(0.05, 0.95))

    def around(self, *exponents):
        return {
            "temperature": self.choice(self.number(0, 2), 0.0, -0.5),
            "dynatemp_range": self.choice(self.number(0, 2), self.number(0, 2), 0.0, self.number(-1, 0)),
            "dynatemp_exponent": self.choice(1.0, self.number(0, 3), *exponents),
        }

    def ends(self, low, high, exponent, *exponents):
        return {low: self.number(0.02, 2), high: self.number(0.02, 2),
                exponent: self.choice(1.0, self.number(0.05, 3), *exponents)}  # fmt: skip


def llama_cpp(random):
    samplers = random.some(["penalties", "dry", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"])
    return random.around(0.0, -0.5) | random.choice({}, {"samplers": samplers}, {"samplers": []})


def koboldcpp(random):
    return random.around(0.0, -0.5) | random.choice({}, {"sampler_order": random.some(range(7))})


def textgen(random):
    order = random.some(["temperature", "dynamic_temperature", "top_k", "top_p", "min_p"])
    return {
        "temperature": random.choice(1.0, random.number(0.02, 2)), "dynamic_temperature": random.switch(),
        **random.ends("dynatemp_low", "dynatemp_high", "dynatemp_exponent", 0.0),
        "temperature_last": random.switch(), **random.choice({}, {"sampler_priority": order}),
    }  # fmt: skip


def tabby(random):
    return {"temperature": random.choice(1.0, 0.0, random.number(0, 2)), "temperature_last": random.switch(),
            **random.ends("min_temp", "max_temp", "temp_exponent", 0.0)}  # fmt: skip


def aphrodite(random):
    ends = random.ends("dynatemp_min", "dynatemp_max", "dynatemp_exponent")
    return {"temperature": random.choice(0.0, random.number(0, 2)),
            **random.choice({}, ends, ends, ends | {"dynatemp_min": 0.0}, ends | {"dynatemp_max": 0.0})}  # fmt: skip


def sillytavern(random):
    return {"temp": random.number(0, 2), "dynatemp": random.switch(), "temperature_last": random.switch(),
            **random.ends("min_temp", "max_temp", "dynatemp_exponent", 0.0)}  # fmt: skip


def static(random):
    return {"temperature": random.choice(0.0, 0.004, random.number(0.02, 2))}


SETTINGS = {
    "llama.cpp": llama_cpp, "koboldcpp": koboldcpp, "textgen": textgen, "textgen-llama.cpp": textgen,
    "exllamav2": tabby, "exllamav3": tabby, "aphrodite": aphrodite, "sillytavern": sillytavern, "vllm": static,
    "transformers": lambda random: {"temperature": random.number(0.02, 2), "do_sample": random.switch()},
    "openai": static,
}  # fmt: skip


def same_filters(one, other, policy):
    """True if two chains keep the same entries of some rows at the ends of the policy, or at 0 the same likeliest."""
    for t in {temperatures(policy).min(), temperatures(policy).max()}:
        for row in ROWS:
            kept = [filters.mask(row, t, lambda number: 0.0) for filters in (one, other)]
            if t <= GREEDY_AT:
                kept = [np.argmax(np.where(mask, row, -np.inf)) for mask in kept]
            if not np.array_equal(*kept):
                return False
    return True


def check_back(program, policy, filters, written):
    """The settings that were written mean the policy again, as fields and as options of a command line."""
    readings = [dict(written.fields)]
    if written.flags:
        readings.append(settings_of(PROGRAMS[program], shlex.split(" ".join(written.flags))))
    for fields in readings:
        back = from_settings(program, fields)
        expected = temperatures(policy)
        if "it raises a temperature below 1e-5 to that" in written.notes:
            expected = np.maximum(expected, 1e-5)
        np.testing.assert_allclose(temperatures(back.policy), expected, rtol=1e-12, atol=1e-15)
        assert same_filters(filters, back.filters, policy) or written.differs, (fields, filters, back.filters)


def test_every_program_has_random_settings():
    assert list(PROGRAMS) == list(SETTINGS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_random_settings_come_back_with_the_same_temperatures_and_filters(program):
    random, dynamic, written_ones = Random(11), 0, 0
    for _ in range(TIMES):
        filters = random.filters(program)
        if program == "openai":
            filters = {name: value for name, value in filters.items() if name == "top_p"}
        try:
            found = from_settings(program, SETTINGS[program](random) | filters)
            written = to_settings(program, found.policy, **found.arguments)
        except ConversionError:
            continue
        check_back(program, found.policy, found.filters, written)
        written_ones += 1
        dynamic += bool(np.ptp(temperatures(found.policy)) > 0)

    assert written_ones > TIMES / 2
    assert (dynamic > TIMES / 20) is (program not in ("exllamav3", "vllm", "transformers", "openai"))


def policy_text(random):
    """A policy of the shape that engines compute, written in one of several ways."""
    low, high, exponent = (
        random.number(0.06, 2),  # no number rounds to 0
        random.number(0.06, 2),
        random.choice(1, 2, 0.5, random.number(0.1, 3)),
    )
    share = random.choice(f"normalized_entropy**{exponent}", f"(2*normalized_entropy)**{exponent}/2**{exponent}")
    return random.choice(
        f"{low}", f"lerp({low}, {high}, {share})", f"{low} + ({high} - {low})*{share}", f"{high}*{share}",
        f"clip({low} + {high}*{share}, 0.001, 9)", f"{low}*0.7 + {share}/{high}",
        f"max({low}, 0.7*0.1 + {low} + {share})",
    )  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_random_policies_of_the_shape_come_back(program):
    random, written_ones = Random(12), 0
    for _ in range(TIMES // 3):
        policy, filters = Policy(policy_text(random)), Filters()
        if random.switch() and program != "openai":
            filters = Filters.read(random.chain(program))
        try:
            written = to_settings(program, policy, filters=filters)
        except ConversionError:
            continue
        check_back(program, policy, filters, written)
        written_ones += 1

    assert written_ones > TIMES / 60


@pytest.mark.parametrize("seed", range(3))
def test_the_native_parameters_of_llama_cpp_mean_the_policy(seed):
    from dyntemp.engines.llama_cpp import native
    from dyntemp.errors import EngineError

    random, written_ones = Random(seed), 0
    for _ in range(TIMES // 3):
        policy = Policy(policy_text(random))
        try:
            parameters = native(policy)
        except EngineError:
            continue
        back = from_settings("llama.cpp", parameters | {"top_k": 0, "top_p": 1.0, "min_p": 0.0})
        np.testing.assert_allclose(temperatures(back.policy), temperatures(policy), rtol=1e-12, atol=1e-15)
        written_ones += 1

    assert written_ones > TIMES / 10
