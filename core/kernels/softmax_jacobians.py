"""The softmax's Jacobians as matrices, each number written once.

dS/dZ = diag(s) − s·sᵀ is an outer product but for its diagonal s_i·(1 − s_i), and so is the Jacobian by
the weights, dS/dZ·(I ⊗ xᵀ) = −s ⊗ vec(s ⊗ x) but for the blocks s_i·(1 − s_i)·xᵀ on its diagonal. What
1 − s_i stands for is added up from the other probabilities, so that a sure prediction keeps its digits.

References
----------
.. [1] Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.106.
"""

import numpy as np

from core.arrays import Array, along_last

MIN_COLUMNS_FOR_SMALL_BUFFER = 100
"""The least number of columns from which a product by rows is faster with the small buffer."""


def jacobian_softmax(probabilities: Array) -> Array:
    """Compute dS/dZ of each sample.

    Parameters
    ----------
    probabilities : ndarray, shape (n_samples, n_classes)

    Returns
    -------
    ndarray, shape (n_samples, n_classes, n_classes)
    """
    n_samples, n_classes = probabilities.shape
    jacobian = _outer(-probabilities, probabilities)
    diagonal = jacobian.reshape(n_samples, -1)[:, :: n_classes + 1]
    np.multiply(probabilities, sums_of_others(probabilities), out=diagonal)
    return jacobian


def jacobian_softmax_by_weights(probabilities: Array, inputs: Array) -> Array:
    """Compute dS/dW of each sample, for S = softmax(X·W + b).

    Parameters
    ----------
    probabilities : ndarray, shape (n_samples, n_classes)
    inputs : ndarray, shape (n_samples, n_in)

    Returns
    -------
    ndarray, shape (n_samples, n_classes, n_in · n_classes)
        Columns stack W by columns.
    """
    n_samples, n_classes = probabilities.shape
    products = probabilities[:, :, None] * inputs[:, None, :]
    jacobian = _outer(-probabilities, products.reshape(n_samples, -1))
    classes = np.arange(n_classes)
    blocks = jacobian.reshape(n_samples, n_classes, n_classes, -1)
    blocks[:, classes, classes] = products * sums_of_others(probabilities)[:, :, None]
    # -s·0, or what is too small to be more, is -0; adding 0 turns it into 0
    if not probabilities.min() * np.abs(products).min() >= np.finfo(jacobian.dtype).smallest_normal:
        np.add(jacobian, 0.0, out=jacobian)
    return jacobian


def sums_of_others(p: Array) -> Array:
    """Add up, for each entry of a row of numbers that are not negative, the others of the row.

    Parameters
    ----------
    p : ndarray, shape (..., n)

    Returns
    -------
    ndarray, same shape
    """
    # at the largest entry a difference would lose what the sum keeps
    at_top = along_last(p, p.argmax(axis=-1, keepdims=True))
    below = p.copy()
    below[at_top] = 0.0
    others = np.asarray(p.sum(axis=-1, keepdims=True) - p)
    others[at_top] = below.sum(axis=-1, keepdims=True)
    return others


def _outer(left: Array, right: Array) -> Array:
    columns, row = left[:, :, None], right[:, None, :]
    if right.shape[1] < MIN_COLUMNS_FOR_SMALL_BUFFER:
        return np.multiply(columns, row)
    # with its usual buffer NumPy copies rows into it that are shorter than it, which takes three times as long
    usual = np.setbufsize(128)
    try:
        return np.multiply(columns, row)
    finally:
        np.setbufsize(usual)
