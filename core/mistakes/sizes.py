"""Mistakes that multiply a finished gradient by a size of the problem, or divide it by one."""

from core.mistakes.mistake import Mistake, multiply
from core.mistakes.wording import name_quantity, say_divisor
from core.nodes import split_node
from core.problem import Problem
from core.quantities import Quantity


def _n_in(problem: Problem, quantity: Quantity) -> float | None:
    """Return how many inputs the layer has whose gradient it is; None for one, which changes nothing."""
    if not (quantity.is_gradient and quantity.is_by_parameter):
        return None
    n_in = problem.network.layers[split_node(quantity.node)[1] - 1].n_in
    return float(n_in) if n_in > 1 else None


def _over_n_in(problem: Problem, quantity: Quantity) -> float | None:
    n_in = _n_in(problem, quantity)
    return None if n_in is None else 1.0 / n_in


def _n_out(problem: Problem, quantity: Quantity) -> float | None:
    return float(problem.n_out) if quantity.is_of_loss and problem.n_out > 1 else None


def _n_samples(problem: Problem, quantity: Quantity) -> float | None:
    return float(problem.n_samples) if quantity.is_of_loss else None


def _over_n_samples(problem: Problem, quantity: Quantity) -> float | None:
    return 1.0 / problem.n_samples if quantity.is_of_loss else None


SIZE_MISTAKES = (
    Mistake(
        name="multiplied_by_samples",
        family="sign and scale",
        formula="n·t",
        message=lambda problem, quantity: (
            f"Your {name_quantity(quantity)} is the right one times the number of samples. No such factor belongs here."
        ),
        transforms=(multiply(_n_samples),),
        # where the loss is a mean over the samples, they were added up instead
        applies=lambda problem: problem.n_samples > 1 and problem.conventions.reduction != "mean",
    ),
    Mistake(
        name="divided_by_samples",
        family="sign and scale",
        formula="t/n",
        message=lambda problem, quantity: (
            f"Your {name_quantity(quantity)} is the right one divided by the number of samples. {say_divisor(problem)}"
        ),
        transforms=(multiply(_over_n_samples),),
        applies=lambda problem: problem.n_samples > 1 and problem.conventions.reduction == "mean_over_entries",
    ),
    Mistake(
        name="divided_by_features",
        family="sign and scale",
        formula="dL/dW = t/D",
        message=lambda problem, quantity: f"You divided by the number of the layer's inputs. {say_divisor(problem)}",
        transforms=(multiply(_over_n_in),),
        applies=lambda problem: max(problem.network.widths[:-1]) > 1,
    ),
    Mistake(
        name="multiplied_by_features",
        family="sign and scale",
        formula="dL/dW = D·t",
        message="Your gradient is the right one times the number of the layer's inputs. No such factor belongs here.",
        transforms=(multiply(_n_in),),
        applies=lambda problem: max(problem.network.widths[:-1]) > 1,
    ),
    Mistake(
        name="multiplied_by_outputs",
        family="sign and scale",
        formula="K·t",
        message=lambda problem, quantity: (
            f"Your {name_quantity(quantity)} is the right one times the number of outputs. No such factor belongs here."
        ),
        transforms=(multiply(_n_out),),
        applies=lambda problem: problem.n_out > 1,
    ),
)
