"""Many submissions at once: which are right to the last digit, so that one grade holds for all of them."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from core.answers import Answer
from core.arrays import Array
from core.grading.allowance import HALF_UNIT, MOST_BY_HAND, allow
from core.grading.shapes import fit_shape
from core.grading.solution import Solution
from core.grading.tolerance import Tolerance

NO_MATCH = -1
"""Stands for submissions that have to be marked one by one."""

BY_MACHINE = MOST_BY_HAND + 1
"""Stands for any number of decimals that nobody writes by hand."""

PRECISIONS = BY_MACHINE + 1

FULL_PRECISION = 1.0 / 3.0
"""A number with as many decimals as a machine gives."""

MOST_PARTS = 20
"""The ways to write so many answers have a number each in 64 bits."""

LARGEST_ENTRY = 1e9
"""Below this, numbers of six decimals have fifteen digits, and float64 tells any two of those apart."""


class ExactMatcher:
    """Tells submissions that are right to the last digit in every part.

    Parameters
    ----------
    solution : Solution
        With its truths computed.
    answers : mapping of str to Answer
        Under numbered keys: one submission, which has the shapes of all the others.
    may_widen : bool
        Whether the tolerance counts where it is wider than the default.

    Notes
    -----
    An answer that is right to the last digit is marked without a search, and nothing of its numbers enters the
    mark but how many decimals they have; only the largest error, which the level ``full`` shows, is its own.
    Below that level, submissions that are written alike have one grade, and the grade of one is that of all.
    """

    def __init__(
        self, solution: Solution, answers: Mapping[str, Answer], tolerance: Tolerance | None, *, may_widen: bool
    ) -> None:
        self._parts = [
            (solution.truth(key).ravel(), _limits(solution, key, tolerance, may_widen=may_widen)) for key in answers
        ]
        self.width = sum(truth.size for truth, _ in self._parts)

    @np.errstate(all="ignore")
    def match(self, numbers: Array) -> npt.NDArray[np.int64]:
        """Tell of each submission whether it is right outright, and how it is written.

        Parameters
        ----------
        numbers : ndarray, shape (n_submissions, width)
            All numbers of a submission in a row, one answer after the other.

        Returns
        -------
        ndarray of int, shape (n_submissions,)
            `NO_MATCH`, or a number that submissions share which are written alike.
        """
        written = np.zeros(len(numbers), dtype=np.int64)
        is_right = np.ones(len(numbers), dtype=np.bool_)
        start = 0
        for truth, limits in self._parts:
            own = numbers[:, start : start + truth.size]
            decimals = count_decimals_of_rows(own)
            is_right &= (np.abs(own - truth) <= limits[decimals]).all(axis=1)
            written = written * PRECISIONS + decimals
            start += truth.size
        return np.where(is_right, written, NO_MATCH)


def find_exact_matcher(
    solution: Solution, answers: Mapping[str, Answer], tolerance: Tolerance | None, *, may_widen: bool = True
) -> ExactMatcher | None:
    """Return what tells submissions that are right outright.

    Parameters
    ----------
    solution : Solution
        With its truths computed.
    answers : mapping of str to Answer
        Under numbered keys: one submission of those to come, right or wrong.
    may_widen : bool
        Whether the tolerance counts where it is wider than the default.

    Returns
    -------
    ExactMatcher or None
        None if submissions of these shapes have to be marked one by one.
    """
    if len(answers) > MOST_PARTS:
        return None
    for key, answer in answers.items():
        truth = solution.truth(key)
        if answer.value is None or fit_shape(answer.value, truth.shape) is None or np.abs(truth).max() >= LARGEST_ENTRY:
            return None
    return ExactMatcher(solution, answers, tolerance, may_widen=may_widen)


def count_decimals_of_rows(numbers: Array) -> npt.NDArray[np.int64]:
    """Count the decimals of rows of numbers, as reading an answer does.

    Parameters
    ----------
    numbers : ndarray, shape (n_rows, n_columns)
        Of at most `LARGEST_ENTRY`; for others the count may be too large.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        The most decimals of any number of the row, at least 0, or `BY_MACHINE` where it is more than six.

    Notes
    -----
    A number has at most d decimals if it is the float64, or the float32, nearest to k / 10ᵈ for a whole k. Of fewer
    than fifteen digits, k is what x·10ᵈ is rounded to, and the division is rounded correctly.
    """
    counts = np.full(len(numbers), BY_MACHINE)
    # the first number tells of most rows at full precision that they are, so the others are not looked at
    [rows] = np.nonzero(_have_decimals(numbers[:, :1], MOST_BY_HAND))
    for decimals in range(MOST_BY_HAND, -1, -1):
        rows = rows[_have_decimals(numbers[rows], decimals)]
        counts[rows] = decimals
    return counts


def _have_decimals(numbers: Array, decimals: int) -> npt.NDArray[np.bool_]:
    unit = 10.0**decimals
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.rint(numbers * unit) / unit
        return np.asarray(((rounded == numbers) | (rounded.astype(np.float32) == numbers)).all(axis=1))


def _limits(solution: Solution, key: str, tolerance: Tolerance | None, *, may_widen: bool) -> Array:
    """Return how far each entry of an answer that is right outright may lie off, by the answer's decimals."""
    truth, limits = solution.truth(key), []
    # the narrowest: as if every entry had the decimals that one of them has, or those that are needed
    for written in (0.0, *(10.0**-decimals for decimals in range(1, BY_MACHINE)), FULL_PRECISION):
        answer, asked = np.full(truth.shape, written), solution.question.decimals
        allowance = allow(solution.precision(key), answer, tolerance, asked, may_widen=may_widen)
        limits.append(np.minimum(allowance.limits, HALF_UNIT * allowance.units.reshape(truth.shape)).ravel())
    # beside entries at full precision there may be others
    return np.array([*limits[:-1], np.minimum(*limits[-2:])])
