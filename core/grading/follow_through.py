"""Credit for what follows: a part against what the student's own upstream parts lead to.

It cannot be gamed: upstream answers that make the rest trivial (zeros, constants, the targets themselves,
rows that are no distribution) lead nowhere, unless a mistake of the catalogue explains them, and neither
does an expected answer with far fewer different numbers than the truth.
"""

from collections.abc import Iterator, Mapping
from functools import reduce

import numpy as np

from core.arrays import Array
from core.conventions import COLUMN_ORDERS
from core.grading.diagnosis.effort import Effort
from core.grading.diagnosis.hypothesis import PartToExplain
from core.grading.grade import Part
from core.grading.solution import Solution
from core.nodes import output_node, position, symbol_of
from core.problem import Problem
from core.quantities import is_layer_value, to_quantity
from core.scenarios import Scenarios

LEAST_DISTINCT_SHARE = 0.5
"""An answer with no larger part of the truth's different numbers makes what follows too easy."""


def is_informative(value: Array, truth: Array, allowed: float) -> bool:
    """Tell whether an array is about as hard to come by as the truth.

    Parameters
    ----------
    value, truth : ndarray
        Of one shape.
    allowed : float
        How far an entry may lie off; what is nearer to 0, or to another entry, is no number of its own.
    """
    return _count_different(value, allowed) > LEAST_DISTINCT_SHARE * _count_different(truth, allowed) > 0


def _count_different(value: Array, allowed: float) -> int:
    sizes = np.sort(np.abs(value).ravel())
    sizes = sizes[sizes > 2.0 * allowed]
    return int(sizes.size and 1 + (np.diff(sizes) > allowed).sum())


def is_distribution(value: Array, allowed: float) -> bool:
    """Tell whether each row is a distribution, as far as rounding lets it be.

    Parameters
    ----------
    value : ndarray, shape (n_samples, n_classes)
    allowed : float
        How far an entry may lie off.
    """
    sums = np.abs(value.sum(axis=-1) - 1.0).max()
    return bool(sums <= value.shape[-1] * allowed and value.min() >= -allowed and value.max() <= 1.0 + allowed)


def needs_no_work(problem: Problem, value: Array, allowed: float) -> bool:
    """Tell whether every number of an answer can be written down without computing any.

    Parameters
    ----------
    allowed : float
        How far an entry may lie off.

    Returns
    -------
    bool
        Zeros, the targets of classes and the identity, perhaps over N, are such numbers.
    """
    free = np.array([0.0, 1.0, 1.0 / problem.n_samples])
    return bool(np.abs(np.abs(value)[..., None] - free).min(axis=-1).max() <= allowed)


