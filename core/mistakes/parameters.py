"""Mistakes in the gradients of weights and biases."""

import numpy as np

from core.arrays import Array
from core.mistakes.conditions import is_batch, is_handed_in
from core.mistakes.mistake import Mistake
from core.mistakes.wording import averages, name_count
from core.steps import RuleContext, replace_rule


def _penalised(grad: Array, parameter: Array, l2_coefficient: Array) -> Array:
    return np.asarray(grad + l2_coefficient * parameter) if np.count_nonzero(l2_coefficient) else grad


def _last(samples: Array) -> Array:
    return samples[..., -1:, :]


def _total(grad: Array) -> Array:
    return np.asarray(grad.sum(axis=(-2, -1)))


def _is_hidden_above(context: RuleContext) -> bool:
    return context.number > 1


def _multiplies_inputs(context: RuleContext) -> bool:
    return _is_hidden_above(context) and is_handed_in(context, context.problem.n_features * context.layer.n_out)


PARAMETER_MISTAKES = (
    Mistake(
        name="wrong_cache",
        family="weights",
        produces="dL/dW = Z₋ᵀ·dL/dZ or dL/dW = X₀ᵀ·dL/dZ or dL/dW = Aᵀ·dL/dZ",
        message="You multiplied by another array than the inputs X of the layer: dL/dW is Xᵀ·dL/dZ.",
        variants=(
            (
                replace_rule(
                    "grad_weights",
                    lambda context, inputs, grad, weights, l2_coefficient, cache: _penalised(
                        cache.mT @ grad, weights, l2_coefficient
                    ),
                    where=_is_hidden_above,
                    extra=("Z{l-1}",),
                ),
            ),
            (
                replace_rule(
                    "grad_weights",
                    # shapes that do not fit are no answer that anybody can hand in with the L2 term added
                    lambda context, inputs, grad, weights, l2_coefficient, cache: cache.mT @ grad,
                    where=_multiplies_inputs,
                    extra=("X",),
                ),
            ),
            (
                replace_rule(
                    "grad_weights",
                    lambda context, inputs, grad, weights, l2_coefficient, cache: cache.mT @ grad,
                    where=lambda context: is_handed_in(context, context.layer.n_out**2),
                    extra=("A{l}",),
                ),
            ),
        ),
    ),
    Mistake(
        name="averaged_before_product",
        family="weights",
        produces="dL/dW = mean_samples(X)ᵀ·sum_samples(dL/dZ)",
        message="You averaged the inputs over the samples before you multiplied. Multiply sample by sample, then add.",
        variants=(
            (
                replace_rule(
                    "grad_weights",
                    lambda context, inputs, grad, weights, l2_coefficient: _penalised(
                        inputs.mean(axis=-2)[..., :, None] * grad.sum(axis=-2)[..., None, :], weights, l2_coefficient
                    ),
                ),
            ),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="inputs_missing",
        family="weights",
        produces="dL/dW = ones(X)ᵀ·dL/dZ",
        message=(
            "You left out the inputs. The gradient of a weight is its input times the gradient of its output, "
            "added over the samples."
        ),
        variants=(
            (
                replace_rule(
                    "grad_weights",
                    lambda context, inputs, grad, weights, l2_coefficient: _penalised(
                        np.repeat(grad.sum(axis=-2, keepdims=True), weights.shape[-2], axis=-2), weights, l2_coefficient
                    ),
                ),
            ),
        ),
    ),
    Mistake(
        name="last_sample_only",
        family="weights",
        produces="dL/dW = last(X)ᵀ·last(dL/dZ)",
        message="You kept the last sample only. Add up the samples' terms instead of overwriting them.",
        variants=(
            (
                replace_rule(
                    "grad_weights",
                    lambda context, inputs, grad, weights, l2_coefficient: _penalised(
                        _last(inputs).mT @ _last(grad), weights, l2_coefficient
                    ),
                ),
                replace_rule(
                    "grad_bias",
                    lambda context, grad, bias, l2_coefficient: _penalised(
                        _last(grad).sum(axis=-2), bias, l2_coefficient
                    ),
                ),
            ),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="samples_not_summed",
        family="weights",
        produces="dL/dW = outer(X, dL/dZ)",
        message="You gave one gradient for each sample. Add them up.",
        variants=(
            (
                replace_rule(
                    "grad_weights",
                    lambda context, inputs, grad, weights, l2_coefficient: inputs[..., :, None] * grad[..., None, :],
                    where=lambda context: is_handed_in(context, context.problem.n_samples * context.layer.weights.size),
                ),
            ),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_averaged",
        family="bias",
        produces="dL/db = mean_samples(dL/dZ)",
        message=lambda problem, quantity: (
            "You averaged dL/dZ over the samples. Add it up over the samples; "
            + (
                f"do not divide again: dL/dZ is already divided by {name_count(problem)}."
                if averages(problem)
                else "do not divide."
            )
        ),
        variants=(
            (
                replace_rule(
                    "grad_bias",
                    lambda context, grad, bias, l2_coefficient: _penalised(grad.mean(axis=-2), bias, l2_coefficient),
                ),
            ),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_summed_over_all",
        family="bias",
        produces="dL/db = sum(dL/dZ) or dL/db = mean(dL/dZ) or dL/db = sum_outputs(dL/dZ)",
        message="You summed over the outputs. Sum over the samples: one number for each output.",
        variants=(
            (
                replace_rule(
                    "grad_bias",
                    lambda context, grad, bias, l2_coefficient: _penalised(
                        np.repeat(_total(grad)[..., None], len(bias), axis=-1), bias, l2_coefficient
                    ),
                ),
            ),
            (replace_rule("grad_bias", lambda context, grad, bias, l2_coefficient: _total(grad)),),
            (
                replace_rule(
                    "grad_bias", lambda context, grad, bias, l2_coefficient: np.asarray(grad.mean(axis=(-2, -1)))
                ),
            ),
            (replace_rule("grad_bias", lambda context, grad, bias, l2_coefficient: grad.sum(axis=-1)),),
        ),
        applies=lambda problem: max(problem.network.widths[1:]) > 1,
    ),
    Mistake(
        name="bias_not_summed",
        family="bias",
        produces="dL/db = dL/dZ or dL/db = first(dL/dZ)",
        message=(
            "You did not add over the samples. The bias acts on every sample, so its gradient is the sum of the rows "
            "of dL/dZ."
        ),
        variants=(
            (replace_rule("grad_bias", lambda context, grad, bias, l2_coefficient: grad),),
            (
                replace_rule(
                    "grad_bias",
                    lambda context, grad, bias, l2_coefficient: _penalised(grad[..., 0, :], bias, l2_coefficient),
                ),
            ),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_times_inputs",
        family="bias",
        produces="dL/db = Xᵀ·dL/dZ or dL/db = sum_samples(Xᵀ·dL/dZ)",
        message=(
            "You multiplied by the inputs. The bias is multiplied by 1: its gradient is the sum of dL/dZ "
            "over the samples."
        ),
        variants=(
            (
                replace_rule(
                    "grad_bias", lambda context, grad, bias, l2_coefficient, inputs: inputs.mT @ grad, extra=("A{l-1}",)
                ),
            ),
            (
                replace_rule(
                    "grad_bias",
                    lambda context, grad, bias, l2_coefficient, inputs: _penalised(
                        (inputs.mT @ grad).sum(axis=-2), bias, l2_coefficient
                    ),
                    extra=("A{l-1}",),
                ),
            ),
        ),
    ),
)
