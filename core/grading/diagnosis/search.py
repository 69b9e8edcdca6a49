"""Finding the mistakes that produce an answer: single ones, then pairs, then a factor or an orientation on top.

An answer is explained by what predicts it to within the rounding, differs from the truth, and would not do
so by chance: among n hypotheses whose entries are spread over a range r, an arithmetic slip meets one in
all of its differing entries with a chance of about n · Π 2τ/r.
"""

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from core.arrays import Array
from core.conventions import Switch
from core.grading.diagnosis.effort import Effort
from core.grading.diagnosis.finished import arrange, find_known, find_orders, name_factor
from core.grading.diagnosis.hypothesis import Hypothesis, PartToExplain, find_origin, same_numbers
from core.grading.diagnosis.suspects import Suspects
from core.grading.shapes import fit_shape
from core.mistakes import PRECEDENCE
from core.scenarios import NO_VARIANTS, Scenarios, Selection

Predictions = tuple[tuple[int, ...], list[Selection], Array, Array]
"""What selections predict that give one shape: the shape, the selections, a row each, and how far the answer's first
entry may lie off it."""

MOST_CHANCE = (0.02, 0.02, 0.001, 0.0005)
"""How probable an accidental explanation may be, by its complexity; it matters for single numbers only, where a
slip can hit a pair of mistakes: of several entries not one slip in a million does."""

CONTRADICTED_SHARE = 1e-3
"""How much less probable an accident has to be where an answer upstream, which is right, speaks against it."""


