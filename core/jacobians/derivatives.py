"""Derivatives by name, with labels and factors."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.arrays import Array
from core.budget import Budget, forward_operations
from core.conventions import Conventions
from core.errors import DomainError, NonFiniteError, TooLargeError, counted
from core.jacobians.labels import labels_of
from core.jacobians.paths import Link, factor_names, multiply_links, names_behind, path_between
from core.jacobians.sizes import require_room
from core.problem import Problem
from core.quantities import Quantity, parse_quantities, public_name
from core.steps import evaluate

Values: TypeAlias = Callable[[tuple[str, ...]], dict[str, Array]]
"""Gives values by numbered names."""


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
    budget.require_operations(
        least, f"{counted(len(ids), 'derivative')}, at least a forward pass each", path=("jacobians",)
    )
    quantities = parse_quantities(ids, problem, path=("jacobians",))
    for index, quantity in enumerate(quantities.values()):
        if quantity.by is None:
            raise DomainError(
                f"{public_name(quantity.key, problem)} is not a derivative; needed d{{of}}_d{{by}}, "
                "because only a derivative has factors",
                path=("jacobians", index),
            )
    require_room(problem, list(quantities.values()), budget, path_of=lambda index: ("jacobians", index))
    values = evaluate_together(problem, _names_behind(problem, quantities.values()), budget)
    jacobians = {}
    for index, (text, quantity) in enumerate(quantities.items()):
        try:
            jacobians[text] = compute_derivative(problem, quantity, values)
        except NonFiniteError as error:
            raise error.at(("jacobians", index)) from None
    return Jacobians(conventions=problem.conventions, jacobians=jacobians)


def compute_derivative(problem: Problem, quantity: Quantity, values: Values) -> Jacobian:
    """Compute one derivative with its labels and factors.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity
        A derivative.
    values : Values
        What it is computed from, as `evaluate_together` gives it.

    Returns
    -------
    Jacobian
    """
    value = compute_quantity(problem, quantity, values)
    rows, columns = labels_of(problem, quantity)
    factors = factor_names(problem, quantity)
    return Jacobian(value=value, shape=value.shape, factors=factors, rows=rows, columns=columns)


def evaluate_together(problem: Problem, names: Sequence[str], budget: Budget) -> Values:
    """Run the table once for all that several quantities are computed from.

    Parameters
    ----------
    problem : Problem
    names : sequence of str
        Numbered names.
    budget : Budget

    Returns
    -------
    callable
        ``values(names)`` gives at least the values of these names; it raises what `evaluate` does for them,
        and for them alone.
    """
    try:
        together = evaluate(problem, names, budget=budget)
    except (NonFiniteError, TooLargeError):
        # one quantity after the other, to see which cannot be had
        return lambda some: evaluate(problem, some, budget=budget)
    return lambda some: together


def _names_behind(problem: Problem, quantities: Iterable[Quantity]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for quantity in quantities:
        if quantity.is_jacobian:
            names |= dict.fromkeys(names_behind(path_between(problem, quantity.of, str(quantity.by))))
        else:
            names[quantity.key] = None
    return tuple(names)


def compute_quantity(problem: Problem, quantity: Quantity, values: Values) -> Array:
    """Compute a quantity from what it is computed from.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity
    values : Values

    Returns
    -------
    ndarray
        Of the quantity's shape; a Jacobian has one matrix for each sample.
    """
    if not quantity.is_jacobian:
        return values((quantity.key,))[quantity.key]
    return compute_product(problem, quantity, path_between(problem, quantity.of, str(quantity.by)), values)


def compute_product(problem: Problem, quantity: Quantity, links: Sequence[Link], values: Values) -> Array:
    """Compute a Jacobian as the product of the local ones on its path.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity
    links : sequence of Link
        As `path_between` gives them.
    values : Values

    Returns
    -------
    ndarray, shape (n_samples, n_rows, n_columns)
    """
    found = values(names_behind(links))
    # the next product may begin with this one
    found[quantity.key] = multiply_links(problem, links, found)
    return found[quantity.key]
