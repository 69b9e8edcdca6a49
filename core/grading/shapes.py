"""When an answer has a quantity's shape: strictly, and never broadcast."""

from core.arrays import Array


def fit_shape(answer: Array, shape: tuple[int, ...]) -> Array | None:
    """Return an answer in a quantity's shape, if it has it.

    Parameters
    ----------
    answer : ndarray
    shape : tuple of int
        (1, K) and (K,) are one shape, and so are the Jacobian of a single sample with and without its
        leading axis. A number is not an array of one.

    Returns
    -------
    ndarray or None
    """
    if answer.shape == shape:
        return answer
    ranks = (answer.ndim, len(shape))
    if ranks in {(2, 1), (1, 2), (2, 3)} and (answer.shape == (1, *shape) or (1, *answer.shape) == shape):
        return answer.reshape(shape)
    return None


def describe_shape(shape: tuple[int, ...]) -> str:
    """Say a shape in words."""
    return "one number" if not shape else f"shape ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
