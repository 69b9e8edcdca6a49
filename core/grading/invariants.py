"""What holds for a right answer whatever its numbers: hints that give nothing away."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.arrays import Array
from core.problem import Problem
from core.quantities import Quantity, split_node
from core.registry import Registry


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
        ``terms(value)``: how many entries a residual adds up, each with its own rounding.
    """

    name: str
    message: str
    applies: Callable[[Problem, Quantity], bool]
    residual: Callable[[Array], Array]
    terms: Callable[[Array], int] = lambda value: 1


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
        terms=lambda value: int(value.shape[-1]),
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
        terms=lambda value: int(value.shape[-1]),
    ),
    Invariant(
        name="weights_gradient_rows_sum_to_zero",
        message="Each row sums to 0: what one class's weight gains, the others' lose.",
        applies=lambda problem, quantity: _is_output_gradient(problem, quantity, "W") and _has_no_penalty(problem),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=lambda value: int(value.shape[-1]),
    ),
    Invariant(
        name="bias_gradient_sums_to_zero",
        message="The entries sum to 0: what one class's bias gains, the others' lose.",
        applies=lambda problem, quantity: _is_output_gradient(problem, quantity, "b") and _has_no_penalty(problem),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=lambda value: int(value.shape[-1]),
    ),
    Invariant(
        name="softmax_jacobian_columns_sum_to_zero",
        message="Each column sums to 0, because the probabilities sum to 1 whatever changes.",
        applies=lambda problem, quantity: quantity.is_jacobian and _is_softmax_node(problem, quantity.of),
        residual=lambda value: np.abs(value.sum(axis=1)),
        terms=lambda value: int(value.shape[1]),
    ),
)


def find_hints(problem: Problem, quantity: Quantity, answer: Array, truth: Array, allowed: float) -> tuple[str, ...]:
    """List the properties of the truth that an answer lacks.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity
    answer, truth : ndarray
        Of one shape.
    allowed : float
        How far an entry may lie off.

    Returns
    -------
    tuple of str
    """
    return tuple(
        invariant.message
        for invariant in INVARIANTS.values()
        if invariant.applies(problem, quantity)
        and invariant.residual(truth).max() <= invariant.terms(truth) * allowed
        and invariant.residual(answer).max() > invariant.terms(truth) * allowed
    )
