"""Mistakes in the gradients of weights and biases."""

import numpy as np

from core.arrays import Array
from core.mistakes.mistake import Mistake
from core.mistakes.places import is_batch, is_handed_in
from core.mistakes.wording import averages, name_count
from core.steps import Place, replace_rule


def _decayed(grad: Array, parameter: Array, decay: Array) -> Array:
    return np.asarray(grad + decay * parameter) if np.count_nonzero(decay) else grad


def _last(samples: Array) -> Array:
    return samples[..., -1:, :]


def _total(grad: Array) -> Array:
    return np.asarray(grad.sum(axis=(-2, -1)))


def _is_hidden_above(place: Place) -> bool:
    return place.number > 1


def _multiplies_inputs(place: Place) -> bool:
    return _is_hidden_above(place) and is_handed_in(place, place.problem.n_features * place.layer.n_out)


PARAMETER_MISTAKES = (
    Mistake(
        name="wrong_cache",
        family="weights",
        produces="dL/dW = Z₋ᵀ·dL/dZ or dL/dW = X₀ᵀ·dL/dZ or dL/dW = Aᵀ·dL/dZ",
        message="You multiplied by another array than the inputs X of the layer: dL/dW is Xᵀ·dL/dZ.",
        ways=(
            (
                replace_rule(
                    "grad_weights",
                    lambda place, inputs, grad, weights, decay, cache: _decayed(cache.mT @ grad, weights, decay),
                    where=_is_hidden_above,
                    extra=("Z{l-1}",),
                ),
            ),
            (
                replace_rule(
                    "grad_weights",
                    # shapes that do not fit are no answer that anybody can hand in with the decay added
                    lambda place, inputs, grad, weights, decay, cache: cache.mT @ grad,
                    where=_multiplies_inputs,
                    extra=("X",),
                ),
            ),
            (
                replace_rule(
                    "grad_weights",
                    lambda place, inputs, grad, weights, decay, cache: cache.mT @ grad,
                    where=lambda place: is_handed_in(place, place.layer.n_out**2),
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
        ways=(
            (
                replace_rule(
                    "grad_weights",
                    lambda place, inputs, grad, weights, decay: _decayed(
                        inputs.mean(axis=-2)[..., :, None] * grad.sum(axis=-2)[..., None, :], weights, decay
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
        ways=(
            (
                replace_rule(
                    "grad_weights",
                    lambda place, inputs, grad, weights, decay: _decayed(
                        np.repeat(grad.sum(axis=-2, keepdims=True), weights.shape[-2], axis=-2), weights, decay
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
        ways=(
            (
                replace_rule(
                    "grad_weights",
                    lambda place, inputs, grad, weights, decay: _decayed(
                        _last(inputs).mT @ _last(grad), weights, decay
                    ),
                ),
                replace_rule(
                    "grad_bias", lambda place, grad, bias, decay: _decayed(_last(grad).sum(axis=-2), bias, decay)
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
        ways=(
            (
                replace_rule(
                    "grad_weights",
                    lambda place, inputs, grad, weights, decay: inputs[..., :, None] * grad[..., None, :],
                    where=lambda place: is_handed_in(place, place.problem.n_samples * place.layer.weights.size),
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
        ways=(
            (replace_rule("grad_bias", lambda place, grad, bias, decay: _decayed(grad.mean(axis=-2), bias, decay)),),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_summed_over_all",
        family="bias",
        produces="dL/db = sum(dL/dZ) or dL/db = mean(dL/dZ) or dL/db = sum_outputs(dL/dZ)",
        message="You summed over the outputs. Sum over the samples: one number for each output.",
        ways=(
            (
                replace_rule(
                    "grad_bias",
                    lambda place, grad, bias, decay: _decayed(
                        np.repeat(_total(grad)[..., None], len(bias), axis=-1), bias, decay
                    ),
                ),
            ),
            (replace_rule("grad_bias", lambda place, grad, bias, decay: _total(grad)),),
            (replace_rule("grad_bias", lambda place, grad, bias, decay: np.asarray(grad.mean(axis=(-2, -1)))),),
            (replace_rule("grad_bias", lambda place, grad, bias, decay: grad.sum(axis=-1)),),
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
        ways=(
            (replace_rule("grad_bias", lambda place, grad, bias, decay: grad),),
            (replace_rule("grad_bias", lambda place, grad, bias, decay: _decayed(grad[..., 0, :], bias, decay)),),
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
        ways=(
            (replace_rule("grad_bias", lambda place, grad, bias, decay, inputs: inputs.mT @ grad, extra=("A{l-1}",)),),
            (
                replace_rule(
                    "grad_bias",
                    lambda place, grad, bias, decay, inputs: _decayed((inputs.mT @ grad).sum(axis=-2), bias, decay),
                    extra=("A{l-1}",),
                ),
            ),
        ),
    ),
)
