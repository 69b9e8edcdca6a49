"""Names of a Jacobian's rows and columns."""

from functools import lru_cache
from itertools import product

from core.nodes import n_components, split_node
from core.problem import Problem
from core.quantities import Quantity, spell

MAX_CACHED_LABELS = 256
"""Up to so many labels are kept for the next time."""


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
    few = n_components(node, problem) <= MAX_CACHED_LABELS
    return (_few_labels if few else _make_labels)(
        node, network.widths, network.gives_distribution, problem.conventions.column_order
    )


def _make_labels(node: str, widths: tuple[int, ...], gives_distribution: bool, order: str) -> tuple[str, ...]:
    name = spell(node, len(widths) - 1, gives_distribution=gives_distribution)
    symbol, layer = split_node(node)
    dimensions = symbol.shape_in_sample(widths, layer)
    if order == "columns_first":
        # columns of W one after the other: the last index is the slow one
        indices = [index[::-1] for index in product(*(range(1, n + 1) for n in reversed(dimensions)))]
    else:
        indices = list(product(*(range(1, n + 1) for n in dimensions)))
    if max(dimensions) > 9 or name != name.rstrip("0123456789"):
        return tuple(f"{name}[{','.join(map(str, index))}]" for index in indices)
    return tuple(name + "".join(map(str, index)) for index in indices)


_few_labels = lru_cache(maxsize=256)(_make_labels)
