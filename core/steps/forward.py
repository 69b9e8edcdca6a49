"""The forward rules, each with its local Jacobians beside it."""

from collections.abc import Sequence

import numpy as np

from core.arrays import Array
from core.steps.rules import LocalJacobian, Place, Rule
from core.steps.spreads import Rounding, spread_activation, spread_affine, spread_local_activation


def _affine(place: Place, inputs: Array, weights: Array, bias: Array | None = None) -> Array:
    product = inputs @ weights
    return product if bias is None else np.asarray(product + bias)


def _pull_affine_to_weights(place: Place, rows: Array, inputs: Array) -> Array:
    # dZ/dvec(W) = I ⊗ xᵀ, so a row r becomes r ⊗ xᵀ, or xᵀ ⊗ r with W row by row; adding 0 turns -0 into 0
    stacked = rows[..., :, None] * inputs[..., None, None, :]
    if place.conventions.column_order == "rows_first":
        stacked = stacked.mT
    return np.asarray(stacked.reshape(*stacked.shape[:-2], -1) + 0.0)


def _spread_affine_to_weights(
    place: Place, rounding: Rounding, errors: Sequence[Array], rows: Array, inputs: Array
) -> Array:
    return _pull_affine_to_weights(place, errors[0], np.abs(inputs)) + _pull_affine_to_weights(
        place, np.abs(rows), errors[1]
    )


def _affine_by_weights(place: Place, inputs: Array) -> Array | None:
    if place.conventions.column_order == "rows_first":
        return None
    n_samples, n_in = inputs.shape
    n_out = place.layer.n_out
    matrix = np.zeros((n_samples, n_out, n_out, n_in), inputs.dtype)
    outputs = np.arange(n_out)
    matrix[:, outputs, outputs] = inputs[:, None, :] + 0.0
    return matrix.reshape(n_samples, n_out, -1)


def _activation_matrix(place: Place, z: Array, a: Array) -> Array | None:
    return place.activation.jacobian(a) if place.activation.jacobian else None


def _pull_activation(place: Place, rows: Array, z: Array, a: Array) -> Array:
    return place.activation.vjp(z[..., None, :], a[..., None, :], rows)


def pull_plainly(place: Place, grad: Array, z: Array, a: Array) -> Array:
    """Multiply rows by an activation's Jacobian as textbooks write it, for an a that need not be f(z).

    Parameters
    ----------
    place : Place
    grad, z, a : ndarray
        Of shapes that broadcast.

    Returns
    -------
    ndarray
    """
    if place.activation.gives_distribution:
        # diag(a) − a·aᵀ as it stands: `vjp` assumes that a sums to 1
        return np.asarray(a * (grad - (a * grad).sum(axis=-1, keepdims=True)))
    slope = place.activation.slope
    return place.activation.vjp(z, a, grad) if slope is None else np.asarray(grad * slope(a))


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
        spread=spread_affine,
        jacobians={
            "A{l-1}": LocalJacobian(
                by="inputs",
                formula="dZ/dx = Wᵀ",
                latex=r"\frac{\partial z}{\partial x} = W^{\mathsf T}",
                shape="(n_samples, n_out, n_in)",
                inputs=("W{l}",),
                pull=lambda place, rows, weights: rows @ weights.mT,
                spread=lambda place, rounding, errors, rows, weights: errors[0] @ np.abs(weights).T,
            ),
            "W{l}": LocalJacobian(
                by="weights",
                formula="dZ/dW = I ⊗ xᵀ, with rows_first xᵀ ⊗ I",
                latex=r"\frac{\partial z}{\partial \operatorname{vec} W} = I \otimes x^{\mathsf T}",
                shape="(n_samples, n_out, n_in·n_out)",
                inputs=("A{l-1}",),
                pull=_pull_affine_to_weights,
                matrix=_affine_by_weights,
                spread=_spread_affine_to_weights,
            ),
            "b{l}": LocalJacobian(
                by="bias",
                formula="dZ/db = I",
                latex=r"\frac{\partial z}{\partial b} = I",
                shape="(n_samples, n_out, n_out)",
                inputs=(),
                pull=lambda place, rows: rows,
                spread=lambda place, rounding, errors, rows: errors[0],
            ),
        },
    ),
    Rule(
        name="activation",
        output="A{l}",
        inputs=("Z{l}",),
        apply=lambda place, z: place.activation.value(z),
        quantity="activations",
        formula="A = f(Z)",
        latex=r"A = f(Z)",
        shape="(n_samples, n_out)",
        spread=spread_activation,
        jacobians={
            "Z{l}": LocalJacobian(
                by="pre_activations",
                formula="dA/dZ = diag(f′(z)); for softmax diag(s) − s·sᵀ",
                latex=r"\frac{\partial a}{\partial z} = \operatorname{diag} f'(z);\quad"
                r"\operatorname{diag}(s) - s s^{\mathsf T}",
                shape="(n_samples, n_out, n_out)",
                inputs=("Z{l}", "A{l}"),
                pull=_pull_activation,
                plain=lambda place, rows, z, a: pull_plainly(place, rows, z[..., None, :], a[..., None, :]),
                matrix=_activation_matrix,
                spread=spread_local_activation,
            ),
        },
    ),
)
