"""Mistakes in the forward pass of a layer and on the way back through it."""

from collections.abc import Callable

import numpy as np

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import RELU_SLOPES
from core.mistakes.mistake import Mistake, Way
from core.mistakes.places import has_slope
from core.problem import Problem
from core.steps import Place, adjust_rule, keep_convention, replace_rule
from core.steps.changes import Where

LEARNING_RATES = (1.0, 0.5, 0.1)
"""Those that exercises use; a step with one of them is recognised."""


def _slope(vjp: Callable[[Place, Array, Array, Array], Array], *, where: Where = has_slope) -> Way:
    """Put a wrong slope everywhere: ``vjp(place, rows, z, a)`` multiplies rows by it."""
    return (
        replace_rule("activation_gradient", vjp, where=where),
        replace_rule(
            "dA{l}_dZ{l}", lambda place, rows, z, a: vjp(place, rows, z[..., None, :], a[..., None, :]), where=where
        ),
    )


def _is_written_in_a(place: Place) -> bool:
    return place.activation.slope is not None


def _slope_at(place: Place, x: Array) -> Array:
    slope = place.activation.slope
    return np.ones(x.shape) if slope is None else slope(x)


def _is_other(name: str) -> Where:
    return lambda place: not place.activation.gives_distribution and place.layer.activation != name


def _with_activation(name: str) -> Way:
    """Put another activation in a layer's place, its value and its slope."""
    other = ACTIVATIONS[name]
    return (
        replace_rule("activation", lambda place, z: other.value(z), where=_is_other(name)),
        *_slope(lambda place, rows, z, a: other.vjp(z, a, rows), where=_is_other(name)),
    )


def _is_relu(place: Place) -> bool:
    return place.layer.activation == "relu"


def _is_square(place: Place) -> bool:
    return place.layer.n_in == place.layer.n_out > 1


def _has_bias(problem: Problem) -> bool:
    return any(layer.bias is not None for layer in problem.network.layers)


def _slope_of(name: str) -> tuple[Way, ...]:
    """Put another activation's slope in a layer's place: at z, and written with the layer's own a."""
    other = ACTIVATIONS[name]
    slope = other.slope
    at_z = _slope(lambda place, rows, z, a: other.vjp(z, other.value(z), rows), where=_is_other(name))
    if slope is None:
        return (at_z,)
    return (at_z, _slope(lambda place, rows, z, a: rows * slope(a), where=_is_other(name)))


def _stepped(rate: float) -> Way:
    return (
        replace_rule(
            "grad_inputs",
            lambda place, grad, weights, grad_weights: grad @ (weights - rate * grad_weights).mT,
            extra=("dL_dW{l}",),
        ),
    )


LAYER_MISTAKES = (
    Mistake(
        name="bias_ignored",
        family="forward pass",
        produces="X·W",
        message="The bias is left out of the forward pass.",
        ways=((adjust_rule("affine", lambda exact, place, inputs, weights, *bias: exact(inputs, weights)),),),
        applies=_has_bias,
    ),
    Mistake(
        name="bias_added_twice",
        family="forward pass",
        produces="X·W + 2b",
        message="The bias is added twice in the forward pass.",
        ways=(
            (
                adjust_rule(
                    "affine",
                    lambda exact, place, inputs, weights, *bias: exact(inputs, weights, *(2.0 * b for b in bias)),
                ),
            ),
        ),
        applies=_has_bias,
    ),
    Mistake(
        name="activation_missing",
        family="forward pass",
        produces="A := Z",
        message="A layer's activation is left out: its outputs are the pre-activations themselves.",
        ways=(_with_activation("identity"),),
    ),
    Mistake(
        name="other_activation",
        family="forward pass",
        produces="sigmoid, tanh or relu in place of the layer's own",
        message="A layer has another activation than the one that is given.",
        ways=tuple(_with_activation(name) for name in ("sigmoid", "tanh", "relu")),
    ),
    Mistake(
        name="activation_derivative_dropped",
        family="way back",
        produces="dZ := dA",
        message="The derivative of the activation is missing between the gradient by A and the gradient by Z.",
        ways=(_slope(lambda place, rows, z, a: rows),),
    ),
    Mistake(
        name="derivative_at_activation",
        family="way back",
        produces="f′(f(z)) for f′(z)",
        message="The derivative of the activation is taken at the activation; it belongs at the pre-activation.",
        ways=(_slope(lambda place, rows, z, a: place.activation.vjp(a, place.activation.value(a), rows)),),
    ),
    Mistake(
        name="derivative_fed_pre_activation",
        family="way back",
        produces="z(1 − z) or 1 − z²",
        message="The derivative is written in terms of the activation a, and the pre-activation z is put into it.",
        ways=(
            _slope(
                lambda place, rows, z, a: rows * _slope_at(place, z),
                where=_is_written_in_a,
            ),
        ),
    ),
    Mistake(
        name="derivative_of_other_activation",
        family="way back",
        produces="the slope of sigmoid, tanh or relu for the layer's own",
        message="This is the derivative of another activation than the layer's.",
        ways=(*_slope_of("sigmoid"), *_slope_of("tanh"), *_slope_of("relu")),
    ),
    Mistake(
        name="value_for_derivative",
        family="way back",
        produces="f(z) for f′(z)",
        message="The gradient is multiplied by the activation itself; its derivative is needed.",
        ways=(_slope(lambda place, rows, z, a: rows * a),),
    ),
    Mistake(
        name="derivative_of_gradient",
        family="way back",
        produces="f′ of the incoming gradient",
        message="The derivative of the activation is taken at the incoming gradient; it belongs at the "
        "pre-activation, and multiplies that gradient.",
        ways=(
            (
                replace_rule(
                    "activation_gradient",
                    lambda place, grad, z, a: place.activation.vjp(grad, place.activation.value(grad), grad),
                    where=has_slope,
                ),
            ),
        ),
    ),
    Mistake(
        name="relu_slope_at_zero",
        family="way back",
        produces="another slope at z = 0 than relu_at_zero",
        message="Look at the entries where z is exactly 0: you took another slope of relu there than is stated here.",
        ways=tuple(
            keep_convention(("relu_at_zero", slope), "activation_gradient", "dA{l}_dZ{l}", where=_is_relu)
            for slope in RELU_SLOPES
        ),
    ),
    Mistake(
        name="weights_not_transposed",
        family="way back",
        produces="dZ·W for dZ·Wᵀ",
        message="The gradient goes back through the weights as they are; it needs their transpose.",
        ways=(
            (
                replace_rule("grad_inputs", lambda place, grad, weights: grad @ weights, where=_is_square),
                replace_rule("dZ{l}_dA{l-1}", lambda place, rows, weights: rows @ weights, where=_is_square),
            ),
        ),
    ),
    Mistake(
        name="stepped_weights",
        family="way back",
        produces="dZ·(W − η·dW)ᵀ",
        message="The weights are updated before the gradient goes back through them; all gradients belong to the "
        "weights of the forward pass.",
        ways=tuple(_stepped(rate) for rate in LEARNING_RATES),
    ),
)
