"""The symbols of formulas: which stand for numbers, which for one row or one column, and how LaTeX writes them."""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from core.formulas.expression import Expression, Name, Number
from core.formulas.operations import OPERATIONS

CONSTANTS: Mapping[str, float] = MappingProxyType({"π": math.pi})
"""Numbers that have a name everywhere."""

NUMBERS: Mapping[str, str] = MappingProxyType(
    {
        "N": "N",
        "n": "n",
        "D": "D",
        "K": "K",
        "B": "b",
        "ln_B": r"\ln b",
        "c": "c",
        "c′": "c'",
        "η": r"\eta",
        "k": "k",
        "m": "m",
        "L": "L",
        "π": r"\pi",
        "weights_penalty": r"\text{penalty}",
        "bias_penalty": r"\text{penalty of biases}",
    }
)
"""Symbols that stand for a single number, with their LaTeX; all others are arrays."""

ROWS = ("b", "dL/db")
"""Symbols, without a layer's number, of what has an entry for each output and none for a sample."""

COLUMNS = ("losses",)
"""Symbols of what has an entry for each sample only."""

BOTH_AXES = frozenset((-2, -1))

_DIGITS = re.compile(r"\d+$")
_DERIVATIVE = re.compile(r"d(\w+)/d(\w+)")
_LETTERS_AND_NUMBER = re.compile(r"(\w*?[^\W\d])(\d*)([′₀₋]*)")
_SUBSCRIPTS = {"₀": "0", "₋": "-"}


def bare(name: str) -> str:
    """Return a symbol without its layer's number: of ``"dL/dW2"`` the symbol ``"dL/dW"``."""
    return _DIGITS.sub("", name)


@lru_cache(maxsize=1024)
def axes_of(name: str) -> int | None:
    """Return which axis a symbol's array lacks, counted from the last.

    Parameters
    ----------
    name : str

    Returns
    -------
    int or None
        −2 for a row, −1 for a column; None for what has both, and for numbers, which have none.
    """
    symbol = bare(name)
    return -2 if symbol in ROWS else -1 if symbol in COLUMNS else None


def is_lifted(name: str) -> bool:
    """Tell whether a symbol's array has fewer axes than formulas are computed with."""
    return name in NUMBERS or axes_of(name) is not None


def is_number(expression: Expression) -> bool:
    """Tell whether an expression stands for a single number rather than an array.

    Parameters
    ----------
    expression : Expression

    Returns
    -------
    bool
    """
    return len(axes_lacking(expression)) == len(BOTH_AXES)


def axes_lacking(expression: Expression) -> frozenset[int]:
    """Return the axes along which an expression has one entry whatever the shapes of its names, counted from the last.

    Parameters
    ----------
    expression : Expression

    Returns
    -------
    frozenset of int
        Both for a number.
    """
    if isinstance(expression, Number):
        return BOTH_AXES
    if isinstance(expression, Name):
        axis = axes_of(expression.text)
        return BOTH_AXES if expression.text in NUMBERS else frozenset(() if axis is None else (axis,))
    operands = [axes_lacking(operand) for operand in expression.operands]
    if expression.operation == "product":
        left, right = operands
        return left & {-2} | right & {-1}
    if expression.operation == "transpose":
        return frozenset(-3 - axis for axis in operands[0])
    operation = OPERATIONS.get(expression.operation)
    return frozenset.intersection(*operands).union(operation.axes if operation else ())


def latex_of(name: str) -> str:
    r"""Return a symbol as LaTeX: ``\frac{\partial L}{\partial W_2}`` for ``"dL/dW2"``."""
    if name in NUMBERS:
        return NUMBERS[name]
    if derivative := _DERIVATIVE.fullmatch(name):
        of, by = (latex_of(part) if part != "L" else "L" for part in derivative.groups())
        return rf"\frac{{\partial {of}}}{{\partial {by}}}"
    match = _LETTERS_AND_NUMBER.fullmatch(name)
    if match is None:
        return _in_words(name)
    letters, number, marks = match.groups()
    below = number + "".join(_SUBSCRIPTS.get(mark, "") for mark in marks)
    written = letters if len(letters) == 1 else _in_words(letters)
    return written + "'" * marks.count("′") + (f"_{{{below}}}" if below else "")


def _in_words(name: str) -> str:
    escaped = name.replace("_", r"\_")
    return rf"\text{{{escaped}}}"
