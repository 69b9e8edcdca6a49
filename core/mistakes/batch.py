"""Mistakes in averaging over the batch, and in the sign and size of the whole gradient."""

import numpy as np

from core.mistakes.mistake import Mistake, Transform, Way, multiply
from core.mistakes.places import divides_otherwise, is_batch, is_fused
from core.steps import adjust_rule, keep_convention, replace_rule, scale_rule
from core.steps.loss import divisor_of


def _times(factor: float) -> tuple[Way, Way]:
    """Put a factor on the gradient where it leaves the loss, or on the losses."""
    gradient = (
        scale_rule("logits_gradient", factor),
        scale_rule("loss_gradient", factor, where=lambda place: not is_fused(place)),
    )
    return gradient, (scale_rule("losses", factor),)


BATCH_MISTAKES = (
    Mistake(
        name="summed_over_batch",
        family="batch",
        produces="N·t",
        message="You added up the samples. The loss is a mean here: divide the sum by what the mean is over.",
        ways=(keep_convention(("reduction", "sum"), "divisor"),),
        applies=lambda problem: divides_otherwise(problem, "sum"),
    ),
    Mistake(
        name="averaged_over_batch",
        family="batch",
        produces="t/N",
        message="You took the mean over the samples, the sum over N. The loss has another divisor here.",
        ways=(keep_convention(("reduction", "mean"), "divisor"),),
        applies=lambda problem: divides_otherwise(problem, "mean"),
    ),
    Mistake(
        name="averaged_twice",
        family="batch",
        produces="t/N",
        message="The mean is taken twice: once in the gradient by the pre-activations and once more after it.",
        ways=(
            (
                adjust_rule(
                    "grad_weights",
                    lambda exact, place, inputs, grad, weights, decay: exact(
                        inputs, grad / place.problem.n_samples, weights, decay
                    ),
                ),
                adjust_rule(
                    "grad_bias",
                    lambda exact, place, grad, bias, decay: exact(grad / place.problem.n_samples, bias, decay),
                ),
            ),
            (replace_rule("divisor", lambda place: np.asarray(divisor_of(place) ** 2)),),
        ),
        applies=lambda problem: divides_otherwise(problem, "sum"),
    ),
    Mistake(
        name="averaged_over_all_entries",
        family="batch",
        produces="t/K",
        message="You took the mean over all entries, samples times outputs. Here a sample's loss is a sum over its "
        "outputs, which is not divided by their number.",
        ways=(keep_convention(("reduction", "mean_over_entries"), "divisor"),),
        applies=lambda problem: problem.n_out > 1 and divides_otherwise(problem, "mean_over_entries"),
    ),
    Mistake(
        name="sign_flipped",
        family="sign and scale",
        produces="−t",
        message="The sign is the other way round: a gradient points uphill, and a step of descent subtracts it.",
        ways=_times(-1.0),
        transforms=(Transform(apply=lambda problem, quantity, value, number: -value),),
    ),
    Mistake(
        name="factor_two",
        family="sign and scale",
        produces="2t",
        message="There is a factor 2 too much; it belongs to a squared error without ½, not here.",
        ways=_times(2.0),
        transforms=(multiply(lambda problem, quantity: None if quantity.of == "L" else 2.0),),
    ),
    Mistake(
        name="factor_half",
        family="sign and scale",
        produces="t/2",
        message="There is a factor ½ too much; it belongs to half a squared error, not here.",
        ways=_times(0.5),
        transforms=(multiply(lambda problem, quantity: None if quantity.of == "L" else 0.5),),
    ),
    Mistake(
        name="losses_not_reduced",
        family="batch",
        produces="the losses of the samples",
        message="These are the losses of the samples, one each; the loss of the batch is one number made of them.",
        ways=((adjust_rule("loss", lambda exact, place, losses, *others: losses),),),
        applies=is_batch,
    ),
)
