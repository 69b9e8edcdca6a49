"""Which mistakes a problem's numbers can tell from the right answer, and from each other.

Two answers are told apart in a quantity if they differ by more than honest rounding moves both of them.
They are the same there if they agree to the last digits, and near if neither holds: then rounding decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.arrays import Array, Flags
from core.grading.allowance import growth
from core.grading.diagnosis.hypothesis import SAME_WITHIN
from core.grading.diagnosis.suspects import Suspects
from core.grading.precision import Precision, fewest_decimals, find_precision, own_rounding
from core.problem import Problem
from core.quantities import to_quantity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WrongAnswer:
    """One variant or transform of a mistake, with what it gives for each quantity asked.

    Parameters
    ----------
    name : str
        The mistake's id.
    label : str
        Id and number of the variant or transform.
    predictions : tuple of ndarray or None
        One for each quantity asked; None where it makes no difference by construction.
    """

    name: str
    label: str
    predictions: tuple[Array | None, ...]


def mistake_of(label: str) -> str:
    """Return the id of the mistake that a label belongs to."""
    return label.rpartition("/")[0]


class Distinguishability:
    """What a problem's numbers tell apart.

    Parameters
    ----------
    keys : sequence of str
        Numbered ids of the quantities asked.
    decimals : int
        The decimals of the answers.
    """

    def __init__(self, problem: Problem, keys: Sequence[str], decimals: int) -> None:
        self.problem = problem
        self.keys = tuple(keys)
        self.suspects = Suspects(problem)
        scenarios = self.suspects.scenarios
        self.truths = tuple(scenarios.value(key) for key in self.keys)
        self.decimals = decimals
        self.precisions = tuple(
            find_precision(scenarios, key, truth) for key, truth in zip(self.keys, self.truths, strict=True)
        )
        self.wrong_answers = tuple(self._find_wrong_answers())

    @cached_property
    def hidden(self) -> Flags:
        """Whether a wrong answer gives the truth's numbers in a quantity; shape (n_wrong, n_keys)."""
        return self._against_truth[0]

    @cached_property
    def doubtful(self) -> Flags:
        """Whether rounding decides between a wrong answer and the truth; shape (n_wrong, n_keys)."""
        return self._against_truth[1]

    @cached_property
    def same(self) -> Flags:
        """Whether two of them give the same numbers in all quantities; shape (n_wrong, n_wrong)."""
        return np.asarray(self._pairs[0].all(axis=0))

    @cached_property
    def confused(self) -> Flags:
        """Whether two of them are told apart in no quantity; shape (n_wrong, n_wrong)."""
        return ~np.asarray(self._pairs[1].any(axis=0))

    @cached_property
    def visible(self) -> frozenset[str]:
        """The mistakes of which some wrong answer is told from the truth in some quantity."""
        shown = np.argwhere(~(self.hidden | self.doubtful).all(axis=1)).ravel()
        return frozenset(self.wrong_answers[index].name for index in shown)

    def _find_wrong_answers(self) -> list[WrongAnswer]:
        suspects, found = self.suspects, []
        for index, suspect in enumerate(suspects.suspects):
            if any(suspect.selection & suspects.scenarios.reach(key) for key in self.keys):
                values = [
                    suspects.scenarios.value(key, suspect.selection)
                    if suspect.selection & suspects.scenarios.reach(key)
                    else None
                    for key in self.keys
                ]
                found.append((suspect.mistake.name, index, values))
        for index, (mistake, transform) in enumerate(suspects.transforms, start=len(suspects.suspects)):
            if transform.accepts is None:
                values = [
                    transform.apply(self.problem, to_quantity(key), truth, 1.0)
                    for key, truth in zip(self.keys, self.truths, strict=True)
                ]
                if any(value is not None for value in values):
                    found.append((mistake.name, index, values))
        return [
            WrongAnswer(name=name, label=f"{name}/{index}", predictions=tuple(values)) for name, index, values in found
        ]

    @cached_property
    def _against_truth(self) -> tuple[Flags, Flags]:
        hidden = np.zeros((len(self.wrong_answers), len(self.keys)), dtype=np.bool_)
        doubtful = np.zeros_like(hidden)
        for column, (truth, precision) in enumerate(zip(self.truths, self.precisions, strict=True)):
            largest, limits = float(np.abs(truth).max()), precision.limits(self.decimals)
            for row, wrong in enumerate(self.wrong_answers):
                value = wrong.predictions[column]
                if value is None:
                    hidden[row, column] = True
                elif value.shape == truth.shape and np.isfinite(value).all():
                    apart = np.abs(value - truth)
                    hidden[row, column] = apart.max() <= SAME_WITHIN * largest
                    meets = apart <= limits + self._limits(precision, value[None])[0]
                    doubtful[row, column] = not hidden[row, column] and meets.all()
        return hidden, doubtful

    @cached_property
    def _pairs(self) -> tuple[Flags, Flags]:
        """Whether two of them are the same, and told apart, in each quantity."""
        count = len(self.wrong_answers)
        same = np.zeros((len(self.keys), count, count), dtype=np.bool_)
        apart = np.ones_like(same)
        for column, (truth, precision) in enumerate(zip(self.truths, self.precisions, strict=True)):
            largest = float(np.abs(truth).max())
            values = [truth if v.predictions[column] is None else v.predictions[column] for v in self.wrong_answers]
            # what is no number tells itself from any answer, but not two mistakes from each other
            finite = np.array(
                [value is not None and bool(np.isfinite(value).all()) for value in values], dtype=np.bool_
            )
            none = np.ix_(~finite, ~finite)
            same[column][none], apart[column][none] = True, False
            shapes = {i: value.shape for i, value in enumerate(values) if value is not None and finite[i]}
            for shape in set(shapes.values()):
                rows = np.array([i for i in shapes if shapes[i] == shape])
                stack = np.array([values[i] for i in rows]).reshape(len(rows), -1)
                ratios = growth(np.abs(stack).max(axis=1), largest)
                limits = self._limits(precision, stack)
                # row by row: all pairs at once would hold the square of what the answers hold
                for row, value, ratio, limit in zip(rows, stack, ratios, limits, strict=True):
                    distances = np.abs(stack - value)
                    same[column][row, rows] = distances.max(axis=1) <= SAME_WITHIN * largest * np.maximum(ratios, ratio)
                    apart[column][row, rows] = (distances > limits + limit).any(axis=1)
        return same, apart

    def _limits(self, precision: Precision, values: Array) -> Array:
        """Return how far answers that are a mistake's may lie off what it gives."""
        sizes = np.abs(values).reshape(len(values), -1).max(axis=1).reshape(-1, *[1] * (values.ndim - 1))
        beyond = float(precision.beyond(self.decimals).max()) * growth(sizes, precision.largest)
        return np.asarray(own_rounding(fewest_decimals(values, self.decimals)) + beyond)
