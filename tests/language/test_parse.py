"""Text -> expression: what is read, and what each misreading is told."""

import ast
import inspect
import random
import sys
import warnings

import pytest
from tests.work import calls

from dyntemp import Policy, PolicyError, param
from dyntemp import functions as f
from dyntemp import signals as s
from dyntemp.language.functions import FUNCTIONS
from dyntemp.language.grammar import MAX_LENGTH
from dyntemp.language.nodes import Binary, Call, Comparison, Const, Negate, Parameter, Signal
from dyntemp.language.parse import parse
from dyntemp.language.signals import SIGNALS

entropy, max_prob = s.entropy, s.max_prob

GOOD = {
    "0.7": Const(0.7),
    "1": Const(1.0),
    "1e-3": Const(0.001),
    "1_000": Const(1000.0),
    "0x10": Const(16.0),
    "-0.5": Const(-0.5),
    "--0.5": Const(0.5),
    "+0.5": Const(0.5),
    "-0": Const(0.0),
    "2**-1": Const(0.5),
    "-2**2": Const(-4.0),
    "(-2)**2": Const(4.0),
    "2**3**2": Const(512.0),
    "0.1 + 0.8*entropy": Binary("+", Const(0.1), Binary("*", Const(0.8), entropy)),
    "  0.1+0.8 * entropy\t": 0.1 + 0.8 * entropy,
    "(0.1\n + entropy)\r\n*2": (0.1 + entropy) * 2,
    "0.5 - 0.4*max_prob": 0.5 - 0.4 * max_prob,
    "1/entropy": 1 / entropy,
    "entropy/2": entropy / 2,
    "0.8 * 0.8**(1.5/entropy)": 0.8 * 0.8 ** (1.5 / entropy),
    "entropy**2**3": Binary("**", entropy, Const(8.0)),
    "-entropy": Negate(entropy),
    "-entropy**2": Negate(Binary("**", entropy, Const(2.0))),
    "(-entropy)**2": Binary("**", Negate(entropy), Const(2.0)),
    "+entropy": entropy,
    "a + b*max_prob + c*entropy": Parameter("a") + Parameter("b") * max_prob + Parameter("c") * entropy,
    "k1*T0": Parameter("k1") * Parameter("T0"),
    'param("theta", 0.1, 2)': Parameter("theta", 0.1, 2.0),
    "param('x_1', -1, 1)": param("x_1", -1, 1),
    "quantile(0.9)": Signal("quantile", (Const(0.9),)),
    "quantile(1/2)": s.quantile(0.5),
    "top_mass(5)": s.top_mass(5),
    "median_prob": s.median_prob,
    "temperature_for_entropy(0.85*entropy)": s.temperature_for_entropy(0.85 * entropy),
    'given("kl", 0, 20)': s.given("kl", 0, 20),
    "min(entropy, 1)": Call("min", (entropy, Const(1.0))),
    "max(entropy, 1, max_prob)": f.max(entropy, 1, max_prob),
    "clip(lerp(0.3, 1.3, normalized_entropy**1.5), 0.05, 2)": f.clip(
        f.lerp(0.3, 1.3, s.normalized_entropy**1.5), 0.05, 2
    ),
    "where(max_prob < 0.3, 0, 0.7)": Call("where", (Comparison("<", max_prob, Const(0.3)), Const(0.0), Const(0.7))),
    "where(0.3 >= max_prob, 0, 0.7)": Call("where", (Comparison(">=", Const(0.3), max_prob), Const(0.0), Const(0.7))),
    "where(1 < 2, 3, 4)": Call("where", (Comparison("<", Const(1.0), Const(2.0)), Const(3.0), Const(4.0))),
    "ema(entropy, 0.9)": f.ema(entropy, 0.9),
    "prev(max_prob)": f.prev(max_prob),
    "0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)": 0.7 + f.integral(0.1 * (2.5 - s.surprisal), -0.5, 0.8),
    "exp(0)": Const(1.0),
    "log(-1)": Call("log", (Const(-1.0),)),
    "1/0": Binary("/", Const(1.0), Const(0.0)),
    "1e308*10": Binary("*", Const(1e308), Const(10.0)),
}


