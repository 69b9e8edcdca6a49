"""Mistakes in the forward pass of a layer and on the way back through it."""

from collections.abc import Callable

import numpy as np

from core.activations import ACTIVATIONS
from core.arrays import Array
from core.conventions import RELU_SLOPES
from core.mistakes.conditions import has_slope
from core.mistakes.mistake import Mistake, Variant
from core.problem import Problem
from core.steps import RuleContext, Where, adjust_rule, keep_convention, replace_rule

LEARNING_RATES = (1.0, 0.5, 0.1)
"""Those that exercises use; a step with one of them is recognised."""


def _slope(vjp: Callable[[RuleContext, Array, Array, Array], Array], *, where: Where = has_slope) -> Variant:
    """Put a wrong slope everywhere: ``vjp(context, rows, z, a)`` multiplies rows by it."""
    return (
        replace_rule("activation_gradient", vjp, where=where),
        replace_rule(
            "dA{l}_dZ{l}", lambda context, rows, z, a: vjp(context, rows, z[..., None, :], a[..., None, :]), where=where
        ),
    )


def _is_written_in_a(context: RuleContext) -> bool:
    return context.activation.slope is not None


def _slope_at(context: RuleContext, x: Array) -> Array:
    slope = context.activation.slope
    return np.ones(x.shape) if slope is None else slope(x)


def _is_other(name: str) -> Where:
    return lambda context: not context.activation.gives_distribution and context.layer.activation != name


def _with_activation(name: str) -> Variant:
    """Put another activation in a layer's place, its value and its slope."""
    other = ACTIVATIONS[name]
    return (
        replace_rule("activation", lambda context, z: other.value(z), where=_is_other(name)),
        *_slope(lambda context, rows, z, a: other.vjp(z, a, rows), where=_is_other(name)),
    )


def _is_relu(context: RuleContext) -> bool:
    return context.layer.activation == "relu"


def _is_square(context: RuleContext) -> bool:
    return context.layer.n_in == context.layer.n_out > 1


def _has_bias(problem: Problem) -> bool:
    return any(layer.bias is not None for layer in problem.network.layers)


def _slope_of(name: str) -> tuple[Variant, ...]:
    """Put another activation's slope in a layer's place: at z, and written with the layer's own a."""
    other = ACTIVATIONS[name]
    slope = other.slope
    at_z = _slope(lambda context, rows, z, a: other.vjp(z, other.value(z), rows), where=_is_other(name))
    if slope is None:
        return (at_z,)
    return (at_z, _slope(lambda context, rows, z, a: rows * slope(a), where=_is_other(name)))


def _stepped(rate: float) -> Variant:
    return (
        replace_rule(
            "grad_inputs",
            lambda context, grad, weights, grad_weights: grad @ (weights - rate * grad_weights).mT,
            extra=("dL_dW{l}",),
        ),
    )


