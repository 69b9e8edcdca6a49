"""Paths between two quantities: the local Jacobians on them, and their product."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.arrays import Array, is_finite, range_of
from core.budget import Budget
from core.errors import NonFiniteError
from core.nodes import n_components, output_node, symbol_of
from core.problem import Problem, Traits
from core.quantities import Quantity, public_name
from core.steps import (
    MAX_CACHED_DEPTH,
    LocalJacobian,
    RuleContext,
    Step,
    evaluate,
    fill,
    steps_of,
    structure_with,
)

MIN_ROWS_FOR_MATRIX = 16
"""From here on a softmax's Jacobians are written down as matrices."""


@dataclass(frozen=True, slots=True)
class Link:
    """One local Jacobian on a path: a step's output by one of its inputs."""

    step: Step
    by: str
    local: LocalJacobian
    inputs: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its numbered id: ``"dZ2_dA1"``."""
        return f"d{self.step.output}_d{self.by}"


def factor_names(problem: Problem, quantity: Quantity) -> tuple[str, ...]:
    """Name the local Jacobians whose product a derivative is.

    Parameters
    ----------
    problem : Problem
    quantity : Quantity
        A derivative.

    Returns
    -------
    tuple of str
        Canonical ids; a derivative of the loss begins with that by the outputs.
    """
    outputs = output_node(problem.network)
    first = [f"dL_d{outputs}"] if quantity.is_gradient else []
    of = outputs if quantity.is_gradient else quantity.of
    keys = first + [link.key for link in path_between(problem, of, str(quantity.by))]
    return tuple(public_name(key, problem) for key in keys)


def path_between(problem: Problem, of: str, by: str) -> tuple[Link, ...]:
    """Find the local Jacobians that lead from a quantity down to one upstream of it.

    Parameters
    ----------
    problem : Problem
    of, by : str
        Numbered nodes, `by` upstream of `of`; none for two equal ones.

    Returns
    -------
    tuple of Link
        From `of` downwards.
    """
    traits = problem.traits
    return (_many_paths if len(traits.biases) <= MAX_CACHED_DEPTH else _find_path)(traits, of, by)


def _find_path(traits: Traits, of: str, by: str) -> tuple[Link, ...]:
    structure = structure_with(traits)
    producers = {step.output: step for step in steps_of(structure)}
    links, node = [], of
    while node != by:
        step = producers[node]
        inputs = {fill(template, step.number, structure)[0]: local for template, local in step.rule.jacobians.items()}
        # all inputs but the first are parameters, where a path can only end
        node = by if by in inputs else next(iter(inputs))
        local = inputs[node]
        names = tuple(fill(template, step.number, structure)[0] for template in local.inputs)
        links.append(Link(step, node, local, names))
    return tuple(links)


_many_paths = lru_cache(maxsize=256)(_find_path)


def multiply_path(problem: Problem, of: str, by: str, budget: Budget) -> Array:
    """Multiply the local Jacobians on a path, from the left.

    Parameters
    ----------
    problem : Problem
    of, by : str
        Numbered nodes.
    budget : Budget

    Returns
    -------
    ndarray, shape (n_samples, n_rows, n_columns)

    Raises
    ------
    NonFiniteError
        If the product does not fit float64.
    """
    links = path_between(problem, of, by)
    return multiply_links(problem, links, evaluate(problem, names_behind(links), budget=budget))


def names_behind(links: Sequence[Link]) -> tuple[str, ...]:
    """Name the quantities of the table that a product of local Jacobians is computed from.

    Parameters
    ----------
    links : sequence of Link

    Returns
    -------
    tuple of str
    """
    return tuple({name: None for link in links for name in link.inputs})


def multiply_links(problem: Problem, links: Sequence[Link], values: Mapping[str, Array]) -> Array:
    """Multiply the local Jacobians on a path, from the left, from values that are there.

    Parameters
    ----------
    problem : Problem
    links : sequence of Link
        From the top downwards.
    values : mapping of str to ndarray
        At least those of `names_behind`; a product that a longer one begins with is taken from there as well.

    Returns
    -------
    ndarray, shape (n_samples, n_rows, n_columns)

    Raises
    ------
    NonFiniteError
        If the product does not fit float64.
    """
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rows, rest = _first_rows(problem, links, values)
        # what was written down at once is made of slopes and inputs, none of which it exceeds
        is_bounded = not rest and rows.flags.writeable
        for link in rest:
            rows = link.local.pull(
                RuleContext(problem, link.step.number), rows, *(values[name] for name in link.inputs)
            )
    if not is_bounded and not is_finite(rows):
        name = public_name(f"d{links[0].step.output}_d{links[-1].by}", problem)
        raise NonFiniteError(
            f"{name}, or a number on the way to it, does not fit {range_of(problem.dtype)}: it is a "
            "product of weights and derivatives; smaller weights help"
        )
    return own_rows(problem, rows)


def _first_rows(problem: Problem, links: Sequence[Link], values: Mapping[str, Array]) -> tuple[Array, Sequence[Link]]:
    # of many rows, a matrix is written down in a fraction of the time that an identity takes to be pulled back
    first = links[0]
    if n_components(first.step.output, problem) >= MIN_ROWS_FOR_MATRIX:
        context = RuleContext(problem, first.step.number)
        inputs = [values[name] for name in first.inputs]
        by_columns = context.conventions.column_order == "columns_first"
        if (
            by_columns
            and len(links) > 1
            and symbol_of(links[1].by).is_stacked
            and context.activation.jacobian_by_weights
        ):
            return context.activation.jacobian_by_weights(inputs[1], values[links[1].inputs[0]]), links[2:]
        matrix = first.local.matrix(context, *inputs)
        if matrix is not None:
            return matrix, links[1:]
    for done in range(len(links) - 1, 0, -1):
        known = values.get(f"d{first.step.output}_d{links[done - 1].by}")
        if known is not None:
            return known, links[done:]
    return identity_rows(problem, first.step.output), links


def identity_rows(problem: Problem, of: str) -> Array:
    """Return what a product of local Jacobians starts from: an identity matrix for each sample.

    Parameters
    ----------
    problem : Problem
    of : str
        The numbered node whose components are the rows.

    Returns
    -------
    ndarray, shape (n_samples, n_rows, n_rows)
    """
    n_rows = n_components(of, problem)
    return (_few_identities if n_rows <= MIN_ROWS_FOR_MATRIX else _identities)(problem.n_samples, n_rows, problem.dtype)


def _identities(n_samples: int, n_rows: int, dtype: np.dtype[np.float64]) -> Array:
    # a view that cannot be written to
    return np.broadcast_to(np.eye(n_rows, dtype=dtype), (n_samples, n_rows, n_rows))


_few_identities = lru_cache(maxsize=32)(_identities)


def own_rows(problem: Problem, rows: Array) -> Array:
    """Return a product with numbers of its own: a path of identities leaves the broadcast matrix as it is."""
    if rows.flags.writeable and len(rows) == problem.n_samples:
        return rows
    return np.array(np.broadcast_to(rows, (problem.n_samples, *rows.shape[1:])))
