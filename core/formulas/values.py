"""The value of a formula, and how far rounding on the way moves it."""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias, cast

import numpy as np

from core.arrays import Array
from core.formulas.expression import Apply, Expression, Name, names_in
from core.formulas.operations import OPERATIONS, Operation
from core.formulas.symbols import CONSTANTS, NUMBERS, axes_of, is_number

Values: TypeAlias = Sequence[Array]
Functions: TypeAlias = Mapping[str, Operation]
"""What stands before parentheses beside the operations; one of the same name goes first."""

Written: TypeAlias = Callable[[Array, Array], Array]
BoundRun: TypeAlias = Callable[[Written, Values, Sequence[Array | None]], Array | None]

NO_FUNCTIONS: Functions = {}
NO_ERROR = np.zeros(())


def compile_formula(
    expression: Expression, names: Sequence[str], functions: Functions = NO_FUNCTIONS
) -> Callable[..., Array]:
    """Return what computes a formula from the values of its names.

    Parameters
    ----------
    expression : Expression
    names : sequence of str
        In the order in which the values will come.
    functions : mapping of str to Operation
        What the expression applies beside the operations.

    Returns
    -------
    callable
        ``compute(*values)``: arrays with two last axes, samples and features; rows, columns and numbers as
        `lift` makes them.
    """
    places = {name: place for place, name in enumerate(names)}

    def build(part: Expression) -> Callable[[Values], Array]:
        if places.keys().isdisjoint(names_in(part)):
            # a Python number takes the type of what it meets: in float32 all stays float32
            value: Any = float(_constant(part).item())
            return lambda values: value
        if isinstance(part, Name):
            return itemgetter(places[part.text])
        # with a name in it, it is no number
        part = cast("Apply", part)
        apply = (functions.get(part.operation) or OPERATIONS[part.operation]).value
        operands = [build(operand) for operand in part.operands]
        if len(operands) == 1:
            [only] = operands
            return lambda values: apply(only(values))
        left, right = operands
        return lambda values: apply(left(values), right(values))

    run = build(expression)
    return lambda *values: run(values)


def _constant(part: Expression) -> Array:
    if isinstance(part, Apply):
        with np.errstate(all="ignore"):
            return OPERATIONS[part.operation].value(*map(_constant, part.operands))
    return np.full((1, 1), CONSTANTS[part.text] if isinstance(part, Name) else part.value)


def compile_bound(expression: Expression, names: Sequence[str]) -> BoundRun:
    """Return what follows errors of the names through a formula, to first order and in the worst case.

    Parameters
    ----------
    expression : Expression
    names : sequence of str
        In the order in which values and errors will come.

    Returns
    -------
    callable
        ``bound(written, values, errors)`` gives a bound of the value's error, which broadcasts against it, or None
        where the value is exact. The error of an exact name is None. ``written(value, error)`` is what writing numbers
        down on the way adds: an array that is computed entry by entry is written down before it is added to others.
    """
    if isinstance(expression, Name) and expression.text in names:
        place = names.index(expression.text)
        return lambda written, values, errors: errors[place]
    if not isinstance(expression, Apply):
        return lambda written, values, errors: None
    operation = OPERATIONS[expression.operation]
    compute = compile_formula(expression, names)
    operands = [compile_formula(operand, names) for operand in expression.operands]
    bounds = [compile_bound(operand, names) for operand in expression.operands]
    rounded = [place for place, operand in enumerate(expression.operands) if operation.adds and _is_computed(operand)]

    def bound(written: Written, values: Values, errors: Sequence[Array | None]) -> Array | None:
        found = [of_operand(written, values, errors) for of_operand in bounds]
        for place in rounded:
            error = found[place]
            writing = written(operands[place](*values), NO_ERROR if error is None else error)
            found[place] = writing if error is None else error + writing
        if all(error is None for error in found):
            return None
        return operation.error(lambda place: (compute if place < 0 else operands[place])(*values), found)

    return bound


def _is_computed(expression: Expression) -> bool:
    if not isinstance(expression, Apply) or is_number(expression):
        return False
    # what was added up has had its terms written down, and a sign changes no digit
    return OPERATIONS[expression.operation].is_entrywise and expression.operation not in {"add", "subtract", "negate"}


def lift(name: str, value: Array) -> Array:
    """Give an array both of its axes, where its symbol has fewer.

    Parameters
    ----------
    name : str
        The symbol.
    value : ndarray
        A number may be a stack, with axes of length 1 after its first.

    Returns
    -------
    ndarray
        A number alone stays one.
    """
    if name in NUMBERS:
        return value.reshape(-1, 1, 1) if value.ndim else value
    axis = axes_of(name)
    return value if axis is None else value[..., None] if axis == -1 else value[..., None, :]
