"""How rounding spreads through the steps, when work is done by hand to a few decimals.

Each function bounds the error of one rule's output, entry by entry and to first order, from bounds of its
inputs' errors; everything is in units of the last decimal kept. It is the worst case, in which all errors
add up: a right answer is not off by more, as long as errors are small beside what they are errors of.

References
----------
.. [1] Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, section 3.1.
"""

from collections.abc import Sequence

import numpy as np

from core.arrays import Array
from core.steps.rules import Place

HALF = 0.5
"""What rounding one number moves it by, at most."""

STEEPEST = 2.0
"""How fast the slope of an activation changes with its value, at most: 1 − a² of tanh by a."""

MOST = 100.0
"""The largest error that is followed: beyond it, two decimals are lost and a bound says little."""

Errors = Sequence[Array]


def spread_affine(place: Place, errors: Errors, inputs: Array, weights: Array, bias: Array | None = None) -> Array:
    """Bound the error of X·W + b; weights and bias are given exactly."""
    return np.asarray(errors[0] @ np.abs(weights))


def spread_activation(place: Place, errors: Errors, z: Array) -> Array:
    """Bound the error of f(Z)."""
    return _through(place, z, place.activation.value(z), errors[0])


def spread_losses(place: Place, errors: Errors, z: Array, a: Array, y: Array, unit: Array) -> Array:
    """Bound the error of each sample's loss, computed from rounded outputs, each term rounded."""
    slopes = np.abs(place.loss.grad_outputs(z, a, y))
    return np.asarray((_capped(slopes * errors[1]) + HALF * (y != 0)).sum(axis=-1) / unit)


def spread_penalty(place: Place, errors: Errors, decay: Array, *parameters: Array) -> Array:
    """Bound the error of an L2 term: nothing but its own rounding, and none where there is no penalty."""
    return np.asarray(0.0 if decay else -HALF)


def spread_loss(place: Place, errors: Errors, losses: Array, divisor: Array, *penalties: Array) -> Array:
    """Bound the error of the reduced loss."""
    return np.asarray(errors[0].sum() / divisor + sum(errors[2:]))


def spread_loss_gradient(
    place: Place, errors: Errors, z: Array, a: Array, y: Array, divisor: Array, unit: Array
) -> Array:
    """Bound the error of dL/dA, computed from rounded outputs."""
    return _capped(place.loss.curvature(a, y) * errors[1]) / (divisor * unit)


def spread_logits_gradient(
    place: Place, errors: Errors, z: Array, a: Array, y: Array, divisor: Array, unit: Array
) -> Array:
    """Bound the error of (A − Y)/N."""
    return np.asarray(errors[1] / (divisor * unit))


def spread_activation_gradient(place: Place, errors: Errors, grad: Array, z: Array, a: Array) -> Array:
    """Bound the error of dL/dA ∘ f′(Z), the slope computed from rounded activations."""
    through = _through(place, z, a, errors[0])
    if place.activation.gives_distribution:
        # s ∘ (g − ⟨s, g⟩) by s
        centred = np.abs(grad - (a * grad).sum(axis=-1, keepdims=True)) * errors[2]
        return np.asarray(through + centred + a * (np.abs(grad) * errors[2]).sum(axis=-1, keepdims=True))
    return np.asarray(through + np.abs(grad) * _slope_error(errors))


def spread_grad_weights(
    place: Place, errors: Errors, inputs: Array, grad: Array, weights: Array, decay: Array
) -> Array:
    """Bound the error of Xᵀ·dL/dZ + decay · W."""
    products = np.abs(inputs).T @ errors[1] + errors[0].T @ np.abs(grad)
    return np.asarray(products + (HALF if decay else 0.0))


def spread_grad_bias(place: Place, errors: Errors, grad: Array, bias: Array, decay: Array) -> Array:
    """Bound the error of the sum over samples."""
    return np.asarray(errors[0].sum(axis=0) + (HALF if decay else 0.0))


def spread_grad_inputs(place: Place, errors: Errors, grad: Array, weights: Array) -> Array:
    """Bound the error of dL/dZ·Wᵀ."""
    return np.asarray(errors[0] @ np.abs(weights).T)


def spread_local_activation(place: Place, errors: Errors, rows: Array, z: Array, a: Array) -> Array:
    """Bound the error of rows times the activation's Jacobian, both rounded."""
    through = _through(place, z[:, None, :], a[:, None, :], errors[0])
    # the matrix is written down before it multiplies rows other than the identity, which have no error
    written = HALF if errors[0].any() else 0.0
    if not place.activation.gives_distribution:
        return np.asarray(through + np.abs(rows) * (_slope_error(errors)[:, None, :] + written))
    # J = diag(s) − s·sᵀ, so s_i·(1 − s_i) on the diagonal and −s_i·s_j off it
    own, sizes = errors[2], np.abs(rows)
    # s·(1 − s), or s times the sum of the others: rounded probabilities need not sum to 1
    rest = own.sum(axis=-1, keepdims=True) - own
    on_diagonal = np.maximum(np.abs(1.0 - 2.0 * a) * own, (1.0 - a) * own + a * rest) - 2.0 * a * own
    # |r|·(s·eᵀ + e·sᵀ) without its diagonal: the matrix itself may be far larger than the rows
    through += (sizes @ a[:, :, None]) * own[:, None, :]
    through += (sizes @ own[:, :, None]) * a[:, None, :]
    through += sizes * on_diagonal[:, None, :]
    return np.asarray(through + written * sizes.sum(axis=-1, keepdims=True))


def _slope_error(errors: Errors) -> Array:
    # some slopes are computed from the activation, others from the pre-activation, by which none is steeper than 1
    return np.maximum(STEEPEST * errors[2], errors[1])


def _through(place: Place, z: Array, a: Array, error: Array) -> Array:
    if place.activation.gives_distribution:
        # Σ|J|e over a row of diag(s) − s·sᵀ
        through = error * (1.0 - 2.0 * a)
        through += (a * error).sum(axis=-1, keepdims=True)
        return np.asarray(a * through)
    return np.abs(place.activation.vjp(z, a, np.ones(z.shape))) * error


def _capped(error: Array) -> Array:
    return np.asarray(np.minimum(np.nan_to_num(error, nan=MOST, posinf=MOST), MOST))
