"""Paths between two quantities: the local Jacobians on them, and their product."""

from dataclasses import dataclass

import numpy as np

from core.arrays import Array, is_finite, range_of
from core.budget import Budget
from core.errors import NonFiniteError
from core.problem import Problem
from core.quantities import Quantity, n_components, public_name
from core.steps import LocalJacobian, Place, Step, evaluate, fill, steps_of, structure_of


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
    outputs = f"A{problem.network.depth}"
    first = [f"dL_d{outputs}"] if quantity.of == "L" else []
    of = outputs if quantity.of == "L" else quantity.of
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
    structure = structure_of(problem)
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
    values = evaluate(problem, {name for link in links for name in link.inputs}, budget=budget)
    rows = identity_rows(problem, of)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for link in links:
            rows = link.local.pull(Place(problem, link.step.number), rows, *(values[name] for name in link.inputs))
    if not is_finite(rows):
        raise NonFiniteError(
            f"{public_name(f'd{of}_d{by}', problem)}, or a number on the way to it, does not fit "
            f"{range_of(problem.dtype)}: it is a product of weights and derivatives; smaller weights help"
        )
    return own_rows(problem, rows)


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
    return np.broadcast_to(np.eye(n_rows, dtype=problem.dtype), (problem.n_samples, n_rows, n_rows))


def own_rows(problem: Problem, rows: Array) -> Array:
    """Return a product with numbers of its own: a path of identities leaves the broadcast matrix as it is."""
    return np.array(np.broadcast_to(rows, (problem.n_samples, *rows.shape[1:])))
