"""What holds of a quantity whatever the numbers: a worked solution shows it, and an answer without it gets a hint."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from core.arrays import Array
from core.nodes import logits_node, output_node, split_node
from core.problem import Problem
from core.quantities import Quantity
from core.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Invariant:
    """A property of a quantity.

    Parameters
    ----------
    statement : str
        Said to students; ``{reason}`` stands for why the rows of dL/dZ add up to 0.
    denial : str
        Said of an answer that lacks it.
    applies : callable
        ``applies(problem, quantity)``.
    residual : callable
        ``residual(value)`` is 0, or below, where the property holds; an array.
    terms : callable
        ``terms(problem, value)``: how many roundings a residual adds up.
    """

    name: str
    statement: str
    denial: str
    applies: Callable[[Problem, Quantity], bool]
    residual: Callable[[Array], Array]
    terms: Callable[[Problem, Array], int] = lambda problem, value: 1

    def state(self, problem: Problem) -> str:
        """Say for a problem what holds, without a capital and a full stop."""
        return self.statement.format(reason=_reason(problem))


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
        statement="every row of S adds up to 1, because it holds one sample's probabilities",
        denial="Yours does not.",
        applies=_is_probabilities,
        residual=lambda value: np.abs(value.sum(axis=-1) - 1.0),
        terms=_of_row,
    ),
    Invariant(
        name="probabilities_in_range",
        statement="every probability lies between 0 and 1",
        denial="Yours do not.",
        applies=_is_probabilities,
        residual=lambda value: np.maximum(-value, value - 1.0),
    ),
    Invariant(
        name="loss_not_negative",
        statement="this loss is never negative",
        denial="Yours is.",
        applies=lambda problem, quantity: quantity.is_loss,
        residual=lambda value: -value,
    ),
    Invariant(
        name="logits_gradient_rows_sum_to_zero",
        statement="in the output layer every row of dL/dZ adds up to 0, because adding one number to a whole row of Z "
        "changes no probability",
        denial="Yours does not.",
        applies=lambda problem, quantity: (
            _is_softmax_gradient(problem, quantity) and quantity.node == logits_node(problem.network)
        ),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row,
    ),
    Invariant(
        name="weights_gradient_rows_sum_to_zero",
        statement="in the output layer every row of dL/dW adds up to 0, because {reason}",
        denial="Yours does not.",
        applies=lambda problem, quantity: (
            _is_softmax_gradient(problem, quantity) and quantity.is_by_weights and _has_no_penalty(problem)
        ),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row_over_batch,
    ),
    Invariant(
        name="bias_gradient_sums_to_zero",
        statement="in the output layer the entries of dL/db add up to 0, because {reason}",
        denial="Yours do not.",
        applies=lambda problem, quantity: (
            _is_softmax_gradient(problem, quantity) and quantity.is_by_bias and _has_no_penalty(problem)
        ),
        residual=lambda value: np.abs(value.sum(axis=-1)),
        terms=_of_row_over_batch,
    ),
    Invariant(
        name="softmax_jacobian_columns_sum_to_zero",
        statement="in every sample each column of this Jacobian adds up to 0, because the probabilities always add up "
        "to 1",
        denial="Yours does not.",
        applies=lambda problem, quantity: quantity.is_jacobian and _is_softmax_node(problem, quantity.of),
        residual=lambda value: np.abs(value.sum(axis=1)),
        terms=lambda problem, value: int(value.shape[1]),
    ),
)


def invariants_of(problem: Problem, quantity: Quantity) -> Iterator[Invariant]:
    """List the properties that a quantity of a problem has.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity

    Yields
    ------
    Invariant
    """
    return (invariant for invariant in INVARIANTS.values() if invariant.applies(problem, quantity))
