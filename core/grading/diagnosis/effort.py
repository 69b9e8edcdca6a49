"""What the searches for one submission may take, counted from shapes."""

from collections.abc import Iterable

from core.budget import CALL_COST, Budget, forward_operations
from core.jacobians import measure_derivatives
from core.problem import Problem
from core.quantities import Quantity
from core.scenarios import Selection

COMPARISON_COST = 20
"""What comparing one number takes, in multiply-adds: it is copied, subtracted and looked at several times."""


class Effort:
    """What the searches for one submission may take together.

    Attributes
    ----------
    is_cut : bool
        Whether selections of variants were left out because of their size.
    """

    def __init__(self, problem: Problem, budget: Budget) -> None:
        self._problem = problem
        depth = problem.network.depth
        products = forward_operations(problem.network, problem.n_samples) - 2 * CALL_COST * depth
        # scenarios share steps: of each there are a few to run anew, one for each layer at most and one more
        self._cost = 3 * products + CALL_COST * (depth + 1)
        self._left = budget.operations
        self._numbers = budget.numbers
        self.is_cut = False

    def afford(self, selections: list[Selection], size: int, *, comparisons: int) -> list[Selection]:
        """Return selections of variants, or none if computing them all would hold too much or take more than is left.

        Parameters
        ----------
        size : int
            How many numbers each of them gives.
        comparisons : int
            In how many orders they are compared with the answer.
        """
        cost = (self._cost + COMPARISON_COST * comparisons * size) * len(selections)
        if cost > self._left or size * len(selections) > self._numbers:
            self.is_cut = True
            return []
        self._left -= cost
        return selections

    def affords(self, derivatives: Iterable[Quantity]) -> bool:
        """Tell whether derivatives fit and what is left pays for them, and take it."""
        operations, numbers = measure_derivatives(self._problem, derivatives)
        if operations > self._left or numbers > self._numbers:
            return False
        self._left -= operations
        return True
