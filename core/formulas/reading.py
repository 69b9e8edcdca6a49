"""From text to a formula: as we print them, and as they are typed in NumPy.

    comparison   sum [(> | ≥) sum]
    sum          [−] product {(+ | −) product}
    product      factor {(· | @ | ∘ | * | ⊗ | /) factor}
    factor       {−} operand [(^ | **) [−] operand]
    operand      (number | name | function(comparison {, comparison} [, axis=…]) | (comparison)) {ᵀ | .T | ²}

``·`` is the product of matrices where both sides are arrays, and a multiple where one of them is a number. Nothing is
executed.
"""

import math
import re
from collections.abc import Callable, Collection
from typing import NoReturn

from core.errors import DomainError, counted
from core.formulas.expression import Apply, Expression, Name, Number
from core.formulas.operations import OPERATIONS, SPELLINGS, Precedence
from core.formulas.printing import SQUARE
from core.formulas.symbols import is_number

MAX_LENGTH = 4_000
MAX_DEPTH = 40
"""The most characters of a formula, and parentheses in one another."""

MAX_HEIGHT = 100
"""The most operations in one another: half of Python's stack has room for whatever is done with a formula."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|\.[0-9]+(?:e[+-]?[0-9]+)?)"
    r"|(?P<derivative>d[A-Z][0-9]*/d[A-Za-z][0-9]*|dL_d[A-Z][0-9]*)(?![A-Za-z0-9_])"
    r"|(?P<name>(?:(?:np|numpy)\.(?=[A-Za-z0-9_]+\s*\())?[A-Za-zΑ-Ωα-ω][A-Za-z0-9_]*[′₀₋]*)"
    r"|(?P<sign>\*\*|>=|\.mT|\.T|[-−+·@∘*⊙⊗/^ᵀ²>≥(),=]))"
)
_SIGNS = {
    precedence: [spelling for spelling, name in SPELLINGS.items() if OPERATIONS[name].precedence is precedence]
    for precedence in Precedence
}
_SUPERSCRIPT = "²"
_AXES = {"0": "_samples", "-2": "_samples", "1": "_outputs", "-1": "_outputs"}


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
        kinds = {"end": "the end", "number": "a number", "name": "a name", "derivative": "a name"}
        return kinds.get(self._kind, f"the sign {self._text}")

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

    def _apply(self, operation: str, *operands: Expression) -> Expression:
        expression = Apply(operation, operands)
        if expression.height > MAX_HEIGHT:
            self._refuse(self._position, f"more than {MAX_HEIGHT} operations in one another")
        return expression

    def _deeper(self, read: Callable[[], Expression]) -> Expression:
        """Read what stands in parentheses, or will when it is printed: a reader of that text comes as deep."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(self._position, f"more than {MAX_DEPTH} parentheses in one another")
        expression = read()
        self.depth -= 1
        return expression

    def _comparison(self) -> Expression:
        left = self._sum()
        if sign := self._take(*_SIGNS[Precedence.COMPARISON]):
            left = self._apply(SPELLINGS[sign], left, self._sum())
        return left

    def _sum(self) -> Expression:
        left = self._apply("negate", self._product()) if self._take("−", "-") else self._product()
        while sign := self._take(*_SIGNS[Precedence.SUM]):
            left = self._apply(SPELLINGS[sign], left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._factor()
        while sign := self._take(*_SIGNS[Precedence.PRODUCT]):
            right = self._factor()
            is_multiple = sign in {"·", "@", "*"} and (is_number(left) or is_number(right))
            left = self._apply("scale" if is_multiple else SPELLINGS[sign], left, right)
        return left

    def _factor(self) -> Expression:
        if self._take("−", "-"):
            return self._apply("negate", self._deeper(self._factor))
        base = self._operand()
        if not self._take(*_SIGNS[Precedence.POWER]):
            return base
        exponent = self._exponent()
        return self._apply("exp", exponent) if base == Name("e") else self._apply("power", base, exponent)

    def _exponent(self) -> Expression:
        if self._take("−", "-"):
            return self._apply("negate", self._deeper(self._operand))
        return self._operand()

    def _operand(self) -> Expression:
        kind, text, position = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            found: Expression = Number(self._number(text, position))
        elif kind == "derivative":
            self.at += 1
            found = Name(text.replace("_", "/"))
        elif kind == "name":
            self.at += 1
            found = self._call(text, position) if self._take("(") else Name(text)
        elif self._take("("):
            found = self._deeper(self._comparison)
            self._require(")")
        else:
            self._refuse(position, self._found, "; needed a number, a name, or a parenthesis")
        while sign := self._take(*_SIGNS[Precedence.POSTFIX], _SUPERSCRIPT):
            found = self._apply("power", found, SQUARE) if sign == _SUPERSCRIPT else self._apply("transpose", found)
        return found

    def _number(self, text: str, position: int) -> float:
        value = float(text)
        if not math.isfinite(value):
            self._refuse(position, "a number that does not fit float64")
        return value

    def _call(self, text: str, position: int) -> Expression:
        name = text.removeprefix("numpy.").removeprefix("np.")
        # e^(…) has parentheses of its own where ᵀ or ² follows
        operand = (lambda: self._deeper(self._comparison)) if name == "exp" else self._comparison
        operands, axis = [self._deeper(operand)], ""
        while not axis and self._take(","):
            if self._text == "axis":
                axis = self._axis()
            else:
                operands.append(self._deeper(self._comparison))
        self._require(")")
        name += axis
        operation = name if name in self.functions else SPELLINGS.get(name, "")
        if not operation:
            self._refuse(position, "a function that is not known here")
        needed = OPERATIONS[operation].n_operands if operation in OPERATIONS and operation not in self.functions else 1
        if len(operands) != needed:
            self._refuse(position, counted(len(operands), "operand"), f"; {name} takes {needed}")
        return self._apply(operation, *operands)

    def _axis(self) -> str:
        self.at += 1
        self._require("=")
        position = self._position
        axis = ("-" if self._take("−", "-") else "") + self._text
        if axis not in _AXES:
            self._refuse(position, f"axis={axis[:12]}", "; needed 0 for samples, or 1 or -1 for outputs")
        self.at += 1
        return _AXES[axis]
