"""Paths between two quantities: the local Jacobians on them, and their product."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.arrays import Array
from core.budget import Budget
from core.errors import NonFiniteError
from core.problem import Problem
from core.quantities import Quantity, n_components, public_name
from core.steps import LocalJacobian, Place, Rule, Step, evaluate, fill, steps_of, structure_of


@dataclass(frozen=True, slots=True)
class Link:
    """One local Jacobian on a path: a step's output by one of its inputs."""

    step: Step
    by: str
    local: LocalJacobian

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


def path_between(problem: Problem, of: str, by: str, rules: tuple[Rule, ...] = ()) -> tuple[Link, ...]:
    """Find the local Jacobians that lead from a quantity down to one upstream of it.

    Parameters
    ----------
    problem : Problem
    of, by : str
        Numbered nodes, `by` upstream of `of`; none for two equal ones.
    rules : tuple of Rule
        Rules that take the place of those with their name, local Jacobians and all.

    Returns
    -------
    tuple of Link
        From `of` downwards.
    """
    structure = structure_of(problem)
    producers = {step.output: step for step in steps_of(structure, rules)}
    links, node = [], of
    while node != by:
        step = producers[node]
        inputs = {fill(template, step.number, structure)[0]: local for template, local in step.rule.jacobians.items()}
        # all inputs but the first are parameters, where a path can only end
        node = by if by in inputs else next(iter(inputs))
        links.append(Link(step, node, inputs[node]))
    return tuple(links)


def multiply_path(
    problem: Problem,
    of: str,
    by: str,
    budget: Budget,
    *,
    rules: tuple[Rule, ...] = (),
    given: Mapping[str, Array] | None = None,
) -> Array:
    """Multiply the local Jacobians on a path, from the left.

    Parameters
    ----------
    problem : Problem
    of, by : str
        Numbered nodes.
    budget : Budget
    rules, given
        As for `evaluate`; a given local Jacobian stands in the product as it is.

    Returns
    -------
    ndarray, shape (n_samples, n_rows, n_columns)

    Raises
    ------
    NonFiniteError
        If the product does not fit float64.
    """
    links = path_between(problem, of, by, rules)
    given = dict(given or {})
    factors = {link.key: given.pop(link.key) for link in links if link.key in given}
    structure = structure_of(problem)
    names = [[fill(name, link.step.number, structure)[0] for name in link.local.inputs] for link in links]
    values = evaluate(problem, {name for group in names for name in group}, rules=rules, given=given, budget=budget)
    n_rows = n_components(of, problem)
    rows = np.broadcast_to(np.eye(n_rows), (problem.n_samples, n_rows, n_rows))
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for link, group in zip(links, names, strict=True):
            if link.key in factors:
                rows = rows @ factors[link.key]
            else:
                rows = link.local.pull(Place(problem, link.step.number), rows, *(values[name] for name in group))
    if not np.isfinite(rows).all():
        raise NonFiniteError(
            f"{public_name(f'd{of}_d{by}', problem)}, or a number on the way to it, does not fit float64, "
            "whose largest number is about 1.8e308: it is a product of weights and derivatives; smaller weights help"
        )
    # a path of identities leaves the broadcast matrix as it is; a result owns its numbers
    return np.array(np.broadcast_to(rows, (problem.n_samples, *rows.shape[1:])))
