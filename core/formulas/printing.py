"""From a formula to text and to LaTeX, with no more parentheses than reading it back needs."""

from collections.abc import Mapping

from core.formulas.expression import Apply, Expression, Name, Number
from core.formulas.operations import OPERATIONS, Operation, Precedence
from core.formulas.symbols import latex_of

SQUARE = Number(2.0)


def to_text(expression: Expression) -> str:
    """Write an expression as people type and read it: ``"A1ᵀ·dL/dZ2 + c·W2"``.

    Parameters
    ----------
    expression : Expression

    Returns
    -------
    str
        `parse_formula` gives the expression back.
    """
    if isinstance(expression, Name):
        return expression.text
    if isinstance(expression, Number):
        return number_to_text(expression.value)
    name, operands = expression.operation, expression.operands
    operation = OPERATIONS.get(name)
    if name == "exp":
        return f"e^{_enclosed(operands[0], Precedence.ATOM)}"
    if name == "power" and operands[1] == SQUARE:
        return f"{_enclosed(operands[0], Precedence.POSTFIX)}²"
    if operation is None or not operation.sign:
        return f"{name}({', '.join(map(to_text, operands))})"
    if operation.precedence is Precedence.POSTFIX:
        return _enclosed(operands[0], Precedence.POSTFIX) + operation.sign
    if len(operands) == 1:
        return operation.sign + _enclosed(operands[0], Precedence.PRODUCT)
    if name == "power":
        return f"{_enclosed(operands[0], Precedence.POSTFIX)}^{_enclosed(operands[1], Precedence.ATOM)}"
    left = _enclosed(operands[0], operation.precedence)
    right = _enclosed(operands[1], Precedence(operation.precedence + 1))
    is_spaced = operation.precedence <= Precedence.SUM
    return f"{left} {operation.sign} {right}" if is_spaced else f"{left}{operation.sign}{right}"


def to_latex(expression: Expression, functions: Mapping[str, str] | None = None) -> str:
    """Write an expression as LaTeX.

    Parameters
    ----------
    expression : Expression
    functions : mapping of str to str, optional
        The LaTeX of functions that are no operations, by name; of others the name is set upright.

    Returns
    -------
    str
    """
    functions = functions or {}

    def write(part: Expression) -> str:
        if isinstance(part, Name):
            return latex_of(part.text)
        if isinstance(part, Number):
            return number_to_text(part.value).replace("−", "-")
        operation = OPERATIONS.get(part.operation)
        if operation is None:
            function = functions.get(part.operation) or _upright(part.operation)
            return rf"{function}\left({', '.join(map(write, part.operands))}\right)"
        needed = _needed(operation, len(part.operands))
        return operation.latex.format(
            *(
                write(operand) if operation.groups or is_safe(operand, least) else rf"\left({write(operand)}\right)"
                for operand, least in zip(part.operands, needed, strict=True)
            )
        )

    return write(expression)


def is_safe(expression: Expression, least: Precedence) -> bool:
    """Tell whether an expression may stand as an operand without parentheses in LaTeX."""
    groups = (
        isinstance(expression, Apply) and expression.operation in OPERATIONS and OPERATIONS[expression.operation].groups
    )
    return (groups and least <= Precedence.PRODUCT) or _precedence(expression) >= least


def number_to_text(value: float) -> str:
    """Write a number without an exponent's plus or a needless point: ``"0.1"``, ``"−2"``.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    digits = repr(float(abs(value))).removesuffix(".0").replace("e+", "e")
    return f"−{digits}" if value < 0 else digits


def _needed(operation: Operation, n_operands: int) -> tuple[Precedence, ...]:
    if not operation.sign:
        # a sum's sign reaches over products
        return (Precedence.PRODUCT,) * n_operands
    if operation.precedence is Precedence.POSTFIX or operation.name == "power":
        return (Precedence.ATOM, Precedence.COMPARISON)[:n_operands]
    if n_operands == 1:
        return (Precedence.PRODUCT,)
    return (operation.precedence, Precedence(operation.precedence + 1))


def _enclosed(expression: Expression, least: Precedence) -> str:
    text = to_text(expression)
    return text if _precedence(expression) >= least else f"({text})"


def _precedence(expression: Expression) -> Precedence:
    if isinstance(expression, Number):
        return Precedence.SUM if expression.value < 0 else Precedence.ATOM
    if isinstance(expression, Name) or expression.operation not in OPERATIONS:
        return Precedence.ATOM
    if expression.operation == "exp":
        return Precedence.POWER
    if expression.operation == "power" and expression.operands[1] == SQUARE:
        return Precedence.POSTFIX
    return OPERATIONS[expression.operation].precedence


def _upright(name: str) -> str:
    stem = name.rstrip("′")
    primes = "'" * (len(name) - len(stem))
    written = stem if len(stem) == 1 else rf"\operatorname{{{stem.replace('_', ' ')}}}"
    return written + primes
