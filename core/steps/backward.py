"""The backward rules: the four equations of back-propagation, and the output layer's two ways in."""

from typing import cast

import numpy as np

from core.arrays import Array
from core.losses import Logits
from core.steps.forward import pull_plainly
from core.steps.rules import Place, Rule, Structure
from core.steps.spreads import (
    spread_activation_gradient,
    spread_grad_bias,
    spread_grad_inputs,
    spread_grad_weights,
    spread_logits_gradient,
    spread_loss_gradient,
)


def _grad_parameter(grad: Array, parameter: Array, decay: Array) -> Array:
    return np.asarray(grad + decay * parameter) if np.count_nonzero(decay) else grad


def _logits(place: Place) -> Logits:
    # the table has the step only where the loss has them
    return cast("Logits", place.loss.logits)


BACKWARD_RULES = (
    Rule(
        name="loss_gradient",
        output="dL_dA{n}",
        inputs=("Z{n}", "A{n}", "y", "divisor", "unit"),
        apply=lambda place, z, a, y, divisor, unit: place.loss.grad_outputs(z, a, y) / (divisor * unit),
        quantity="grad_activations",
        formula="dL/dA = loss′(a, y) / (N ln b); for cross_entropy −y/s / (N ln b)",
        latex=r"\frac{\partial L}{\partial A} = \frac{1}{N \ln b} \ell'(a, y)",
        shape="(n_samples, n_out)",
        advice="it divides by the probability, which underflows when a logit lies about 709 below the largest; "
        "dL_dZ, dL_dW, dL_db and dL_dX need no division: ask for those without it",
        spread=spread_loss_gradient,
    ),
    Rule(
        name="logits_gradient",
        output="dL_dZ{n}",
        inputs=("Z{n}", "A{n}", "y", "divisor", "unit"),
        apply=lambda place, z, a, y, divisor, unit: _logits(place).grad(z, a, y) / (divisor * unit),
        quantity="grad_pre_activations",
        formula="dL/dZ = (A − Y) / (N ln b), for softmax with cross_entropy and sigmoid with binary_cross_entropy",
        latex=r"\frac{\partial L}{\partial Z} = \frac{1}{N \ln b} (A - Y)",
        shape="(n_samples, n_out)",
        applies=Structure.is_fused,
        plain=lambda place, z, a, y, divisor, unit: _logits(place).plain_grad(a, y) / (divisor * unit),
        spread=spread_logits_gradient,
    ),
    Rule(
        name="activation_gradient",
        output="dL_dZ{l}",
        inputs=("dL_dA{l}", "Z{l}", "A{l}"),
        apply=lambda place, grad, z, a: place.activation.vjp(z, a, grad),
        quantity="grad_pre_activations",
        formula="dL/dZ = dL/dA ∘ f′(Z); for softmax s ∘ (g − ⟨s, g⟩)",
        latex=r"\frac{\partial L}{\partial Z} = \frac{\partial L}{\partial A} \odot f'(Z)",
        shape="(n_samples, n_out)",
        applies=lambda structure, layer: not structure.is_fused(layer),
        plain=pull_plainly,
        spread=spread_activation_gradient,
    ),
    Rule(
        name="grad_weights",
        output="dL_dW{l}",
        inputs=("A{l-1}", "dL_dZ{l}", "W{l}", "decay"),
        apply=lambda place, inputs, grad, weights, decay: _grad_parameter(inputs.mT @ grad, weights, decay),
        quantity="grad_weights",
        formula="dL/dW = Xᵀ·dL/dZ + 2 · factor · strength · W",
        latex=r"\frac{\partial L}{\partial W} = X^{\mathsf T} \frac{\partial L}{\partial Z} + 2 c \lambda W",
        shape="(n_in, n_out)",
        spread=spread_grad_weights,
    ),
    Rule(
        name="grad_bias",
        output="dL_db{l}",
        inputs=("dL_dZ{l}", "b{l}", "bias_decay"),
        apply=lambda place, grad, bias, decay: _grad_parameter(grad.sum(axis=-2), bias, decay),
        quantity="grad_bias",
        formula="dL/db = Σ over samples of dL/dZ, with biases + 2 · factor · strength · b",
        latex=r"\frac{\partial L}{\partial b} = \sum_i \frac{\partial L}{\partial z_i} + 2 c \lambda b",
        shape="(n_out,)",
        applies=lambda structure, layer: structure.biases[layer - 1],
        spread=spread_grad_bias,
    ),
    Rule(
        name="grad_inputs",
        output="dL_dA{l-1}",
        inputs=("dL_dZ{l}", "W{l}"),
        apply=lambda place, grad, weights: grad @ weights.mT,
        quantity="grad_inputs",
        formula="dL/dX = dL/dZ·Wᵀ",
        latex=r"\frac{\partial L}{\partial X} = \frac{\partial L}{\partial Z} W^{\mathsf T}",
        shape="(n_samples, n_in)",
        spread=spread_grad_inputs,
    ),
)
