"""What is explained, and by what: an answer to one quantity, and a prediction that meets it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.arrays import Array
from core.conventions import Switch
from core.grading.allowance import Allowance
from core.grading.origins import Origin
from core.grading.shapes import fit_shape
from core.mistakes import MISTAKES, PRECEDENCE
from core.quantities import Quantity

SAME_WITHIN = 1e-9
"""Two predictions that differ by less, as a part of their size, are the same numbers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartToExplain:
    """One answer to explain.

    Parameters
    ----------
    quantity : Quantity
    truth : ndarray
    answer : ndarray
        Finite, in whatever shape.
    allowance : Allowance
    """

    quantity: Quantity
    truth: Array
    answer: Array
    allowance: Allowance

    @property
    def key(self) -> str:
        """The quantity's numbered id."""
        return self.quantity.key

    @property
    def fits(self) -> bool:
        """Whether the answer has the quantity's shape."""
        return fit_shape(self.answer, self.truth.shape) is not None

    def is_met(self, prediction: Array) -> bool:
        """Tell whether the answer is a prediction, to within rounding.

        Parameters
        ----------
        prediction : ndarray

        Returns
        -------
        bool
        """
        answer = fit_shape(self.answer, prediction.shape)
        if answer is None or not np.isfinite(prediction).all():
            return False
        return self.allowance.lets_pass(answer, prediction)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hypothesis:
    """One explanation of an answer.

    Parameters
    ----------
    names : tuple of str
        Its mistakes.
    switches : mapping of str to Switch
        The conventions under which some of them are none.
    chosen : int
        The bits of its variants.
    prediction : ndarray
        What it predicts, flat.
    distance : float
        Euclidean distance from the answer.
    origins : mapping of str to Origin
        Where each mistake is made; without those that are made with the finished answer.
    """

    names: tuple[str, ...]
    switches: Mapping[str, Switch]
    chosen: int
    prediction: Array
    distance: float
    origins: Mapping[str, Origin]

    @property
    def precedence(self) -> tuple[int, list[float], list[int]]:
        """What sorts matches of the same numbers: the simplest first, then the nearest, then the registry's order.

        A mistake is the nearer, the later on the way to the quantity it is made; with the finished answer last.
        """
        ranks = sorted(self.origins[name].rank if name in self.origins else _rank_of(name) for name in self.names)
        return len(self.names), [-rank for rank in ranks], [PRECEDENCE[name] for name in self.names]


def _rank_of(name: str) -> float:
    # that a factor is as large as some size of the problem says less than any step
    return -1.0 if any(transform.factor for transform in MISTAKES[name].transforms) else math.inf


def same_numbers(one: Array, other: Array, size: float) -> bool:
    """Tell whether two predictions are the same numbers.

    Parameters
    ----------
    one, other : ndarray
        Of one shape.
    size : float
        The size of the truth; predictions that are nothing beside it are both 0.

    Returns
    -------
    bool
    """
    size = max(size, float(np.abs(one).max()), float(np.abs(other).max()))
    return bool(np.abs(one - other).max() <= SAME_WITHIN * size)
