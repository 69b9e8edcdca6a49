"""How rounding errors grow through activations, slopes and losses, when work is done by hand to a few decimals.

Through all other rules errors are followed along the formula (`Rule.follow_errors`). Here that would allow too
much or too little: what stands in a formula twice has errors that cancel in part, as an entry of a softmax in its own
denominator; and a slope is computed from the pre-activation or from the activation, whichever the student takes. Each
function bounds the error entry by entry and to first order, in the worst case, in which all errors add up.

References
----------
.. [1] Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002, section 3.1.
"""

from collections.abc import Sequence

import numpy as np

from core.activations import MAX_SLOPE_PER_ACTIVATION
from core.arrays import Array
from core.steps.context import RuleContext
from core.steps.rounding import Rounding

Errors = Sequence[Array]


def bound_activation(context: RuleContext, rounding: Rounding, errors: Errors, z: Array) -> Array:
    """Bound the error of f(Z)."""
    if context.activation.gives_distribution:
        return _bound_softmax(rounding, errors[0], z)
    a = context.activation.value(z)
    through = _slope(context, z, a) * errors[0]
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
    # an output stands in both terms of binary cross-entropy, and its errors cancel in part
    terms = context.loss.value(a[..., None], y[..., None])
    through = rounding.cap(np.abs(context.loss.grad_outputs(z, a, y)) * errors[1])
    return np.asarray((through + rounding.of(terms, through)).sum(axis=-1) / log_of_base)


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
    # a quotient by a faint probability has more errors than can be followed
    bound = context.loss.derivative_bound(rounding.of, (a, y), (errors[1], None))
    return np.zeros(()) if bound is None else rounding.cap(bound) / (divisor * log_of_base)


def bound_activation_gradient(
    context: RuleContext, rounding: Rounding, errors: Errors, grad: Array, z: Array, a: Array
) -> Array:
    """Bound the error of dL/dA ∘ f′(Z), the slope computed from rounded activations and written down."""
    if context.activation.gives_distribution:
        # s ∘ (g − ⟨s, g⟩) by s
        centred = np.abs(grad - (a * grad).sum(axis=-1, keepdims=True)) * errors[2]
        through = _through_softmax(a, errors[0])
        return np.asarray(through + centred + a * (np.abs(grad) * errors[2]).sum(axis=-1, keepdims=True))
    slope = _slope(context, z, a)
    return np.asarray(slope * errors[0] + np.abs(grad) * _slope_error(context, rounding, errors, slope))


def bound_local_activation(
    context: RuleContext, rounding: Rounding, errors: Errors, rows: Array, z: Array, a: Array
) -> Array:
    """Bound the error of rows times the activation's Jacobian, both rounded."""
    # the matrix is written down before it multiplies rows other than the identity, which have no error
    is_written = bool(errors[0].any())
    if not context.activation.gives_distribution:
        slope = _slope(context, z, a)
        slope_error = _slope_error(context, rounding, errors, slope, is_written=is_written)
        return np.asarray(slope[:, None, :] * errors[0] + np.abs(rows) * slope_error[:, None, :])
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
    context: RuleContext, rounding: Rounding, errors: Errors, slope: Array, *, is_written: bool = True
) -> Array:
    activation = context.activation
    # some slopes are computed from the activation, others from the pre-activation
    by_value = MAX_SLOPE_PER_ACTIVATION * errors[2] if activation.slope else 0.0
    error = np.maximum(by_value, activation.steepest * errors[1])
    return error + rounding.of(slope, error) if is_written else error


def _slope(context: RuleContext, z: Array, a: Array) -> Array:
    return np.abs(context.activation.vjp(z, a, np.ones(z.shape)))


def _through_softmax(a: Array, error: Array) -> Array:
    # Σ|J|e over a row of diag(s) − s·sᵀ
    through = error * (1.0 - 2.0 * a)
    through += (a * error).sum(axis=-1, keepdims=True)
    return np.asarray(a * through)
