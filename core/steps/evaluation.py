"""Running the table: exactly, with rules replaced, or with values given."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from core.arrays import Array
from core.budget import Budget, forward_operations
from core.errors import NonFiniteError, UnknownNameError
from core.problem import Problem
from core.quantities import public_name, shape_of
from core.steps.loss import LOSS_RULES
from core.steps.rules import Place, Rule
from core.steps.table import Step, steps_of, structure_of

LOSS_RULE_NAMES = frozenset(rule.name for rule in LOSS_RULES)


def evaluate(
    problem: Problem,
    wanted: Iterable[str],
    *,
    rules: tuple[Rule, ...] = (),
    given: Mapping[str, Array] | None = None,
    budget: Budget | None = None,
) -> dict[str, Array]:
    """Compute quantities of a problem, and of the table only the steps that they need.

    Parameters
    ----------
    problem : Problem
    wanted : iterable of str
        Numbered names: ``"Z1"``, ``"L"``, ``"dL_dW2"``, ``"losses"``.
    rules : tuple of Rule
        Rules that take the place of those with their name: a convention's, a mistake's.
    given : mapping of str to ndarray, optional
        Values that are taken as they are, in place of what their step would compute.
    budget : Budget, optional
        What the computation may hold and do.

    Returns
    -------
    dict of str to ndarray
        The wanted quantities, in the order asked.

    Raises
    ------
    UnknownNameError
        If the problem has no such quantity.
    TooLargeError
        If the steps hold more numbers, or take more work, than the budget allows.
    NonFiniteError
        If a step's result does not fit float64.
    """
    wanted, budget = tuple(wanted), budget or Budget()
    forward = forward_operations(problem.network, problem.n_samples)
    budget.require_operations(3 * forward, "a forward and a backward pass")
    values = _sources(problem) | dict(given or {})
    table = steps_of(structure_of(problem), rules)
    _require_names(wanted, {step.output for step in table} | values.keys())
    steps = needed_steps(table, wanted, values)
    _require_room(problem, steps, budget)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        if any("y" in step.inputs for step in steps):
            values.setdefault("y", problem.target_distribution())
        for step in steps:
            inputs = [values[name] for name in step.inputs]
            value = step.rule.apply(Place(problem, step.number), *inputs)
            require_finite(value, step, problem)
            values[step.output] = value
    return {name: values[name] for name in wanted}


def needed_steps(steps: Sequence[Step], wanted: Iterable[str], given: Iterable[str]) -> tuple[Step, ...]:
    """Select the steps that lead from what is given to what is wanted.

    Parameters
    ----------
    steps : sequence of Step
        In order.
    wanted, given : iterable of str
        Numbered names.

    Returns
    -------
    tuple of Step
        In order.
    """
    given, missing, needed = set(given), set(wanted), []
    missing -= given
    for step in reversed(steps):
        if step.output in missing:
            needed.append(step)
            missing |= set(step.inputs) - given
    return tuple(reversed(needed))


def require_finite(value: Array, step: Step, problem: Problem) -> None:
    """Check that a step's result is a number everywhere.

    Raises
    ------
    NonFiniteError
        If it is not.
    """
    if not np.isfinite(value).all():
        name = "L" if step.rule.name in LOSS_RULE_NAMES else public_name(step.output, problem)
        raise NonFiniteError(
            f"{name} does not fit float64, whose largest number is about 1.8e308: it comes from "
            f"{step.rule.formula}; {step.rule.advice}"
        )


def _require_names(wanted: Iterable[str], names: Collection[str]) -> None:
    for name in wanted:
        if name not in names:
            raise UnknownNameError(f"the problem has no {name}; L and its derivatives need targets and loss")


def _sources(problem: Problem) -> dict[str, Array]:
    values = {"X": problem.inputs}
    for number, layer in enumerate(problem.network.layers, start=1):
        values[f"W{number}"] = layer.weights
        if layer.bias is not None:
            values[f"b{number}"] = layer.bias
    return values


def _require_room(problem: Problem, steps: Sequence[Step], budget: Budget) -> None:
    nodes = [step.output.removeprefix("dL_d") for step in steps if step.rule.shape != "()"]
    shapes = [(problem.n_samples,) if node == "losses" else shape_of(node, problem) for node in nodes]
    widest = max(problem.network.widths)
    budget.require_numbers(
        sum(math.prod(shape) for shape in shapes),
        f"{len(shapes)} arrays for {problem.n_samples} samples and up to {widest} outputs a layer",
    )