@pytest.mark.parametrize("text", GOOD)
def test_good_text_is_read_as_the_same_objects(text):
    assert GOOD[text] == parse(text)


# text: (fragment of the message, position)
BAD = {
    "": ("the policy is empty", 0),
    " \n ": ("the policy is empty", 0),
    "0.1 + 0.8*entropi": ("unknown name `entropi`; did you mean `entropy`?", 10),
    "maxprob": ("did you mean `max_prob`?", 0),
    "  normalised_entropy": ("did you mean `normalized_entropy`?", 2),
    "0.5*clipp(entropy, 0, 1)": ("did you mean `clip`?", 4),
    "zzzzzz": ("known are max_prob, entropy", 0),
    "theta + 1": ('param("theta", low, high)', 0),
    "quantile": ("`quantile` needs its arguments: write `quantile(q)`", 0),
    "1 + quantile()": ("`quantile(q)` takes 1 argument, but 0 were given", 4),
    "quantile(1.5)": ("outside 0 to 1", 0),
    "quantile(entropy)": ("must be a number", 0),
    'quantile("a")': ("must be a number", 0),
    "top_mass(0)": ("k is a whole number from 1", 0),
    "top_mass(2.5)": ("k is a whole number from 1", 0),
    "top_mass(2e6)": ("k is a whole number from 1", 0),
    "entropy()": ("`entropy` is a signal, not a function: write it without parentheses", 0),
    "1 + exp": ("`exp` is a function: write `exp(x)`", 4),
    "exp()": ("`exp(x)` takes 1 argument, but 0 were given", 0),
    "exp(1, 2)": ("takes 1 argument, but 2 were given", 0),
    "min(entropy)": ("takes at least 2 arguments, but 1 were given", 0),
    "clip(entropy, 2, 1)": ("above high = 1: swap them", 0),
    "integral(entropy, 2, 1)": ("above high = 1: swap them", 0),
    "clip(x=entropy)": ("takes its arguments by place", 5),
    "clip(**entropy)": ("takes its arguments by place", 5),
    "max(*entropy, 1)": ("a value is missing before `*`", 4),
    "where(entropy, 1, 2)": ("a comparison by `<`, `<=`, `>` or `>=`", 0),
    "where(entropy == 1, 2, 3)": ("`==` is not part of the policy language", 6),
    "where(entropy != 1, 2, 3)": ("`!=` is not part of the policy language", 6),
    "where(0 < entropy < 1, 2, 3)": ("a chain of comparisons", 6),
    "where(entropy < 1 and max_prob < 1, 2, 3)": ("`and` and `or` are not part", 6),
    "where(not entropy < 1, 2, 3)": ("`not` is not part", 6),
    "entropy < 1": ("a comparison stands only as the first argument of `where", 0),
    "1 + (entropy < 1)": ("a comparison stands only as the first argument of `where", 5),
    "where(entropy < 1, max_prob < 1, 3)": ("is a comparison, not a number", 0),
    "1 if entropy < 1 else 2": ("write `where(c, x, y)`", 0),
    "2 ^ entropy": ("`^` is not a power here: write `**`", 0),
    "entropy // 2": ("write `/`", 0),
    "5 % entropy": ("5% as 0.05", 0),
    "5%": ("5% as 0.05", 0),
    "~entropy": ("not part of the policy language", 0),
    "entropy @ 2": ("not part of the policy language", 0),
    "entropy << 2": ("not part of the policy language", 0),
    "entropy.real": ("`.` is not part of the policy language", 0),
    "entropy.__class__": ("`.` is not part of the policy language", 0),
    "entropy[0]": ("`[...]` is not part of the policy language", 0),
    "[1, 2]": ("not part of the policy language", 0),
    "{1: 2}": ("not part of the policy language", 0),
    "lambda: 1": ("`lambda` is not part", 0),
    "(a := 1)": ("`:=` is not part", 1),
    "0,7": ("write the decimal point as `.`", 0),
    "...": ("not part of the policy language", 0),
    "True": ("`True` is not a number", 0),
    "None": ("`None` is not a number", 0),
    "1j": ("`1j` is not a number", 0),
    "b'x'": ("two values stand beside one another", 1),
    "'entropy'": ("text in quotes stands only as a name", 0),
    "f'{entropy}'": ("two values stand beside one another", 1),
    "__import__('os')": ("unknown name `__import__`", 0),
    "eval('1')": ("unknown name `eval`", 0),
    "(lambda: 1)()": ("`lambda` is not part of the policy language", 1),
    "exp(1)(2)": ("not part of the policy language", 0),
    "entropy.exp()": ("not part of the policy language", 0),
    "param": ("unknown name `param`", 0),
    "param('a')": ('param("theta", 0.1, 2)', 0),
    "param(a, 0, 1)": ("a parameter's name is letters, digits and _, but `a` was given", 0),
    "param('a b', 0, 1)": ("a parameter's name is letters", 0),
    "param('a', 1, 0)": ("has the empty range 1 to 0", 0),
    "param('a', 1, 1)": ("has the empty range", 0),
    "param('a', 0, entropy)": ("must be two numbers", 0),
    "given(kl, 0, 1)": ("unknown name `kl`", 6),
    "given(k, 0, 1)": ("names its number in quotes", 0),
    "given('kl', 1, 0)": ("has the empty range", 0),
    "temperature_for_entropy(temperature_for_entropy(1))": ("may use neither", 0),
    "temperature_for_entropy(ema(entropy, 0.9))": ("anything that remembers", 0),
    "temperature_for_entropy(surprisal)": ("anything that remembers", 0),
    "0.1 +": ("a value is missing behind `+`: write a number, a signal, a function or `(...)` there", 5),
    "0.1 +  ": ("a value is missing behind `+`", 5),
    "(0.1 +)": ("a value is missing behind `+`", 6),
    "max(1, , 2)": ("a value is missing behind `,`", 7),
    "max(, 2)": ("a value is missing behind `(`", 4),
    "where(1 <, 2, 3)": ("a value is missing behind `<`", 9),
    "* 2": ("a value is missing before `*`", 0),
    "1 + / 2": ("a value is missing before `/`", 4),
    "< 2": ("a value is missing before `<`", 0),
    ",5": ("a value is missing before `,`", 0),
    "-": ("a value is missing behind `-`", 1),
    "(0.1": ("this `(` is not closed: write `)` behind", 0),
    "1 + (": ("this `(` is not closed", 4),
    "exp(entropy": ("this `(` is not closed", 3),
    "exp(entropy,": ("this `(` is not closed", 3),
    "exp((entropy)": ("this `(` is not closed", 3),
    "0.1)": ("this `)` closes nothing: remove it, or write `(` before it", 3),
    ")": ("this `)` closes nothing", 0),
    "()": ("nothing stands between `(` and `)`", 0),
    "1 + ( )": ("nothing stands between `(` and `)`", 4),
    "(0.1]": ("`]` is not part of the policy language", 4),
    "0.1 entropy": ("two values stand beside one another: write an operator between them, such as `*`", 4),
    "(0.1 entropy)": ("two values stand beside one another", 5),
    "max(entropy 1)": ("two values stand beside one another", 12),
    "given('k' 'l', 0, 1)": ("two values stand beside one another", 10),
    "(entropy) 2": ("two values stand beside one another", 10),
    "2(entropy)": ("`(` right behind a value is not part of the policy language: write `*`", 0),
    "(1)(2)": ("`(` right behind a value", 0),
    "2entropy": ("`2entropy` is not a number of the policy language: write a number such as", 0),
    "1 + 1.5.2": ("`1.5.2` is not a number", 4),
    "1e": ("`1e` is not a number", 0),
    "0x": ("`0x` is not a number", 0),
    "1__0": ("`1__0` is not a number", 0),
    "1 + 007": ("a whole number does not begin with 0: write `7`", 4),
    "given('kl, 0, 1)": ("this quote is not closed: write `'` behind the name", 6),
    'param("a\', 0, 1)': ('this quote is not closed: write `"`', 6),
    "entropy; 1": ("`;` is not part of the policy language: it has numbers, names", 7),
    "import os": ("unknown name `import`", 0),
    "T = 0.7": ("`=` is not part of the policy language: write the temperature alone", 0),
    "temperature = 0.7": ("write the temperature alone", 0),
    "1 = 2": ("`=` is not part of the policy language", 0),
    "if entropy < 1: 2": ("write `where(c, x, y)`", 0),
    "1 ? 2 : 3": ("write `where(c, x, y)`", 0),
    "entropy && 1": ("`and` and `or` are not part", 0),
    "entropy || 1": ("`and` and `or` are not part", 0),
    "!entropy": ("`not` is not part", 0),
    "entropy in 1": ("`in` is not part of the policy language", 0),
    "max(1, x == 2)": ("`==` is not part of the policy language", 7),
    "0.1 # comment": ("the character '#'", 4),
    "0.8×entropy": ("write `*`", 3),
    "0.8−entropy": ("write `-`", 3),
    "where(entropy ≤ 1, 0, 1)": ("write `<=`", 14),
    "entropÿ": ("the character 'ÿ'", 6),
    "ｅntropy": ("is not part of the policy language", 0),
    "1\x00": ("is not part of the policy language", 1),
    "1\x0c+ 1": ("is not part of the policy language", 1),
    "1e999": ("finite numbers", 0),
    "1" + "0" * 400: ("beyond the range of float64", 0),
    "9" * 5000: ("write it as 1e300", 0),
    "1 + \\": ("`\\` is not part of the policy language", 4),
    "(" * 201 + "1" + ")" * 201: ("this is nested too deeply", 0),
}  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda text: repr(text[:40]))
def test_bad_text_is_told_what_and_where(text):
    fragment, position = BAD[text]

    with pytest.raises(PolicyError) as caught:
        parse(text)

    assert fragment in str(caught.value)
    if position is not None:
        assert position == caught.value.position
    assert 0 <= caught.value.position <= len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0.1 + 0.8*entropi", "    0.1 + 0.8*entropi\n              ^^^^^^^"),
        ("  2 ^ 3", "      2 ^ 3\n      ^^^"),
        ("0.1 +", "    0.1 +\n         ^"),
        ("1 +\n 0.8×entropy", "    1 +  0.8×entropy\n            ^"),
    ],
)
def test_carets_stand_under_the_fault(text, shown):
    with pytest.raises(PolicyError) as caught:
        parse(text)

    assert shown == str(caught.value).split("\n", 1)[1]


