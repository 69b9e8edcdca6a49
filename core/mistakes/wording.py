"""What messages say of a problem: its outputs by their name, its reduction, the factor that its loss has."""

from core.losses import LOSSES
from core.mistakes.conditions import has_penalty
from core.nodes import output_node
from core.problem import Problem
from core.quantities import Quantity, public_name


def outputs_of(problem: Problem) -> str:
    """Return the name of the last layer's activations: S where they are probabilities of classes."""
    return public_name(output_node(problem.network), problem)


def averages(problem: Problem) -> bool:
    """Tell whether the loss is a mean, over samples or over entries."""
    return problem.conventions.reduction != "sum"


def name_count(problem: Problem) -> str:
    """Say what the mean in the loss divides by."""
    over_entries = problem.conventions.reduction == "mean_over_entries"
    return "the number of entries, samples times outputs" if over_entries else "N, the number of samples"


def say_divisor(problem: Problem) -> str:
    """Say what to divide by."""
    return f"The loss divides by {name_count(problem)}." if averages(problem) else "The loss is a sum: do not divide."


def name_quantity(quantity: Quantity) -> str:
    """Say what kind of numbers a quantity has: loss, gradient, or numbers."""
    if quantity.is_loss:
        return "loss"
    return "gradient" if quantity.is_of_loss else "numbers"


def _has_logarithm(problem: Problem) -> bool:
    return problem.loss is not None and LOSSES[problem.loss].logarithmic


def say_sign(problem: Problem, quantity: Quantity) -> str:
    """Say that the sign is the other one."""
    if quantity.is_loss and _has_logarithm(problem):
        return "Your sign is reversed. A logarithm of a probability is never above 0: the loss has a minus before it."
    if quantity.is_loss:
        return "Your sign is reversed. This loss adds up numbers that are never below 0."
    if quantity.is_of_loss:
        return "Your signs are reversed. The gradient points uphill; only a step of descent subtracts it."
    return "Your signs are reversed. Check which term is subtracted from which."


def _start(kind: str, size: str) -> str:
    return f"Your numbers are {size} the right ones." if kind == "numbers" else f"Your {kind} is {size} the right one."


def say_twice(problem: Problem, quantity: Quantity) -> str:
    """Say that there is a factor 2 too much."""
    kind = name_quantity(quantity)
    start = _start(kind, "twice")
    if kind != "numbers" and _has_logarithm(problem):
        square = "the loss of the data has no square" if has_penalty(problem) else "there is no square here"
        return f"{start} A factor 2 comes from differentiating a square; {square}."
    if kind == "gradient" and problem.loss == "half_squared_error":
        return f"{start} The ½ in the loss cancels the 2 of the derivative."
    if kind == "gradient" and problem.loss == "squared_error":
        return f"{start} The 2 of the derivative counts once."
    return f"{start} Look for a factor 2 that does not belong here, or for a ½ that is missing."


def say_half(problem: Problem, quantity: Quantity) -> str:
    """Say that there is a factor ½ too much."""
    kind = name_quantity(quantity)
    start = _start(kind, "half")
    if kind != "numbers" and _has_logarithm(problem):
        return f"{start} A factor ½ belongs to half a squared error; this loss has none."
    if kind == "gradient" and problem.loss == "half_squared_error":
        return f"{start} The ½ in the loss cancels the 2 of the derivative; it does not count twice."
    if kind == "gradient" and problem.loss == "squared_error":
        return f"{start} This loss has no ½, so the 2 of the derivative stays."
    return f"{start} Look for a factor ½ that does not belong here, or for a 2 that is missing."
