"""Which mistakes a problem's numbers can tell from the right answer, and from each other.

Two answers are told apart in a quantity if they differ by more than honest rounding moves both of them.
They are the same there if they agree to the last digits, and near if neither holds: then rounding decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from core.arrays import Array, Flags
from core.grading.allowance import growth
from core.grading.matches import SAME
from core.grading.suspects import Suspects
from core.problem import Problem
from core.quantities import to_quantity

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Variant:
    """One way or transform of a mistake, with what it gives for each quantity asked.

    Parameters
    ----------
    name : str
        The mistake's id.
    label : str
        Id and number of the way.
    predictions : tuple of ndarray or None
        One for each quantity asked; None where it makes no difference by construction.
    """

    name: str
    label: str
    predictions: tuple[Array | None, ...]


class Telling:
    """What a problem's numbers tell apart.

    Parameters
    ----------
    problem : Problem
    keys : sequence of str
        Numbered ids of the quantities asked.
    decimals : int
        The decimals of the answers.
    version : int or None
        The version of the catalogue of mistakes; None for all of it.
    """

    def __init__(self, problem: Problem, keys: Sequence[str], decimals: int, *, version: int | None = None) -> None:
        self.problem = problem
        self.keys = tuple(keys)
        self.suspects = Suspects(problem, version=version)
        scenarios = self.suspects.scenarios
        self.truths = tuple(scenarios.value(key) for key in self.keys)
        unit = 10.0**-decimals
        self.allowed = tuple(float(scenarios.spread(key).max()) * unit for key in self.keys)
        self.variants = tuple(self._find_variants())

    @cached_property
    def hidden(self) -> Flags:
        """Whether a variant gives the truth's numbers in a quantity; shape (n_variants, n_keys)."""
        return self._against_truth[0]

    @cached_property
    def doubtful(self) -> Flags:
        """Whether rounding decides between a variant and the truth; shape (n_variants, n_keys)."""
        return self._against_truth[1]

    @cached_property
    def same(self) -> Flags:
        """Whether two variants give the same numbers in all quantities; shape (n_variants, n_variants)."""
        return np.asarray(self._pairs[0].all(axis=0))

    @cached_property
    def confused(self) -> Flags:
        """Whether two variants are told apart in no quantity; shape (n_variants, n_variants)."""
        return ~np.asarray(self._pairs[1].any(axis=0))

    @cached_property
    def visible(self) -> frozenset[str]:
        """The mistakes of which some variant is told from the truth in some quantity."""
        shown = np.argwhere(~(self.hidden | self.doubtful).all(axis=1)).ravel()
        return frozenset(self.variants[index].name for index in shown)

    def _find_variants(self) -> list[Variant]:
        suspects, found = self.suspects, []
        for index, suspect in enumerate(suspects.suspects):
            if any(suspect.bit & suspects.scenarios.reach(key) for key in self.keys):
                values = [
                    suspects.scenarios.value(key, suspect.bit) if suspect.bit & suspects.scenarios.reach(key) else None
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
        return [Variant(name=name, label=f"{name}/{index}", predictions=tuple(values)) for name, index, values in found]

    @cached_property
    def _against_truth(self) -> tuple[Flags, Flags]:
        hidden = np.zeros((len(self.variants), len(self.keys)), dtype=np.bool_)
        doubtful = np.zeros_like(hidden)
        for column, truth in enumerate(self.truths):
            largest = float(np.abs(truth).max())
            for row, variant in enumerate(self.variants):
                value = variant.predictions[column]
                if value is None:
                    hidden[row, column] = True
                elif value.shape == truth.shape and np.isfinite(value).all():
                    apart = float(np.abs(value - truth).max())
                    hidden[row, column] = apart <= SAME * largest
                    allowed = self.allowed[column] * (1.0 + float(growth(np.abs(value).max(), largest)))
                    doubtful[row, column] = not hidden[row, column] and apart <= allowed
        return hidden, doubtful

    @cached_property
    def _pairs(self) -> tuple[Flags, Flags]:
        """Whether two variants are the same, and told apart, in each quantity."""
        count = len(self.variants)
        same = np.zeros((len(self.keys), count, count), dtype=np.bool_)
        apart = np.ones_like(same)
        for column, truth in enumerate(self.truths):
            largest = float(np.abs(truth).max())
            values = [truth if v.predictions[column] is None else v.predictions[column] for v in self.variants]
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
                # row by row: all pairs at once would hold the square of what the answers hold
                distances = np.array([np.abs(stack - row).max(axis=1) for row in stack])
                ratios = growth(np.abs(stack).max(axis=1), largest)
                allowed = self.allowed[column] * (ratios[:, None] + ratios[None, :])
                block = np.ix_(rows, rows)
                same[column][block] = distances <= SAME * largest * np.maximum(ratios[:, None], ratios[None, :])
                apart[column][block] = distances > allowed
        return same, apart
