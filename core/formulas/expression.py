"""What a formula is: a tree of operations over names and numbers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True)
class Name:
    """A symbol that stands for an array or a number: ``X``, ``W2``, ``dL/dZ1``, ``N``."""

    text: str
    height: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is written as digits."""

    value: float
    height: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation on operands.

    Parameters
    ----------
    operation : str
        A name in `OPERATIONS`, or that of a function which whoever evaluates the formula supplies: ``"f"``.
    operands : tuple of Expression

    Attributes
    ----------
    height : int
        How many operations there are in one another.
    """

    operation: str
    operands: "tuple[Expression, ...]"
    height: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", 1 + max((operand.height for operand in self.operands), default=0))


Expression: TypeAlias = Name | Number | Apply

Edit: TypeAlias = Callable[[Expression], Expression]
"""One local change of a formula."""


def parts_of(expression: Expression) -> Iterator[Expression]:
    """List an expression and all that it is made of, outermost first.

    Parameters
    ----------
    expression : Expression

    Yields
    ------
    Expression
    """
    yield expression
    if isinstance(expression, Apply):
        for operand in expression.operands:
            yield from parts_of(operand)


def names_in(expression: Expression) -> tuple[str, ...]:
    """Return the names that an expression mentions, each once, from left to right."""
    return tuple(dict.fromkeys(part.text for part in parts_of(expression) if isinstance(part, Name)))


def rewrite(expression: Expression, change: Edit) -> Expression:
    """Change an expression from the leaves to the root.

    Parameters
    ----------
    expression : Expression
    change : callable
        ``change(part)`` gives what stands in the place of a part whose operands have been changed already.

    Returns
    -------
    Expression
    """
    if isinstance(expression, Apply):
        operands = tuple(rewrite(operand, change) for operand in expression.operands)
        expression = Apply(expression.operation, operands)
    return change(expression)


def substitute(expression: Expression, parts: Mapping[Expression, Expression]) -> Expression:
    """Put other expressions in the place of parts.

    Parameters
    ----------
    expression : Expression
    parts : mapping of Expression to Expression

    Returns
    -------
    Expression
    """
    return rewrite(expression, lambda part: parts.get(part, part))
