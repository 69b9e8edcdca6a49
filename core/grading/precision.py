"""How precise careful work on one quantity is, before an answer is looked at."""

from collections.abc import Callable
from functools import partial

import numpy as np

from core.answers import Counts
from core.arrays import Array, Flags
from core.scenarios import Scenarios

MACHINE_RELATIVE = 1e-4
"""What single precision and finite differences may be off, as a part of the largest entry."""

MACHINE_NOISE = 1e-6
"""What float noise may add to 0, as a part of the largest entry: rounding in single precision, some ten times."""

CANCELLED_WITHIN = 1e-15
"""A truth this small beside what it is computed from is 0: float64 has rounded what cancels."""

FEWEST_FIGURES = 3
"""Significant figures that are always enough."""

OWN_ROUNDING = 5.0 / 9.0
"""What rounding moves a number by, at most, in units: in several steps, one decimal after the other, as well."""


class Precision:
    """How far careful work on a quantity may be off.

    Parameters
    ----------
    rounding_bound : callable
        ``rounding_bound(decimals)``: what rounding every number on the way adds up to, entry by entry.
    scale : float
        The size of the largest number that the quantity is computed from.

    Attributes
    ----------
    largest : float
        The truth's largest entry.
    is_zero : ndarray of bool
        Where the truth is exactly 0.
    noise : float
        What float noise may add to such an entry.
    """

    def __init__(self, truth: Array, rounding_bound: Callable[[int], Array], scale: float) -> None:
        self.truth = truth
        self.largest = float(np.abs(truth).max())
        if self.largest <= CANCELLED_WITHIN * scale:
            self.largest = 0.0
        self.is_zero: Flags = (truth == 0) | (self.largest == 0)
        self.noise = MACHINE_NOISE * (self.largest or scale)
        # what cancels has lost digits: float64 rounds the numbers on the way, not their difference
        lost = min(CANCELLED_WITHIN * scale, self.largest / 4.0)
        span, relative = float(np.ptp(truth)), max(MACHINE_RELATIVE * self.largest, lost)
        # with several values no tolerance may be so wide that one constant meets them all
        self._relative = min(relative, span / 4.0) if span > self.noise else relative
        self._rounding_bound = rounding_bound
        self._beyond: dict[int | None, Array] = {None: np.where(self.is_zero, self.noise, self._relative)}
        self._raised: dict[int, int] = {}

    def beyond(self, decimals: int | None) -> Array:
        """Return how far each entry may lie off, beside the answer's own rounding.

        Parameters
        ----------
        decimals : int or None
            What the numbers on the way are rounded to; None for an answer by machine.

        Returns
        -------
        ndarray
            Of the truth's shape.
        """
        if decimals is not None and decimals not in self._beyond:
            self._beyond[decimals] = np.maximum(self.by_hand(decimals), self._beyond[None])
        return self._beyond[decimals]

    def by_hand(self, decimals: int) -> Array:
        """Return the same without what single precision and finite differences may be off.

        Returns
        -------
        ndarray
            Of the truth's shape.
        """
        return np.maximum(self._rounding_bound(decimals), np.where(self.is_zero, self.noise, 0.0))

    def limits(self, decimals: int) -> Array:
        """Return how far an answer may lie off that is the truth rounded as coarsely as it may be.

        Parameters
        ----------
        decimals : int
            Those of the answer.

        Returns
        -------
        ndarray
            Of the truth's shape.
        """
        return own_rounding(fewest_decimals(self.truth, decimals)) + self.beyond(decimals)

    def raise_decimals(self, decimals: int) -> int:
        """Return the fewest decimals from those asked on with which neither zeros nor a constant would pass."""
        if decimals not in self._raised:
            raised = decimals
            if self.largest:
                # with fewer, zeros pass whatever is on the way
                raised = max(decimals, int(np.floor(-np.log10(2.0 * self.largest))))
                while self._lets_trivial_pass(raised):
                    raised += 1
            self._raised[decimals] = raised
        return self._raised[decimals]

    def _lets_trivial_pass(self, decimals: int) -> bool:
        truth, beyond = self.truth, self.beyond(decimals)
        if (np.abs(truth) <= own_rounding(np.array(decimals)) + beyond).all():
            return True
        middle = (truth.max() + truth.min()) / 2.0
        limits = own_rounding(fewest_decimals(middle, decimals)) + beyond
        # a truth that is itself constant, but for float noise, lets constants pass
        return bool(np.ptp(truth) > self.noise and (truth - limits).max() <= (truth + limits).min())


def find_precision(scenarios: Scenarios, key: str, truth: Array) -> Precision:
    """Find how precise careful work on a quantity is.

    Parameters
    ----------
    scenarios : Scenarios
        Those of the problem, nothing given.
    key : str
        The quantity's numbered id.
    """
    return Precision(truth, partial(scenarios.rounding_bound, key), scenarios.largest_on_the_way(key))


def fewest_decimals(numbers: Array, decimals: Counts | int) -> Counts:
    """Return how many decimals each number has to be written with: those asked, or as many significant figures.

    Parameters
    ----------
    decimals : int or ndarray of int
        The decimals asked. Of significant figures as many are enough, but three at least.

    Returns
    -------
    ndarray of int
        Negative where a whole number's last digits may be zeros.
    """
    figures = np.maximum(decimals, FEWEST_FIGURES)
    with np.errstate(divide="ignore"):
        leading = np.floor(np.log10(np.abs(numbers)))
    leading = np.where(np.isfinite(leading), leading, -np.inf)
    needed: Counts = np.minimum(decimals, figures - 1 - leading).astype(np.int64)
    return needed


def own_rounding(decimals: Counts) -> Array:
    """Return what rounding to decimals moves a number by, at most."""
    return OWN_ROUNDING * unit_of(decimals)


def unit_of(decimals: Counts) -> Array:
    """Return a unit of the last decimal."""
    return np.asarray(10.0 ** -decimals.astype(np.float64))
