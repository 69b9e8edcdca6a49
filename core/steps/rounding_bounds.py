"""How rounding errors grow through the steps, when work is done by hand to a few decimals.

Each function bounds the error of one rule's output, entry by entry and to first order, from bounds of its
inputs' errors and from the products that are rounded on the way. It is the worst case, in which all errors
add up: a right answer is not off by more, as long as errors are small beside what they are errors of.

References
----------
.. [1] Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, section 3.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.activations import MAX_SLOPE_PER_ACTIVATION
from core.arrays import Array
from core.steps.rules import RuleContext

MAX_BOUND_UNITS = 100.0
"""The largest error that is followed, in units: beyond it, two decimals are lost and a bound says little."""

EXACT_WITHIN_UNITS = 1e-9
"""How far a number may lie off one with the decimals kept and still be it, in units: float64's own rounding."""

Errors = Sequence[Array]


@dataclass(frozen=True, slots=True)
class Rounding:
    """Rounding to a number of decimals.

    Parameters
    ----------
    decimals : int
    """

    decimals: int

    @property
    def unit(self) -> float:
        """A unit of the last decimal."""
        return float(10.0**-self.decimals)

    def of(self, value: Array, error: Array | float = 0.0) -> Array:
        """Bound what writing numbers down adds to their error: half a unit.

        Parameters
        ----------
        value, error : ndarray
            The exact numbers, and how far those that are written down may lie off them.

        Returns
        -------
        ndarray
            0 for an exact number that the decimals write in full.
        """
        has_none = np.asarray(error) == 0
        if not has_none.any():
            return np.full(np.shape(value), 0.5 * self.unit)
        units = np.abs(value) / self.unit
        is_exact = np.abs(units - np.rint(units)) <= EXACT_WITHIN_UNITS + 1e-15 * units
        return np.where(is_exact & has_none, 0.0, 0.5 * self.unit)

    def cap(self, error: Array) -> Array:
        """Return errors without those that are too large to follow."""
        largest = MAX_BOUND_UNITS * self.unit
        return np.asarray(np.minimum(np.nan_to_num(error, nan=largest, posinf=largest), largest))


def bound_affine(
    context: RuleContext, rounding: Rounding, errors: Errors, inputs: Array, weights: Array, bias: Array | None = None
) -> Array:
    """Bound the error of X·W + b; weights and bias are given exactly."""
    return np.asarray(errors[0] @ np.abs(weights))


def bound_activation(context: RuleContext, rounding: Rounding, errors: Errors, z: Array) -> Array:
    """Bound the error of f(Z)."""
    if context.activation.gives_distribution:
        return _bound_softmax(rounding, errors[0], z)
    a = context.activation.value(z)
    through = _through(context, z, a, errors[0])
    # an exponential is written down, and the value follows it no faster than itself
    return through + rounding.of(a, through) if context.activation.uses_exponential else through


def _bound_softmax(rounding: Rounding, error: Array, z: Array) -> Array:
    """Bound the error of e^z / Σe^z, where both are written down, with the largest z taken off first or not."""
    plain, total = _bound_quotient(rounding, error, np.exp(z))
    shifted, _ = _bound_quotient(rounding, error, np.exp(z - z.max(axis=-1, keepdims=True)))
    # where a sum is so small that a digit is lost, or overflows, careful work takes the largest z off
    return rounding.cap(np.where((total >= 0.1) & np.isfinite(total), np.fmax(plain, shifted), shifted))


def _bound_quotient(rounding: Rounding, error: Array, exponentials: Array) -> tuple[Array, Array]:
    own = exponentials * error
    own = own + rounding.of(exponentials, own)
    total, owns = exponentials.sum(axis=-1, keepdims=True), own.sum(axis=-1, keepdims=True)
    a = exponentials / total
    # S_i = E_i/T, where T is the sum of the rounded E, or is rounded by itself; of one class E is T
    summed = own * (1.0 - a) + a * (owns - own)
    apart = own + a * rounding.of(total, owns) if exponentials.shape[-1] > 1 else summed
    return np.maximum(summed, apart) / total, total


def bound_losses(
    context: RuleContext, rounding: Rounding, errors: Errors, z: Array, a: Array, y: Array, log_of_base: Array
) -> Array:
    """Bound the error of each sample's loss, computed from rounded outputs, each term rounded."""
    terms = context.loss.value(a[..., None], y[..., None])
    through = rounding.cap(np.abs(context.loss.grad_outputs(z, a, y)) * errors[1])
    return np.asarray((through + rounding.of(terms, through)).sum(axis=-1) / log_of_base)


def bound_penalty(
    context: RuleContext, rounding: Rounding, errors: Errors, l2_coefficient: Array, *parameters: Array
) -> Array:
    """Bound the error of an L2 term: nothing but its own rounding."""
    return np.zeros(())


def bound_loss(
    context: RuleContext, rounding: Rounding, errors: Errors, losses: Array, divisor: Array, *penalties: Array
) -> Array:
    """Bound the error of the reduced loss."""
    return np.asarray(errors[0].sum() / divisor + sum(errors[2:]))