def test_carets_stand_under_the_fault_in_a_long_text():
    text = "1 + " * 40 + "oops" + " + 1" * 20

    with pytest.raises(PolicyError) as caught:
        parse(text)

    _, shown, carets = str(caught.value).split("\n")
    assert caught.value.position == 160
    assert shown[carets.index("^") : carets.rindex("^") + 1] == "oops"
    assert len(shown) < 130


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_is_read_as_its_record_spells_it(name):
    examples = {"quantile": "quantile(0.25)", "top_mass": "top_mass(3)", "given": 'given("kl", 0, 1)',
                "inside": 'inside("think")', "temperature_for_entropy": "temperature_for_entropy(1)"}  # fmt: skip

    parsed = parse(examples.get(name, name))

    assert isinstance(parsed, Signal)
    assert name == parsed.name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_read_with_as_many_arguments_as_its_record_names(name):
    arguments = ["entropy < 1" if part == "condition" else "entropy" for part in FUNCTIONS[name].arguments]

    parsed = parse(f"{name}({', '.join(arguments)})")

    assert isinstance(parsed, Call)
    assert name == parsed.function
    assert len(FUNCTIONS[name].arguments) == len(parsed.arguments)


def test_what_is_not_text_is_refused():
    with pytest.raises(PolicyError, match="bytes was given"):
        parse(b"entropy")


