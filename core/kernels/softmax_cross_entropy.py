"""Softmax and cross-entropy with class indices, in as few passes over the logits as they need.

With t_k = exp(z_k − max z) and s = Σ t, the loss's derivative by the logits of one sample is

    dL/dz_k = t_k / s for the other classes,    dL/dz_y = −(s − t_y) / s for the target's.

So the exponentials are made into a gradient that still wants its factor 1/s: the target's entry becomes
minus the sum of the others, added up and not subtracted, and every digit is kept. The factor goes into
the smaller matrix of each product that follows. Few logits have a kernel of their own, for it is the calls
that take their time. Kernels take arrays as a `Problem` has checked them.

References
----------
.. [1] Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108 and 4.109.
"""

from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from core.arrays import Array, is_finite

MAX_CLASSES_ON_SLOW_AXIS = 64
"""Up to here the classes are kept on the slow axis: reductions over a short fast one take ten times as long."""

BLOCK_BYTES = 1 << 19
"""How much of the logits is worked on at a time: what stays in a core's cache from one pass to the next."""

MAX_CACHED_LENGTH = 4096
"""Vectors of up to so many entries that are always the same are kept for the next time."""

MAX_PLAIN_EXPONENT = 40.0
"""Exponentials of numbers up to this size fit float32, and so do their sums and quotients: they need no shift."""

Labels: TypeAlias = npt.NDArray[Any]
"""An array of class indices, integers of any width."""


def compute_logits(inputs: Array, weights: Array, bias: Array | None = None) -> Array:
    """Compute X·W + b in the order in memory that `to_unscaled_gradient` takes.

    Parameters
    ----------
    inputs : ndarray, shape (n_samples, n_in)
    weights : ndarray, shape (n_in, n_classes)
    bias : ndarray, shape (n_classes,), optional

    Returns
    -------
    ndarray, shape (n_samples, n_classes)
    """
    if weights.shape[1] <= MAX_CLASSES_ON_SLOW_AXIS:
        logits: Array = weights.T.dot(inputs.T).T
    else:
        logits = inputs.dot(weights)
    if bias is not None:
        logits += bias
    return logits


def find_largest_size(logits: Array) -> float:
    """Return the largest absolute value; one that is not finite where a logit is not.

    Parameters
    ----------
    logits : ndarray
        Of `compute_logits`.

    Returns
    -------
    float
    """
    entries = logits.ravel(order="K")
    return float(max(entries.max(), -entries.min()))


def to_unscaled_gradient(
    logits: Array, labels: Labels, target_shifts: Array | None = None, *, is_shifted: bool = True
) -> Array:
    """Turn logits, in place, into the gradient by them that still has to be divided by a row's sum.

    Parameters
    ----------
    logits : ndarray, shape (n_samples, n_classes)
        Of `compute_logits`; overwritten.
    labels : ndarray of int, shape (n_samples,)
    target_shifts : ndarray, shape (n_samples,), optional
        Takes z_y − max z, for `losses_of`; z_y where nothing is shifted.
    is_shifted : bool
        Whether the logits need shifting: some exceed `MAX_PLAIN_EXPONENT` in size.

    Returns
    -------
    ndarray, shape (n_samples,)
        The sums s: dL/dZ of the sum of the losses is ``logits / s[:, None]``.
    """
    n_samples, n_classes = logits.shape
    if n_classes > MAX_CLASSES_ON_SLOW_AXIS:
        return _many_classes(logits, labels, target_shifts, is_shifted=is_shifted)
    by_class = logits.T
    entries = by_class.ravel()
    # a narrow integer type would overflow
    targets = labels * np.intp(n_samples) + _count(n_samples)
    if is_shifted:
        by_class -= np.maximum.reduce(by_class, 0)
    if target_shifts is not None:
        target_shifts[:] = entries[targets]
    np.exp(by_class, by_class)
    own = entries[targets]
    entries[targets] = 0.0
    sums: Array = _ones(n_classes, logits.dtype).dot(by_class)
    entries[targets] = -sums
    sums += own
    return sums


