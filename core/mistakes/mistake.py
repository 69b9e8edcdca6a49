"""What a mistake is: other rules in the table of steps, or something done to the finished answer."""

from collections.abc import Callable
from dataclasses import dataclass

from core.arrays import Array
from core.problem import Problem
from core.quantities import Quantity
from core.steps import Change

Way = tuple[Change, ...]


def _always(problem: Problem) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Transform:
    """Something done to a finished quantity.

    Parameters
    ----------
    apply : callable
        ``apply(problem, quantity, value, number)`` gives what is handed in, in whatever shape; None where
        it cannot be done to this quantity.
    accepts : callable or None
        ``accepts(number)``, for a transform with a number of its own, in which it is linear: which numbers
        it can be. Without, the number is 1.
    examples : tuple of float
        Such numbers as are met.
    """

    apply: Callable[[Problem, Quantity, Array, float], Array | None]
    accepts: Callable[[float], bool] | None = None
    examples: tuple[float, ...] = (1.0,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mistake:
    """One thing that goes wrong.

    Parameters
    ----------
    name : str
        Its id.
    family : str
        What it is about, in a word or two.
    produces : str
        What comes out instead of the truth t.
    message : str
        Feedback for the student: it helps, and gives no number away.
    ways : tuple of tuples of Change
        The ways in which it happens, each as changes of rules.
    transforms : tuple of Transform
        The ways in which it happens to a finished answer.
    applies : callable
        ``applies(problem)``: whether the mistake can be made there.
    switch : tuple of str and value, or None
        The convention under which it is no mistake: ``("reduction", "sum")``.
    since : int
        The version of the catalogue that it came with. An exercise's version counts mistakes up to it.
    """

    name: str
    family: str
    produces: str
    message: str
    ways: tuple[Way, ...] = ()
    transforms: tuple[Transform, ...] = ()
    applies: Callable[[Problem], bool] = _always
    switch: tuple[str, str | float] | None = None
    since: int = 1
