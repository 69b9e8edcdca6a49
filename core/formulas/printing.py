"""From a formula to text and to LaTeX, with no more parentheses than reading it back needs."""

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
    left, right = map(_enclosed, operands, _needed(operation))
    is_spaced = operation.precedence <= Precedence.SUM
    return f"{left} {operation.sign} {right}" if is_spaced else f"{left}{operation.sign}{right}"


def to_latex(expression: Expression) -> str:
    """Write an expression as LaTeX.

    Parameters
    ----------
    expression : Expression

    Returns
    -------
    str
    """
    if isinstance(expression, Name):
        return latex_of(expression.text)
    if isinstance(expression, Number):
        return _number_to_latex(expression.value)
    written = [to_latex(operand) for operand in expression.operands]
    operation = OPERATIONS.get(expression.operation)
    if operation is None:
        return rf"{_upright(expression.operation)}\left({', '.join(written)}\right)"
    for place, operand in enumerate(expression.operands):
        if _is_enclosed(operation, place, operand):
            written[place] = rf"\left({written[place]}\right)"
    return operation.latex.format(*written)


def _is_enclosed(operation: Operation, place: int, operand: Expression) -> bool:
    """Tell whether the LaTeX has parentheses around an operand."""
    if operation.groups:
        return False
    least = _needed(operation)[place]
    if not _is_safe(operand, least):
        return True
    # what follows a sum would seem to be part of it
    return place == 0 and operation.sign != "" and operation.precedence >= Precedence.PRODUCT and _ends_in_sum(operand)


def _is_safe(expression: Expression, least: Precedence) -> bool:
    """Tell whether an expression binds tightly enough to stand without parentheses in LaTeX."""
    if isinstance(expression, Name):
        # a fraction is no base of a power
        return least < Precedence.ATOM or "/" not in expression.text
    if isinstance(expression, Number):
        return _precedence(expression) >= least and ("e" not in repr(expression.value) or least <= Precedence.PRODUCT)
    operation = OPERATIONS.get(expression.operation)
    return (operation is not None and operation.groups and least <= Precedence.POWER) or (
        _precedence(expression) >= least
    )


def _ends_in_sum(expression: Expression) -> bool:
    if not isinstance(expression, Apply) or expression.operation not in OPERATIONS:
        return False
    operation, last = OPERATIONS[expression.operation], len(expression.operands) - 1
    if operation.groups or operation.precedence in {Precedence.POWER, Precedence.POSTFIX}:
        return False
    operand = expression.operands[last]
    return not operation.sign or (not _is_enclosed(operation, last, operand) and _ends_in_sum(operand))


def number_to_text(value: float) -> str:
    """Write a number without an exponent's plus or a needless point: ``"0.1"``, ``"−2"``.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    mantissa, e, exponent = repr(float(abs(value))).partition("e")
    digits = mantissa.removesuffix(".0") + (f"e{int(exponent)}" if e else "")
    return f"−{digits}" if value < 0 else digits


def _number_to_latex(value: float) -> str:
    mantissa, e, exponent = number_to_text(value).replace("−", "-").partition("e")
    factor = "" if mantissa == "1" else rf"{mantissa} \cdot "
    return f"{factor}10^{{{exponent}}}" if e else mantissa


def _needed(operation: Operation) -> tuple[Precedence, ...]:
    if not operation.sign:
        # a sum's sign reaches over products
        return (Precedence.PRODUCT,) * operation.n_operands
    if operation.precedence is Precedence.POSTFIX or operation.name == "power":
        return (Precedence.ATOM, Precedence.COMPARISON)[: operation.n_operands]
    if operation.n_operands == 1:
        return (Precedence.PRODUCT,)
    if operation.precedence is Precedence.COMPARISON:
        return (Precedence.SUM, Precedence.SUM)
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
