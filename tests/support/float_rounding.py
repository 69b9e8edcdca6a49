"""What float64's own rounding explains: a formula as it stands loses digits where terms cancel."""

import numpy as np

from core.arrays import Array, Flags
from core.steps import Rounding


class FloatRounding(Rounding):
    """Rounding as float64 does it: by half a unit of the last binary digit."""

    def of(self, value: Array, error: Array | float = 0.0) -> Array:  # noqa: ARG002 - it is part of what `of` takes
        return np.asarray(np.finfo(value.dtype).eps * np.abs(value))


FLOAT = FloatRounding(0)


def has_twelve_digits(found: Array, exact: Array) -> Flags:
    """Tell which entries agree to twelve digits, or decimals."""
    return np.asarray(np.abs(found - exact) <= 1e-12 * np.maximum(1.0, np.abs(exact)))


def is_explained(found: Array, exact: Array, followed: Array) -> bool:
    """Tell whether all entries agree to twelve digits, or to what rounding the inputs and everything computed explains.

    ``followed`` is the bound of the inputs' own rounding; where it is not finite, the formula has lost all digits.
    """
    allowed = np.broadcast_to(10.0 * (followed + FLOAT.of(exact)), exact.shape)
    near = np.abs(found - exact) <= allowed
    return bool((near | has_twelve_digits(found, exact) | ~np.isfinite(allowed)).all())
