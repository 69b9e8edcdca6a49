"""Derivatives by name, with labels and factors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.arrays import Array
from core.budget import Budget, forward_operations
from core.conventions import Conventions
from core.errors import DomainError, NonFiniteError
from core.jacobians.paths import factor_names, multiply_path
from core.jacobians.sizes import require_room
from core.problem import Problem
from core.quantities import Quantity, labels, parse_quantities, public_name
from core.steps import evaluate


@dataclass(frozen=True, kw_only=True, eq=False)
class Jacobian:
    """A derivative with its labels and the local Jacobians whose product it is.

    Parameters
    ----------
    value : ndarray
        Shape (n_samples, n_rows, n_columns); for a derivative of the loss the shape of what it is taken by.
    shape : tuple of int
    factors : tuple of str
        Ids of the local Jacobians on the path, in the order of the product.
    rows, columns : tuple of str or None
        Labels counted from 1; None for a derivative of the loss.
    """

    value: Array
    shape: tuple[int, ...]
    factors: tuple[str, ...]
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Jacobians:
    """Derivatives under the ids that they were asked by.

    Parameters
    ----------
    conventions : Conventions
    jacobians : mapping of str to Jacobian
    """

    conventions: Conventions
    jacobians: Mapping[str, Jacobian]


def compute_jacobians(problem: Problem, ids: Sequence[str], *, budget: Budget | None = None) -> Jacobians:
    """Compute derivatives by name.

    Parameters
    ----------
    problem : Problem
    ids : sequence of str
        Ids of the form d{of}_d{by}.
    budget : Budget, optional

    Returns
    -------
    Jacobians

    Raises
    ------
    UnknownNameError, DomainError
        If an id is not one of the problem's derivatives, or is asked for twice.
    TooLargeError
        If all of them together exceed the budget.
    NonFiniteError
        If a product does not fit float64.
    """
    budget = budget or Budget()
    least = len(ids) * forward_operations(problem.network, problem.n_samples)
    budget.require_operations(least, f"{len(ids)} derivatives, at least a forward pass each", path=("jacobians",))
    quantities = parse_quantities(ids, problem, path=("jacobians",))
    for index, quantity in enumerate(quantities.values()):
        if quantity.by is None:
            raise DomainError(
                f"{public_name(quantity.key, problem)} is not a derivative; needed d{{of}}_d{{by}}, "
                "because only a derivative has factors",
                path=("jacobians", index),
            )
    require_room(problem, list(quantities.values()), budget, path_of=lambda index: ("jacobians", index))
    jacobians = {}
    for index, (text, quantity) in enumerate(quantities.items()):
        try:
            jacobians[text] = compute_derivative(problem, quantity, budget)
        except NonFiniteError as error:
            raise error.at(("jacobians", index)) from None
    return Jacobians(conventions=problem.conventions, jacobians=jacobians)


def compute_derivative(problem: Problem, quantity: Quantity, budget: Budget) -> Jacobian:
    """Compute one derivative with its labels and factors.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity
        A derivative.
    budget : Budget

    Returns
    -------
    Jacobian
    """
    of, by = quantity.of, str(quantity.by)
    factors = factor_names(problem, quantity)
    if not quantity.is_jacobian:
        value = evaluate(problem, [quantity.key], budget=budget)[quantity.key]
        return Jacobian(value=value, shape=value.shape, factors=factors)
    value = multiply_path(problem, of, by, budget)
    return Jacobian(
        value=value, shape=value.shape, factors=factors, rows=labels(of, problem), columns=labels(by, problem)
    )
