"""Local changes of a formula, each of which gives another formula.

A part is written as it stands in the formula, or is an expression: ``"Y"``, ``"sum_samples(dL/dZ)"``.
"""

from core.formulas.expression import Apply, Edit, Expression, rewrite, substitute
from core.formulas.reading import parse_formula


def drop(part: Expression | str) -> Edit:
    """Return the edit that leaves an operand out.

    Parameters
    ----------
    part : Expression or str
        What is forgotten, wherever it stands.

    Returns
    -------
    callable
        Of a sum, a product or a quotient the other operand is left; of a function of the part, nothing is.
    """
    absent = _read(part)

    def change(part: Expression) -> Expression:
        if not isinstance(part, Apply) or absent not in part.operands:
            return part
        left = [operand for operand in part.operands if operand != absent]
        if not left:
            return absent
        if part.operation == "subtract" and part.operands[0] == absent:
            return Apply("negate", (left[0],))
        return left[0]

    return lambda expression: rewrite(expression, change)


def replace_part(part: Expression | str, by: Expression | str) -> Edit:
    """Return the edit that puts something in the place of a part, wherever that stands.

    Parameters
    ----------
    part, by : Expression or str

    Returns
    -------
    callable
    """
    parts = {_read(part): _read(by)}
    return lambda expression: substitute(expression, parts)


def put(formula: Expression | str) -> Edit:
    """Return the edit that puts one formula in the place of any other.

    Parameters
    ----------
    formula : Expression or str

    Returns
    -------
    callable
    """
    found = _read(formula)
    return lambda expression: found


def _read(part: Expression | str) -> Expression:
    return parse_formula(part) if isinstance(part, str) else part
