"""Text -> expression, by operator precedence (a Pratt parser). The grammar is closed, and nothing is ever executed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, NoReturn

from dyntemp.errors import PolicyError
from dyntemp.language.fault import fail
from dyntemp.language.functions import FUNCTIONS, call
from dyntemp.language.grammar import COMPARING, LEVEL, MAX_LENGTH, MAX_NESTING, POWER, REFUSED
from dyntemp.language.lexer import Token, number, tokens_of
from dyntemp.language.nodes import Comparison, Expression, Node, binary, lift, negate
from dyntemp.language.operators import COMPARISONS, OPERATORS
from dyntemp.language.parameters import PARAMETER_NAME, param
from dyntemp.language.signals import SIGNALS, make_signal, suggestion

EMPTY = "the policy is empty: write a temperature such as `0.7` or `0.1 + 0.8*entropy`"
TOO_DEEP = "this is nested too deeply: write it with fewer operations"
COMMA = "a comma outside a function's parentheses: write the decimal point as `.`"
CHAIN = "a chain of comparisons is not part of the policy language: nest `where(...)`"
COMPARED = "a comparison stands only as the first argument of `where(condition, x, y)`"
QUOTED = 'text in quotes stands only as a name in `param("name", ...)`, `given("name", ...)` or `inside("name")`'
CALLED = "`(` right behind a value is not part of the policy language: write `*` between them"
VALUE = "write a number, a signal, a function or `(...)` there"
HAS = "it has numbers, names, `+ - * / **`, `< <= > >=`, commas and parentheses"


def parse(text: str) -> Expression:
    """The expression that `text` spells.

    Raises:
        PolicyError: For anything that is not a policy; its `position` is the offending character's offset, and its
            message shows the place and what would be right there.

    >>> parse("0.1 + 0.8*entropi")
    Traceback (most recent call last):
    dyntemp.errors.PolicyError: unknown name `entropi`; did you mean `entropy`?
        0.1 + 0.8*entropi
                  ^^^^^^^
    """
    if not isinstance(text, str):
        raise PolicyError(f"a policy is text or an expression, but {type(text).__name__} was given")
    if len(text) > MAX_LENGTH:
        raise PolicyError(f"this policy has {len(text)} characters; at most {MAX_LENGTH} are allowed", MAX_LENGTH)
    line = text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
    tokens = tokens_of(line)
    if len(tokens) == 1:
        raise PolicyError(EMPTY, 0)
    try:
        return _Parser(line, tokens).whole()
    except RecursionError:  # where the caller has used up the stack
        fail(TOO_DEEP, line, 0, 1)


class Part(NamedTuple):
    """A part of the text that was read: a node, or the name that stood in quotes, and where it stands."""

    value: Node | str
    start: int
    end: int


class _Parser:
    """Reads the tokens of one line, each once."""

    def __init__(self, line: str, tokens: list[Token]) -> None:
        self.line = line
        self.tokens = tokens
        self.at = 0
        self.nesting = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.at]

    def take(self) -> Token:
        """The next token, which is then read."""
        self.at += 1
        return self.tokens[self.at - 1]

    def fail(self, message: str, start: int, end: int) -> NoReturn:
        fail(message, self.line, start, end)

    def make(self, start: int, build: Callable[..., Node], *parts: object) -> Part:
        """The part from `start` to the last token read, with the value `build(*parts)`; its errors are shown there."""
        end = self.tokens[self.at - 1].end
        try:
            return Part(build(*parts), start, end)
        except PolicyError as error:
            self.fail(str(error), start, end)

    def whole(self) -> Expression:
        """The expression that all tokens spell."""
        start = self.token.start
        found = self.operation(0)
        if self.token.text == ",":
            self.fail(COMMA, start, self.token.end)
        if self.token.kind != "end":
            self.misplaced()
        return self.expression(found)

    def operation(self, loosest: int) -> Part:
        """A value, and the operators behind it that bind at least as tightly as level `loosest`."""
        if self.nesting > MAX_NESTING:
            self.fail(TOO_DEEP, 0, 1)
        self.nesting += 1
        start = self.token.start
        left = self.operand()
        while LEVEL.get(self.token.text, -1) >= loosest:
            left = self.operated(left, start, self.take())
        self.nesting -= 1
        return left

    def operated(self, left: Part, start: int, operator: Token) -> Part:
        """`left`, which begins at `start`, with `operator` and the value behind it."""
        symbol, level = operator.text, LEVEL[operator.text]
        if symbol not in OPERATORS and symbol not in COMPARISONS:
            self.refuse(operator, start)
        first = self.expression(left)
        second = self.expression(self.operation(level if symbol == "**" else level + 1))  # 2**3**2 is 2**(3**2)
        if symbol in OPERATORS:
            return self.make(start, binary, symbol, first, second)
        if LEVEL.get(self.token.text) == COMPARING:
            self.fail(CHAIN, start, self.token.end)
        return self.make(start, Comparison, symbol, first, second)

    def operand(self) -> Part:
        """A value without an operator behind it: a number, a name, a call, parentheses, or a sign and its value."""
        token = self.token
        if token.text in ("+", "-"):
            self.take()
            value = self.expression(self.operation(POWER))
            return self.make(token.start, negate if token.text == "-" else lift, value)
        if token.kind == "number":
            self.take()
            found = self.make(token.start, lift, number(token.text))
        elif token.kind == "text":
            self.take()
            found = Part(token.text[1:-1], token.start, token.end)
        elif token.kind == "word":
            found = self.word(self.take())
        elif token.text == "(":
            found = self.parentheses(self.take())
        else:
            self.missing()
        if self.token.text == "(":
            self.fail(CALLED, token.start, self.token.end)
        if self.token.text in ("[", "."):
            self.refuse(self.token, token.start)
        return found

    def parentheses(self, opening: Token) -> Part:
        """The part between `opening` and its `)`."""
        if self.token.text == ")":
            self.fail(f"nothing stands between `(` and `)`: {VALUE}", opening.start, self.token.end)
        if self.token.kind == "end":
            self.unclosed(opening)
        found = self.operation(0)
        if self.token.text == ",":
            self.fail(COMMA, opening.start, self.token.end)
        if self.token.kind == "end":
            self.unclosed(opening)
        if self.token.text != ")":
            self.misplaced()
        self.take()
        return found

    def word(self, token: Token) -> Part:
        """The signal, parameter or call that begins with `token`."""
        name = token.text
        if self.token.text in ("=", ":="):
            self.refuse(self.token, token.start)
        if name in REFUSED:
            self.fail(REFUSED[name], token.start, token.end)
        if self.token.text == "(":
            return self.call(token)
        if name in SIGNALS:
            if SIGNALS[name].arguments:
                self.fail(f"`{name}` needs its arguments: write `{SIGNALS[name].spelling}`", token.start, token.end)
            return self.make(token.start, make_signal, name)
        if name in FUNCTIONS:
            spelling = f"{name}({', '.join(FUNCTIONS[name].arguments)})"
            self.fail(f"`{name}` is a function: write `{spelling}`", token.start, token.end)
        if PARAMETER_NAME.match(name):
            return self.make(token.start, param, name)
        self.unknown(token)

    def call(self, token: Token) -> Part:
        """The call of the function or signal `token`, whose `(` comes next."""
        name, start = token.text, token.start
        if name != "param" and name not in FUNCTIONS and name not in SIGNALS:
            self.unknown(token)
        if name in SIGNALS and not SIGNALS[name].arguments:
            message = f"`{name}` is a signal, not a function: write it without parentheses"
            self.fail(message, start, self.token.end)
        arguments = self.arguments(name, self.take())
        if name in FUNCTIONS:
            return self.make(start, call, name, *map(self.node, arguments))
        values = [one.value if isinstance(one.value, str) else self.expression(one) for one in arguments]
        if name in SIGNALS:
            return self.make(start, make_signal, name, *values)
        if len(values) != 3:
            message = '`param` takes a name in quotes and a range: param("theta", 0.1, 2)'
            self.fail(message, start, self.tokens[self.at - 1].end)
        return self.make(start, param, *values)

    def arguments(self, name: str, opening: Token) -> list[Part]:
        """The arguments of the function `name` between `opening` and its `)`; a comma may follow the last."""
        found: list[Part] = []
        while self.token.text != ")":
            if self.token.kind == "end":
                self.unclosed(opening)
            named = self.token.kind == "word" and self.tokens[self.at + 1].text == "="
            if named or self.token.text == "**":
                message = f"`{name}` takes its arguments by place, not by name"
                self.fail(message, self.token.start, self.tokens[self.at + 1].end)
            found.append(self.operation(0))
            if self.token.text == ",":
                self.take()
            elif self.token.kind != "end" and self.token.text != ")":
                self.misplaced()
        self.take()
        return found

    def node(self, found: Part) -> Node:
        """`found` as a number or comparison."""
        if isinstance(found.value, str):
            self.fail(QUOTED, found.start, found.end)
        return found.value

    def expression(self, found: Part) -> Expression:
        """`found` as a number."""
        value = self.node(found)
        if not isinstance(value, Expression):
            self.fail(COMPARED, found.start, found.end)
        return value

    def missing(self) -> NoReturn:
        """Refuse the next token, which stands where a value has to."""
        token, before = self.token, self.tokens[self.at - 1] if self.at else None
        if before is not None and (token.kind == "end" or token.text in (")", ",")):
            self.fail(f"a value is missing behind `{before.text}`: {VALUE}", token.start, token.end)
        if token.text in OPERATORS or token.text in COMPARISONS or token.text == ",":
            self.fail(f"a value is missing before `{token.text}`: {VALUE}", token.start, token.end)
        self.misplaced()

    def misplaced(self) -> NoReturn:
        """Refuse the next token, which cannot stand behind what was read."""
        token = self.token
        if token.text == ")":
            self.fail("this `)` closes nothing: remove it, or write `(` before it", token.start, token.end)
        if token.kind in ("number", "word", "text"):
            between = "two values stand beside one another: write an operator between them, such as `*`"
            self.fail(between, token.start, token.end)
        self.refuse(token, token.start)

    def refuse(self, token: Token, start: int) -> NoReturn:
        """Refuse the sign or word `token`, which the language lacks, with all that stands from `start` on."""
        message = f"`{token.text}` is not part of the policy language: {HAS}"
        self.fail(REFUSED.get(token.text, message), start, token.end)

    def unclosed(self, opening: Token) -> NoReturn:
        self.fail("this `(` is not closed: write `)` behind what belongs inside", opening.start, opening.end)

    def unknown(self, token: Token) -> NoReturn:
        name = token.text
        known = [*SIGNALS, *FUNCTIONS, "param"]
        hint = suggestion(name, known)
        if not hint:
            hint = f'; known are {", ".join(known)}. A parameter is one letter, or param("{name[:30]}", low, high)'
        self.fail(f"unknown name `{name[:60]}`{hint}", token.start, token.end)
