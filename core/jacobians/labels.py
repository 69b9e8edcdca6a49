"""Names of a Jacobian's rows and columns."""

from functools import lru_cache

from core.nodes import n_components, split_node
from core.problem import Problem
from core.quantities import Quantity, spell

MAX_CACHED_LABELS = 256
"""Up to so many labels are kept for the next time, of 256 kinds."""

MAX_CACHED_MANY_LABELS = 32_768
"""Up to so many are kept of four kinds, about 2 MB each: to make them takes longer than the Jacobian itself."""


def labels_of(problem: Problem, quantity: Quantity) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """Return the labels of a Jacobian's rows and columns; None for any other quantity.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity

    Returns
    -------
    pair of tuples of str, or of None
    """
    if not quantity.is_jacobian:
        return None, None
    return labels(quantity.of, problem), labels(str(quantity.by), problem)


def labels(node: str, problem: Problem) -> tuple[str, ...]:
    """Name a node's components in the order of a Jacobian's rows or columns, counted from 1.

    Parameters
    ----------
    node : str
        A numbered node; weights are stacked as column_order says.
    problem : Problem

    Returns
    -------
    tuple of str
        ``"S1"``, ``"W21"``; ``"W[11,1]"`` where a dimension exceeds 9, ``"W2[2,1]"`` in several layers.
    """
    network = problem.network
    count, make = n_components(node, problem), _make_labels
    if count <= MAX_CACHED_LABELS:
        make = _few_labels
    elif count <= MAX_CACHED_MANY_LABELS:
        make = _many_labels
    return make(node, network.widths, network.gives_distribution, problem.conventions.column_order)


def _make_labels(node: str, widths: tuple[int, ...], gives_distribution: bool, order: str) -> tuple[str, ...]:
    name = spell(node, len(widths) - 1, gives_distribution=gives_distribution)
    symbol, layer = split_node(node)
    dimensions = symbol.shape_in_sample(widths, layer)
    is_bracketed = max(dimensions) > 9 or name[-1].isdigit()
    start, between, end = (f"{name}[", ",", "]") if is_bracketed else (name, "", "")
    if len(dimensions) == 1:
        return tuple([f"{start}{index}{end}" for index in range(1, dimensions[0] + 1)])
    # joining two halves takes a sixth of the time that writing both numbers does
    rows = [f"{start}{row}{between}" for row in range(1, dimensions[0] + 1)]
    columns = [f"{column}{end}" for column in range(1, dimensions[1] + 1)]
    if order == "columns_first":
        return tuple([row + column for column in columns for row in rows])
    return tuple([row + column for row in rows for column in columns])


_few_labels = lru_cache(maxsize=256)(_make_labels)
_many_labels = lru_cache(maxsize=4)(_make_labels)
