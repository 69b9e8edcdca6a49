"""Running the table with the exact rules, from the sources or from values given."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from core.arrays import Array
from core.budget import Budget, forward_operations
from core.errors import NonFiniteError, ShapeError, UnknownNameError
from core.problem import Problem
from core.quantities import public_name, shape_of
from core.steps.loss import LOSS_RULES
from core.steps.rules import Place
from core.steps.table import Step, steps_of, structure_of

LOSS_OUTPUTS = frozenset(rule.output for rule in LOSS_RULES)


def evaluate(
    problem: Problem,
    wanted: Iterable[str],
    *,
    given: Mapping[str, Array] | None = None,
    budget: Budget | None = None,
) -> dict[str, Array]:
    """Compute quantities of a problem, and of the table only the steps that they need.

    Parameters
    ----------
    problem : Problem
    wanted : iterable of str
        Numbered names: ``"Z1"``, ``"L"``, ``"dL_dW2"``, ``"losses"``.
    given : mapping of str to ndarray, optional
        Values that are taken as they are, in place of what their step would compute; of its shape. What
        depends on activations that are given uses the textbook's form of its rule: they need not be those
        of the pre-activations.
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
    ShapeError
        If a given value has another shape than its quantity.
    TooLargeError
        If the steps hold more numbers, or take more work, than the budget allows.
    NonFiniteError
        If a step's result does not fit float64.
    """
    wanted, budget = tuple(wanted), budget or Budget()
    given = dict(given or {})
    table = steps_of(structure_of(problem))
    values = sources_of(problem)
    names = values.keys() | {step.output for step in table}
    _require_names((*wanted, *given), names)
    _require_shapes(problem, given)
    values |= given
    steps = needed_steps(table, wanted, values)
    _require_work(problem, steps, budget)
    _require_room(problem, steps, budget)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        for step in steps:
            inputs = [values[name] for name in step.inputs]
            plain = step.rule.plain if f"A{step.number}" in given else None
            apply = plain or step.rule.apply
            value = apply(Place(problem, step.number), *inputs)
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
        name = "L" if step.output in LOSS_OUTPUTS else public_name(step.output, problem)
        raise NonFiniteError(
            f"{name}, or a number on the way to it, does not fit float64, whose largest number is about 1.8e308: "
            f"it comes from {step.rule.formula}; {step.rule.advice}"
        )


def _require_names(wanted: Iterable[str], names: Collection[str]) -> None:
    for name in wanted:
        if name not in names:
            raise UnknownNameError(f"the problem has no {name}; L and its derivatives need targets and loss")


def _require_shapes(problem: Problem, given: Mapping[str, Array]) -> None:
    for name, value in given.items():
        needed = _shape_of_step(name, problem)
        if value.shape != needed:
            raise ShapeError(f"{name} is given with shape {value.shape}, its quantity has {needed}")


def _shape_of_step(name: str, problem: Problem) -> tuple[int, ...]:
    intermediates = {"losses": (problem.n_samples,), "y": (problem.n_samples, problem.n_out)}
    if name in intermediates:
        return intermediates[name]
    return () if name in LOSS_OUTPUTS else shape_of(name.removeprefix("dL_d"), problem)


def sources_of(problem: Problem) -> dict[str, Array]:
    """Return what a problem's steps start from: its inputs, weights and biases.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    dict of str to ndarray
        By numbered names.
    """
    values = {"X": problem.inputs}
    for number, layer in enumerate(problem.network.layers, start=1):
        values[f"W{number}"] = layer.weights
        if layer.bias is not None:
            values[f"b{number}"] = layer.bias
    return values


def _require_work(problem: Problem, steps: Sequence[Step], budget: Budget) -> None:
    forward = forward_operations(problem.network, problem.n_samples)
    if any(step.output.startswith("dL_") for step in steps):
        budget.require_operations(3 * forward, "a forward and a backward pass")
    elif steps:
        budget.require_operations(forward, "a forward pass")


def _require_room(problem: Problem, steps: Sequence[Step], budget: Budget) -> None:
    shapes = [shape for step in steps if (shape := _shape_of_step(step.output, problem))]
    widest = max(problem.network.widths)
    budget.require_numbers(
        sum(math.prod(shape) for shape in shapes),
        f"{len(shapes)} arrays for {problem.n_samples} samples and up to {widest} outputs a layer",
    )