def losses_of(unscaled: Array, labels: Labels, sums: Array, target_shifts: Array) -> Array:
    """Compute each sample's cross-entropy in nats from what `to_unscaled_gradient` leaves.

    Parameters
    ----------
    unscaled : ndarray, shape (n_samples, n_classes)
    labels : ndarray of int, shape (n_samples,)
    sums, target_shifts : ndarray, shape (n_samples,)

    Returns
    -------
    ndarray, shape (n_samples,)
    """
    others = -unscaled[_count(len(labels)), labels]
    # ln s − (z_y − max z) cancels only where the target has most of s, and there ln(1 + (s − t_y)/t_y) does not
    return np.where(
        others > 0.5 * sums, np.log(sums) - target_shifts, np.log1p(others / np.maximum(sums - others, 0.5 * sums))
    )


def compute_gradient_of_few(
    logits: Array, labels: Labels, divisor: float
) -> tuple[Array, Array | float, Array | float] | None:
    """Compute the gradient by logits that are so few that it is the calls that take the time.

    Parameters
    ----------
    logits : ndarray, shape (n_samples, n_classes)
        Row by row in memory.
    labels : ndarray of int, shape (n_samples,)
    divisor : float
        What the gradient of the sum of the losses is divided by.

    Returns
    -------
    tuple of ndarray, or None
        The gradient, shape (n_samples, n_classes); each target's exponential, and the sum of all others, shape
        (n_samples,), or a number for one sample. None where a logit is not finite.
    """
    # what is not a number is not less either
    if 0 not in (np.abs(logits) < MAX_PLAIN_EXPONENT).tobytes():
        powers = np.exp(logits)
    elif is_finite(logits):
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    else:
        return None
    if len(powers) == 1:
        return powers, *_scale_row(powers, int(labels[0]), divisor)
    entries, targets = powers.ravel(), labels + _few_starts(*powers.shape)
    own = entries[targets]
    entries[targets] = 0.0
    others = np.add.reduce(powers, -1)
    entries[targets] = 0.0 - others
    powers /= ((own + others) * divisor)[:, None]
    return powers, own, others


def _scale_row(powers: Array, label: int, divisor: float) -> tuple[float, float]:
    # of one row plain numbers take a third of the time that arrays of one number do
    numbers = powers[0].tolist()
    own, numbers[label] = numbers[label], 0.0
    others = sum(numbers)
    powers[0, label] = 0.0 - others
    powers /= (own + others) * divisor
    return own, others


def _many_classes(logits: Array, labels: Labels, target_shifts: Array | None, *, is_shifted: bool) -> Array:
    n_samples, n_classes = logits.shape
    entries = logits.ravel()
    targets = _count(n_samples) * n_classes + labels
    ones, sums = _ones(n_classes, logits.dtype), np.empty(n_samples, logits.dtype)
    n_rows = max(1, BLOCK_BYTES // (n_classes * logits.itemsize))
    for start in range(0, n_samples, n_rows):
        block, rows = logits[start : start + n_rows], slice(start, start + n_rows)
        if is_shifted:
            block -= np.maximum.reduce(block, 1)[:, None]
        if target_shifts is not None:
            target_shifts[rows] = entries[targets[rows]]
        np.exp(block, block)
        own = entries[targets[rows]]
        entries[targets[rows]] = 0.0
        others = block.dot(ones)
        entries[targets[rows]] = -others
        np.add(others, own, sums[rows])
    return sums


def _count(n: int) -> npt.NDArray[np.intp]:
    return _few_numbers(n) if n <= MAX_CACHED_LENGTH else np.arange(n)


def _ones(n: int, dtype: np.dtype[np.float64]) -> Array:
    return _few_ones(n, dtype) if n <= MAX_CACHED_LENGTH else np.ones(n, dtype)


@lru_cache(maxsize=256)
def _few_starts(n_samples: int, n_classes: int) -> npt.NDArray[np.intp]:
    return np.arange(n_samples) * n_classes


_few_numbers = lru_cache(maxsize=16)(np.arange)
_few_ones = lru_cache(maxsize=16)(np.ones)
