"""Mistakes in the gradients of weights and biases."""

import numpy as np

from core.arrays import Array
from core.mistakes.mistake import Mistake
from core.mistakes.places import is_batch, is_handed_in
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
        produces="Zᵀ·dZ, Xᵀ·dZ or Aᵀ·dZ of another layer",
        message="The gradient of the weights multiplies by another array than the layer's own inputs.",
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
        produces="mean(X)ᵀ·Σ dZ",
        message="Inputs and gradients are averaged over the samples before they are multiplied; each sample's "
        "product comes first.",
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
        produces="Σ dZ in every row",
        message="The inputs are missing: each weight's gradient is its input times the gradient of its output.",
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
        produces="the last sample's term",
        message="Only the last sample counts: the terms of the samples have to be added up, not overwritten.",
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
        produces="one gradient for each sample",
        message="These are the gradients of the samples, one each; the gradient of the batch's loss is their sum.",
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
        produces="t/N",
        message="The bias's gradient is averaged over the samples; it is the sum, the factor 1/N is in it already.",
        ways=(
            (replace_rule("grad_bias", lambda place, grad, bias, decay: _decayed(grad.mean(axis=-2), bias, decay)),),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_summed_over_all",
        family="bias",
        produces="the sum or mean of all entries of dZ, or Σ over its outputs",
        message="The bias's gradient is summed over the outputs; the sum is over the samples, one for each output.",
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
        produces="dZ, or its first row",
        message="The bias's gradient is not summed over the samples, all of which it acts on.",
        ways=(
            (replace_rule("grad_bias", lambda place, grad, bias, decay: grad),),
            (replace_rule("grad_bias", lambda place, grad, bias, decay: _decayed(grad[..., 0, :], bias, decay)),),
        ),
        applies=is_batch,
    ),
    Mistake(
        name="bias_times_inputs",
        family="bias",
        produces="Xᵀ·dZ, or its sum",
        message="The bias's gradient is multiplied by the inputs; a bias multiplies 1.",
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
