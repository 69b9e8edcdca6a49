"""Mistakes in the loss and in its derivative by the outputs."""

from collections.abc import Callable
from dataclasses import replace

from core.arrays import Array
from core.formulas import put, replace_part
from core.losses import LOSSES
from core.mistakes.conditions import is_fused, is_softmax_loss
from core.mistakes.mistake import Mistake
from core.mistakes.wording import outputs_of
from core.problem import Problem
from core.quantities import Quantity
from core.steps import LOSS_DERIVATIVE, RuleContext, edit_rule, keep_convention, replace_rule

BINARY_GRADIENT = edit_rule(
    "loss_gradient", replace_part(LOSS_DERIVATIVE, "(A − Y)/(A∘(1 − A))"), where=is_softmax_loss
)


def _is_in_other_base(problem: Problem, base: str | int) -> bool:
    return problem.loss is not None and LOSSES[problem.loss].logarithmic and problem.conventions.log_base != base


def _through_the_softmax(context: RuleContext, z: Array, a: Array, *others: Array) -> Array:
    return context.activation.vjp(z, a, BINARY_GRADIENT.apply(None, context, z, a, *others))


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
        formula="t/ln(2)",
        message=_say_base("base 2", "ln 2"),
        variants=(keep_convention(("log_base", 2), "log_of_base"),),
        applies=lambda problem: _is_in_other_base(problem, 2),
    ),
    Mistake(
        name="log_base_10",
        family="loss",
        formula="t/ln(10)",
        message=_say_base("base 10", "ln 10"),
        variants=(keep_convention(("log_base", 10), "log_of_base"),),
        applies=lambda problem: _is_in_other_base(problem, 10),
    ),
    Mistake(
        name="natural_logarithm",
        family="loss",
        formula="t·ln(B)",
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
        formula="L = −sum(Y∘S)/N",
        message="You left out the logarithm. Cross-entropy adds up −y·ln s, not −y·s.",
        variants=((edit_rule("losses", put("−sum_outputs(Y∘A)"), where=is_softmax_loss),),),
    ),
    Mistake(
        name="binary_terms",
        family="loss",
        message=(
            "You used the binary cross-entropy for each class, with its terms 1 − y and 1 − s. "
            "Among several classes the cross-entropy has −y·ln s only."
        ),
        variants=(
            (
                BINARY_GRADIENT,
                replace(BINARY_GRADIENT, rule="logits_gradient"),
                replace_rule(
                    "losses",
                    # by itself: there 0 · ln 0 is 0
                    lambda context, z, a, y, log_of_base: LOSSES["binary_cross_entropy"].value(a, y) / log_of_base,
                    where=is_softmax_loss,
                ),
            ),
            (replace_rule("logits_gradient", _through_the_softmax, where=is_softmax_loss),),
        ),
    ),
    Mistake(
        name="loss_gradient_minus_missing",
        family="loss",
        message="You left out the minus. The derivative of −y·ln s by s is −y/s.",
        variants=((edit_rule("loss_gradient", replace_part(LOSS_DERIVATIVE, "Y/A"), where=is_softmax_loss),),),
    ),
    Mistake(
        name="loss_gradient_all_classes",
        family="loss",
        message="You left out y. The derivative of −y·ln s by s is −y/s, which is 0 where y is 0.",
        variants=((edit_rule("loss_gradient", replace_part(LOSS_DERIVATIVE, "−1/A"), where=is_softmax_loss),),),
    ),
    Mistake(
        name="loss_gradient_value",
        family="loss",
        message="You gave the terms of the loss, −y·ln s. Differentiate them by s.",
        variants=((edit_rule("loss_gradient", replace_part(LOSS_DERIVATIVE, "−Y∘ln(A)"), where=is_softmax_loss),),),
    ),
    Mistake(
        name="logit_gradient_given",
        family="loss",
        message=lambda problem, quantity: (
            f"You gave the derivative by Z. The derivative by {outputs_of(problem)} comes one step before it: "
            f"the derivative of the {problem.network.output_activation} is not in it yet."
        ),
        variants=((edit_rule("loss_gradient", replace_part(LOSS_DERIVATIVE, "A − Y"), where=is_fused),),),
    ),
)