def bound_loss_gradient(
    context: RuleContext,
    rounding: Rounding,
    errors: Errors,
    z: Array,
    a: Array,
    y: Array,
    divisor: Array,
    log_of_base: Array,
) -> Array:
    """Bound the error of dL/dA, computed from rounded outputs."""
    return rounding.cap(context.loss.curvature(a, y) * errors[1]) / (divisor * log_of_base)


def bound_logits_gradient(
    context: RuleContext,
    rounding: Rounding,
    errors: Errors,
    z: Array,
    a: Array,
    y: Array,
    divisor: Array,
    log_of_base: Array,
) -> Array:
    """Bound the error of (A − Y)/N."""
    return np.asarray(errors[1] / (divisor * log_of_base))


def bound_activation_gradient(
    context: RuleContext, rounding: Rounding, errors: Errors, grad: Array, z: Array, a: Array
) -> Array:
    """Bound the error of dL/dA ∘ f′(Z), the slope computed from rounded activations and written down."""
    if context.activation.gives_distribution:
        # s ∘ (g − ⟨s, g⟩) by s
        centred = np.abs(grad - (a * grad).sum(axis=-1, keepdims=True)) * errors[2]
        through = _through_softmax(a, errors[0])
        return np.asarray(through + centred + a * (np.abs(grad) * errors[2]).sum(axis=-1, keepdims=True))
    return np.asarray(_through(context, z, a, errors[0]) + np.abs(grad) * _slope_error(context, rounding, errors, z, a))


def bound_grad_weights(
    context: RuleContext,
    rounding: Rounding,
    errors: Errors,
    inputs: Array,
    grad: Array,
    weights: Array,
    l2_coefficient: Array,
) -> Array:
    """Bound the error of Xᵀ·dL/dZ + l2_coefficient · W."""
    products = np.abs(inputs).T @ errors[1] + errors[0].T @ np.abs(grad)
    return np.asarray(products + rounding.of(l2_coefficient * weights))


def bound_grad_bias(
    context: RuleContext, rounding: Rounding, errors: Errors, grad: Array, bias: Array, l2_coefficient: Array
) -> Array:
    """Bound the error of the sum over samples."""
    return np.asarray(errors[0].sum(axis=0) + rounding.of(l2_coefficient * bias))


def bound_grad_inputs(context: RuleContext, rounding: Rounding, errors: Errors, grad: Array, weights: Array) -> Array:
    """Bound the error of dL/dZ·Wᵀ."""
    return np.asarray(errors[0] @ np.abs(weights).T)


def bound_local_activation(
    context: RuleContext, rounding: Rounding, errors: Errors, rows: Array, z: Array, a: Array
) -> Array:
    """Bound the error of rows times the activation's Jacobian, both rounded."""
    # the matrix is written down before it multiplies rows other than the identity, which have no error
    is_written = bool(errors[0].any())
    if not context.activation.gives_distribution:
        through = _through(context, z[:, None, :], a[:, None, :], errors[0])
        slope_error = _slope_error(context, rounding, errors, z, a, is_written=is_written)
        return np.asarray(through + np.abs(rows) * slope_error[:, None, :])
    # J = diag(s) − s·sᵀ, so s_i·(1 − s_i) on the diagonal and −s_i·s_j off it
    through = _through_softmax(a[:, None, :], errors[0])
    own, sizes = errors[2], np.abs(rows)
    # s·(1 − s), or s times the sum of the others: rounded probabilities need not sum to 1
    rest = own.sum(axis=-1, keepdims=True) - own
    on_diagonal = np.maximum(np.abs(1.0 - 2.0 * a) * own, (1.0 - a) * own + a * rest) - 2.0 * a * own
    # |r|·(s·eᵀ + e·sᵀ) without its diagonal: the matrix itself may be far larger than the rows
    through += (sizes @ a[:, :, None]) * own[:, None, :]
    through += (sizes @ own[:, :, None]) * a[:, None, :]
    through += sizes * on_diagonal[:, None, :]
    # of a single class there is nothing but 0
    written = 0.5 * rounding.unit if is_written and a.shape[-1] > 1 else 0.0
    return np.asarray(through + written * sizes.sum(axis=-1, keepdims=True))


def _slope_error(
    context: RuleContext, rounding: Rounding, errors: Errors, z: Array, a: Array, *, is_written: bool = True
) -> Array:
    activation = context.activation
    # some slopes are computed from the activation, others from the pre-activation
    by_value = MAX_SLOPE_PER_ACTIVATION * errors[2] if activation.slope else 0.0
    error = np.maximum(by_value, activation.steepest * errors[1])
    return error + rounding.of(_slope(context, z, a), error) if is_written else error


def _slope(context: RuleContext, z: Array, a: Array) -> Array:
    return context.activation.vjp(z, a, np.ones(z.shape))


def _through(context: RuleContext, z: Array, a: Array, error: Array) -> Array:
    return np.abs(_slope(context, z, a)) * error


def _through_softmax(a: Array, error: Array) -> Array:
    # Σ|J|e over a row of diag(s) − s·sᵀ
    through = error * (1.0 - 2.0 * a)
    through += (a * error).sum(axis=-1, keepdims=True)
    return np.asarray(a * through)
