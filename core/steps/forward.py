"""The forward rules, each with its local Jacobians beside it."""

from collections.abc import Sequence

import numpy as np

from core.arrays import Array
from core.steps.rounding_bounds import Rounding, bound_activation, bound_affine, bound_local_activation
from core.steps.rules import LocalJacobian, Rule, RuleContext


def _affine(context: RuleContext, inputs: Array, weights: Array, bias: Array | None = None) -> Array:
    product = inputs @ weights
    return product if bias is None else np.asarray(product + bias)


def _pull_affine_to_weights(context: RuleContext, rows: Array, inputs: Array) -> Array:
    # dZ/dvec(W) = I ⊗ xᵀ, so a row r becomes r ⊗ xᵀ, or xᵀ ⊗ r with W row by row; adding 0 turns -0 into 0
    stacked = rows[..., :, None] * inputs[..., None, None, :]
    if context.conventions.column_order == "rows_first":
        stacked = stacked.mT
    return np.asarray(stacked.reshape(*stacked.shape[:-2], -1) + 0.0)


def _bound_affine_to_weights(
    context: RuleContext, rounding: Rounding, errors: Sequence[Array], rows: Array, inputs: Array
) -> Array:
    return _pull_affine_to_weights(context, errors[0], np.abs(inputs)) + _pull_affine_to_weights(
        context, np.abs(rows), errors[1]
    )


def _affine_by_weights(context: RuleContext, inputs: Array) -> Array | None:
    if context.conventions.column_order == "rows_first":
        return None
    n_samples, n_in = inputs.shape
    n_out = context.layer.n_out
    matrix = np.zeros((n_samples, n_out, n_out, n_in), inputs.dtype)
    outputs = np.arange(n_out)
    matrix[:, outputs, outputs] = inputs[:, None, :] + 0.0
    return matrix.reshape(n_samples, n_out, -1)


def _activation_matrix(context: RuleContext, z: Array, a: Array) -> Array | None:
    return context.activation.jacobian(a) if context.activation.jacobian else None


def _pull_activation(context: RuleContext, rows: Array, z: Array, a: Array) -> Array:
    return context.activation.vjp(z[..., None, :], a[..., None, :], rows)


def pull_from_outputs(context: RuleContext, grad: Array, z: Array, a: Array) -> Array:
    """Multiply rows by an activation's Jacobian as textbooks write it, for an a that need not be f(z).

    Parameters
    ----------
    context : RuleContext
    grad, z, a : ndarray
        Of shapes that broadcast.

    Returns
    -------
    ndarray
    """
    if context.activation.gives_distribution:
        # diag(a) − a·aᵀ as it stands: `vjp` assumes that a sums to 1
        return np.asarray(a * (grad - (a * grad).sum(axis=-1, keepdims=True)))
    slope = context.activation.slope
    return context.activation.vjp(z, a, grad) if slope is None else np.asarray(grad * slope(a))


FORWARD_RULES = (
    Rule(
        name="affine",
        output="Z{l}",
        inputs=("A{l-1}", "W{l}", "b{l}?"),
        apply=_affine,
        quantity="pre_activations",
        formula="Z = X·W + b",
        latex=r"Z = XW + b",
        shape="(n_samples, n_out)",
        rounding_bound=bound_affine,
        jacobians={
            "A{l-1}": LocalJacobian(
                by="inputs",
                formula="dZ/dx = Wᵀ",
                latex=r"\frac{\partial z}{\partial x} = W^{\mathsf T}",
                shape="(n_samples, n_out, n_in)",
                inputs=("W{l}",),
                pull=lambda context, rows, weights: rows @ weights.mT,
                rounding_bound=lambda context, rounding, errors, rows, weights: errors[0] @ np.abs(weights).T,
            ),
            "W{l}": LocalJacobian(
                by="weights",
                formula="dZ/dW = I ⊗ xᵀ, with rows_first xᵀ ⊗ I",
                latex=r"\frac{\partial z}{\partial \operatorname{vec} W} = I \otimes x^{\mathsf T}",
                shape="(n_samples, n_out, n_in·n_out)",
                inputs=("A{l-1}",),
                pull=_pull_affine_to_weights,
                matrix=_affine_by_weights,
                rounding_bound=_bound_affine_to_weights,
            ),
            "b{l}": LocalJacobian(
                by="bias",
                formula="dZ/db = I",
                latex=r"\frac{\partial z}{\partial b} = I",
                shape="(n_samples, n_out, n_out)",
                inputs=(),
                pull=lambda context, rows: rows,
                rounding_bound=lambda context, rounding, errors, rows: errors[0],
            ),
        },
    ),
    Rule(
        name="activation",
        output="A{l}",
        inputs=("Z{l}",),
        apply=lambda context, z: context.activation.value(z),
        quantity="activations",
        formula="A = f(Z)",
        latex=r"A = f(Z)",
        shape="(n_samples, n_out)",
        rounding_bound=bound_activation,
        jacobians={
            "Z{l}": LocalJacobian(
                by="pre_activations",
                formula="dA/dZ = diag(f′(z)); for softmax diag(s) − s·sᵀ",
                latex=r"\frac{\partial a}{\partial z} = \operatorname{diag} f'(z);\quad"
                r"\operatorname{diag}(s) - s s^{\mathsf T}",
                shape="(n_samples, n_out, n_out)",
                inputs=("Z{l}", "A{l}"),
                pull=_pull_activation,
                from_outputs=lambda context, rows, z, a: pull_from_outputs(
                    context, rows, z[..., None, :], a[..., None, :]
                ),
                matrix=_activation_matrix,
                rounding_bound=bound_local_activation,
            ),
        },
    ),
)
