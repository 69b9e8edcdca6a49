"""The backward rules: the four equations of back-propagation, and the output layer's two ways in."""

from typing import cast

import numpy as np

from core.arrays import Array
from core.losses import Logits
from core.steps.forward import pull_from_outputs
from core.steps.rounding_bounds import (
    bound_activation_gradient,
    bound_grad_bias,
    bound_grad_inputs,
    bound_grad_weights,
    bound_logits_gradient,
    bound_loss_gradient,
)
from core.steps.rules import Rule, RuleContext, Structure


def _grad_parameter(grad: Array, parameter: Array, l2_coefficient: Array) -> Array:
    return np.asarray(grad + l2_coefficient * parameter) if np.count_nonzero(l2_coefficient) else grad


def _logits(context: RuleContext) -> Logits:
    # the table has the step only where the loss has them
    return cast("Logits", context.loss.logits)


BACKWARD_RULES = (
    Rule(
        name="loss_gradient",
        output="dL_dA{n}",
        inputs=("Z{n}", "A{n}", "y", "divisor", "log_of_base"),
        apply=lambda context, z, a, y, divisor, log_of_base: (
            context.loss.grad_outputs(z, a, y) / (divisor * log_of_base)
        ),
        quantity="grad_activations",
        formula="dL/dA = loss′(a, y) / (N ln b); for cross_entropy −y/s / (N ln b)",
        latex=r"\frac{\partial L}{\partial A} = \frac{1}{N \ln b} \ell'(a, y)",
        shape="(n_samples, n_out)",
        advice="it divides by the probability, which underflows when a logit lies about 709 below the largest; "
        "dL_dZ, dL_dW, dL_db and dL_dX need no division: ask for those without it",
        rounding_bound=bound_loss_gradient,
    ),
    Rule(
        name="logits_gradient",
        output="dL_dZ{n}",
        inputs=("Z{n}", "A{n}", "y", "divisor", "log_of_base"),
        apply=lambda context, z, a, y, divisor, log_of_base: _logits(context).grad(z, a, y) / (divisor * log_of_base),
        quantity="grad_pre_activations",
        formula="dL/dZ = (A − Y) / (N ln b), for softmax with cross_entropy and sigmoid with binary_cross_entropy",
        latex=r"\frac{\partial L}{\partial Z} = \frac{1}{N \ln b} (A - Y)",
        shape="(n_samples, n_out)",
        applies=Structure.is_fused,
        from_outputs=lambda context, z, a, y, divisor, log_of_base: (
            _logits(context).grad_from_outputs(a, y) / (divisor * log_of_base)
        ),
        rounding_bound=bound_logits_gradient,
    ),
    Rule(
        name="activation_gradient",
        output="dL_dZ{l}",
        inputs=("dL_dA{l}", "Z{l}", "A{l}"),
        apply=lambda context, grad, z, a: context.activation.vjp(z, a, grad),
        quantity="grad_pre_activations",
        formula="dL/dZ = dL/dA ∘ f′(Z); for softmax s ∘ (g − ⟨s, g⟩)",
        latex=r"\frac{\partial L}{\partial Z} = \frac{\partial L}{\partial A} \odot f'(Z)",
        shape="(n_samples, n_out)",
        applies=lambda structure, layer: not structure.is_fused(layer),
        from_outputs=pull_from_outputs,
        rounding_bound=bound_activation_gradient,
    ),
    Rule(
        name="grad_weights",
        output="dL_dW{l}",
        inputs=("A{l-1}", "dL_dZ{l}", "W{l}", "l2_coefficient"),
        apply=lambda context, inputs, grad, weights, l2_coefficient: _grad_parameter(
            inputs.mT @ grad, weights, l2_coefficient
        ),
        quantity="grad_weights",
        formula="dL/dW = Xᵀ·dL/dZ + 2 · factor · strength · W",
        latex=r"\frac{\partial L}{\partial W} = X^{\mathsf T} \frac{\partial L}{\partial Z} + 2 c \lambda W",
        shape="(n_in, n_out)",
        rounding_bound=bound_grad_weights,
    ),
    Rule(
        name="grad_bias",
        output="dL_db{l}",
        inputs=("dL_dZ{l}", "b{l}", "bias_l2_coefficient"),
        apply=lambda context, grad, bias, l2_coefficient: _grad_parameter(grad.sum(axis=-2), bias, l2_coefficient),
        quantity="grad_bias",
        formula="dL/db = Σ over samples of dL/dZ, with biases + 2 · factor · strength · b",
        latex=r"\frac{\partial L}{\partial b} = \sum_i \frac{\partial L}{\partial z_i} + 2 c \lambda b",
        shape="(n_out,)",
        applies=lambda structure, layer: structure.biases[layer - 1],
        rounding_bound=bound_grad_bias,
    ),
    Rule(
        name="grad_inputs",
        output="dL_dA{l-1}",
        inputs=("dL_dZ{l}", "W{l}"),
        apply=lambda context, grad, weights: grad @ weights.mT,
        quantity="grad_inputs",
        formula="dL/dX = dL/dZ·Wᵀ",
        latex=r"\frac{\partial L}{\partial X} = \frac{\partial L}{\partial Z} W^{\mathsf T}",
        shape="(n_samples, n_in)",
        rounding_bound=bound_grad_inputs,
    ),
)
