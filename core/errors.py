"""The errors that a caller of `core` can cause.

    CoreError(ValueError)
    ├─ UnknownNameError    a name that no registry or network has
    ├─ ShapeError          arrays that do not fit together
    ├─ DomainError         a value outside what the formula is defined for
    ├─ TooLargeError       a result over the budget, known from shapes before anything is computed
    └─ NonFiniteError      the exact result does not fit float64

Every message says what was found, what was needed and why. `path` leads from the object that was being
built to the part that is wrong, so that an edge can turn it into a JSON pointer.
"""

from typing import Self

Path = tuple[str | int, ...]


class CoreError(ValueError):
    """An error that the caller caused and can mend.

    Parameters
    ----------
    message : str
        What was found, what was needed, and why.
    path : tuple of str and int
        Attribute names and indices that lead to the wrong part; empty for the whole.
    """

    def __init__(self, message: str, *, path: Path = ()) -> None:
        super().__init__(message)
        self.path = path

    def at(self, path: Path) -> Self:
        """Return the same error at another path."""
        return type(self)(str(self), path=path)


class UnknownNameError(CoreError):
    """A name that is not among the choices; the message lists them."""


class ShapeError(CoreError):
    """Arrays whose shapes do not fit; the message names both and the equation that ties them."""


class DomainError(CoreError):
    """A value outside the domain of the formula that takes it."""


class TooLargeError(CoreError):
    """A computation over the budget, refused from its shapes alone."""


class NonFiniteError(CoreError):
    """A result that float64 cannot hold."""


def counted(number: int, noun: str) -> str:
    """Write how many of something there are.

    Parameters
    ----------
    number : int
    noun : str
        For one; more are written with an s.

    Returns
    -------
    str
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
