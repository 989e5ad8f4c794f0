"""Random policies: text and back, refusal without surprises, and bounds that hold on random rows.

`DYNTEMP_EXAMPLES=20000` draws that many examples instead of 200.
"""

import random
from math import isnan

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dyntemp import Policy, PolicyError, measure
from dyntemp.language.functions import FUNCTIONS, call
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Const, Expression
from dyntemp.language.parse import parse
from dyntemp.language.signals import SIGNALS, make_signal

NUMBERS = [0.0, 0.1, 0.25, 0.3, 0.5, 0.8, 0.9, 1.0, 1.5, 2.0, 3.0, 7.0, 14.0, 50.0, 1e-3, 1e-9, 1e6, 1e300, 5e-324]
SIMPLE = [make_signal(name) for name, record in SIGNALS.items() if not record.arguments]
REMEMBERING = [name for name, record in FUNCTIONS.items() if record.remembers]
PLAIN = [name for name, record in FUNCTIONS.items() if not record.remembers]


def random_expression(rng: random.Random, depth: int, *, memory: bool = True, letters: bool = True) -> Expression:
    """A random expression, at most `depth` operations deep."""

    def part() -> Expression:
        return random_expression(rng, depth - 1, memory=memory, letters=letters)

    if depth == 0 or rng.random() < 0.15:
        return random_leaf(rng, memory=memory, letters=letters)
    kind = rng.random()
    if kind < 0.5:
        symbol = rng.choice("+-*/^")
        left, right = part(), part()
        match symbol:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
            case _:
                return left**right
    if kind < 0.58:
        return -part()
    name = rng.choice(REMEMBERING) if memory and kind < 0.68 else rng.choice(PLAIN)
    match name:
        case "where":
            left, right = part(), part()
            condition = rng.choice([left < right, left <= right, left > right, left >= right])
            return call(name, condition, part(), part())
        case "min" | "max":
            return call(name, *(part() for _ in range(rng.randint(2, 4))))
        case "ema":
            return call(name, part(), rng.choice([0.5, 0.9, 0.0, 1.0, make_signal("max_prob"), part()]))
        case "clip" | "integral":
            low, high = sorted(rng.choices(NUMBERS, k=2))
            return call(name, part(), rng.choice([low, -high]), high)
        case _:
            return call(name, *(part() for _ in FUNCTIONS[name].arguments))


def random_leaf(rng: random.Random, *, memory: bool, letters: bool) -> Expression:
    kind = rng.random()
    if kind < 0.35:
        return Const(rng.choice(NUMBERS) * rng.choice([1, 1, 1, -1]))
    if kind < 0.4:
        return Const(rng.choice([rng.gauss(0, 1), rng.expovariate(0.1), 10 ** rng.uniform(-300, 300)]))
    if kind < 0.5 and letters:
        return parse(rng.choice(["a", "k1", "T0", "param('theta', 0.1, 2)", "param('b', -1, 1)"]))
    if kind < 0.62:
        return rng.choice(
            [make_signal("quantile", rng.choice([0, 0.25, 0.5, 0.9, 1])), make_signal("top_mass",
             rng.choice([1, 2, 40])),
             make_signal("given", "kl", 0, 20), make_signal("given", "x", -2, 1)]
        )  # fmt: skip
    if kind < 0.65:
        return make_signal("temperature_for_entropy", make_signal("entropy") * rng.choice([0.5, 0.85, 1.0]))
    found = rng.choice(SIMPLE)
    return found if memory or found.name != "surprisal" else make_signal("entropy")


def random_row(rng: np.random.Generator) -> np.ndarray:
    """A row of 1 to 300 logits: any spread, ties, masks."""
    n = int(rng.choice([1, 2, 3, 10, 300]))
    row = rng.normal(0, np.exp(rng.uniform(-6, 4)), n)
    match rng.integers(5):
        case 0:
            row = np.round(row)
        case 1:
            row[:] = row[0]
        case 2:
            row[rng.random(n) < 0.7] = -np.inf
            row[rng.integers(n)] = 0.0
        case 3:
            row[rng.integers(n)] += 800
        case _:
            pass
    return row.astype(rng.choice([np.float64, np.float32]))


@given(st.integers(0, 2**63))
def test_text_reads_back_as_an_equal_expression(seed):
    rng = random.Random(seed)
    expression = random_expression(rng, rng.randint(0, 5))

    again = parse(str(expression))

    assert expression == again
    assert hash(expression) == hash(again)
    assert str(expression) == str(again)


WORDS = [
    *SIGNALS, *FUNCTIONS, "param", "a", "k1", "theta", "entropi", "H", "x", "0.5", "1", "2", "1e-3", "1e999",
    ".5", "5.",
    "0x1F", "1_0", "00", "1j", "+", "-", "*", "/", "**", "//", "%", "^", "@", "~", "&", "|", "<<", ">>", "(",
    ")", "(", ")",
    "(", ")", "[", "]", "{", "}", ",", ",", ":", ";", ".", "...", "=", "==", "!=", "<", "<=", ">", ">=",
    ":=", "->", "!",
    "?", "$", "`", "\\", "'", '"', '"kl"', "'theta'", "b'x'", "f'{entropy}'", "'''", "and", "or", "not",
    "if", "else", "for",
    "in", "is", "lambda", "yield", "await", "async", "import", "True", "None", "__import__", "__class__",
    "#", "\n", "\t",
    "\r", "\x00", "\x0c", " ", "é", "×", "−", "≤", "𝟙", "ｅ", "\u200b", "\ufeff", "\ud800", "9" * 50, "9**9**9",
    "where(max_prob < 0.3, 0, 0.7)", "0.1 + 0.8*entropy", 'given("kl", 0, 20)', "quantile(0.5)",
]  # fmt: skip