HOSTILE = {
    "tower of powers": "9**9**9",
    "taller tower": "9**9**9**9**9",
    "hidden tower": "entropy*9**9**9",
    "10,000 parentheses": "(" * 5000 + "1" + ")" * 4999,
    "closed parentheses": "(" * 4999 + "1" + ")" * 4999,
    "unary chain": "-" * 9998 + "1",
    "unary chain of a signal": "-" * 9000 + "entropy",
    "mixed unary chain": "+-" * 4900 + "entropy",
    "nots": "not " * 2400 + "1",
    "long sum": "+".join(["entropy"] * 1200),
    "long sum of numbers": "+".join(["1"] * 4999),
    "power chain": "**".join(["a"] * 3000),
    "comparison chain": "<".join(["a"] * 4999),
    "calls": "exp(" * 2000 + "1" + ")" * 2000,
    "wide call": "max(" + ",".join(["a"] * 4990) + ")",
    "many digits": "9" * 10_000,
    "many decimals": "0." + "1" * 9990,
    "hex digits": "0x" + "f" * 9990,
    "exponent": "1e" + "9" * 9000,
    "underscores": "_" * 10_000,
    "quotes": '"' * 10_000,
    "brackets": "[" * 10_000,
    "dots": "." * 10_000,
    "commas": "," * 10_000,
    "one long name": "a" * 10_000,
    "too long": " " * MAX_LENGTH + "1",
    "deep wheres": "where(a<1,1," * 800 + "1" + ")" * 800,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_read_or_refused_with_bounded_work(text):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert calls(lambda: read_or_refused(text)) < 40 * MAX_LENGTH  # 14 at most when this was written


def read_or_refused(text):
    try:
        Policy(text)
    except PolicyError as error:
        assert len(str(error)) < 30_000  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("-" * 99 + "entropy", None),
        ("-" * 100 + "entropy", "nested 101 deep; at most 1000 parts and a depth of 100"),
        ("+".join(["entropy"] * 100), None),
        ("+".join(["entropy"] * 101), "a depth of 100"),
        ("max(" + ",".join(["entropy"] * 999) + ")", None),
        ("max(" + ",".join(["entropy"] * 1000) + ")", "1001 parts"),
    ],
)
def test_depth_and_size_have_limits(text, fragment):
    if fragment is None:
        parse(text)
    else:
        with pytest.raises(PolicyError, match=fragment):
            parse(text)


