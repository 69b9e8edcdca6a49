"""Gradient descent: what the gradients are for, w ← w − η·∂L/∂w, with the loss along the way."""

from dataclasses import dataclass, replace

import numpy as np

from core.arrays import Array
from core.budget import Budget, forward_operations
from core.conventions import Conventions
from core.errors import DomainError, NonFiniteError, counted
from core.problem import Layer, Network, Problem
from core.propagation import parameter_gradient_names
from core.steps import evaluate

SMALLER_RATE_ADVICE = "a smaller learning_rate keeps the weights in range"


@dataclass(frozen=True, kw_only=True, eq=False)
class Descent:
    """Where gradient descent led.

    Parameters
    ----------
    losses : tuple of float
        The loss before the first step and after each, count + 1 numbers.
    network : Network
        The network after the last step.
    conventions : Conventions
    """

    losses: tuple[float, ...]
    network: Network
    conventions: Conventions


def descend(problem: Problem, learning_rate: float, count: int, *, budget: Budget | None = None) -> Descent:
    """Take steps of gradient descent over the whole batch.

    Parameters
    ----------
    problem : Problem
        With targets and loss.
    learning_rate : float
        η, at least 0.
    count : int
        The number of steps, at least 0.
    budget : Budget, optional
        What all steps together may do, and each may hold.

    Returns
    -------
    Descent

    Raises
    ------
    DomainError
        If the rate or the count is negative.
    TooLargeError
        If the steps exceed the budget.
    NonFiniteError
        If a number on the way does not fit float64.
    """
    require_steps(learning_rate, count)
    budget = budget or Budget()
    operations = 3 * forward_operations(problem.network, problem.n_samples)
    budget.require_operations(operations * (count + 1), f"{counted(count, 'step')} of {operations}", path=("count",))
    losses: list[float] = []
    for step in range(count):
        values = _evaluate_step(problem, ("L", *parameter_gradient_names(problem)), step, count, budget)
        losses.append(float(values["L"]))
        problem = replace(problem, network=_step_network(problem.network, values, learning_rate))
    losses.append(float(_evaluate_step(problem, ("L",), count, count, budget)["L"]))
    return Descent(losses=tuple(losses), network=problem.network, conventions=problem.conventions)


def require_steps(learning_rate: float, count: int) -> None:
    """Check that a descent can be taken.

    Raises
    ------
    DomainError
        If the rate or the count is negative, or the rate not finite.
    """
    if not 0.0 <= learning_rate < np.inf:
        raise DomainError(
            f"the learning_rate is {learning_rate:g}; needed a finite number of at least 0, because a negative "
            "one climbs",
            path=("learning_rate",),
        )
    if count < 0:
        raise DomainError(f"the count is {count}; needed at least 0 steps", path=("count",))


def _evaluate_step(problem: Problem, names: tuple[str, ...], step: int, count: int, budget: Budget) -> dict[str, Array]:
    try:
        return evaluate(problem, names, budget=budget)
    except NonFiniteError as error:
        if step == 0:
            raise
        raise NonFiniteError(
            f"after {step} of {count} steps: {error}; {SMALLER_RATE_ADVICE}", path=("learning_rate",)
        ) from None


def _step_network(network: Network, gradients: dict[str, Array], learning_rate: float) -> Network:
    layers = tuple(_step_layer(layer, n, gradients, learning_rate) for n, layer in enumerate(network.layers, start=1))
    return Network(layers=layers)


def _step_layer(layer: Layer, number: int, gradients: dict[str, Array], learning_rate: float) -> Layer:
    weights = _descend(layer.weights, gradients[f"dL_dW{number}"], learning_rate)
    bias = None if layer.bias is None else _descend(layer.bias, gradients[f"dL_db{number}"], learning_rate)
    return Layer(weights=weights, bias=bias, activation=layer.activation)


def _descend(parameter: Array, grad: Array, learning_rate: float) -> Array:
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        stepped = np.asarray(parameter - learning_rate * grad)
    if not np.isfinite(stepped).all():
        raise NonFiniteError(f"the stepped weights do not fit float64; {SMALLER_RATE_ADVICE}", path=("learning_rate",))
    return stepped