class OwnWork:
    """The student's own values, as far as they have been marked, and what follows from them.

    Parameters
    ----------
    effort : Effort
        What is left for derivatives on the long way, which nobody asked for; without, it is not gone.
    may_be_wrong : bool
        Whether anything follows from wrong values.

    Attributes
    ----------
    values : dict of str to ndarray
        What further parts may be computed from, in the quantities' shapes.
    improper : dict of str to ndarray
        Outputs that are no distribution, though they should be. Only Jacobians may follow from them.
    wrong : set of str
        Those of both that are wrong.
    explained : set of str
        Those of the wrong ones that a mistake explains.
    """

    def __init__(self, solution: Solution, effort: Effort, *, may_be_wrong: bool) -> None:
        self._solution = solution
        self._effort = effort
        self._may_be_wrong = may_be_wrong
        self._scenarios: Scenarios | None = None
        self.values: dict[str, Array] = {}
        self.improper: dict[str, Array] = {}
        self.wrong: set[str] = set()
        self.explained: set[str] = set()

    @property
    def scenarios(self) -> Scenarios:
        """The scenarios in which the values are given."""
        if self._scenarios is None:
            self._scenarios = self._solution.suspects_by_layer.scenarios_given(self.values)
        return self._scenarios

    def add(self, part: PartToExplain, own: Array, marked: Part, *, is_paid: bool) -> None:
        """Add a part once it is marked, as far as others may follow from it.

        Parameters
        ----------
        own : ndarray
            Its answer in the quantity's shape.
        is_paid : bool
            Whether the part counts in the score.
        """
        is_right = marked.verdict == "correct"
        if is_right or self._may_lead_on(part, own, marked, is_paid=is_paid):
            self.values[part.key] = own
            self._scenarios = None
        elif is_paid and is_informative(own, part.truth, part.allowance.allowed):
            # S − Y of outputs that are no distribution is no work, but their Jacobian is
            self.improper[part.key] = own
        else:
            return
        if not is_right:
            self.wrong.add(part.key)

    def is_wrong_before(self, key: str) -> bool:
        """Tell whether a quantity is computed from a value that is wrong."""
        return bool(self.wrong & self._upstream(key))

    def is_right_before(self, key: str) -> bool:
        """Tell whether all is right that a quantity is computed from, on the long way as well."""
        derivatives = {name for name in self.values if to_quantity(name).by}
        return not self.wrong & (self._upstream(key) | derivatives)

    def leads_to(self, part: PartToExplain) -> bool:
        """Tell whether an answer follows from the student's own values, and took work."""
        if not (self.values or self.improper) or (self.wrong and not self._may_be_wrong):
            return False
        own, scenarios = self.values, self.scenarios
        if self.improper and part.quantity.is_jacobian:
            own = own | self.improper
            scenarios = self._solution.suspects_by_layer.scenarios_given(own)
        return any(
            part.is_met(expected) and self._is_work(expected, part)
            for expected in self._follow(part.key, own, scenarios)
        )

    def _follow(self, key: str, own: Mapping[str, Array], scenarios: Scenarios) -> Iterator[Array]:
        """Compute what a quantity is when own values are given: by the table, and by own derivatives."""
        if own.keys() & self._upstream(key):
            yield scenarios.value(key)
        asked = to_quantity(key)
        if asked.by is None:
            return
        for name in own:
            factors = _factors(name, asked.of, asked.by)
            if factors and self._effort.affords([to_quantity(factor) for factor in factors if factor not in own]):
                yield _product(self._solution.scenarios, own, factors, asked.by)

    def _is_work(self, expected: Array, part: PartToExplain) -> bool:
        # a modelled mistake may well leave a single number, but nobody gets credit for zeros
        allowed = part.allowance.allowed
        if self.wrong <= self.explained:
            return bool(np.abs(expected).max() > 2.0 * allowed)
        return is_informative(expected, part.truth, allowed)

    def _may_lead_on(self, part: PartToExplain, own: Array, marked: Part, *, is_paid: bool) -> bool:
        """Tell whether what follows from a wrong answer may earn credit in everything downstream."""
        problem, allowance, key = self._solution.question.problem, part.allowance, part.key
        if marked.verdict in {"follows_through", "convention_mismatch"}:
            if self.wrong & self._upstream(key) <= self.explained:
                self.explained.add(key)
            return True
        if marked.diagnoses and not needs_no_work(problem, own, allowance.allowed):
            self.explained.add(key)
            return True
        is_outputs = problem.network.gives_distribution and key == output_node(problem.network)
        allowed = max(allowance.allowed, float(allowance.units.max()))
        is_fit = is_informative(own, part.truth, allowed) and (not is_outputs or is_distribution(own, allowed))
        return is_paid and is_fit

    def _upstream(self, key: str) -> frozenset[str]:
        return self._solution.scenarios.upstream(key)


def _factors(name: str, of: str, by: str) -> list[str]:
    # an own derivative somewhere on the chain, with what leads to it from both sides
    given = to_quantity(name)
    upper, lower = given.of, given.by
    if lower is None:
        return []
    if not ((upper == of or _lies_between(upper, of, by)) and (lower == by or _lies_between(lower, of, by))):
        return []
    above = [] if upper == of else [f"d{of}_d{upper}"]
    below = [] if lower == by else [f"d{lower}_d{by}"]
    return [*above, name, *below]


def _lies_between(middle: str, of: str, by: str) -> bool:
    return is_layer_value(middle) and position(by) < position(middle) < position(of)


def _product(scenarios: Scenarios, own: Mapping[str, Array], factors: list[str], by: str) -> Array:
    first, *others = (own[key] if key in own else scenarios.value(key) for key in factors)
    if first.ndim == 3:
        return reduce(np.matmul, others, first)
    # a row for each sample, and the sum over samples where the parameters are shared
    rows = reduce(np.matmul, others, first[:, None, :])[:, 0, :]
    if not (symbol := symbol_of(by)).is_parameter:
        return rows
    parameter = scenarios.value(by)
    total = rows.sum(axis=0).reshape(parameter.shape, order=COLUMN_ORDERS[scenarios.problem.conventions.column_order])
    # the L2 term does not come down the chain
    return np.asarray(total + scenarios.value(str(symbol.l2_coefficient)) * parameter)
