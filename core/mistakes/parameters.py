"""Mistakes in the gradients of weights and biases."""

from collections.abc import Callable

import numpy as np

from core.arrays import Array
from core.mistakes.conditions import is_batch, is_handed_in
from core.mistakes.mistake import Mistake
from core.mistakes.wording import averages, name_count
from core.steps import Change, RuleContext, Where, everywhere, nowhere, replace_rule


def _grad_weights(
    value: Callable[..., Array],
    *,
    where: Where = everywhere,
    reshapes: Where = nowhere,
    extra: tuple[str, ...] = (),
    is_penalised: bool = True,
) -> Change:
    """Put ``value(inputs, grad, *extra)`` in place of Xᵀ·dL/dZ.

    What may have another shape than the weights has no place for their penalty, and is handed in without it.
    """

    def apply(
        context: RuleContext, inputs: Array, grad: Array, weights: Array, l2_coefficient: Array, *further: Array
    ) -> Array:
        found = value(inputs, grad, *further)
        return _penalise(found, weights, l2_coefficient) if is_penalised else found

    return replace_rule("grad_weights", apply, where=where, reshapes=reshapes, extra=extra)


def _grad_bias(
    value: Callable[..., Array],
    *,
    reshapes: Where = nowhere,
    extra: tuple[str, ...] = (),
    is_penalised: bool = True,
) -> Change:
    """Put ``value(grad, *extra)`` in place of the sum of dL/dZ over the samples."""

    def apply(context: RuleContext, grad: Array, bias: Array, l2_coefficient: Array, *further: Array) -> Array:
        found = value(grad, *further)
        return _penalise(found, bias, l2_coefficient) if is_penalised else found

    return replace_rule("grad_bias", apply, reshapes=reshapes, extra=extra)


def _penalise(grad: Array, parameter: Array, l2_coefficient: Array) -> Array:
    return np.asarray(grad + l2_coefficient * parameter) if np.count_nonzero(l2_coefficient) else grad


def _last(samples: Array) -> Array:
    return samples[..., -1:, :]


def _total(grad: Array) -> Array:
    return np.asarray(grad.sum(axis=(-2, -1)))


def _is_hidden_above(context: RuleContext) -> bool:
    return context.number > 1


def _multiplies_inputs(context: RuleContext) -> bool:
    return _is_hidden_above(context) and is_handed_in(context, context.problem.n_features * context.layer.n_out)


def _with_cache(inputs: Array, grad: Array, cache: Array) -> Array:
    return cache.mT @ grad


PARAMETER_MISTAKES = (
    Mistake(
        name="wrong_cache",
        family="weights",
        produces="dL/dW = Z₋ᵀ·dL/dZ or dL/dW = X₀ᵀ·dL/dZ or dL/dW = Aᵀ·dL/dZ",
        message="You multiplied by another array than the inputs X of the layer: dL/dW is Xᵀ·dL/dZ.",
        variants=(
            (_grad_weights(_with_cache, where=_is_hidden_above, extra=("Z{l-1}",)),),
            (
                _grad_weights(
                    _with_cache,
                    where=_multiplies_inputs,
                    reshapes=lambda context: context.problem.n_features != context.layer.n_in,
                    is_penalised=False,
                    extra=("X",),
                ),
            ),
            (
                _grad_weights(
                    _with_cache,
                    where=lambda context: is_handed_in(context, context.layer.n_out**2),
                    reshapes=lambda context: context.layer.n_out != context.layer.n_in,
                    is_penalised=False,
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
            (_grad_weights(lambda inputs, grad: inputs.mean(axis=-2)[..., :, None] * grad.sum(axis=-2)[..., None, :]),),
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
                _grad_weights(
                    lambda inputs, grad: np.repeat(grad.sum(axis=-2, keepdims=True), inputs.shape[-1], axis=-2)
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
                _grad_weights(lambda inputs, grad: _last(inputs).mT @ _last(grad)),
                _grad_bias(lambda grad: grad[..., -1, :]),
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
                _grad_weights(
                    lambda inputs, grad: inputs[..., :, None] * grad[..., None, :],
                    where=lambda context: is_handed_in(context, context.problem.n_samples * context.layer.weights.size),
                    reshapes=everywhere,
                    is_penalised=False,
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
        variants=((_grad_bias(lambda grad: grad.mean(axis=-2)),),),
        applies=is_batch,
    ),
    Mistake(
        name="bias_summed_over_all",
        family="bias",
        produces="dL/db = sum(dL/dZ) or dL/db = mean(dL/dZ) or dL/db = sum_outputs(dL/dZ)",
        message="You summed over the outputs. Sum over the samples: one number for each output.",
        variants=(
            (_grad_bias(lambda grad: np.repeat(_total(grad)[..., None], grad.shape[-1], axis=-1)),),
            (_grad_bias(_total, reshapes=everywhere, is_penalised=False),),
            (_grad_bias(lambda grad: np.asarray(grad.mean(axis=(-2, -1))), reshapes=everywhere, is_penalised=False),),
            (
                _grad_bias(
                    lambda grad: grad.sum(axis=-1),
                    reshapes=lambda context: context.problem.n_samples != context.layer.n_out,
                    is_penalised=False,
                ),
            ),
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
            (_grad_bias(lambda grad: grad, reshapes=everywhere, is_penalised=False),),
            (_grad_bias(lambda grad: grad[..., 0, :]),),
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
                _grad_bias(
                    lambda grad, inputs: inputs.mT @ grad, reshapes=everywhere, is_penalised=False, extra=("A{l-1}",)
                ),
            ),
            (_grad_bias(lambda grad, inputs: (inputs.mT @ grad).sum(axis=-2), extra=("A{l-1}",)),),
        ),
    ),
)