def test_a_tower_of_powers_is_infinite_and_not_computed():
    assert Policy("9**9**9").bounds() == (float("inf"), float("inf"))


def test_parentheses_within_the_limit_are_read():
    assert parse("(" * 200 + "1" + ")" * 200) == Const(1.0)


def test_a_full_stack_is_our_error():
    def below(frames):
        return below(frames - 1) if frames else parse("(" * 150 + "1" + ")" * 150)

    with pytest.raises(PolicyError, match="nested too deeply"):
        below(sys.getrecursionlimit() - len(inspect.stack()) - 100)


NUMBERS = ["5", "5.", ".5", "0.5", "1e-3", "1E+3", "1.e2", ".5e1", "1_000", "1_0.2_5e1_0", "0x1F", "0X_ff", "0o17",
           "0b1_1", "00", "0_0", "00.5", "007.5", "09e1", "1e308", "5e-324", "1e-400", "9" * 300]  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_read_as_python_reads_them(text):
    assert Const(float(ast.literal_eval(text))) == parse(text)


def test_operators_group_as_those_of_python():
    rng = random.Random(0)
    for _ in range(500):
        text = sum_of_letters(rng, 4)
        expected = eval(text, {"__builtins__": {}}, {name: param(name) for name in "abc"})
        assert expected == parse(text), text


def sum_of_letters(rng, depth):
    """Random operators, signs and parentheses around the letters a, b and c."""
    kind = rng.random() if depth else 0
    if kind < 0.2:
        return rng.choice("abc")
    below = [sum_of_letters(rng, depth - 1) for _ in range(2)]
    if kind < 0.4:
        return rng.choice("+-") + below[0]
    return f"({below[0]})" if kind < 0.55 else rng.choice(["+", "-", "*", "/", "**"]).join(below)