def random_soup(rng: random.Random) -> str:
    """Words of the language and others in random order; or a policy with a few characters changed."""
    if rng.random() < 0.5:
        words = rng.choices(WORDS, k=rng.randint(1, 12))
        return rng.choice(["", " "]).join(words)
    text = list(str(random_expression(rng, rng.randint(0, 3))))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        text[at : at + rng.randint(0, 2)] = rng.choice([[], [rng.choice(WORDS)], [chr(rng.randrange(1, 128))]])
    return "".join(text)


def check_soup(text: str) -> bool:
    """True if `text` was read; any error but a PolicyError that shows its place is a fault of ours."""
    try:
        policy = Policy(text)
    except PolicyError as error:
        assert str(error)  # noqa: PT017
        assert error.position is None or 0 <= error.position <= len(text)  # noqa: PT017
        return False
    assert Policy(str(policy)) == policy
    return True


@given(st.integers(0, 2**63))
def test_a_soup_of_words_is_read_or_refused_and_nothing_else(seed):
    check_soup(random_soup(random.Random(seed)))


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_and_nothing_else(text):
    check_soup(text)


def decide(policy: Policy, rows: list[np.ndarray], rng: np.random.Generator) -> tuple[list[float], list[int]]:
    """The temperatures of one request over `rows`, and the support of each; tokens are drawn at random."""
    state = policy.state(1, window=4)
    found, supports = [], []
    for t, row in enumerate(rows):
        backend = ("reference", "cpu")[int(rng.integers(2))]
        measured = [signal for signal in policy.signals if SIGNALS[signal.name].source in ("moments", "order")]
        values = measure(row[None], *measured, "support", backend=backend)
        for signal in policy.signals:
            match signal.name:
                case "given":
                    low, high = (end.value for end in signal.arguments[1:])
                    values[str(signal)] = rng.choice([low, high, rng.uniform(low, high)], 1)
                case "inside":
                    values[str(signal)] = rng.choice([0.0, 1.0], 1)
                case "divergence":
                    values["divergence"] = rng.choice([0.0, 50.0, rng.uniform(0, 50)], 1)
                case "entries":
                    values["entries"] = np.array([float(len(row))])
                case "requested":
                    values["requested"] = rng.choice([0.0, 1.0, 3.4e38], 1)
                case "temperature_for_entropy":
                    values |= measure(row[None], signal, backend=backend)
                case _:
                    pass
        parameters = {
            name: float(rng.choice([p.low, p.high, rng.uniform(p.low, p.high)]))
            for name, p in policy.parameters.items()
        }
        position = t + int(rng.choice([0, 2**31])) * (not policy.remembers)
        found.append(float(policy.step(values, state=state, slot=[0], position=[position], parameters=parameters)[0]))
        supports.append(int(values["support"][0]))
        state.observe([0], position, rng.choice([0.0, rng.exponential(3), 50.0], 1))
    return found, supports


def check_bounds(seed: int, *, memory: bool) -> str:
    """Draw a policy and rows; `refused`, `unbounded` or `bounded`, after checking that what was promised holds."""
    rng, numbers = random.Random(seed), np.random.default_rng(seed)
    try:
        expression = random_expression(rng, rng.randint(1, 4), memory=memory, letters=False)
        if rng.random() < 0.15:
            expression = expression * parse("param('theta', 0.1, 2)")
        policy = Policy(expression)
    except PolicyError:
        try:  # most are refused for what may be negative: with a floor they are policies
            policy = Policy(expression, floor=0.01)
        except PolicyError:
            return "refused"
    low, high = policy.bounds()
    assert not isnan(low)
    assert 0 <= low <= high
    rows = [random_row(numbers) for _ in range(6 if policy.remembers else 3)]
    found, supports = decide(policy, rows, numbers)
    for temperature, support in zip(found, supports, strict=True):
        assert temperature in Interval(low, high), (str(policy), found, (low, high))
        if not policy.remembers:
            assert temperature in policy.bounds(support), (str(policy), support, temperature)
    return "bounded" if high < 1e300 and low < high else "unbounded"


def check_many(memory):
    outcomes = {"refused": 0, "unbounded": 0, "bounded": 0}

    @given(st.integers(0, 2**63))
    @settings(database=None)
    def run(seed):
        outcomes[check_bounds(seed, memory=memory)] += 1

    run()
    total = sum(outcomes.values())
    if total >= 100:  # shares of fewer examples, such as the 20 of `make test-core`, are chance
        assert outcomes["bounded"] > 0.25 * total, outcomes  # else these tests prove too little
        assert outcomes["refused"] < 0.6 * total, outcomes


def test_random_policies_stay_inside_their_bounds():
    check_many(memory=False)


def test_random_policies_that_remember_stay_inside_their_bounds():
    check_many(memory=True)