LAYER_MISTAKES = (
    Mistake(
        name="bias_ignored",
        family="forward pass",
        produces="Z = X·W",
        message="You left out the bias: Z = X·W + b.",
        variants=((adjust_rule("affine", lambda exact, context, inputs, weights, *bias: exact(inputs, weights)),),),
        applies=_has_bias,
    ),
    Mistake(
        name="bias_added_twice",
        family="forward pass",
        produces="Z = X·W + 2·b",
        message="You added the bias twice: Z = X·W + b.",
        variants=(
            (
                adjust_rule(
                    "affine",
                    lambda exact, context, inputs, weights, *bias: exact(inputs, weights, *(2.0 * b for b in bias)),
                ),
            ),
        ),
        applies=_has_bias,
    ),
    Mistake(
        name="activation_missing",
        family="forward pass",
        produces="A = Z",
        message="You left out a layer's activation. Its outputs are f(Z), not Z.",
        variants=(_with_activation("identity"),),
    ),
    Mistake(
        name="other_activation",
        family="forward pass",
        produces="A = sigmoid(Z) or A = tanh(Z) or A = relu(Z)",
        message="You used another activation than the layer's own. The problem names it.",
        variants=tuple(_with_activation(name) for name in ("sigmoid", "tanh", "relu")),
    ),
    Mistake(
        name="activation_derivative_dropped",
        family="way back",
        produces="dL/dZ = dL/dA",
        message="You left out the derivative of the activation. dL/dZ is dL/dA times f′(Z).",
        variants=(_slope(lambda context, rows, z, a: rows),),
    ),
    Mistake(
        name="derivative_at_activation",
        family="way back",
        produces="dL/dZ = dL/dA∘f′(A)",
        message="You took the derivative of the activation at A = f(Z). Take f′ at Z.",
        variants=(_slope(lambda context, rows, z, a: context.activation.vjp(a, context.activation.value(a), rows)),),
    ),
    Mistake(
        name="derivative_fed_pre_activation",
        family="way back",
        produces="dL/dZ = dL/dA∘Z∘(1 − Z) or dL/dZ = dL/dA∘(1 − Z∘Z)",
        message="You put Z into the derivative that is written in terms of A. Put the activations A in.",
        variants=(
            _slope(
                lambda context, rows, z, a: rows * _slope_at(context, z),
                where=_is_written_in_a,
            ),
        ),
    ),
    Mistake(
        name="derivative_of_other_activation",
        family="way back",
        produces="dL/dZ = dL/dA∘sigmoid′(Z) or dL/dZ = dL/dA∘tanh′(Z) or dL/dZ = dL/dA∘relu′(Z)",
        message="You used the derivative of another activation than the layer's own.",
        variants=(*_slope_of("sigmoid"), *_slope_of("tanh"), *_slope_of("relu")),
    ),
    Mistake(
        name="value_for_derivative",
        family="way back",
        produces="dL/dZ = dL/dA∘f(Z)",
        message="You multiplied by the activation f(Z). Multiply by its derivative f′(Z).",
        variants=(_slope(lambda context, rows, z, a: rows * a),),
    ),
    Mistake(
        name="derivative_of_gradient",
        family="way back",
        produces="dL/dZ = dL/dA∘f′(dL/dA)",
        message=(
            "You took the derivative of the activation at the incoming gradient dL/dA. Take f′ at Z, "
            "and multiply dL/dA by it."
        ),
        variants=(
            (
                replace_rule(
                    "activation_gradient",
                    lambda context, grad, z, a: context.activation.vjp(grad, context.activation.value(grad), grad),
                    where=has_slope,
                ),
            ),
        ),
    ),
    Mistake(
        name="relu_slope_at_zero",
        family="way back",
        produces="dL/dZ = dL/dA∘(Z ≥ 0)",
        message="You took another slope of relu at 0 than here. Look at the entries where z is exactly 0.",
        variants=tuple(
            keep_convention(("relu_at_zero", slope), "activation_gradient", "dA{l}_dZ{l}", where=_is_relu)
            for slope in RELU_SLOPES
        ),
    ),
    Mistake(
        name="weights_not_transposed",
        family="way back",
        produces="dL/dX = dL/dZ·W",
        message=lambda problem, quantity: (
            "You used W where its transpose belongs: "
            f"{'dZ/dX = Wᵀ' if quantity.is_jacobian else 'dL/dX = dL/dZ·Wᵀ'}, X being the inputs of the layer."
        ),
        variants=(
            (
                replace_rule("grad_inputs", lambda context, grad, weights: grad @ weights, where=_is_square),
                replace_rule("dZ{l}_dA{l-1}", lambda context, rows, weights: rows @ weights, where=_is_square),
            ),
        ),
    ),
    Mistake(
        name="stepped_weights",
        family="way back",
        produces="dL/dX = dL/dZ·(W − η·dL/dW)ᵀ",
        message="You updated the weights first. Go back through the weights of the forward pass.",
        variants=tuple(_stepped(rate) for rate in LEARNING_RATES),
    ),
)
