"""Softmax and cross-entropy with class indices, in as few passes over the logits as they need.

With t_k = exp(z_k − max z) and s = Σ t, the loss's derivative by the logits of one sample is

    dL/dz_k = t_k / s for the other classes,    dL/dz_y = −(s − t_y) / s for the target's.

So the exponentials are made into a gradient that still wants its factor 1/s: the target's entry becomes
minus the sum of the others, added up and not subtracted, and every digit is kept. The factor goes into
the smaller matrix of each product that follows. One sample of few classes has a kernel of its own, for it is
the calls that take its time. Kernels take arrays as a `Problem` has checked them.

References
----------
.. [1] Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.108 and 4.109.
"""

from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from core.arrays import Array, is_finite

MAX_CLASSES_ON_SLOW_AXIS = 64
"""Up to here the classes are kept on the slow axis: reductions over a short fast one take ten times as long."""

BLOCK_BYTES = 1 << 19
"""How much of the logits is worked on at a time: what stays in a core's cache from one pass to the next."""

MAX_CACHED_LENGTH = 4096
"""Vectors of up to so many entries that are always the same are kept for the next time."""

MAX_ACCURATE_LOSS = 80.0
"""Above this loss the probability of the target may have few digits left, and its quotient fewer."""

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


def to_unscaled_gradient(logits: Array, labels: Labels, target_shifts: Array | None = None) -> Array:
    """Turn logits, in place, into the gradient by them that still has to be divided by a row's sum.

    Parameters
    ----------
    logits : ndarray, shape (n_samples, n_classes)
        Of `compute_logits`; overwritten.
    labels : ndarray of int, shape (n_samples,)
    target_shifts : ndarray, shape (n_samples,), optional
        Takes z_y − max z, for `losses_of`.

    Returns
    -------
    ndarray, shape (n_samples,)
        The sums s: dL/dZ of the sum of the losses is ``logits / s[:, None]``.
    """
    n_samples, n_classes = logits.shape
    if n_classes > MAX_CLASSES_ON_SLOW_AXIS:
        return _many_classes(logits, labels, target_shifts)
    by_class = logits.T
    entries = by_class.ravel()
    if n_samples == 1:
        # the entries are the classes, and the calls are what takes the time
        targets, largest = labels, entries[entries.argmax()]
    else:
        # a narrow integer type would overflow
        targets = np.multiply(labels, n_samples, dtype=np.intp) + _count(n_samples)
        largest = np.maximum.reduce(by_class, 0)
    by_class -= largest
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


class OneSample(NamedTuple):
    """Softmax and cross-entropy of one sample, all but the losses of shape (1, n_classes), the losses of shape (1,)."""

    logits: Array
    probabilities: Array
    losses: Array
    grad_outputs: Array
    grad_logits: Array


def compute_one_sample(inputs: Array, weights: Array, label: int, bias: Array | None = None) -> OneSample | None:
    """Compute what the rules do for one sample, to the last bit, without the calls that batches take.

    Parameters
    ----------
    inputs : ndarray, shape (1, n_in)
    weights : ndarray, shape (n_in, n_classes)
    label : int
        The class index, from 0.
    bias : ndarray, shape (n_classes,), optional

    Returns
    -------
    OneSample or None
        None where a number is not finite, or the loss exceeds `MAX_ACCURATE_LOSS`.
    """
    logits = inputs @ weights if bias is None else inputs @ weights + bias
    z = logits[0]
    top = _index_of_largest(z)
    shifted = z - z[top]
    powers = np.exp(shifted)
    probabilities = powers / powers.sum()
    powers[top] = 0.0
    losses = 0.0 - (shifted[label : label + 1] - np.log1p(powers.sum()))
    # a pre-activation that is not finite, or a loss that is not, leaves nothing else so
    if not losses[0] <= MAX_ACCURATE_LOSS or not is_finite(logits):
        return None
    grad_outputs, grad_logits = np.zeros_like(logits), probabilities.copy()
    grad_outputs[0, label] = 0.0 - 1.0 / probabilities[label]
    if _index_of_largest(probabilities) == label:
        grad_logits[label] = 0.0
        others = grad_logits.sum()
    else:
        others = probabilities.sum() - probabilities[label]
    grad_logits[label] = 0.0 - others
    return OneSample(logits, probabilities[None], losses, grad_outputs, grad_logits[None])


def _index_of_largest(entries: Array) -> int:
    # argmax releases the GIL; in steps as short as these, so often that threads waiting for it starve
    values = entries.tolist()
    index: int = values.index(max(values))
    return index


def _many_classes(logits: Array, labels: Labels, target_shifts: Array | None) -> Array:
    n_samples, n_classes = logits.shape
    entries = logits.ravel()
    targets = _count(n_samples) * n_classes + labels
    ones, sums = _ones(n_classes, logits.dtype), np.empty(n_samples, logits.dtype)
    n_rows = max(1, BLOCK_BYTES // (n_classes * logits.itemsize))
    for start in range(0, n_samples, n_rows):
        block, rows = logits[start : start + n_rows], slice(start, start + n_rows)
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


_few_numbers = lru_cache(maxsize=16)(np.arange)
_few_ones = lru_cache(maxsize=16)(np.ones)
