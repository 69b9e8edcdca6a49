"""What becomes of a finished quantity: its entries in another order, other values in its place, a factor on it.

Factors have a name in a problem: the number of samples for a forgotten mean, ln 2 for another logarithm.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import partial

import numpy as np

from core.arrays import Array
from core.grading.diagnosis.hypothesis import PartToExplain
from core.grading.diagnosis.suspects import Factor, Suspects
from core.grading.shapes import fit_shape, is_flat_column
from core.mistakes import Indices, Signs, Transform, Variant
from core.problem import Problem
from core.quantities import Quantity
from core.scenarios import NO_VARIANTS, Selection
from core.steps import RuleContext, Step, steps_of, structure_of

Order = tuple[tuple[str, ...], tuple[int, ...], Indices, Signs]
"""What a transform does to a quantity: its name, the shape, and which entry stands where with which sign."""

DIVISORS = frozenset({"divisor", "log_of_base"})
"""The constants of the table that the losses are divided by."""

Known = list[tuple[tuple[str, ...], Array, Selection]]
"""Mistakes, the numbers that they give, in a row, and their variants, none for transforms."""


def find_orders(suspects: Suspects, part: PartToExplain) -> list[Order]:
    """List what transforms without a number of their own do to a quantity.

    Returns
    -------
    list of Order
        First the one that leaves all as it is, and has no name; then those that give the answer's shape.
    """
    # of the first no more than its first entry is looked at
    orders: list[Order] = [((), part.truth.shape, np.zeros(1, np.int32), np.ones(1, np.int8))]
    for mistake, transform in suspects.transforms:
        if transform.is_choice:
            chosen = choose_entries(transform, suspects.problem, part.quantity, part.truth.shape, part.answer)
            if chosen is not None:
                orders.append(((mistake.name,), *chosen))
    return orders


def arrange(rows: Array, order: Order) -> Array:
    """Put rows of numbers in an order.

    Parameters
    ----------
    rows : ndarray, shape (n_rows, n)

    Returns
    -------
    ndarray
        The rows themselves for the order without a name.
    """
    names, _, index, sign = order
    return rows[:, index] * sign if names else rows


def choose_entries(
    transform: Transform, problem: Problem, quantity: Quantity, shape: tuple[int, ...], answer: Array
) -> tuple[tuple[int, ...], Indices, Signs] | None:
    """Write a transform as a choice of entries and their signs, to apply it to many values at once.

    Parameters
    ----------
    transform : Transform
        One without a number of its own.
    shape : tuple of int
        The quantity's.

    Returns
    -------
    tuple or None
        The shape of the result, the flat index of each entry, and its sign (0 for an entry that is 0);
        None where the transform does not apply, or gives another shape than the answer has.
    """
    # of one number in every place, for the shape alone
    result = transform.apply(problem, quantity, np.broadcast_to(np.ones(()), shape), 1.0)
    if result is None or fit_shape(answer, result.shape) is None:
        return None
    # a column's transpose is a row, and a flat list has the shape of one, but swaps nothing
    if is_flat_column(answer, shape) and result.shape != answer.shape:
        return None
    return transform.choose(problem, quantity, shape)


def find_known(suspects: Suspects, part: PartToExplain, truth: Array) -> Known:
    """List what mistakes make of a quantity by a factor near the answer's, or put in its place.

    Parameters
    ----------
    truth : ndarray
        The quantity, possibly as it follows from given values.
    """
    known, right = _find_others(suspects, part), truth.ravel()
    with np.errstate(all="ignore"):
        number = float(np.divide(right @ part.answer.ravel(), right @ right)) if part.own is not None else 0.0
    # a factor that is far from the one that fits best is none
    factors = [each for each in _factors(suspects, part.quantity) if abs(number - each[1]) <= 0.5 * abs(each[1])]
    return known + [(names, factor * right, selection) for names, factor, selection in factors]


def name_factor(suspects: Suspects, part: PartToExplain, made: Collection[str], row: Array) -> Known:
    """Give the names of the factors that lead from a prediction to the answer, and the products.

    Parameters
    ----------
    part : PartToExplain
        Its answer has the quantity's shape.
    made : collection of str
        The mistakes that lead to the prediction.
    row : ndarray
        The prediction.
    """
    factors = [each for each in _factors(suspects, part.quantity) if not {*each[0]} & {*made}]
    products = np.array([factor for _, factor, _ in factors]).reshape(-1, 1) * row
    meets = np.abs(part.answer.ravel() - products) <= part.allowance.limits_for(products)
    found = map(int, np.flatnonzero(meets.all(axis=1)))
    return [(factors[index][0], products[index], factors[index][2]) for index in found]


def _find_others(suspects: Suspects, part: PartToExplain) -> Known:
    found: Known = []
    for mistake, transform in suspects.transforms:
        value = transform.apply(suspects.problem, part.quantity, part.truth, 1.0) if transform.is_other else None
        if value is not None and fit_shape(part.answer, value.shape) is not None:
            found.append(((mistake.name,), value.ravel(), NO_VARIANTS))
    return found


def _factors(suspects: Suspects, quantity: Quantity) -> list[Factor]:
    """List the factors of a quantity that mistakes have, each with either sign; they are looked up once."""
    if quantity.key not in suspects.factors:
        suspects.factors[quantity.key] = _find_factors(suspects, quantity)
    return suspects.factors[quantity.key]


def _find_factors(suspects: Suspects, quantity: Quantity) -> list[Factor]:
    problem, scenarios = suspects.problem, suspects.scenarios
    reach, taken = scenarios.reach(quantity.key), {*scenarios.upstream(quantity.key), quantity.key}
    steps: dict[str, list[Step]] = defaultdict(list)
    for step in steps_of(structure_of(problem)):
        if step.output in taken:
            steps[step.rule.name].append(step)
    variants = (s for s in suspects.suspects if s.selection & reach and s.layer is None)
    named = [(s.mistake.name, _factor_of(problem, s.variant, steps), s.selection) for s in variants]
    named += [(m.name, t.factor(problem, quantity), NO_VARIANTS) for m, t in suspects.transforms if t.factor]
    signed: list[Factor] = []
    for name, factor, selection in named:
        if factor is not None and factor > 0:
            signed += [((name,), factor, selection), (("sign_flipped", name), -factor, selection)]
    return signed


def _factor_of(problem: Problem, variant: Variant, steps: Mapping[str, Sequence[Step]]) -> float | None:
    """Return by what a variant multiplies the quantity that takes these steps; None if it does something else."""
    factor = 1.0
    for change in variant:
        for step in steps.get(change.rule, ()):
            context = RuleContext(problem, step.number)
            exact = partial(step.rule.apply, context)
            if not change.where(context):
                continue
            if change.scales is not None:
                factor *= change.scales
            elif step.output in DIVISORS:
                factor *= float(exact()) / float(change.apply(exact, context))
            else:
                return None
    return factor
