"""One step of a worked solution, as whoever reads it gets it."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.arrays import Array


@dataclass(frozen=True, kw_only=True)
class StepCheck:
    """A property that holds whatever the numbers, and whether it does here.

    Parameters
    ----------
    name : str
        ``"shapes"``, or that of an invariant.
    statement : str
        For students.
    holds : bool
    """

    name: str
    statement: str
    holds: bool


@dataclass(frozen=True, kw_only=True)
class WrittenEntry:
    """One entry of a step, written out with its numbers.

    Parameters
    ----------
    index : tuple of int
        From 0; empty for the loss.
    text : str
        ``"1·0.5 + 2·0.3 + 0.1 = 1.2"``: rounded numbers. Where they do not fit float64 on the way, or give
        the value only with more digits than can be read again, the value alone.
    value : float
        With all its digits.
    """

    index: tuple[int, ...]
    text: str
    value: float


@dataclass(frozen=True, kw_only=True, eq=False)
class SolutionStep:
    """One step of a worked solution; without numbers, value, checks and entry are None.

    Parameters
    ----------
    quantity : str
        Its id, as asked where it was asked for.
    title : str
        The quantity in words.
    inputs : tuple of str
        Ids of the quantities that the formula mentions, and the problem's own arrays: X, W1, b1, Y.
    rule : str
        The rule's name.
    formula : str
        The right-hand side, in the problem's names; `parse_formula` reads it. Of a Jacobian it is the matrix of one
        sample, whose small letters are columns.
    latex : str
        The whole equation.
    shape : tuple of int
        Of the value.
    shapes : mapping of str to tuple of int
        Of the formula's factors; of one sample, for a Jacobian.
    value : ndarray or None
    why : str
        Why the rule holds.
    checks : tuple of StepCheck or None
    entry : WrittenEntry or None
    """

    quantity: str
    title: str
    inputs: tuple[str, ...]
    rule: str
    formula: str
    latex: str
    shape: tuple[int, ...]
    shapes: Mapping[str, tuple[int, ...]]
    value: Array | None = None
    why: str
    checks: tuple[StepCheck, ...] | None = None
    entry: WrittenEntry | None = None
