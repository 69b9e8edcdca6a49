"""Mistakes in the loss and in its derivative by the outputs."""

from collections.abc import Callable

import numpy as np

from core.arrays import Array
from core.losses import LOSSES
from core.mistakes.conditions import is_fused, is_softmax_loss
from core.mistakes.mistake import Mistake
from core.mistakes.wording import outputs_of
from core.problem import Problem
from core.quantities import Quantity
from core.steps import RuleContext, keep_convention, replace_rule


def _is_in_other_base(problem: Problem, base: str | int) -> bool:
    return problem.loss is not None and LOSSES[problem.loss].logarithmic and problem.conventions.log_base != base


def _binary_derivative(a: Array, y: Array) -> Array:
    return (a - y) / (a * (1.0 - a))


def _binary_losses(context: RuleContext, z: Array, a: Array, y: Array, log_of_base: Array) -> Array:
    return LOSSES["binary_cross_entropy"].value(a, y) / log_of_base


def _say_base(base: str, divisor: str) -> Callable[[Problem, Quantity], str]:
    def say(problem: Problem, quantity: Quantity) -> str:
        asked = problem.conventions.log_base
        needed = "it is the natural one" if asked == "e" else f"it has base {asked}"
        return (
            f"Your logarithm has {base}. Here {needed}. Another base divides the loss and its gradients by {divisor}."
        )

    return say


LOSS_MISTAKES = (
    Mistake(
        name="log_base_2",
        family="loss",
        produces="t/ln(2)",
        message=_say_base("base 2", "ln 2"),
        variants=(keep_convention(("log_base", 2), "log_of_base"),),
        applies=lambda problem: _is_in_other_base(problem, 2),
    ),
    Mistake(
        name="log_base_10",
        family="loss",
        produces="t/ln(10)",
        message=_say_base("base 10", "ln 10"),
        variants=(keep_convention(("log_base", 10), "log_of_base"),),
        applies=lambda problem: _is_in_other_base(problem, 10),
    ),
    Mistake(
        name="natural_logarithm",
        family="loss",
        produces="t·ln(B)",
        message=lambda problem, quantity: (
            f"Your logarithm is the natural one. Here it has base {problem.conventions.log_base}: "
            "divide the natural one by the natural logarithm of the base."
        ),
        variants=(keep_convention(("log_base", "e"), "log_of_base"),),
        applies=lambda problem: _is_in_other_base(problem, "e"),
    ),
    Mistake(
        name="logarithm_missing",
        family="loss",
        produces="L = −sum(Y∘S)/N",
        message="You left out the logarithm. Cross-entropy adds up −y·ln s, not −y·s.",
        variants=(
            (
                replace_rule(
                    "losses", lambda context, z, a, y, log_of_base: -(y * a).sum(axis=-1), where=is_softmax_loss
                ),
            ),
        ),
    ),
    Mistake(
        name="binary_terms",
        family="loss",
        produces="dL/dS = (S − Y)/(S∘(1 − S))/N",
        message=(
            "You used the binary cross-entropy for each class, with its terms 1 − y and 1 − s. "
            "Among several classes the cross-entropy has −y·ln s only."
        ),
        variants=(
            (
                replace_rule("losses", _binary_losses, where=is_softmax_loss),
                replace_rule(
                    "loss_gradient",
                    lambda context, z, a, y, divisor, log_of_base: _binary_derivative(a, y) / (divisor * log_of_base),
                    where=is_softmax_loss,
                ),
                replace_rule(
                    "logits_gradient",
                    lambda context, z, a, y, divisor, log_of_base: _binary_derivative(a, y) / (divisor * log_of_base),
                    where=is_softmax_loss,
                ),
            ),
            (
                replace_rule(
                    "logits_gradient",
                    lambda context, z, a, y, divisor, log_of_base: (
                        context.activation.vjp(z, a, _binary_derivative(a, y)) / (divisor * log_of_base)
                    ),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="loss_gradient_minus_missing",
        family="loss",
        produces="dL/dS = Y/S/N",
        message="You left out the minus. The derivative of −y·ln s by s is −y/s.",
        variants=(
            (
                replace_rule(
                    "loss_gradient",
                    lambda context, z, a, y, divisor, log_of_base: y / a / (divisor * log_of_base),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="loss_gradient_all_classes",
        family="loss",
        produces="dL/dS = −1/S/N",
        message="You left out y. The derivative of −y·ln s by s is −y/s, which is 0 where y is 0.",
        variants=(
            (
                replace_rule(
                    "loss_gradient",
                    lambda context, z, a, y, divisor, log_of_base: -1.0 / a / (divisor * log_of_base),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="loss_gradient_value",
        family="loss",
        produces="dL/dS = −Y∘ln(S)/N",
        message="You gave the terms of the loss, −y·ln s. Differentiate them by s.",
        variants=(
            (
                replace_rule(
                    "loss_gradient",
                    lambda context, z, a, y, divisor, log_of_base: -y * np.log(a) / (divisor * log_of_base),
                    where=is_softmax_loss,
                ),
            ),
        ),
    ),
    Mistake(
        name="logit_gradient_given",
        family="loss",
        produces="dL/dS = (S − Y)/N",
        message=lambda problem, quantity: (
            f"You gave the derivative by Z. The derivative by {outputs_of(problem)} comes one step before it: "
            f"the derivative of the {problem.network.output_activation} is not in it yet."
        ),
        variants=(
            (
                replace_rule(
                    "loss_gradient",
                    lambda context, z, a, y, divisor, log_of_base: (a - y) / (divisor * log_of_base),
                    where=is_fused,
                ),
            ),
        ),
    ),
)
