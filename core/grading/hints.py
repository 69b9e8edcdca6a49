"""What holds for a right answer whatever its numbers: hints that give nothing away.

A hint follows from the answer, from how it is written, from what was asked and from the problem's form. Of the
truth nothing enters: how far an entry may lie off depends on its size, and a hint that came or not by that would
tell of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.arrays import Array
from core.errors import counted
from core.grading.allowance import FEW_UNITS
from core.grading.tolerance import UsedTolerance
from core.nodes import logits_node, output_node, split_node
from core.problem import Problem
from core.quantities import Quantity
from core.registry import Registry

TOO_SMALL = "Your numbers are too small for this many decimals to show anything. Give more decimals."

TOO_NEAR = "Your numbers are too near to each other for this many decimals to tell them apart. Give more decimals."

TOO_FEW_DECIMALS = (
    "Your numbers have {found}, zeros at the end not counted. Give {needed} unless the numbers end there: with fewer, "
    "right numbers may count as wrong."
)

NOT_ROUNDED = "Your last digits are cut off. Round them: the last digit goes up where the next one is 5 or more."

FEW_APART = 4.0
"""Units of the last decimal: with entries so near to each other an answer says little."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Invariant:
    """A property of a quantity.

    Parameters
    ----------
    message : str
        Said of an answer that lacks it; ``{reason}`` stands for why the rows of dL/dZ add up to 0.
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
    return problem.network.gives_distribution and node == output_node(problem.network)


def _is_softmax_gradient(problem: Problem, quantity: Quantity) -> bool:
    is_last = split_node(quantity.node)[1] == problem.network.depth
    return quantity.is_gradient and is_last and problem.network.gives_distribution


def _has_no_penalty(problem: Problem) -> bool:
    return problem.conventions.l2.strength == 0


def _reason(problem: Problem) -> str:
    if problem.loss != "cross_entropy":
        return "every row of dL/dZ does: adding one number to a whole row of Z changes no probability"
    is_mean = problem.conventions.reduction == "mean" and problem.n_samples > 1
    base = problem.conventions.log_base
    divisors = [*["N"] * is_mean, *[f"ln {base}"] * (base != "e")]
    divisor = "·".join(divisors)
    formula = f"(S − Y)/({divisor})" if len(divisors) > 1 else f"(S − Y)/{divisor}" if divisor else "S − Y"
    return f"every row of dL/dZ = {formula} does"


INVARIANTS: Registry[Invariant] = Registry(
    "invariant",
    Invariant(
        name="probabilities_sum_to_one",
        message="Check: every row of S adds up to 1, because it holds one sample's probabilities. Yours does not.",
        applies=_is_probabilities,
        residual=lambda value: np.abs(value.sum(axis=-1) - 1.0),
        terms=_of_row,
    ),
    Invariant(
        name="probabilities_in_range",
        message="Check: every probability lies between 0 and 1. Yours do not.",
        applies=_is_probabilities,
        residual=lambda value: np.maximum(-value, value - 1.0),
    ),
    Invariant(
        name="loss_not_negative",
        message="Check: this loss is never negative. Yours is.",
        applies=lambda problem, quantity: quantity.is_loss,
        residual=lambda value: -value,
    ),
    Invariant(
        name="logits_gradient_rows_sum_to_zero",
        message="Check: in the output layer every row of dL/dZ adds up to 0, because adding one number to a whole row "
        "of Z changes no probability. Yours does not.",
        applies=lambda problem, quantity: (
            _is_softmax_gradient(problem, quantity) and quantity.node == logits_node(problem.network)
        ),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row,
    ),
    Invariant(
        name="weights_gradient_rows_sum_to_zero",
        message="Check: in the output layer every row of dL/dW adds up to 0, because {reason}. Yours does not.",
        applies=lambda problem, quantity: (
            _is_softmax_gradient(problem, quantity) and quantity.is_by_weights and _has_no_penalty(problem)
        ),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row_over_batch,
    ),
    Invariant(
        name="bias_gradient_sums_to_zero",
        message="Check: in the output layer the entries of dL/db add up to 0, because {reason}. Yours do not.",
        applies=lambda problem, quantity: (
            _is_softmax_gradient(problem, quantity) and quantity.is_by_bias and _has_no_penalty(problem)
        ),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row_over_batch,
    ),
    Invariant(
        name="softmax_jacobian_columns_sum_to_zero",
        message="Check: in every sample each column of this Jacobian adds up to 0, because the probabilities always "
        "add up to 1. Yours does not.",
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
    answer : ndarray
        In the quantity's shape.
    decimals : int or None
        Those that it is written with.
    used : UsedTolerance
        How it is read.
    """
    rounding = _rounding(answer, used)
    missed = [
        invariant.message.format(reason=_reason(problem))
        for invariant in INVARIANTS.values()
        if invariant.applies(problem, quantity)
        and invariant.residual(answer).max() > invariant.terms(problem, answer) * rounding
    ]
    digits = _miss_digits(answer, used)
    # whole numbers are exact more often than they are rounded; 0.5 everywhere may have been written as 0.50
    if decimals and not digits and used.decimals is not None and decimals < used.decimals:
        return (
            TOO_FEW_DECIMALS.format(found=counted(decimals, "decimal"), needed=counted(used.decimals, "decimal")),
            *missed,
        )
    return (*missed, *digits)


def _rounding(answer: Array, used: UsedTolerance) -> float:
    if used.decimals is not None:
        return 10.0**-used.decimals
    return float((used.relative or 0.0) * np.abs(answer).max() + (used.absolute or 0.0))


def _miss_digits(answer: Array, used: UsedTolerance) -> tuple[str, ...]:
    if used.decimals is None:
        return ()
    unit = 10.0**-used.decimals
    if np.abs(answer).max() <= FEW_UNITS * unit:
        return (TOO_SMALL,)
    return (TOO_NEAR,) if answer.size > 1 and np.ptp(answer) <= FEW_APART * unit else ()
