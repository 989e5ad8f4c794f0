"""Text -> expression: Python's own expression syntax, read with `ast` and an allow-list. Never `eval`."""

from __future__ import annotations

import ast
import warnings
from typing import NoReturn

from dyntemp.errors import PolicyError
from dyntemp.language.functions import FUNCTIONS, call
from dyntemp.language.nodes import Comparison, Expression, Node, binary, lift, negate
from dyntemp.language.parameters import PARAMETER_NAME, param
from dyntemp.language.signals import SIGNALS, make_signal, suggestion

MAX_LENGTH = 10_000
"""Characters in one policy."""

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip
COMPARISON: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
OUTSIDE = {"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "≤": "<=", "≥": ">=", "（": "(", "）": ")", "，": ","}

NOT_HERE: dict[type[ast.AST], str] = {
    ast.BoolOp: "`and` and `or` are not part of the policy language: nest `where(...)`, or use min and max",
    ast.IfExp: "`x if c else y` is not part of the policy language: write `where(c, x, y)`",
    ast.Attribute: "`.` is not part of the policy language: signals and functions are plain names",
    ast.Subscript: "`[...]` is not part of the policy language",
    ast.Lambda: "`lambda` is not part of the policy language",
    ast.NamedExpr: "`:=` is not part of the policy language",
    ast.Tuple: "a comma outside a function's parentheses: write the decimal point as `.`",
    ast.BitXor: "`^` is not a power here: write `**`",
    ast.FloorDiv: "`//` is not part of the policy language: write `/`",
    ast.Mod: "`%` is not part of the policy language: write a share as a number, 5% as 0.05",
    ast.Eq: "`==` is not part of the policy language: write a narrow range, where(abs(x - y) < 1e-9, ...)",
    ast.NotEq: "`!=` is not part of the policy language: write a narrow range, where(abs(x - y) < 1e-9, y, x)",
    ast.Not: "`not` is not part of the policy language: turn the comparison round",
}


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
    for at, character in enumerate(line):
        if character == "#" or not (character.isascii() and character.isprintable()):
            instead = f": write `{OUTSIDE[character]}`" if character in OUTSIDE else ""
            _fail(f"the character {character!r} is not part of the policy language{instead}", line, at, at + 1)
    body = line.strip()
    if not body:
        raise PolicyError("the policy is empty: write a temperature such as `0.7` or `0.1 + 0.8*entropy`", 0)
    return _Reader(line, len(line) - len(line.lstrip())).read(body)


def _fail(message: str, line: str, start: int, stop: int) -> NoReturn:
    first = max(0, start - 60)
    shown = ("..." if first else "") + line[first : start + 60]
    mark = " " * (start - first + (3 if first else 0)) + "^" * max(1, min(stop, start + 60) - start)
    raise PolicyError(f"{message}\n    {shown}\n    {mark}", start) from None


class _Reader:
    """Turns the syntax tree of one line into an expression, and faults into errors that show their place."""

    def __init__(self, line: str, offset: int) -> None:
        self.line = line
        self.offset = offset

    def read(self, body: str) -> Expression:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as a SyntaxWarning about `1(2)`, which becomes our error
                tree = ast.parse(body, mode="eval").body
        except SyntaxError as error:
            if error.msg.startswith("Exceeds the limit"):  # of digits in one whole number
                _fail("a number too long to read: write it as 1e300", self.line, self.offset, self.offset + 1)
            at = error.offset - 1 if error.offset else len(body)  # Python says 0 where the text ends too early
            _fail(f"cannot read this: {error.msg}", self.line, self.offset + at, self.offset + at + 1)
        except (ValueError, RecursionError, MemoryError):
            _fail("this is nested too deeply: write it with fewer operations", self.line, 0, 1)
        try:
            return self.expression(tree)
        except RecursionError:
            _fail("this is nested too deeply: write it with fewer operations", self.line, 0, 1)

    def fail(self, message: str, node: ast.AST) -> NoReturn:
        start = self.offset + getattr(node, "col_offset", 0)
        _fail(message, self.line, start, self.offset + (getattr(node, "end_col_offset", None) or start + 1))

    def expression(self, node: ast.expr) -> Expression:
        result = self.node(node)
        if isinstance(result, Expression):
            return result
        self.fail("a comparison stands only as the first argument of `where(condition, x, y)`", node)

    def node(self, node: ast.expr) -> Node:
        """The node for `node`; faults that the builders find are shown at its place."""
        try:
            return self._node(node)
        except PolicyError as error:
            if error.position is None:
                self.fail(str(error), node)
            raise

    def _node(self, node: ast.expr) -> Node:
        match node:
            case ast.Constant(value=bool() | None) | ast.Constant(value=complex() | bytes()):
                self.fail(f"`{ast.unparse(node)}` is not a number of the policy language", node)
            case ast.Constant(value=int() | float() as value):
                return lift(value)
            case ast.Constant(value=str()):
                self.fail('text in quotes stands only as a name in `param("name", ...)` or `given("name", ...)`', node)
            case ast.Name(id=name):
                return self.name(name, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return negate(self.expression(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.expression(operand)
            case ast.BinOp(op=operator, left=left, right=right) if type(operator) in BINARY:
                return binary(BINARY[type(operator)], self.expression(left), self.expression(right))
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARISON:
                return Comparison(COMPARISON[type(operator)], self.expression(left), self.expression(right))
            case ast.Compare(ops=[_, _, *_]):
                self.fail("a chain of comparisons is not part of the policy language: nest `where(...)`", node)
            case ast.Call(func=ast.Name(id=name)):
                return self.call(name, node)
            case _:
                self.refuse(node)

    def name(self, name: str, node: ast.expr) -> Expression:
        if name in SIGNALS:
            if SIGNALS[name].arguments:
                self.fail(f"`{name}` needs its arguments: write `{SIGNALS[name].spelling}`", node)
            return make_signal(name)
        if name in FUNCTIONS:
            self.fail(f"`{name}` is a function: write `{name}({', '.join(FUNCTIONS[name].arguments)})`", node)
        if PARAMETER_NAME.match(name):
            return param(name)
        self.unknown(name, node)

    def call(self, name: str, node: ast.Call) -> Node:
        if node.keywords:
            self.fail(f"`{name}` takes its arguments by place, not by name", node.keywords[0])
        if name == "param":
            if len(node.args) != 3:
                self.fail('`param` takes a name in quotes and a range: param("theta", 0.1, 2)', node)
            return param(*(self.argument(argument) for argument in node.args))  # type: ignore[arg-type]
        if name in FUNCTIONS:
            return call(name, *(self.node(argument) for argument in node.args))
        if name in SIGNALS:
            if not SIGNALS[name].arguments:
                self.fail(f"`{name}` is a signal, not a function: write it without parentheses", node)
            return make_signal(name, *(self.argument(argument) for argument in node.args))
        self.unknown(name, node.func)

    def argument(self, node: ast.expr) -> Node | str:
        """An argument that may be a name in quotes."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return self.expression(node)

    def unknown(self, name: str, node: ast.expr) -> NoReturn:
        known = [*SIGNALS, *FUNCTIONS, "param"]
        hint = suggestion(name, known)
        if not hint:
            hint = f'; known are {", ".join(known)}. A parameter is one letter, or param("{name[:30]}", low, high)'
        self.fail(f"unknown name `{name[:60]}`{hint}", node)

    def refuse(self, node: ast.expr) -> NoReturn:
        match node:
            case ast.BinOp(op=inner) | ast.UnaryOp(op=inner) | ast.Compare(ops=[inner, *_]):
                kind: type[ast.AST] = type(inner)
            case _:
                kind = type(node)
        self.fail(NOT_HERE.get(kind, "this is not part of the policy language"), node)
