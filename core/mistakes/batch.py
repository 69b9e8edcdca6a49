"""Mistakes in averaging over the batch, and in the sign and size of the whole gradient."""

import numpy as np

from core.mistakes.mistake import Mistake, Transform, Way
from core.mistakes.places import is_batch, is_fused, is_mean
from core.steps import adjust_rule, replace_rule, scale_rule


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
        message="The loss is the mean over the samples, so its gradient has a factor 1/N; this is their sum.",
        ways=((replace_rule("divisor", lambda place: np.asarray(1.0)),),),
        applies=is_mean,
        switch=("reduction", "sum"),
    ),
    Mistake(
        name="averaged_over_batch",
        family="batch",
        produces="t/N",
        message="The loss is the sum over the samples here; this is their mean.",
        ways=((replace_rule("divisor", lambda place: np.asarray(float(place.problem.n_samples))),),),
        applies=lambda problem: is_batch(problem) and problem.conventions.reduction == "sum",
    ),
    Mistake(
        name="averaged_twice",
        family="batch",
        produces="t/N",
        message="The factor 1/N is applied twice: once in the gradient of the pre-activations and once more after it.",
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
            (replace_rule("divisor", lambda place: np.asarray(float(place.problem.n_samples**2))),),
        ),
        applies=is_mean,
    ),
    Mistake(
        name="averaged_over_all_entries",
        family="batch",
        produces="t/K",
        message="The mean is taken over all entries, samples times outputs; a sample's loss is a sum over its "
        "outputs, and only the samples are averaged.",
        ways=(
            (replace_rule("divisor", lambda place: np.asarray(float(place.problem.n_samples * place.problem.n_out))),),
        ),
        applies=lambda problem: problem.n_out > 1,
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
    ),
    Mistake(
        name="factor_half",
        family="sign and scale",
        produces="t/2",
        message="There is a factor ½ too much; it belongs to half a squared error, not here.",
        ways=_times(0.5),
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
