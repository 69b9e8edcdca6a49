"""What transforms do to a finished answer, as choices of entries and their signs: for many values at once."""

import numpy as np

from core.arrays import Array
from core.grading.diagnosis.hypothesis import PartToExplain
from core.grading.diagnosis.suspects import Suspects
from core.grading.shapes import fit_shape, is_flat_column
from core.mistakes import Indices, Signs, Transform
from core.problem import Problem
from core.quantities import Quantity

Order = tuple[tuple[str, ...], tuple[int, ...], Indices, Signs]
"""What a transform does to a quantity: its name, the shape, and which entry stands where with which sign."""


def find_orders(suspects: Suspects, part: PartToExplain) -> list[Order]:
    """List what transforms without a number of their own do to a quantity.

    Returns
    -------
    list of Order
        First the one that leaves all as it is, and has no name; then those that give the answer's shape.
    """
    # of the first no more than its first entry is looked at
    orders: list[Order] = [((), part.truth.shape, np.zeros(1, np.int32), np.ones(1, np.int8))]
    for mistake, transform in suspects.transforms:
        if transform.is_choice:
            chosen = select(transform, suspects.problem, part.quantity, part.truth.shape, part.answer)
            if chosen is not None:
                orders.append(((mistake.name,), *chosen))
    return orders


def arrange(rows: Array, order: Order) -> Array:
    """Put rows of numbers in an order.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n)

    Returns
    -------
    ndarray
        The rows themselves for the order without a name.
    """
    names, _, index, sign = order
    return rows[:, index] * sign if names else rows


def select(
    transform: Transform, problem: Problem, quantity: Quantity, shape: tuple[int, ...], answer: Array
) -> tuple[tuple[int, ...], Indices, Signs] | None:
    """Write a transform as a choice of entries and their signs, to apply it to many values at once.

    Parameters
    ----------
    transform : Transform
        One without a number of its own.
    shape : tuple of int
        The quantity's.

    Returns
    -------
    tuple or None
        The shape of the result, the flat index of each entry, and its sign (0 for an entry that is 0);
        None where the transform does not apply, or gives another shape than the answer has.
    """
    # of one number in every place, for the shape alone
    result = transform.apply(problem, quantity, np.broadcast_to(np.ones(()), shape), 1.0)
    if result is None or fit_shape(answer, result.shape) is None:
        return None
    # a column's transpose is a row, and a flat list has the shape of one, but swaps nothing
    if is_flat_column(answer, shape) and result.shape != answer.shape:
        return None
    return transform.choose(problem, quantity, shape)
