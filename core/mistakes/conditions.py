"""Where mistakes can be made: conditions on problems and on rules of the table."""

from core.conventions import REDUCTIONS
from core.problem import Problem
from core.steps import RuleContext, structure_of

MAX_RESHAPED_NUMBERS = 100_000
"""A gradient in another shape than its own is looked for up to so many numbers, or twice its own: none is longer."""


def is_batch(problem: Problem) -> bool:
    """Tell whether there are several samples."""
    return problem.n_samples > 1


def divides_otherwise(problem: Problem, reduction: str) -> bool:
    """Tell whether another reduction than the problem's divides by another number."""
    divisors = (
        REDUCTIONS[name](problem.n_samples, problem.n_out) for name in (reduction, problem.conventions.reduction)
    )
    return len(set(divisors)) > 1


def has_penalty(problem: Problem) -> bool:
    """Tell whether the loss has an L2 term."""
    return problem.conventions.l2.strength > 0


def is_last(context: RuleContext) -> bool:
    """Tell whether the layer is the output layer."""
    return context.number == context.problem.network.depth


def is_softmax(context: RuleContext) -> bool:
    """Tell whether the layer's activation is a softmax."""
    return context.activation.gives_distribution


def is_fused(context: RuleContext) -> bool:
    """Tell whether the loss goes straight to the pre-activations of the layer."""
    return structure_of(context.problem).is_fused(context.number)


def is_softmax_loss(context: RuleContext) -> bool:
    """Tell whether the layer is a softmax whose cross-entropy goes straight to its pre-activations."""
    return is_softmax(context) and is_fused(context)


def has_slope(context: RuleContext) -> bool:
    """Tell whether the activation works entry by entry and has a derivative other than 1."""
    return not is_softmax(context) and context.layer.activation != "identity"


def is_handed_in(context: RuleContext, numbers: int) -> bool:
    """Tell whether a gradient of weights in another shape may have been handed in with so many numbers.

    Parameters
    ----------
    context : RuleContext
    numbers : int

    Returns
    -------
    bool
    """
    return numbers <= max(MAX_RESHAPED_NUMBERS, 2 * context.layer.weights.size)
