"""What a formula leaves out: terms of 0 and factors of 1."""

from collections.abc import Callable, Mapping

from core.formulas.expression import Apply, Expression, Number, rewrite
from core.formulas.symbols import is_number

ZERO = Number(0.0)
ONE = Number(1.0)

_LARGEST = 1e300


def simplify(expression: Expression) -> Expression:
    """Leave out terms of 0 and factors of 1.

    Parameters
    ----------
    expression : Expression

    Returns
    -------
    Expression
    """
    return rewrite(expression, lambda part: _shorter(part) if isinstance(part, Apply) else part)


def _shorter(part: Apply) -> Expression:
    shorten = _SHORTER.get(part.operation)
    return shorten(part) if shorten else part


def _add(part: Apply) -> Expression:
    left, right = part.operands
    if isinstance(right, Apply) and right.operation == "add":
        # a + (b + c), without parentheses
        first, second = right.operands
        return _add(Apply("add", (_add(Apply("add", (left, first))), second)))
    return right if left == ZERO else left if right == ZERO else part


def _subtract(part: Apply) -> Expression:
    left, right = part.operands
    return left if right == ZERO else _negate(Apply("negate", (right,))) if left == ZERO else part


def _multiply(part: Apply) -> Expression:
    left, right = part.operands
    if ZERO in part.operands:
        return ZERO
    return right if left == ONE else left if right == ONE else part


def _divide(part: Apply) -> Expression:
    left, right = part.operands
    if isinstance(left, Apply) and left.operation == "negate":
        return _negate(Apply("negate", (_divide(Apply("divide", (left.operands[0], right))),)))
    if isinstance(right, Number) and isinstance(left, Apply) and left.operation == "scale":
        factor, rest = left.operands
        # a quotient that does not fit float64 stays as it is written
        if isinstance(factor, Number) and abs(factor.value) < _LARGEST * abs(right.value):
            return _multiply(Apply("scale", (Number(factor.value / right.value), rest)))
    return ZERO if left == ZERO else left if right == ONE else part


def _negate(part: Apply) -> Expression:
    [only] = part.operands
    return (
        ZERO if only == ZERO else only.operands[0] if isinstance(only, Apply) and only.operation == "negate" else part
    )


def _add_up(part: Apply) -> Expression:
    # a sum over one axis of a sum over the other, and what passes through a sum
    [only] = part.operands
    if not isinstance(only, Apply):
        return part
    if only.operation in {"sum_outputs", "sum_samples"}:
        return _add_up(Apply("sum", only.operands))
    if only.operation == "negate":
        return _negate(Apply("negate", (_add_up(Apply("sum", only.operands)),)))
    if only.operation == "divide" and is_number(only.operands[1]):
        return _divide(Apply("divide", (_add_up(Apply("sum", only.operands[:1])), only.operands[1])))
    return part


_SHORTER: Mapping[str, Callable[[Apply], Expression]] = {
    "add": _add,
    "subtract": _subtract,
    "product": _multiply,
    "scale": _multiply,
    "multiply": _multiply,
    "divide": _divide,
    "negate": _negate,
    "sum": _add_up,
}
