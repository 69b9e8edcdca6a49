"""When an answer has a quantity's shape: strictly, and never broadcast."""

import math

from core.arrays import Array


def fit_shape(answer: Array, shape: tuple[int, ...]) -> Array | None:
    """Return an answer in a quantity's shape, if it has it.

    Parameters
    ----------
    shape : tuple of int
        (1, K) and (K,) are one shape, and so are the Jacobian of a single sample with and without its
        leading axis. One number is one shape with any number of brackets around it.
    """
    if answer.shape == shape:
        return answer
    if answer.size == math.prod(shape) == 1:
        return answer.reshape(shape)
    ranks = (answer.ndim, len(shape))
    if ranks in {(2, 1), (1, 2), (2, 3)} and (answer.shape == (1, *shape) or (1, *answer.shape) == shape):
        return answer.reshape(shape)
    return None


def is_flat_column(answer: Array, shape: tuple[int, ...]) -> bool:
    """Tell whether an answer is a column without its second axis: not reshaped, but nothing is swapped.

    Parameters
    ----------
    shape : tuple of int
        The quantity's.
    """
    return answer.ndim == 1 and shape == (answer.size, 1)


def describe_misfit(found: tuple[int, ...], needed: tuple[int, ...]) -> str:
    """Tell a student which shape an answer has, and which it needs."""
    if len(found) == 1 and len(needed) == 2 and math.prod(needed) == found[0]:
        rows, columns = needed
        block = f"a column of {rows} rows" if columns == 1 else f"{rows} rows of {columns} numbers"
        return f"Your numbers stand in a flat list, not reshaped. Give {block}: {_name(needed)}."
    return f"Your answer is {_name(found)}; {_name(needed)} is needed."


def _name(shape: tuple[int, ...]) -> str:
    inside = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
    return f"an array of shape ({inside})" if shape else "one number"
