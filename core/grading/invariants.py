"""What holds for a right answer whatever its numbers: hints that give nothing away.

A hint follows from the answer, from how it is written, from what was asked and from the problem's form. Of the
truth nothing enters: how far an entry may lie off depends on its size, and a hint that came or not by that would
tell of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.arrays import Array
from core.grading.grade import UsedTolerance
from core.problem import Problem
from core.quantities import Quantity, split_node
from core.registry import Registry

MORE_DECIMALS = (
    "With these decimals the entries are nearly 0 or nearly all the same, so that zeros or one number for all might "
    "pass as well. Write more decimals, if there are any."
)

COARSE = (
    "Decimals, without zeros at the end: found {found}, needed {needed} unless the numbers end there. Rounded more "
    "coarsely than that, right numbers may count as wrong."
)

CUT_OFF = "Your last digits are cut off. Round them: the last digit goes up where the next one is 5 or more."

FEW_UNITS = 10.0
FEW_APART = 4.0
"""Units of the last decimal: with entries that are so small, or so near to each other, an answer says little."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Invariant:
    """A property of a quantity.

    Parameters
    ----------
    name : str
    message : str
        Said of an answer that lacks it.
    applies : callable
        ``applies(problem, quantity)``.
    residual : callable
        ``residual(value)`` is 0, or below, where the property holds; an array.
    terms : callable
        ``terms(problem, value)``: how many roundings a residual adds up.
    """

    name: str
    message: str
    applies: Callable[[Problem, Quantity], bool]
    residual: Callable[[Array], Array]
    terms: Callable[[Problem, Array], int] = lambda problem, value: 1


def _of_row(problem: Problem, value: Array) -> int:
    return int(value.shape[-1])


def _of_row_over_batch(problem: Problem, value: Array) -> int:
    # each entry is a sum over samples, of numbers that were rounded themselves
    return int(value.shape[-1]) * (1 + problem.n_samples)


def _is_probabilities(problem: Problem, quantity: Quantity) -> bool:
    return quantity.by is None and _is_softmax_node(problem, quantity.of)


def _is_softmax_node(problem: Problem, node: str) -> bool:
    return problem.network.gives_distribution and node == f"A{problem.network.depth}"


def _is_output_gradient(problem: Problem, quantity: Quantity, symbol: str) -> bool:
    node = split_node(str(quantity.by or "L"))
    return quantity.of == "L" and problem.network.gives_distribution and node == (symbol, problem.network.depth)


def _has_no_penalty(problem: Problem) -> bool:
    return problem.conventions.l2.strength == 0


INVARIANTS: Registry[Invariant] = Registry(
    "invariant",
    Invariant(
        name="probabilities_sum_to_one",
        message="Each row, one sample, has to sum to 1.",
        applies=_is_probabilities,
        residual=lambda value: np.abs(value.sum(axis=-1) - 1.0),
        terms=_of_row,
    ),
    Invariant(
        name="probabilities_in_range",
        message="Probabilities lie between 0 and 1.",
        applies=_is_probabilities,
        residual=lambda value: np.maximum(-value, value - 1.0),
    ),
    Invariant(
        name="loss_not_negative",
        message="A loss is never negative.",
        applies=lambda problem, quantity: quantity.of == "L" and quantity.by is None,
        residual=lambda value: -value,
    ),
    Invariant(
        name="logits_gradient_rows_sum_to_zero",
        message="Each row sums to 0: raising every pre-activation by the same amount changes no probability.",
        applies=lambda problem, quantity: _is_output_gradient(problem, quantity, "Z"),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row,
    ),
    Invariant(
        name="weights_gradient_rows_sum_to_zero",
        message="Each row sums to 0: what one class's weight gains, the others' lose.",
        applies=lambda problem, quantity: _is_output_gradient(problem, quantity, "W") and _has_no_penalty(problem),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row_over_batch,
    ),
    Invariant(
        name="bias_gradient_sums_to_zero",
        message="The entries sum to 0: what one class's bias gains, the others' lose.",
        applies=lambda problem, quantity: _is_output_gradient(problem, quantity, "b") and _has_no_penalty(problem),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row_over_batch,
    ),
    Invariant(
        name="softmax_jacobian_columns_sum_to_zero",
        message="Each column sums to 0, because the probabilities sum to 1 whatever changes.",
        applies=lambda problem, quantity: quantity.is_jacobian and _is_softmax_node(problem, quantity.of),
        residual=lambda value: np.abs(value.sum(axis=1)),
        terms=lambda problem, value: int(value.shape[1]),
    ),
)


def find_hints(
    problem: Problem, quantity: Quantity, answer: Array, decimals: int | None, used: UsedTolerance
) -> tuple[str, ...]:
    """List what an answer lacks that a right one has: the decimals asked for, the quantity's properties, digits.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity
    answer : ndarray
        In the quantity's shape.
    decimals : int or None
        Those that it is written with.
    used : UsedTolerance
        How it is read.

    Returns
    -------
    tuple of str
    """
    rounding = _rounding(answer, used)
    missed = [
        invariant.message
        for invariant in INVARIANTS.values()
        if invariant.applies(problem, quantity)
        and invariant.residual(answer).max() > invariant.terms(problem, answer) * rounding
    ]
    if _is_coarse(decimals, used):
        return (COARSE.format(found=decimals, needed=used.decimals), *missed)
    return (*missed, MORE_DECIMALS) if has_few_digits(answer, used) else tuple(missed)


def _is_coarse(decimals: int | None, used: UsedTolerance) -> bool:
    # whole numbers are exact more often than they are rounded
    return bool(decimals and used.decimals is not None and decimals < used.decimals)


def _rounding(answer: Array, used: UsedTolerance) -> float:
    if used.decimals is not None:
        return 10.0**-used.decimals
    return float((used.relative or 0.0) * np.abs(answer).max() + (used.absolute or 0.0))


def has_few_digits(answer: Array, used: UsedTolerance) -> bool:
    """Tell whether an answer has so few digits that it says little.

    Parameters
    ----------
    answer : ndarray
    used : UsedTolerance
        How it is read.

    Returns
    -------
    bool
    """
    if used.decimals is None:
        return False
    unit = 10.0**-used.decimals
    is_small = np.abs(answer).max() <= FEW_UNITS * unit
    return bool(is_small or (answer.size > 1 and np.ptp(answer) <= FEW_APART * unit))
