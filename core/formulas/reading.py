"""From text to a formula: as we print them, and as they are typed in NumPy.

    comparison   sum [(> | ≥) sum]
    sum          [−] product {(+ | −) product}
    product      factor {(· | @ | ∘ | * | ⊗ | /) factor}
    factor       [−] operand [(^ | **) factor]
    operand      (number | name | function(…) | (comparison)) {ᵀ | .T | ²}

``·`` is the product of matrices where both sides are arrays, and a multiple where one of them is a number. Nothing is
executed.
"""

import math
import re
from collections.abc import Collection
from typing import NoReturn

from core.errors import DomainError
from core.formulas.expression import Apply, Expression, Name, Number
from core.formulas.operations import OPERATIONS, SPELLINGS
from core.formulas.symbols import is_number

MAX_LENGTH = 2_000
MAX_DEPTH = 40
"""The most characters of a formula, and parentheses in one another: Python's stack has room for them."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)"
    r"|(?P<name>d[A-Z]\d*/d[A-Za-z]\d*|dL_d[A-Z]\d*|(?:np\.|numpy\.)?[A-Za-zΑ-Ωα-ω][A-Za-z0-9_]*[′₀₋]*)"
    r"|(?P<sign>\*\*|>=|\.mT|\.T|[-−+·@∘*⊙⊗/^ᵀ²>≥(),=]))"
)
_SUPERSCRIPT = "²"
_AXES = {"0": "samples", "-2": "samples", "1": "outputs", "-1": "outputs"}


def parse_formula(text: str, functions: Collection[str] = ()) -> Expression:
    """Read a formula.

    Parameters
    ----------
    text : str
    functions : collection of str
        What may stand before parentheses beside the operations: ``"f"``, ``"tanh"``.

    Returns
    -------
    Expression

    Raises
    ------
    DomainError
        If the text is not a formula; the message says where.
    """
    if len(text) > MAX_LENGTH:
        raise DomainError(f"the formula has {len(text)} characters; needed at most {MAX_LENGTH}")
    return _Reader(text, functions).read()


class _Reader:
    def __init__(self, text: str, functions: Collection[str]) -> None:
        self.functions = functions
        self.depth = 0
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                self._refuse(
                    position + len(text[position:]) - len(text[position:].lstrip()), "a sign that has no meaning"
                )
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            position = match.end()
        self.tokens.append(("end", "", len(text)))
        self.at = 0

    def read(self) -> Expression:
        expression = self._comparison()
        if self._kind != "end":
            self._refuse(self._position, f"{self._found}, after what is a formula already")
        return expression

    @property
    def _kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def _text(self) -> str:
        return self.tokens[self.at][1]

    @property
    def _position(self) -> int:
        return self.tokens[self.at][2]

    @property
    def _found(self) -> str:
        return {"end": "the end", "number": "a number", "name": "a name"}.get(self._kind, f"the sign {self._text}")

    def _refuse(self, position: int, found: str, needed: str = "") -> NoReturn:
        raise DomainError(f"the formula cannot be read at character {position + 1}: found {found}{needed}")

    def _take(self, *signs: str) -> str | None:
        """Take the next token if it is one of these signs."""
        if self._kind == "sign" and self._text in signs:
            self.at += 1
            return self.tokens[self.at - 1][1]
        return None

    def _require(self, sign: str) -> None:
        if self._take(sign) is None:
            self._refuse(self._position, self._found, f"; needed {sign}")

    def _comparison(self) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(self._position, f"more than {MAX_DEPTH} parentheses in one another")
        left = self._sum()
        if sign := self._take(">", "≥", ">="):
            left = Apply(SPELLINGS[sign], (left, self._sum()))
        self.depth -= 1
        return left

    def _sum(self) -> Expression:
        left = Apply("negate", (self._product(),)) if self._take("−", "-") else self._product()
        while sign := self._take("+", "−", "-"):
            left = Apply("add" if sign == "+" else "subtract", (left, self._product()))
        return left

    def _product(self) -> Expression:
        left = self._factor()
        while sign := self._take("·", "@", "∘", "*", "⊙", "⊗", "/"):
            left = multiply(SPELLINGS[sign], left, self._factor())
        return left

    def _factor(self) -> Expression:
        signs = 0
        while self._take("−", "-"):
            signs += 1
        base = self._operand()
        if self._take("^", "**"):
            exponent = self._exponent()
            base = Apply("exp", (exponent,)) if base == Name("e") else Apply("power", (base, exponent))
        for _ in range(signs):
            base = Apply("negate", (base,))
        return base

    def _exponent(self) -> Expression:
        return Apply("negate", (self._operand(),)) if self._take("−", "-") else self._operand()

    def _operand(self) -> Expression:
        kind, text, position = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            found: Expression = Number(_number(text))
        elif kind == "name":
            self.at += 1
            called = self.tokens[self.at][1] == "("
            found = (
                self._call(text, position)
                if called
                else Name(text.replace("_d", "/d", 1) if text.startswith("dL_d") else text)
            )
        elif self._take("("):
            found = self._comparison()
            self._require(")")
        else:
            self._refuse(position, self._found, "; needed a number, a name, or a parenthesis")
        while sign := self._take("ᵀ", ".T", ".mT", _SUPERSCRIPT):
            found = Apply("power", (found, Number(2.0))) if sign == _SUPERSCRIPT else Apply("transpose", (found,))
        return found

    def _call(self, text: str, position: int) -> Expression:
        name = text.removeprefix("numpy.").removeprefix("np.")
        self._require("(")
        operands = [self._comparison()]
        axis = ""
        while self._take(","):
            if self._text == "axis":
                self.at += 1
                self._require("=")
                axis = ((self._take("-", "−") and "-") or "") + self._text
                self.at += 1
            else:
                operands.append(self._comparison())
        self._require(")")
        if axis:
            name = f"{name}_{_AXES.get(axis, axis)}"
        operation = name if name in self.functions else SPELLINGS.get(name, "")
        if not operation:
            self._refuse(position, "a function that is not known here")
        needed = OPERATIONS[operation].n_operands if operation in OPERATIONS and operation not in self.functions else 1
        if len(operands) != needed:
            self._refuse(position, f"{len(operands)} operands", f"; {name} takes {needed}")
        return Apply(operation, tuple(operands))


def multiply(operation: str, left: Expression, right: Expression) -> Expression:
    """Join two factors; a product with a number is a multiple.

    Parameters
    ----------
    operation : str
        ``"product"``, ``"multiply"`` or ``"divide"``.
    left, right : Expression

    Returns
    -------
    Expression
    """
    if operation == "product" and (is_number(left) or is_number(right)):
        operation = "scale"
    return Apply(operation, (left, right))


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise DomainError("the formula has a number that does not fit float64")
    return value
