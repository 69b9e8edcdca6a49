"""Mistakes in averaging over the batch, and in the sign and size of the whole gradient."""

import numpy as np

from core.formulas import put
from core.mistakes.conditions import divides_otherwise, is_batch, is_fused
from core.mistakes.mistake import Mistake, Transform, Variant, multiply
from core.mistakes.wording import averages, name_count, say_divisor, say_half, say_sign, say_twice
from core.problem import Problem
from core.quantities import Quantity
from core.steps import adjust_rule, edit_rule, everywhere, keep_convention, replace_rule, scale_rule
from core.steps.loss import divisor_of


def _times(factor: float) -> tuple[Variant, Variant]:
    """Put a factor on the gradient where it leaves the loss, or on the losses."""
    gradient = (
        scale_rule("logits_gradient", factor),
        scale_rule("loss_gradient", factor, where=lambda context: not is_fused(context)),
    )
    return gradient, (scale_rule("losses", factor),)


def _say_summed(problem: Problem, quantity: Quantity) -> str:
    added = "losses" if quantity.by is None else "gradients"
    return f"You added the samples' {added}. The loss is a mean: divide by {name_count(problem)}."


def _say_twice_averaged(problem: Problem, quantity: Quantity) -> str:
    again = "Your numbers are too small: the mean is taken again after the loss."
    return f"{again} The loss divides by {name_count(problem)}, once, and every gradient takes that over."


BATCH_MISTAKES = (
    Mistake(
        name="summed_over_batch",
        family="batch",
        formula="N·t",
        message=_say_summed,
        variants=(keep_convention(("reduction", "sum"), "divisor"),),
        applies=lambda problem: divides_otherwise(problem, "sum"),
    ),
    Mistake(
        name="averaged_over_batch",
        family="batch",
        formula="t·N/n",
        message=lambda problem, quantity: f"You divided by the number of samples. {say_divisor(problem)}",
        variants=(keep_convention(("reduction", "mean"), "divisor"),),
        applies=lambda problem: divides_otherwise(problem, "mean"),
    ),
    Mistake(
        name="averaged_twice",
        family="batch",
        formula="t/N",
        message=_say_twice_averaged,
        variants=(
            # no edit: it works on what other mistakes have made of the rule
            (
                adjust_rule(
                    "grad_weights",
                    lambda exact, context, inputs, grad, weights, l2_coefficient: exact(
                        inputs, grad / context.problem.n_samples, weights, l2_coefficient
                    ),
                ),
                adjust_rule(
                    "grad_bias",
                    lambda exact, context, grad, bias, l2_coefficient: exact(
                        grad / context.problem.n_samples, bias, l2_coefficient
                    ),
                ),
            ),
            (replace_rule("divisor", lambda context: np.asarray(divisor_of(context) ** 2)),),
        ),
        applies=lambda problem: divides_otherwise(problem, "sum"),
    ),
    Mistake(
        name="averaged_over_all_entries",
        family="batch",
        formula="t·N/(n·K)",
        message=lambda problem, quantity: (
            f"You divided by the number of all entries, samples times outputs. {say_divisor(problem)}"
        ),
        variants=(keep_convention(("reduction", "mean_over_entries"), "divisor"),),
        applies=lambda problem: problem.n_out > 1 and divides_otherwise(problem, "mean_over_entries"),
    ),
    Mistake(
        name="sign_flipped",
        family="sign and scale",
        formula="−t",
        message=say_sign,
        variants=_times(-1.0),
        transforms=(Transform(apply=lambda problem, quantity, value, number: -value),),
    ),
    Mistake(
        name="factor_two",
        family="sign and scale",
        formula="2·t",
        message=say_twice,
        variants=_times(2.0),
        transforms=(multiply(lambda problem, quantity: None if quantity.is_of_loss else 2.0),),
    ),
    Mistake(
        name="factor_half",
        family="sign and scale",
        formula="t/2",
        message=say_half,
        variants=_times(0.5),
        transforms=(multiply(lambda problem, quantity: None if quantity.is_of_loss else 0.5),),
    ),
    Mistake(
        name="losses_not_reduced",
        family="batch",
        message=lambda problem, quantity: (
            "You gave each sample's loss. The loss of the batch is one number: their sum"
            f"{', divided by ' + name_count(problem) if averages(problem) else ''}."
        ),
        variants=((edit_rule("loss", put("losses"), reshapes=everywhere),),),
        applies=is_batch,
    ),
)
