"""The outer product of two rows: the weight gradient of one sample."""

import math

import numpy as np

from core.arrays import Array, is_finite

MIN_ENTRIES_TO_PAD = 2048
"""From here on a product of padded rows is faster than one of rows."""


def compute_outer_product(left: Array, right: Array) -> Array | None:
    """Compute leftᵀ·right, for one row each.

    Parameters
    ----------
    left : ndarray, shape (1, n_rows)
    right : ndarray, shape (1, n_columns)

    Returns
    -------
    ndarray, shape (n_rows, n_columns), or None
        None where an entry is not finite.
    """
    if left.size * right.size < MIN_ENTRIES_TO_PAD:
        product: Array = left.T @ right
        return product if is_finite(product) else None
    # the largest entry in size: no pass over the product has to look for it
    if not math.isfinite(np.abs(left).max() * np.abs(right).max()):
        return None
    # of single rows NumPy makes a loop that takes up to eight times as long; a row of zeros leads it to BLAS. A
    # broadcast product takes three times as long, and 0 times a negative number is -0 there.
    padded: Array = _pad(left).T @ _pad(right)
    return padded


def _pad(row: Array) -> Array:
    padded = np.zeros((2, row.size), row.dtype)
    padded[0] = row
    return padded
