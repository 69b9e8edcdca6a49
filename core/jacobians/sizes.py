"""How large derivatives are and what they take, from shapes alone."""

import math
from collections.abc import Callable, Iterable, Sequence

from core.budget import CALL_COST, Budget, forward_operations
from core.errors import Path
from core.nodes import n_components, shape_of, split_node
from core.problem import Problem
from core.quantities import Quantity, public_name

LABEL_COST = 8
"""What one label costs in memory, in numbers."""


def require_room(
    problem: Problem, quantities: Sequence[Quantity], budget: Budget, *, path_of: Callable[[int], Path]
) -> None:
    """Check from shapes that all derivatives asked for fit together.

    Parameters
    ----------
    problem : Problem
    quantities : sequence of Quantity
    budget : Budget
    path_of : callable
        ``path_of(index)`` gives where a quantity was asked for, for the error.

    Raises
    ------
    TooLargeError
        At the first quantity that no longer fits.
    """
    widest = max(problem.network.widths)
    # no matrix has more rows than the widest layer has outputs, nor more columns than its weights have entries
    most_numbers = (problem.n_samples * widest + 2 * LABEL_COST) * widest**2
    most_operations = forward_operations(problem.network, problem.n_samples * widest) * 3 + CALL_COST
    if len(quantities) * most_numbers <= budget.numbers and len(quantities) * most_operations <= budget.operations:
        return
    numbers = operations = 0
    for index, quantity in enumerate(quantities):
        path = path_of(index)
        operations += derivative_operations(problem, quantity)
        numbers += derivative_numbers(problem, quantity)
        if numbers > budget.numbers:
            what = f"{describe_size(problem, quantity)}, all asked for so far together"
            budget.require_numbers(numbers, what, path=path)
        budget.require_operations(operations, "the products of all quantities asked for so far", path=path)


def measure_derivatives(problem: Problem, quantities: Iterable[Quantity]) -> tuple[int, int]:
    """Count what quantities take together.

    Parameters
    ----------
    problem : Problem
    quantities : iterable of Quantity

    Returns
    -------
    tuple of int
        The multiply-adds, calls included, and the numbers that they hold.
    """
    each = [
        (derivative_operations(problem, quantity), derivative_numbers(problem, quantity)) for quantity in quantities
    ]
    return sum(operations for operations, _ in each), sum(numbers for _, numbers in each)


def describe_size(problem: Problem, quantity: Quantity) -> str:
    """Say in words how large a quantity is.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity

    Returns
    -------
    str
    """
    name = public_name(quantity.key, problem)
    if not quantity.is_jacobian:
        return f"{name} of shape {shape_of(quantity.node, problem)}"
    n_rows, n_columns = (n_components(node, problem) for node in (quantity.of, str(quantity.by)))
    return f"{name} has {problem.n_samples} × {n_rows} × {n_columns} entries"


def derivative_numbers(problem: Problem, quantity: Quantity) -> int:
    """Count the numbers that a quantity holds: itself, its labels and the products on the way.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity

    Returns
    -------
    int
    """
    if not quantity.is_jacobian:
        return math.prod(shape_of(quantity.node, problem))
    n_rows = n_components(quantity.of, problem)
    (_, top), (_, bottom) = split_node(quantity.of), split_node(str(quantity.by))
    widest = max(problem.network.widths[bottom : top + 1])
    n_columns = n_components(str(quantity.by), problem)
    return problem.n_samples * n_rows * max(widest, n_columns) + LABEL_COST * (n_rows + n_columns)


def derivative_operations(problem: Problem, quantity: Quantity) -> int:
    """Count the multiply-adds that a quantity takes, calls included.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity

    Returns
    -------
    int
    """
    if not quantity.is_jacobian:
        return 3 * forward_operations(problem.network, problem.n_samples)
    n_rows = n_components(quantity.of, problem)
    return forward_operations(problem.network, problem.n_samples * n_rows) + CALL_COST
