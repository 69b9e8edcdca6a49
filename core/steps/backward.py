"""The backward rules: the four equations of back-propagation, and the output layer's two ways in."""

from typing import cast

import numpy as np

from core.arrays import Array
from core.formulas import parse_formula
from core.losses import Logits
from core.steps.context import RuleContext, Structure
from core.steps.rounding_bounds import bound_activation_gradient, bound_loss_gradient
from core.steps.rules import FUNCTIONS, Rule


def _grad_parameter(grad: Array, parameter: Array, l2_coefficient: Array) -> Array:
    return np.asarray(grad + l2_coefficient * parameter) if np.count_nonzero(l2_coefficient) else grad


def _logits(context: RuleContext) -> Logits:
    # the table has the step only where the loss has them
    return cast("Logits", context.loss.logits)


BACKWARD_RULES = (
    Rule(
        name="loss_gradient",
        output="dL_dA{n}",
        inputs={"Z": "Z{n}", "A": "A{n}", "Y": "y", "N": "divisor", "ln_B": "log_of_base"},
        quantity="grad_activations",
        formula=parse_formula("loss′(A)/(N·ln_B)", FUNCTIONS),
        shape="(n_samples, n_out)",
        why="Each output enters its own term of the loss only, so its derivative is that of this term.",
        exact=lambda context, z, a, y, divisor, log_of_base: (
            context.loss.grad_outputs(z, a, y) / (divisor * log_of_base)
        ),
        bound=bound_loss_gradient,
        advice="it divides by the probability, which underflows when a logit lies about 709 below the largest; "
        "dL_dZ, dL_dW, dL_db and dL_dX need no division: ask for those without it",
    ),
    Rule(
        name="logits_gradient",
        output="dL_dZ{n}",
        inputs={"Z": "Z{n}", "A": "A{n}", "Y": "y", "N": "divisor", "ln_B": "log_of_base"},
        quantity="grad_pre_activations",
        formula=parse_formula("(A − Y)/(N·ln_B)"),
        shape="(n_samples, n_out)",
        why="The derivative of the loss by the outputs and that of the activation cancel to outputs minus targets.",
        exact=lambda context, z, a, y, divisor, log_of_base: _logits(context).grad(z, a, y) / (divisor * log_of_base),
        passes_outputs=True,
        applies=Structure.is_fused,
    ),
    Rule(
        name="activation_gradient",
        output="dL_dZ{l}",
        inputs={"dL/dA": "dL_dA{l}", "Z": "Z{l}", "A": "A{l}"},
        quantity="grad_pre_activations",
        formula=parse_formula("dL/dA∘f′(Z)", FUNCTIONS),
        shape="(n_samples, n_out)",
        why="The chain rule: what comes from above is multiplied by the slope of the activation at Z; in a softmax "
        "every output of a sample counts, each by how it moves with this pre-activation.",
        exact=lambda context, grad, z, a: context.activation.vjp(z, a, grad),
        passes_outputs=True,
        applies=lambda structure, layer: not structure.is_fused(layer),
        bound=bound_activation_gradient,
    ),
    Rule(
        name="grad_weights",
        output="dL_dW{l}",
        inputs={"X": "A{l-1}", "dL/dZ": "dL_dZ{l}", "W": "W{l}", "c": "l2_coefficient"},
        quantity="grad_weights",
        formula=parse_formula("Xᵀ·dL/dZ + c·W"),
        shape="(n_in, n_out)",
        why="A weight's gradient is its input times the gradient of its output, added over the samples; a penalty, "
        "where there is one, adds its own derivative.",
        exact=lambda context, inputs, grad, weights, l2_coefficient: _grad_parameter(
            inputs.mT @ grad, weights, l2_coefficient
        ),
    ),
    Rule(
        name="grad_bias",
        output="dL_db{l}",
        inputs={"dL/dZ": "dL_dZ{l}", "b": "b{l}", "c": "bias_l2_coefficient"},
        quantity="grad_bias",
        formula=parse_formula("sum_samples(dL/dZ) + c·b"),
        shape="(n_out,)",
        why="The bias is added to every sample's pre-activation, so its gradient is the sum over the samples; a "
        "penalty on biases, where there is one, adds its own derivative.",
        exact=lambda context, grad, bias, l2_coefficient: _grad_parameter(grad.sum(axis=-2), bias, l2_coefficient),
        applies=lambda structure, layer: structure.biases[layer - 1],
    ),
    Rule(
        name="grad_inputs",
        output="dL_dA{l-1}",
        inputs={"dL/dZ": "dL_dZ{l}", "W": "W{l}"},
        quantity="grad_inputs",
        formula=parse_formula("dL/dZ·Wᵀ"),
        # as of the affine rule, for time
        exact=lambda context, grad, weights: grad @ weights.mT,
        shape="(n_samples, n_in)",
        why="An input reaches the loss through every output, each by its own weight.",
    ),
)
