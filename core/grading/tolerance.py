"""How far an answer may lie off, as a request states it and as a reply says it."""

from dataclasses import dataclass

from core.errors import DomainError
from core.grading.precision import MACHINE_RELATIVE

MOST_DECIMALS = 15
LARGEST_ABSOLUTE = 1e6


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far an answer may lie off: either decimals, or a relative and an absolute part.

    Parameters
    ----------
    decimals : int, optional
        An answer worked out by hand, every number rounded to so many decimals, is right.
    relative : float, optional
        Part of the truth's largest entry.
    absolute : float, optional

    Raises
    ------
    DomainError
        If nothing or both kinds are given, or a number is out of range.
    """

    decimals: int | None = None
    relative: float | None = None
    absolute: float | None = None

    def __post_init__(self) -> None:
        if (self.decimals is None) == (self.relative is None and self.absolute is None):
            raise DomainError(
                "a tolerance is either decimals, or relative and absolute; decimals are for answers by hand, "
                "the others for answers by machine"
            )
        if self.decimals is not None:
            if not 0 <= self.decimals <= MOST_DECIMALS:
                raise DomainError(
                    f"found {self.decimals} decimals; needed 0 to {MOST_DECIMALS}, the most that float64 holds",
                    path=("decimals",),
                )
            return
        _require_part("relative", self.relative, 1.0)
        _require_part("absolute", self.absolute, LARGEST_ABSOLUTE)
        if not (self.relative or self.absolute):
            raise DomainError("found a tolerance of 0; no computed number is exactly another")

    def is_wider(self, decimals: int) -> bool:
        """Tell whether it is wider than what holds by default, whatever the answer is.

        Parameters
        ----------
        decimals : int
            The decimals that are asked, or the fewest that an answer is read with.
        """
        return (self.decimals is not None and self.decimals < decimals) or (self.relative or 0.0) > MACHINE_RELATIVE


def _require_part(name: str, value: float | None, largest: float) -> None:
    if value is not None and not 0.0 <= value <= largest:
        raise DomainError(
            f"the {name} tolerance is {value:g}; needed 0 to {largest:g}: with more, any answer would be right",
            path=(name,),
        )


@dataclass(frozen=True, kw_only=True)
class UsedTolerance:
    """The tolerance that a part was marked with.

    Parameters
    ----------
    decimals : int or None
        The decimals that the answer was read with.
    relative, absolute : float or None
        The tolerance for answers by machine.
    allowed : float or None
        How far an entry may lie off; it depends on the truth, so only the level full shows it.
    """

    decimals: int | None = None
    relative: float | None = None
    absolute: float | None = None
    allowed: float | None = None