class Search:
    """The explanations of one answer, in scenarios that may start from given values.

    Parameters
    ----------
    effort : Effort
        What is left for searches.
    right : sequence of PartToExplain
        Answers that are right. What would have made one upstream of the part wrong needs to be surer.
    """

    def __init__(
        self,
        suspects: Suspects,
        scenarios: Scenarios,
        part: PartToExplain,
        effort: Effort,
        right: Sequence[PartToExplain] = (),
    ) -> None:
        self._suspects = suspects
        self._scenarios = scenarios
        self._part = part
        self._effort = effort
        self._upstream = scenarios.upstream(part.key)
        self._right = [other for other in right if other.key in self._upstream]
        self._baseline = scenarios.value(part.key)
        self._orders = find_orders(suspects, part)
        self._stacks: dict[tuple[Selection, ...], list[Predictions]] = {}

    def convention(self, free: Collection[Switch]) -> list[Hypothesis]:
        """Find the other conventions under which the answer is right.

        Parameters
        ----------
        free : collection of Switch
            Those that nobody stated.

        Returns
        -------
        list of Hypothesis
            Of the fewest switches; empty if a mistake is nearer to the answer.
        """
        selections = self._suspects.conventions(free, self._scenarios, self._part.key)
        found = list(self._compare(selections, [0], MOST_CHANCE[0]))
        fewest = min((len(hypothesis.names) for hypothesis in found), default=0)
        found = [hypothesis for hypothesis in found if len(hypothesis.names) == fewest]
        return [] if self._has_nearer(found, free) else found

    def _has_nearer(self, conventions: Sequence[Hypothesis], free: Collection[Switch]) -> bool:
        answer, allowance = self._part.answer, self._part.allowance
        best = min(conventions, key=lambda hypothesis: hypothesis.distance, default=None)
        if best is None or allowance.is_rounded(answer, best.prediction.reshape(answer.shape)):
            return False
        # a wide tolerance lets pass what a mistake meets exactly
        return any(
            hypothesis.distance < best.distance
            and not all(hypothesis.switches.get(name) in free for name in hypothesis.names)
            and not same_numbers(hypothesis.prediction, best.prediction, allowance.largest)
            for hypothesis in self._compare(self._singles(), [0], MOST_CHANCE[0])
        )

    def mistakes(self, *, most: int = 4) -> list[Hypothesis]:
        """Find the simplest explanations of the answer.

        Parameters
        ----------
        most : int
            The highest complexity to look for: 1 single mistakes, 2 pairs, 3 a factor on top of a single
            one, 4 a factor or an orientation on top of a pair.

        Returns
        -------
        list of Hypothesis
            All of one complexity, the nearest first; empty if nothing explains it.
        """
        if self._part.allowance.says_little(self._part.answer):
            most = 1
        singles = self._singles()
        orders = list(range(1, len(self._orders)))
        pairs: list[Selection] = []
        found = [*self._compare(singles, [0], MOST_CHANCE[0]), *self._compare([NO_VARIANTS], orders, MOST_CHANCE[0])]
        found += self._named(1, MOST_CHANCE[0])
        if not found and most > 1:
            pairs = self._afford(self._suspects.pairs(self._scenarios, self._part.key))
            found = [*self._compare(pairs, [0], MOST_CHANCE[1]), *self._compare(singles, orders, MOST_CHANCE[1])]
            found += self._named(2, MOST_CHANCE[1])
        if not found and most > 2:
            found = list(self._fitted([NO_VARIANTS], MOST_CHANCE[2])) or list(self._fitted(singles, MOST_CHANCE[2]))
        if not found and most > 3:
            found = [*self._compare(pairs, orders, MOST_CHANCE[3]), *self._fitted(pairs, MOST_CHANCE[3])]
        return sorted(found, key=lambda hypothesis: hypothesis.distance)

    def rivals(self) -> list[Hypothesis]:
        """Find the single mistakes that are nearer to an answer of the right shape than the truth is.

        Returns
        -------
        list of Hypothesis
            The nearest first.
        """
        singles = self._singles()
        answer = self._part.answer.reshape(self._baseline.shape)
        own = float(np.linalg.norm((answer - self._baseline).ravel()))
        found = []
        for selections, order in ((singles, 0), *(([NO_VARIANTS], index) for index in range(1, len(self._orders)))):
            for kept, unordered, _ in self._predict(selections, order):
                rows = arrange(unordered, self._orders[order])
                distances = np.linalg.norm(rows - answer.ravel(), axis=1)
                apart = (np.abs(rows - self._baseline.ravel()) > self._part.allowance.units).any(axis=1)
                nearer = [int(index) for index in np.flatnonzero((distances < own) & apart)]
                for index in (index for index in nearer if self._is_possible(kept[index])):
                    names = (*self._suspects.names(kept[index]), *self._orders[order][0])
                    found.append(self._hypothesis(names, kept[index], rows[index], float(distances[index])))
        for names, row, selection in find_known(self._suspects, self._part, self._baseline):
            distance = float(np.linalg.norm(row - answer.ravel()))
            apart = np.abs(row - self._baseline.ravel()) > self._part.allowance.units
            if row.any() and distance < own and apart.any() and self._is_possible(selection):
                found.append(self._hypothesis(names, selection, row, distance))
        return sorted(found, key=lambda hypothesis: hypothesis.distance)

    def not_finite(self) -> list[Hypothesis]:
        """Find the single mistakes that overflow just where the answer is not finite."""
        part, found = self._part, []
        for selection in self._singles():
            value = self._scenarios.value(part.key, selection)
            answer = fit_shape(part.answer, value.shape)
            if answer is None or np.isfinite(value).all():
                continue
            finite = np.isfinite(value)
            # a single NaN tells of no mistake but the one that is known to make it
            if (finite == np.isfinite(answer)).all() and (
                finite.any() or "overflowed" in self._suspects.names(selection)
            ):
                apart = np.abs(value[finite] - answer[finite]).max(initial=0.0)
                if apart <= part.allowance.allowed:
                    found.append(
                        self._hypothesis(self._suspects.names(selection), selection, value.ravel(), float(apart))
                    )
        return found

    def _singles(self) -> list[Selection]:
        return self._afford(self._suspects.singles(self._scenarios, self._part.key))

    def _afford(self, selections: list[Selection]) -> list[Selection]:
        size = max(self._part.truth.size, self._part.answer.size)
        return self._effort.afford(selections, size, comparisons=len(self._orders))

    def _predict(self, selections: Sequence[Selection], order: int) -> Iterator[tuple[list[Selection], Array, Array]]:
        """Give what selections predict that fits the answer when it is put in an order, those of one shape together."""
        answer, own = self._part.answer, self._part.truth.shape
        for found, kept, rows, allowed in self._stack(tuple(selections)):
            # what an order makes of the quantity's own shape fits the answer, or it would be none
            if found == own if order else fit_shape(answer, found) is not None:
                yield kept, rows, allowed

    def _stack(self, selections: tuple[Selection, ...]) -> list[Predictions]:
        """Stack what selections predict, by shape, finite ones that may be of use only; once, for all orders."""
        if selections not in self._stacks:
            self._stacks[selections] = stacks = []
            for several, values in self._scenarios.stacks(self._part.key, selections, fits=self._is_shape_of_use):
                shape = values.shape[1:]
                rows = values.reshape(len(several), -1)
                finite = np.flatnonzero(np.isfinite(rows).all(axis=1))
                if len(finite) < len(rows):
                    rows = rows[finite]
                if len(finite):
                    limits = self._part.allowance.limits_for(rows, 1)[:, 0]
                    stacks.append((shape, [several[i] for i in finite], rows, limits))
        return self._stacks[selections]

    def _is_shape_of_use(self, shape: tuple[int, ...]) -> bool:
        return shape == self._part.truth.shape or fit_shape(self._part.answer, shape) is not None

    def _compare(self, selections: Sequence[Selection], orders: Sequence[int], chance: float) -> Iterator[Hypothesis]:
        predicted = [(order, *stack) for order in orders for stack in self._predict(selections, order)]
        count = sum(len(rows) for _, _, rows, _ in predicted)
        first = self._part.answer.flat[0]
        for order, kept, rows, limits in predicted:
            names, _, index, sign = self._orders[order]
            # most differ in the first entry already; no order has a larger entry, and so a larger allowance
            hopeful = np.flatnonzero(np.abs(rows[:, index[0]] * sign[0] - first) <= limits)
            if len(hopeful):
                nearer = arrange(rows[hopeful], self._orders[order])
                yield from self._near([kept[i] for i in hopeful], nearer, names, chance / count)

    def _near(
        self, selections: Sequence[Selection], rows: Array, names: tuple[str, ...], chance: float, fitted: float = 0.0
    ) -> Iterator[Hypothesis]:
        answer = self._part.answer.ravel()
        differences = np.abs(rows - answer)
        limits = self._part.allowance.limits_for(rows)
        for index in map(int, np.flatnonzero((differences <= limits).all(axis=1))):
            window = max(float(differences[index].max()), 0.5 * self._part.allowance.finest)
            if not rows[index].any() and answer.any():
                continue  # zeros are explained by what gives zeros, and small numbers are not zeros
            log_chance = self._log_chance(rows[index], limits[index], window, fitted)
            least = math.log(chance if self._is_possible(selections[index]) else chance * CONTRADICTED_SHARE)
            if log_chance <= least:
                distance = float(np.linalg.norm(differences[index]))
                both = (*self._suspects.names(selections[index]), *names)
                yield self._hypothesis(both, selections[index], rows[index], distance)

    def _is_possible(self, selection: Selection) -> bool:
        return all(other.is_met(self._scenarios.value(other.key, selection)) for other in self._right)

    def _log_chance(self, prediction: Array, limits: Array, window: float, fitted: float) -> float:
        """Bound the chance that a slip comes as near to a prediction, in every entry that tells it from the truth."""
        truth, count = self._baseline.ravel(), prediction.size
        # what a factor was fitted to is as large as the slip, whatever the truth, and one entry is spent on the factor
        scale = fitted or max(float(np.abs(prediction).max()), float(np.abs(truth).max()))
        # in another shape even the right numbers are wrong
        if truth.size == prediction.size and self._part.own is not None:
            count = int((np.abs(prediction - truth) > limits).sum())
        if fitted:
            count -= 1
        if count < 1:
            return 0.0
        # no accident meets a prediction to the last bit
        return count * math.log(min(1.0, 2.0 * window / scale)) if scale and window else -math.inf

    def _named(self, count: int, chance: float) -> Iterator[Hypothesis]:
        """Compare the answer with what so many mistakes make of the truth by a factor, or put in its place."""
        known = find_known(self._suspects, self._part, self._baseline)
        for names, row, selection in known:
            if len(names) == count:
                yield from self._near([selection], row[None], names, chance / len(self._suspects.mistakes))

    def _fitted(self, selections: Sequence[Selection], chance: float) -> Iterator[Hypothesis]:
        problem, part = self._suspects.problem, self._part
        answer = fit_shape(part.answer, part.truth.shape)
        if answer is None:
            return
        for mistake, transform in self._suspects.transforms:
            start = transform.apply(problem, part.quantity, part.truth, 0.0) if transform.accepts else None
            if start is None or transform.accepts is None:
                continue
            rest = (answer - start).ravel()
            end = transform.apply(problem, part.quantity, np.ones(answer.shape), 1.0)
            sign = -1.0 if end is not None and (end - start).sum() < 0 else 1.0
            for kept, rows, _ in self._predict(selections, 0):
                with np.errstate(all="ignore"):
                    numbers = transform.exact(sign * (rows @ rest) / (rows * rows).sum(axis=1))
                    fitted = sign * numbers[:, None] * rows
                meets = (np.abs(fitted - rest) <= part.allowance.limits_for(fitted)).all(axis=1)
                for index in map(int, np.flatnonzero(meets)):
                    if transform.accepts(float(numbers[index])) and self._is_informative(fitted[index]):
                        made = self._suspects.names(kept[index])
                        named = [] if start.any() else name_factor(self._suspects, part, made, rows[index])
                        scale = float(np.abs(fitted[index]).max())
                        for names, row, _ in named or [((mistake.name,), fitted[index], NO_VARIANTS)]:
                            predicted = (row + start.ravel())[None]
                            yield from self._near([kept[index]], predicted, names, chance / len(selections), scale)

    def _is_informative(self, prediction: Array) -> bool:
        # one number is free, so at least two more entries have to speak for it
        telling = np.abs(prediction) > 2.0 * self._part.allowance.allowed
        return bool(telling.sum() >= 3) and np.ptp(np.abs(prediction)) > 2.0 * self._part.allowance.allowed

    def _hypothesis(
        self, names: tuple[str, ...], selection: Selection, prediction: Array, distance: float
    ) -> Hypothesis:
        names = tuple(sorted(dict.fromkeys(names), key=PRECEDENCE.__getitem__))
        problem, key = self._suspects.problem, self._part.key
        found = {
            s.mistake.name: find_origin(problem, s.variant, key, self._upstream) for s in self._suspects.made(selection)
        }
        return Hypothesis(
            names=names,
            switches=self._suspects.switches(selection),
            selection=selection,
            prediction=prediction,
            distance=distance,
            origins={name: origin for name, origin in found.items() if origin},
        )
